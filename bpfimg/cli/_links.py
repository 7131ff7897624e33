"""`bpfimg links`: what is attached where."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = """\
With --all, what no link stands for (XDP and filters by netlink) is looked for in this network namespace only.

examples:
  bpfimg links
  bpfimg links --all -o json"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("--all", action="store_true", help="everything in the kernel, whoever attached it")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the links."""
    from bpfimg.cli._entries import link_entry, where
    from bpfimg.cli._list import seen
    from bpfimg.cli._render import json_text, table

    inventory = seen(options, all=arguments.all)
    if options.json:
        print(json_text({"links": [link_entry(view) for view in inventory.links]}))
        return 0
    own = [view for view in inventory.links if view.id is not None]
    if options.quiet:
        print("".join(f"{view.id}\n" for view in own), end="")
        return 0
    names = {view.id: view.name for view in inventory.programs}
    rows = [
        (
            "-" if view.id is None else str(view.id),
            str(view.program_id),
            names.get(view.program_id, "-"),
            view.hook,
            where([view]),
            str(view.record.priority) if view.record and view.record.priority is not None else "-",
            view.state,
        )
        for view in inventory.links
    ]
    print(table(("ID", "PROGRAM ID", "PROGRAM", "HOOK", "ATTACHED", "PRIORITY", "STATE"), rows))
    return 0
