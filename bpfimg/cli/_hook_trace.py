"""Hooks of the kernel itself on the command line: their options, and the hook that these ask for."""

from __future__ import annotations

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bpfimg.load import Hook

__all__ = ["HOOKS"]


def _add_tracepoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tracepoint", metavar="GROUP/NAME", help="for example sched/sched_switch")


def _tracepoint(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    group, slash, name = arguments.tracepoint.partition("/")
    if not slash or not group or not name or "/" in name:
        raise UsageError(f"the tracepoint is {arguments.tracepoint!r}, expected GROUP/NAME such as sched/sched_switch")
    return hooks.Tracepoint(group=group, name=name)


#: hook -> (adds its options, the hook that they ask for)
HOOKS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], Hook]]] = {
    "tracepoint": (_add_tracepoint, _tracepoint),
}
