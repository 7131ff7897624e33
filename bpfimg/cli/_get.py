"""`bpfimg get`: everything about one program, or those of an application."""

from __future__ import annotations

from bpfimg.errors import Error, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.cli._options import Options
    from bpfimg.inspect import Inventory, ProgramView

EPILOG = """\
The program may be another tool's; what only a record of bpfimg could tell is then shown as `-`.

examples:
  bpfimg get 42
  bpfimg get xdp_counter
  bpfimg get 42 -o json"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("id", metavar="ID|NAME", help="id of a program in the kernel, or name of an application")
    parser.add_argument(
        "--all", action="store_true", help="ours, too, with who holds it and its place in the chain on each hook"
    )


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints two blocks, *Program* and *Kernel*."""
    from bpfimg.cli._list import seen

    word = arguments.id
    if not (word.isascii() and word.isdigit()):
        inventory = seen(options, all=arguments.all, maps=True)
        named = [view for view in inventory.programs if view.record is not None and view.record.name == word]
        if not named:
            from bpfimg.cli._near import near

            names = {view.record.name for view in inventory.programs if view.record is not None}
            hint = near(word, names, "`{}`") or "`bpfimg list` shows what it has loaded"
            raise Error(f"bpfimg has loaded no program called {quoted(word)}", hint=hint)
        show(named, inventory, options)
        return 0
    if len(word) > 10:
        raise UsageError(f"the program is {quoted(word)}, expected an id, or the name of an application")
    number = int(word)
    inventory = seen(options, all=arguments.all, maps=True)
    if not arguments.all and all(view.id != number for view in inventory.programs):
        inventory = seen(options, all=True, maps=True)
    found = next((view for view in inventory.programs if view.id == number), None)
    if found is None:
        raise Error(f"there is no program {number} in this kernel", hint="`bpfimg list --all` shows what there is")
    show([found], inventory, options)
    return 0


def show(programs: Sequence[ProgramView], inventory: Inventory, options: Options) -> None:
    """Prints programs in full: ids, blocks or JSON."""
    from bpfimg.cli._entries import program_entries
    from bpfimg.cli._render import json_text

    if options.json:
        print(json_text({"programs": program_entries(inventory, programs)}))
    elif options.quiet:
        print("".join(f"{view.id}\n" for view in programs), end="")
    else:
        from bpfimg.cli._get_text import text

        for view in programs:
            print(text(view, inventory))
