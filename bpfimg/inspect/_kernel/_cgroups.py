"""Control groups by their ids, and the programs that are attached to them without a link."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.errors import Error
from bpfimg.kernel import abi, cgroups, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_MOST = 20_000
# program type -> how attach types of such programs begin; a query of every attach type of every group costs too much
_ATTACH_TYPES = {
    "cgroup_skb": ("cgroup_inet_ingress", "cgroup_inet_egress"),
    "cgroup_sock": ("cgroup_inet_sock", "cgroup_inet4_post_bind", "cgroup_inet6_post_bind"),
    "cgroup_device": ("cgroup_device",),
    "sock_ops": ("cgroup_sock_ops",),
    "cgroup_sysctl": ("cgroup_sysctl",),
    "cgroup_sockopt": ("cgroup_getsockopt", "cgroup_setsockopt"),
    "lsm": ("lsm_cgroup",),
}
_ADDRESSES = ("bind", "connect", "sendmsg", "recvmsg", "getpeername", "getsockname")
_FLAGS = {1: "override", 2: "multi"}  # BPF_F_ALLOW_OVERRIDE, BPF_F_ALLOW_MULTI


@value(frozen=True, slots=True)
class OnGroup:
    """A program on a control group; `position` counts from 0 in running order, `flags` is multi, override or none."""

    path: str
    group: int
    attach_type: str
    program: int
    position: int
    flags: str


class Cgroups:
    """The tree of control groups, walked when it is first asked for, and only once."""

    __slots__ = ("_paths", "unseen")

    def __init__(self) -> None:
        self._paths: dict[int, str] | None = None
        self.unseen: list[str] = []

    def path(self, number: int) -> str:
        """The directory of a group; empty where it cannot be seen from here."""
        return self._tree().get(number, "") if number else ""

    def attached(self, types: Collection[str]) -> Iterator[OnGroup]:
        """Everything on every group for programs of these types, with a link or without."""
        words = [word for word in abi.ATTACH_TYPES if any(_fits(kind, word) for kind in types)]
        numbers = [(abi.ATTACH_TYPES.index(word), word) for word in words]
        if not numbers:
            return
        for number, path in self._tree().items():
            try:
                group = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError:
                continue  # it has gone meanwhile
            try:
                yield from _on(group, number, path, numbers)
            finally:
                os.close(group)

    def _tree(self) -> dict[int, str]:
        if self._paths is None:
            self._paths = self._walked()
        return self._paths

    def _walked(self) -> dict[int, str]:
        try:
            root = cgroups.mount()
            found = {os.stat(root).st_ino: root}
        except (Error, OSError) as error:
            self.unseen.append(f"control groups: {error}")
            return {}
        waiting = [root]
        while waiting:
            try:
                with os.scandir(waiting.pop()) as entries:
                    groups = sorted((each for each in entries if each.is_dir(follow_symlinks=False)), key=_name)
            except OSError:
                continue
            for each in groups:
                found[each.inode()] = each.path
                waiting.append(each.path)
            if len(found) > _MOST:
                self.unseen.append(f"control groups after the first {_MOST}")
                break
        return found


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _fits(kind: str, word: str) -> bool:
    if kind == "cgroup_sock_addr":
        return word.startswith("cgroup_") and word.rpartition("_")[2] in _ADDRESSES and "post_bind" not in word
    return word.startswith(_ATTACH_TYPES.get(kind, ("-",)))


def _on(group: int, number: int, path: str, attach_types: list[tuple[int, str]]) -> Iterator[OnGroup]:
    for attach_type, word in attach_types:
        chain = walk.attached(group, attach_type)
        for position, program in enumerate(chain.prog_ids if chain else ()):
            yield OnGroup(path, number, word, program, position, _FLAGS.get(chain.flags if chain else 0, ""))
