"""`bpfimg list`: the programs that bpfimg loaded, or everything eBPF in this kernel."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bpfimg.cli._options import Options
    from bpfimg.inspect import Inventory, ProgramView

EPILOG = """\
With --all, programs of other tools are shown too: where they are attached and what holds them (a pin, a process).
What no link stands for (XDP and filters by netlink) is looked for in this network namespace only.

examples:
  bpfimg list
  bpfimg list --all --type xdp
  bpfimg list -l team=edge -o json"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("--all", action="store_true", help="everything in the kernel, whoever loaded it")
    parser.add_argument("--type", metavar="T", help="only programs of this type, such as xdp or sched_cls")
    parser.add_argument("-l", dest="labels", metavar="K=V", action="append", help="only programs with this metadata")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the list; an empty one is no error."""
    from bpfimg.cli._entries import program_entry, short_image, where
    from bpfimg.cli._render import json_text, table

    wanted = _filter(arguments)
    inventory = seen(options, all=arguments.all, maps=options.json)
    shown = [view for view in inventory.programs if wanted(view)]
    if options.json:
        print(json_text({"programs": [program_entry(view, inventory) for view in shown]}))
    elif options.quiet:
        print("".join(f"{view.id}\n" for view in shown), end="")
    else:
        rows = []
        for view in shown:
            links = [link for link in inventory.links if link.program_id == view.id]
            application = view.record.name if view.record else ("damaged" if view.damage else "-")
            rows.append(
                (str(view.id), application, view.name or "-", view.type or "-", where(links), short_image(view))
            )
        print(
            table(
                (
                    "ID",
                    "APPLICATION",
                    "PROGRAM",
                    "TYPE",
                    "ATTACHED",
                    "IMAGE" if not arguments.all else "IMAGE OR HOLDER",
                ),
                rows,
            )
        )
    return 0


def seen(options: Options, *, all: bool = False, maps: bool = False) -> Inventory:
    """What is on this host; what is unfinished is said on stderr."""
    from bpfimg import inspect
    from bpfimg.cli._parser import warn
    from bpfimg.load import Host

    inventory = inspect.host(Host(options.bpffs), all=all, maps=maps)
    if not options.quiet:
        for what in inventory.unfinished:
            warn(f"unfinished, the next change sweeps it: {what}")
    sys.stderr.flush()
    return inventory


def _filter(arguments: argparse.Namespace) -> Callable[[ProgramView], bool]:
    from bpfimg.cli._parser import key_values
    from bpfimg.errors import UsageError, quoted
    from bpfimg.kernel import abi

    kind, labels = arguments.type, key_values(arguments.labels, "-l")
    if kind is not None and kind not in abi.PROGRAM_TYPES and not kind.startswith("type "):
        words = ", ".join(abi.PROGRAM_TYPES[1:])
        raise UsageError(f"--type is {quoted(kind)}, expected one of the kernel's words", hint=f"they are: {words}")

    def wanted(view: ProgramView) -> bool:
        if kind is not None and view.type != kind:
            return False
        return not labels or (view.record is not None and labels.items() <= view.record.metadata.items())

    return wanted
