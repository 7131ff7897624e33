"""`bpfimg images`: what is in the local store, or in a registry."""

from __future__ import annotations

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.cli._options import Options
    from bpfimg.oci import Reference, places

EPILOG = """\
SIZE is that of all content of the image that is here, PLATFORMS are those that are here, and SINCE is how long ago the
name was given to this digest. An image that was pulled by digest has no tag: it is listed as NAME@DIGEST. Signatures
and other documents about images are not listed: `bpfimg referrers REF` shows them.

registry:HOST/NAME lists the tags of a repository in its registry; registry:HOST/ the repositories of a registry that
tells (most do not).

examples:
  bpfimg images
  bpfimg images registry.example/xdp_counter -o json
  bpfimg images registry:registry.example/xdp_counter"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._limits import add_limit

    parser.add_argument("reference", metavar="REF", nargs="?", help="only this repository, or only this tag")
    add_limit(parser)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the images, sorted by name; an empty store is an empty list."""
    from bpfimg.oci import places

    where = places.Location.parse(arguments.reference) if arguments.reference else None
    if where is not None and where.transport == "registry":
        from bpfimg.cli._images_remote import show

        show(options, where.reference)
    elif where is not None and where.transport not in ("", "store"):
        hint = "`bpfimg images --store DIR` lists an image layout" if where.transport == "oci" else ""
        raise UsageError(f"{arguments.reference!r} is neither in the store nor in a registry", hint=hint)
    else:
        _print(options, _asked(options, where.reference if where is not None else ""))
    return 0


def _asked(options: Options, text: str) -> list[places.stores.Stored]:
    """The images that REF means; for these few what nobody wrote beside the name is looked up."""
    from bpfimg._value import replace
    from bpfimg.cli._limits import limits
    from bpfimg.cli._places import names
    from bpfimg.oci import Layout, Reference, places

    found = places.stores.listing(options.store, limits(options))
    if not text:
        return found
    wanted = (*names(text), Reference.parse(text))
    last = text.rpartition("/")[2]
    found = [each for each in found if each.name == text or _is_meant(each, wanted, exact=bool(set(last) & set(":@")))]
    place = Layout(options.store, wanted[0].repository, limits=limits(options))
    for number, each in enumerate(found):
        if each.size is None:
            size, platforms = places.stores.measure(place, each.descriptor, limits(options))
            found[number] = replace(each, size=size, platforms=platforms)
    return found


def _is_meant(each: places.stores.Stored, wanted: Sequence[Reference], *, exact: bool) -> bool:
    for reference in wanted:
        repository = (f"{reference.repository}:", f"{reference.repository}@")
        if reference.digest is not None:
            if each.name.startswith(repository) and each.descriptor.digest == reference.digest:
                return True
        elif each.name == str(reference) or (not exact and each.name.startswith(repository)):
            return True
    return False


def _print(options: Options, found: Sequence[places.stores.Stored]) -> None:
    import time

    from bpfimg.cli._amounts import age, size
    from bpfimg.cli._render import image_entry, json_text, table

    if options.json:
        entries = []
        for each in found:
            noted = {
                "stored_size": each.size,
                "platforms": None if each.platforms is None else list(each.platforms),
                "since": each.since or None,
            }
            entries.append({**image_entry(each.name, each.descriptor), **noted})
        print(json_text({"images": entries}))
    elif options.quiet:
        print("".join(f"{each.descriptor.digest}\n" for each in found), end="")
    else:
        now = time.time()
        rows = [
            (
                each.name,
                str(each.descriptor.digest)[:19],
                ",".join(each.platforms or ()) or "-",
                "-" if each.size is None else size(each.size),
                age(each.since, now),
            )
            for each in found
        ]
        print(
            table(
                ("IMAGE", "DIGEST", "PLATFORMS", "SIZE", "SINCE"),
                rows,
                free=("DIGEST", "PLATFORMS"),
                spare=("PLATFORMS", "DIGEST"),
            )
        )
