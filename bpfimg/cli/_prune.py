"""`bpfimg prune`: content of the local store that no image needs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from bpfimg.cli._options import Options
    from bpfimg.oci import Digest, places

EPILOG = """\
Images with a name stay, images that were pulled by digest, their signatures and other referrers, and the images of
programs that are loaded. What is younger than an hour stays as well: it may belong to a pull that is under way, which
puts content there before it names it. Files that are not the store's stay and are named. When something cannot be
read, nothing is removed: `bpfimg fsck` says what it is.

examples:
  bpfimg prune --dry-run
  bpfimg prune --older 7d"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._limits import add_limit

    parser.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")
    parser.add_argument(
        "--older",
        metavar="TIME",
        default="1h",
        help="only what nobody has used for that long: 30m, 12h, 7d (default 1h)",
    )
    add_limit(parser)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the digests of what went; on stderr how much that is, and what was left alone."""
    from bpfimg.cli._amounts import seconds
    from bpfimg.cli._limits import limits
    from bpfimg.cli._parser import warn
    from bpfimg.cli._render import json_text
    from bpfimg.oci import places

    done = places.stores.prune(
        options.store,
        keep=_loaded(options),
        older=seconds(arguments.older, "--older"),
        dry_run=arguments.dry_run,
        lock_timeout=options.lock_timeout,
        limits=limits(options),
    )
    for name in done.foreign:
        warn(f"{options.store}/{name} is none of the store's files, it stays")
    if options.json:
        print(json_text(_entry(done, dry_run=arguments.dry_run)))
        return 0
    print("".join(f"{digest}\n" for digest, _ in done.removed), end="")
    _tell(options, done, dry_run=arguments.dry_run)
    return 0


def _loaded(options: Options) -> Iterator[Digest]:
    """The images of programs that are loaded."""
    from bpfimg.cli._parser import note, warn
    from bpfimg.errors import KernelError, UsageError
    from bpfimg.load import Host
    from bpfimg.oci import Digest

    try:
        loads = Host(options.bpffs).loads()
    except KernelError as error:
        note(options, f"which programs are loaded is not known: {error}")
        return
    for load in loads:
        image = load.record.image if load.record else None
        try:
            yield from map(Digest.parse, (image.digest, image.manifest) if image else ())
        except UsageError as error:
            warn(f"of which image program {load.id} is, is not known: {error}")


def _tell(options: Options, done: places.stores.Pruned, *, dry_run: bool) -> None:
    from bpfimg.cli._amounts import size
    from bpfimg.cli._parser import tell

    would = "would free" if dry_run else "freed"
    drafts = f" and {len(done.drafts)} drafts of writers that died" if done.drafts else ""
    tell(options, f"{would} {size(done.freed)}: {len(done.removed)} blobs{drafts}")
    if done.spared:
        tell(options, f"spared {size(sum(done.spared))}: {len(done.spared)} blobs are too young (see --older)")


def _entry(done: places.stores.Pruned, *, dry_run: bool) -> dict[str, object]:
    return {
        "blobs": [{"id": str(digest), "size": size} for digest, size in done.removed],
        "dry_run": dry_run,
        "freed": done.freed,
        "drafts": len(done.drafts),
        "forgotten": [str(each.digest) for each in done.forgotten],
        "spared": {"blobs": len(done.spared), "size": sum(done.spared)},
        "foreign": list(done.foreign),
    }
