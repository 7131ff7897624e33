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
        help="where its section leaves it open, or several programs fit: ingress, egress, inet4_connect, ...",
    )
    parser.add_argument("--target", metavar="HOOK", help="LSM hook of an lsm_cgroup program whose section names none")


def _cgroup(arguments: argparse.Namespace) -> Hook:
    from bpfimg.load import hooks

    word = arguments.attach_type
    return hooks.Cgroup(arguments.path, None if word is None else _whole(word), arguments.target)


def _whole(word: str) -> str:
    """The kernel's word for a short one: egress is cgroup_inet_egress, connect4 cgroup_inet4_connect."""
    word = word.lower().replace("-", "_")
    if word in ("ingress", "egress", "sock_create", "sock_release"):
        return f"cgroup_inet_{word}"
    if word[:-1] in ("sendmsg", "recvmsg"):
        return f"cgroup_udp{word[-1]}_{word[:-1]}"
    if word[-1:] in ("4", "6"):  # as sections call them: connect4, post_bind6
        return f"cgroup_inet{word[-1]}_{word[:-1]}"
    return word if word.startswith(("cgroup_", "lsm_")) else f"cgroup_{word}"


#: hook -> (adds its options, the hook that they ask for)
HOOKS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], Hook]]] = {
    "cgroup": (_add_cgroup, _cgroup),
}
