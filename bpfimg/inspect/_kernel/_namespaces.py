"""Network namespaces that can be reached: our own, those with a name, those of processes and open descriptors."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.kernel import netns, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST = 1024


@value(frozen=True, slots=True)
class Namespace:
    """A network namespace: `path` leads to it, None for our own."""

    inode: int
    path: str | None

    @property
    def words(self) -> str:
        """Empty for our own; the name of a named one, else the path."""
        if self.path is None:
            return ""
        folder, _, name = self.path.rpartition("/")
        return name if folder in (netns.NAMED, "/run/netns") else self.path


def here() -> Namespace:
    """Returns our own."""
    return Namespace(netns.inode(None), None)


def reachable(networks: Mapping[int, str], unseen: list[str]) -> list[Namespace]:
    """Returns each once: our own, named ones by name, then those of `networks` (inode -> path)."""
    own = here()
    found = {own.inode: own}

    def add(path: str, inode: int) -> None:
        if inode not in found:
            found[inode] = Namespace(inode, path)

    for path in _named():
        try:
            add(path, os.stat(path).st_ino)
        except OSError:
            continue  # it has gone meanwhile
    for inode, path in networks.items():
        add(path, inode)
    if len(found) > _MOST:
        unseen.append(f"{len(found) - _MOST} of {len(found)} network namespaces")
    return list(found.values())[:_MOST]


def _named() -> list[str]:
    """Files that ip-netns(8) and others keep: where a namespace is mounted on one."""
    try:
        names = [f"{netns.NAMED}/{name}" for name in sorted(os.listdir(netns.NAMED))]
    except OSError:
        names = []
    return names + sorted(path for _, _, root, path in walk.seen_by("self", ("nsfs",)) if root.startswith("net:["))


def named(inode: int, namespaces: Mapping[int, Namespace]) -> str:
    """A namespace in words."""
    if inode in namespaces:
        return namespaces[inode].words
    return f"network namespace {inode}"
