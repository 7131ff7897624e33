"""`bpfimg unload`: what was loaded goes, with its links and maps."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.load import Load

EPILOG = """\
Programs that came from one object share their maps and go together. It works when the interface, namespace, control
group or file that they are attached to has gone, too.

All that is named is looked up before the first goes. What went is printed as it goes; one that cannot be unloaded
does not keep the others, and is an error in the end.

examples:
  bpfimg unload 42
  bpfimg unload xdp_counter
  bpfimg unload -l team=net --type xdp
  bpfimg unload --ignore-missing 42 43"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._selected import add_selector

    parser.add_argument("programs", metavar="ID|NAME", nargs="*", help="id of a program, or name of an application")
    add_selector(parser)
    parser.add_argument("--ignore-missing", action="store_true", help="what is not loaded (any more) is no error")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Unloads one after the other; prints the ids of the programs that went."""
    from bpfimg import run as running
    from bpfimg.cli._loaded import host_of
    from bpfimg.cli._parser import tell
    from bpfimg.cli._render import json_text
    from bpfimg.cli._selected import check_one_way, selector

    wanted = selector(arguments)
    check_one_way(arguments.programs, wanted, "ids or names")
    gone: list[dict[str, object]] = []

    def went(load: Load) -> None:
        gone.extend({"id": number, "application": load.name or None} for number in load.program_ids)
        if not options.json:
            name = "" if options.quiet or not load.name else f" ({load.name})"
            print("".join(f"{number}{name}\n" for number in load.program_ids), end="")
        left = host.loads()
        if left and load.record:
            from bpfimg.load import maps

            for sentence in maps.kept(load, left):
                tell(options, sentence)

    host = host_of(options)
    done = False
    try:
        running.unload_many(
            host,
            arguments.programs,
            selector=wanted,
            missing_ok=arguments.ignore_missing,
            gone=went,
            missing=lambda sentence: tell(options, sentence),
        )
        done = True
    finally:  # what went is said although a later one failed
        if options.json and (gone or done):
            print(json_text({"programs": gone}))
    return 0
