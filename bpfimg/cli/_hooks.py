"""HOOK words on the command line: the same for `run` and `attach`."""

from __future__ import annotations

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bpfimg.load import Hook

__all__ = ["add_hooks", "hook_from"]


def _interface(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-i", "--iface", metavar="IF", required=True, help="the interface")
    parser.add_argument(
        "--netns", metavar="PATH", help="network namespace of the interface: a path, or a name as `ip netns` has it"
    )


def _order(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-p", "--priority", metavar="N", default="50", help="lower runs first (default 50)")


def _proceed(parser: argparse.ArgumentParser, default: str) -> None:
    text = f"go on to the next program after these results (default {default})"
    parser.add_argument("--proceed-on", metavar="A,B", default=default, help=text)


def _direction(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-d", "--direction", metavar="ingress|egress", required=True, help="which way the packets go")


def _xdp(parser: argparse.ArgumentParser) -> None:
    _interface(parser)
    _order(parser)
    _proceed(parser, "pass,dispatcher_return")
    parser.add_argument(
        "--mode", metavar="auto|native|generic", default="auto", help="XDP mode (default auto: the best that works)"
    )


def _tc(parser: argparse.ArgumentParser) -> None:
    _interface(parser)
    _direction(parser)
    _order(parser)
    _proceed(parser, "pipe,dispatcher_return")


def _tcx(parser: argparse.ArgumentParser) -> None:
    _interface(parser)
    _direction(parser)
    _order(parser)


def _tracepoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tracepoint", metavar="GROUP/NAME", help="for example sched/sched_switch")


#: hook -> (its options, one line)
_HOOKS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], str]] = {
    "xdp": (_xdp, "packets as the driver receives them"),
    "tc": (_tc, "packets at the traffic control layer: TCX where the kernel has it, else clsact"),
    "tcx": (_tcx, "packets at the TCX hook, ordered by the kernel"),
    "tracepoint": (_tracepoint, "a tracepoint of the kernel"),
}


def add_hooks(parser: argparse.ArgumentParser, also: Callable[[argparse.ArgumentParser], None]) -> None:
    """Adds HOOK and its options; `also` adds to each hook what may stand behind it as well as before it."""
    from bpfimg.cli._parser import Parser

    hooks = parser.add_subparsers(
        dest="hook", metavar="HOOK", required=True, parser_class=Parser, help="where to attach:"
    )
    for name, (add, line) in _HOOKS.items():
        hook = hooks.add_parser(name, help=line, description=f"{name}: {line}.")
        add(hook)
        also(hook)


def hook_from(arguments: argparse.Namespace) -> Hook:
    """The hook that the words ask for; raises `UsageError` for a value out of its range."""
    from bpfimg import load

    kind = arguments.hook
    if kind == "tracepoint":
        group, slash, name = arguments.tracepoint.partition("/")
        if not slash or not group or not name or "/" in name:
            raise UsageError(
                f"the tracepoint is {arguments.tracepoint!r}, expected GROUP/NAME such as sched/sched_switch"
            )
        return load.Tracepoint(group=group, name=name)
    if kind == "tcx":
        return load.Tcx(arguments.iface, arguments.direction, priority=_priority(arguments), netns=arguments.netns)
    proceed = tuple(word.strip().lower() for word in arguments.proceed_on.split(",") if word.strip())
    if kind == "tc":
        return load.Tc(
            arguments.iface,
            arguments.direction,
            priority=_priority(arguments),
            proceed_on=proceed,
            netns=arguments.netns,
        )
    return load.Xdp(
        arguments.iface,
        priority=_priority(arguments),
        proceed_on=proceed,
        mode=arguments.mode,
        netns=arguments.netns,
    )


def _priority(arguments: argparse.Namespace) -> int:
    try:
        return int(arguments.priority)
    except ValueError:
        raise UsageError(f"--priority is {arguments.priority!r}, expected a whole number") from None
