"""Hooks of the network on the command line: their options, and the hook that these ask for."""

from __future__ import annotations

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bpfimg.load import Hook

__all__ = ["HOOKS"]


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


def _add_xdp(parser: argparse.ArgumentParser) -> None:
    _interface(parser)
    _order(parser)
    _proceed(parser, "pass,dispatcher_return")
    parser.add_argument(
        "--mode", metavar="auto|native|generic", default="auto", help="XDP mode (default auto: the best that works)"
    )


def _xdp(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    return hooks.Xdp(
        arguments.iface,
        priority=_priority(arguments),
        proceed_on=_actions(arguments),
        mode=arguments.mode,
        netns=arguments.netns,
    )


def _add_tc(parser: argparse.ArgumentParser) -> None:
    _interface(parser)
    _direction(parser)
    _order(parser)
    _proceed(parser, "pipe,dispatcher_return")


def _tc(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    return hooks.Tc(
        arguments.iface,
        arguments.direction,
        priority=_priority(arguments),
        proceed_on=_actions(arguments),
        netns=arguments.netns,
    )


def _add_tcx(parser: argparse.ArgumentParser) -> None:
    _interface(parser)
    _direction(parser)
    _order(parser)


def _tcx(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    return hooks.Tcx(arguments.iface, arguments.direction, priority=_priority(arguments), netns=arguments.netns)


def _priority(arguments: argparse.Namespace) -> int:
    try:
        return int(arguments.priority)
    except ValueError:
        raise UsageError(f"--priority is {arguments.priority!r}, expected a whole number") from None


def _actions(arguments: argparse.Namespace) -> tuple[str, ...]:
    return tuple(word.strip().lower() for word in arguments.proceed_on.split(",") if word.strip())


#: hook -> (adds its options, the hook that they ask for)
HOOKS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], Hook]]] = {
    "xdp": (_add_xdp, _xdp),
    "tc": (_add_tc, _tc),
    "tcx": (_add_tcx, _tcx),
}
