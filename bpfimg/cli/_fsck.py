"""`bpfimg fsck`: is the local store sound?"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.cli._options import Options
    from bpfimg.oci import places

EPILOG = """\
All content is hashed, and every name is followed to the end: its manifests, configs and layers have to be there. Of an
image for several platforms one is enough. The exit code is 1 when something is wrong; pulling the image again mends
it, for altered content counts as missing. --repair removes altered content, so that other tools miss it as well.

examples:
  bpfimg fsck
  bpfimg fsck --repair"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._limits import add_limit

    parser.add_argument("--repair", action="store_true", help="remove content that is not what it is called")
    add_limit(parser)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints what is wrong; 1 when something is."""
    from bpfimg.cli._amounts import size
    from bpfimg.cli._limits import limits
    from bpfimg.cli._parser import tell
    from bpfimg.cli._render import clean, json_text, table
    from bpfimg.cli._steps import counting
    from bpfimg.oci import places

    with counting(options, "hashing") as step:
        done = places.stores.fsck(options.store, repair=arguments.repair, limits=limits(options), heard=step)
    if options.json:
        print(json_text(_entry(done)))
    elif options.quiet:
        print("".join(f"{clean(name)}\n" for name in _names(done.problems)), end="")
    elif done.problems:
        rows = [
            (
                "removed" if each.repaired else each.kind,
                str(each.digest or "-"),
                ", ".join(each.names) or "-",
                each.what,
            )
            for each in done.problems
        ]
        print(table(("PROBLEM", "CONTENT", "IMAGE", "WHAT"), rows))
    tell(options, f"looked at {done.blobs} blobs ({size(done.bytes)}) and {done.entries} names: {_verdict(done)}")
    return 0 if done.sound else 1


def _names(problems: Sequence[places.stores.Problem]) -> list[str]:
    return sorted({name for each in problems for name in each.names})


def _verdict(done: places.stores.Checked) -> str:
    if not done.problems:
        return "all is well"
    names = len(_names(done.problems))
    return f"{len(done.problems)} problems, {names} names concerned" + (", pull those again" if names else "")


def _entry(done: places.stores.Checked) -> dict[str, object]:
    return {
        "problems": [
            {
                "id": f"{each.kind}:{each.digest or (each.names[0] if each.names else '')}",
                "kind": each.kind,
                "digest": str(each.digest) if each.digest else None,
                "names": list(each.names),
                "message": each.what,
                "repaired": each.repaired,
            }
            for each in done.problems
        ],
        "blobs": done.blobs,
        "size": done.bytes,
        "names": done.entries,
        "sound": done.sound,
    }
