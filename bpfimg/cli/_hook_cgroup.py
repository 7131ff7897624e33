"""Hooks of control groups on the command line: their options, and the hook that these ask for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bpfimg.load import Hook

__all__ = ["HOOKS"]


def _add_cgroup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", metavar="PATH", help="directory of the group, absolute or below where cgroup2 is mounted"
    )
    parser.add_argument(
        "--attach-type",
        metavar="TYPE",
        help="where its section leaves it open, or several programs fit: ingress, egress, connect4, dev, ...",
    )
    parser.add_argument("--target", metavar="HOOK", help="LSM hook of an lsm_cgroup program whose section names none")


def _cgroup(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    word = arguments.attach_type
    return hooks.Cgroup(arguments.path, None if word is None else _whole(word), arguments.target)


def _whole(word: str) -> str:
    """The kernel's word for a short one, as sections have them: egress, connect4, dev, sockops."""
    from bpfimg import bytecode

    short = word.lower().replace("-", "_")
    for section in (f"cgroup_skb/{short}", f"cgroup/{short}", short):
        rule = bytecode.section_rule(section)
        if rule is not None and rule.attach_type is not None:
            return rule.attach_type
    return f"cgroup_{short}" if short.startswith(("inet", "udp", "unix")) else short


#: hook -> (adds its options, the hook that they ask for)
HOOKS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], Hook]]] = {
    "cgroup": (_add_cgroup, _cgroup),
}
