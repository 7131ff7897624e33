"""`bpfimg unload`: what was loaded goes, with its links and maps."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = """\
Programs that came from one object share their maps and go together. It works when the interface has gone, too.

examples:
  bpfimg unload 42
  bpfimg unload xdp_counter"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("programs", metavar="ID|NAME", nargs="+", help="id of a program, or name of an application")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Unloads one after the other; prints the ids of the programs that went."""
    from bpfimg import run as running
    from bpfimg.cli._loaded import host_of
    from bpfimg.cli._render import json_text

    host = host_of(options)
    gone: list[dict[str, object]] = []
    try:
        for word in arguments.programs:
            load = running.unload(host, word)
            gone += [{"id": number, "application": load.name or None} for number in load.program_ids]
            if not options.json:
                name = "" if options.quiet or not load.name else f" ({load.name})"
                print("".join(f"{number}{name}\n" for number in load.program_ids), end="")
    finally:  # what went is said although a later one failed
        if options.json and gone:
            print(json_text({"programs": gone}))
    return 0
