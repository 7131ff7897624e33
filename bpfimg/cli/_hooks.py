"""HOOK words on the command line: the same for `run` and `attach`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bpfimg.load import Hook

__all__ = ["add_hooks", "hook_from"]

#: hook -> (file below bpfimg.cli with its options, one line); only the file of the hook that was asked for is imported
_LINES: dict[str, tuple[str, str]] = {
    "xdp": ("_hook_net", "packets as the driver receives them"),
    "tc": ("_hook_net", "packets at the traffic control layer: TCX where the kernel has it, else clsact"),
    "tcx": ("_hook_net", "packets at the TCX hook, ordered by the kernel"),
    "tracepoint": ("_hook_trace", "a tracepoint of the kernel"),
}


def add_hooks(parser: argparse.ArgumentParser, also: Callable[[argparse.ArgumentParser], None]) -> None:
    """Adds HOOK and its options; `also` adds to each hook what may stand behind it as well as before it."""
    from bpfimg.cli._parser import Parser

    hooks = parser.add_subparsers(
        dest="hook", metavar="HOOK", required=True, parser_class=Parser, help="where to attach:"
    )
    for name, (_, line) in _LINES.items():
        hook = hooks.add_parser(name, help=line, description=f"{name}: {line}.")
        _options(name)[0](hook)
        also(hook)


def hook_from(arguments: argparse.Namespace) -> Hook:
    """The hook that the words ask for; raises `UsageError` for a value out of its range."""
    return _options(arguments.hook)[1](arguments)


def _options(
    name: str,
) -> tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], Hook]]:
    file = __import__(f"bpfimg.cli.{_LINES[name][0]}", fromlist=["*"])
    found: tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], Hook]] = file.HOOKS[name]
    return found
