"""`auto` on the command line: each program goes where its own section says."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bpfimg.load import hooks

__all__ = ["HOOKS"]


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-i", "--iface", metavar="IF", help="the interface, for programs of the network")
    parser.add_argument(
        "-d", "--direction", metavar="ingress|egress", help="for programs of traffic control whose section says none"
    )
    parser.add_argument("--netns", metavar="PATH", help="network namespace: a path, or a name as `ip netns` has it")
    parser.add_argument("--cgroup", metavar="PATH", help="the control group, for programs of one")


def _made(arguments: argparse.Namespace) -> hooks.BySection:
    from bpfimg.load import hooks

    return hooks.BySection(arguments.iface, arguments.direction, arguments.netns, arguments.cgroup)


#: hook -> (adds its options, what they ask for)
HOOKS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], hooks.BySection]]] = {
    "auto": (_add, _made),
}
