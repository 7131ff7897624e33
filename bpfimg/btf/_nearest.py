"""What became of a field or type that a kernel does not have: a guess for the person who reads the message."""

from __future__ import annotations

from bpfimg.btf import _kinds as kinds
from bpfimg.btf._spec import like

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.btf._compatible import Pair
    from bpfimg.btf._index import Index
    from bpfimg.btf._read import Btf

_MEMBERS_MAX = 4096
_INTO = 2  # how far into members by value a field may have moved


def nearest_member(pair: Pair, name: str, type_id: int) -> str:
    """Where the field went: "thread_info.flags" for one that moved into a member, "__state" for one that is renamed."""
    names: list[str] = []
    moved: dict[int, str] = {}
    for path, depth in _paths(pair, type_id):
        if depth == 0:
            names.append(path)
        elif path.rpartition(".")[2] == name:
            moved.setdefault(depth, path)
        if len(names) >= _MEMBERS_MAX:
            break
    renamed = like(name, names, 0.8)
    return renamed or moved.get(1) or like(name, names, 0.7) or moved.get(2, "")


def _paths(pair: Pair, type_id: int) -> Iterator[tuple[str, int]]:
    """The ways to all members held by value, and how many named members each leads through."""
    pending = [("", 0, type_id)]
    target: Btf = pair.target
    while pending:
        before, depth, type_id = pending.pop(0)
        for name_at, member, _offset, _width in target.fields(type_id):
            pair.step()
            name = target.string(name_at)
            if name:
                yield before + name, depth
            inner = target.bare(member)
            if target.kind(inner) in kinds.COMPOSITES and (not name or depth < _INTO) and len(pending) < _MEMBERS_MAX:
                pending.append((f"{before}{name}." if name else before, depth + bool(name), inner))


def nearest_type(index: Index, name: str, kind: int) -> str:
    """The kernel's type of that kind whose name is most like `name`, "" if none is."""
    return like(name, index.like(name, kind), 0.75)
