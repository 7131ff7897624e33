"""`bpfimg list`: the programs that bpfimg loaded, or everything eBPF in this kernel."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.cli._options import Options
    from bpfimg.inspect import Inventory, LinkView, ProgramView
    from bpfimg.load import Selector

EPILOG = """\
With --all, programs of other tools are shown too: where they are attached, in every network namespace and control
group that can be reached, and what holds them (a pin, a process). What could not be looked at is said on stderr.

With --stats the kernel counts for that time how often and how long programs run, and not any longer. What runs inside
of a dispatcher is not counted, with --all the dispatcher is.

examples:
  bpfimg list
  bpfimg list --all --type xdp
  bpfimg list --all --stats 5
  bpfimg list -l team=edge -o json"""

_MOST_SECONDS = 3600


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._selected import add_selector

    parser.add_argument("--all", action="store_true", help="everything in the kernel, whoever loaded it")
    parser.add_argument(
        "--stats", metavar="SECONDS", nargs="?", const="1", help="count how programs run, for a time (default 1)"
    )
    parser.add_argument("--btf", action="store_true", help="the BTF objects in the kernel, in place of programs")
    parser.add_argument(
        "--struct-ops", action="store_true", help="the tables of operations in the kernel, in place of programs"
    )
    add_selector(parser)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the list; an empty one is no error."""
    from bpfimg.cli._selected import selector

    wanted = selector(arguments)
    if arguments.btf or arguments.struct_ops:
        from bpfimg.cli import _list_kernel

        return _list_kernel.run(arguments, options)
    sample = _seconds(arguments.stats)
    inventory = seen(options, all=arguments.all, maps=options.json, sample=sample)
    shown = [view for view in inventory.programs if not wanted or fits(view, wanted)]
    if options.json:
        _print_json(shown, inventory)
    elif options.quiet:
        print("".join(f"{view.id}\n" for view in shown), end="")
    else:
        print(_table(shown, inventory, all=arguments.all, sampled=sample is not None))
    return 0


def _print_json(shown: list[ProgramView], inventory: Inventory) -> None:
    from bpfimg.cli._render import LONG, json_text

    if len(shown) > LONG:
        from bpfimg.cli._entries_text import programs_text

        for piece in programs_text(inventory, shown):
            print(piece, end="")
        print()
        return
    from bpfimg.cli._entries import program_entries

    print(json_text({"programs": program_entries(inventory, shown)}))


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    from bpfimg.errors import UsageError, quoted

    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _MOST_SECONDS:
        raise UsageError(f"--stats is {quoted(text)}, expected seconds above 0, {_MOST_SECONDS} at most")
    return seconds


def _table(shown: list[ProgramView], inventory: Inventory, *, all: bool, sampled: bool) -> str:
    from bpfimg.cli._entries import short_image, where
    from bpfimg.cli._render import table

    links = inventory.by_program()
    rows = []
    for view in shown:
        application = view.record.name if view.record else ("damaged" if view.damage else "-")
        place = where(links.get(view.id, ()))
        row = [str(view.id), application, view.name or "-", view.type or "-", place, short_image(view)]
        rows.append(row[:5] + _ran(view, links.get(view.id, ())) + row[5:] if sampled else row)
    head = ["ID", "APPLICATION", "PROGRAM", "TYPE", "ATTACHED", "IMAGE OR HOLDER" if all else "IMAGE"]
    free = ("ATTACHED", head[5])
    return table([*head[:5], "RUNS/S", "NS/RUN", "CPU", *head[5:]] if sampled else head, rows, free=free)


def _ran(view: ProgramView, links: Sequence[LinkView]) -> list[str]:
    from bpfimg.cli._entries import is_counted

    sample = view.sample
    if sample is None or not is_counted(links):
        return ["-", "-", "-"]
    mean = "-" if sample.mean is None else f"{sample.mean:.0f}"
    return [f"{sample.rate:.1f}", mean, f"{sample.share:.2%}"]


def seen(
    options: Options, *, all: bool = False, maps: bool = False, types: bool = False, sample: float | None = None
) -> Inventory:
    """What is on this host; what is unfinished, and what could not be seen, is said on stderr."""
    from bpfimg import dispatcher, inspect
    from bpfimg.cli._parser import warn

    inventory = inspect.host(dispatcher.host(options.bpffs), all=all, maps=maps, types=types, sample=sample)
    if not options.quiet:
        for what in inventory.unfinished:
            warn(f"unfinished, the next change sweeps it: {what}")
        for what in inventory.unseen:
            warn(f"not seen: {what}")
    sys.stderr.flush()
    return inventory


def fits(view: ProgramView, wanted: Selector) -> bool:
    """Whether the selector takes the program; others' have no application and no metadata."""
    record = view.record
    return wanted.fits(record.name if record else "", (view.type,), record.metadata if record else {})
