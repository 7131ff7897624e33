"""`bpfimg links`: what is attached where."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.cli._options import Options
    from bpfimg.inspect import Inventory, LinkView
    from bpfimg.load import Selector

EPILOG = """\
With --all, whatever else is attached is shown, too, also without a link: XDP and filters by netlink, control groups,
perf events, in every network namespace and control group that can be reached.

examples:
  bpfimg links
  bpfimg links --all --type xdp
  bpfimg links --all -o json"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._selected import add_selector

    parser.add_argument("--all", action="store_true", help="everything in the kernel, whoever attached it")
    add_selector(parser)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the links."""
    from bpfimg.cli._entries import link_entry
    from bpfimg.cli._list import seen
    from bpfimg.cli._render import json_text
    from bpfimg.cli._selected import selector

    wanted = selector(arguments)
    inventory = seen(options, all=arguments.all)
    links = _chosen(inventory, wanted, options) if wanted else inventory.links
    if options.json:
        print(json_text({"links": [link_entry(view) for view in links]}))
    elif options.quiet:
        print("".join(f"{view.id}\n" for view in links if view.id is not None), end="")
    else:
        print(_table(links, inventory))
    return 0


def _chosen(inventory: Inventory, wanted: Selector, options: Options) -> list[LinkView]:
    """Ours by their records, others' by the word of their hook or the type of their program."""
    from bpfimg.cli._list import fits
    from bpfimg.load import Host

    loads = {load.id: load for load in Host(options.bpffs).loads()} if any(v.record for v in inventory.links) else {}
    fitting = {view.id for view in inventory.programs if fits(view, wanted)}
    hooks = () if wanted.metadata or wanted.applications else wanted.types
    found = []
    for view in inventory.links:
        load = loads.get(view.load) if view.load is not None else None
        if view.record is not None and load is not None:
            if wanted.takes_link(load, view.record):
                found.append(view)
        elif view.program_id in fitting or view.hook in hooks:
            found.append(view)
    return found


def _table(links: Sequence[LinkView], inventory: Inventory) -> str:
    from bpfimg.cli._entries import where
    from bpfimg.cli._render import table

    names = {view.id: view.name for view in inventory.programs}
    rows = [
        (
            "-" if view.id is None else str(view.id),
            "-" if view.kernel_id is None else str(view.kernel_id),
            str(view.program_id),
            names.get(view.program_id) or (view.record.program_name if view.record else "-"),
            view.hook,
            where([view]).removeprefix(f"{view.hook} ").removesuffix(f" ({view.state})"),
            "-" if view.priority is None else str(view.priority),
            f"{view.state}: {view.reason}" if view.reason else view.state,
        )
        for view in links
    ]
    head = ("ID", "KERNEL ID", "PROGRAM ID", "PROGRAM", "HOOK", "ATTACHED", "PRIORITY", "STATE")
    return table(head, rows, free=("ATTACHED", "STATE"), spare=("KERNEL ID",))
