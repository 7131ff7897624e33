"""Whether two types give the same bytes the same meaning: for maps that two objects are to share."""

from __future__ import annotations

from bpfimg.btf import _kinds as kinds
from bpfimg.btf._render import spelled
from bpfimg.btf._value_read import is_char, pieces
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf._read import Btf

_STEPS = 100_000


def difference(have: Btf, have_id: int, want: Btf, want_id: int) -> str:
    """Returns the first difference in words ("member rate is __u32 at byte 8, expected __u64 at byte 8"); "" for none.

    Members count by name, place and type, to any depth; names of types and what pointers lead to do not.
    BytecodeError for types that are not sound.
    """
    return _Comparison(have, want).values(have_id, want_id, "", 0)


class _Comparison:
    __slots__ = ("_have", "_seen", "_want")

    def __init__(self, have: Btf, want: Btf) -> None:
        self._have, self._want = have, want
        self._seen: set[tuple[int, int]] = set()

    def values(self, have: int, want: int, path: str, level: int) -> str:
        one, other = self._have.bare(have), self._want.bare(want)
        if (one, other) in self._seen:
            return ""
        self._seen.add((one, other))
        if level > self._have.depth or len(self._seen) > _STEPS:
            raise BytecodeError(f"to compare the types of a map takes more than {_STEPS} steps, or goes too deep")
        kind, expected = self._have.kind(one), self._want.kind(other)
        if kind in kinds.ENUMS and expected in kinds.ENUMS:
            kind = expected
        if kind != expected or (kind != kinds.DATASEC and self._have.size(one) != self._want.size(other)):
            return self._differ(have, want, path)
        if kind == kinds.INT:
            same = self._integer(self._have, one) == self._integer(self._want, other)
            return "" if same else self._differ(have, want, path)
        if kind in kinds.ENUMS:
            return self._enums(one, other, path)
        if kind == kinds.ARRAY:
            return self._arrays(have, want, path, level)
        if kind in (*kinds.COMPOSITES, kinds.DATASEC):
            return self._members(one, other, path, level)
        return ""

    @staticmethod
    def _integer(btf: Btf, bare: int) -> tuple[int, tuple[int, int], bool]:
        return btf.integer(bare) & ~kinds.INT_CHAR, btf.integer_bits(bare), is_char(btf, bare)

    def _differ(self, have: int, want: int, path: str) -> str:
        one, other = _called(self._have, have), _called(self._want, want)
        if one == other:  # the names agree, so what is behind them has to be said
            one, other = self._plainly(self._have, have, one), self._plainly(self._want, want, other)
        return f"{f'member {path} ' if path else ''}is {one}, expected {other}"

    def _plainly(self, btf: Btf, type_id: int, called: str) -> str:
        bare = btf.bare(type_id)
        sign = ""
        if btf.kind(bare) == kinds.INT:
            sign = "signed " if btf.integer(bare) & kinds.INT_SIGNED else "unsigned "
        return f"{called} ({sign}{8 * self._size(btf, type_id)} bits)"

    @staticmethod
    def _size(btf: Btf, type_id: int) -> int:
        bare = btf.bare(type_id)
        return btf.target(bare) if btf.kind(bare) == kinds.DATASEC else btf.size(bare)

    def _enums(self, one: int, other: int, path: str) -> str:
        have = {self._have.string(name): number for name, number in self._have.enumerators(one)}
        want = {self._want.string(name): number for name, number in self._want.enumerators(other)}
        for name, number in want.items():
            if name in have and have[name] != number:
                where = f"member {path}: " if path else ""
                return f"{where}enumerator {quoted(name)[1:-1]} is {have[name]}, expected {number}"
        return ""

    def _arrays(self, have: int, want: int, path: str, level: int) -> str:
        one, count = self._have.array(self._have.bare(have))
        other, number = self._want.array(self._want.bare(want))
        if count != number:
            return self._differ(have, want, path)
        return self.values(one, other, f"{path}[]", level + 1)

    def _members(self, one: int, other: int, path: str, level: int) -> str:
        mine, theirs = pieces(self._have, one), pieces(self._want, other)
        for (name, member, at, width), (wanted, expected, place, bits) in zip(mine, theirs, strict=False):
            if name != wanted:
                return f"member {_joined(path, name)} is where {_joined(path, wanted)} is expected"
            if (at, width) != (place, bits):
                return f"member {_joined(path, name)} is at {_place(at, width)}, expected {_place(place, bits)}"
            found = self.values(member, expected, _joined(path, name), level + 1)
            if found:
                return found
        if len(mine) != len(theirs):
            where = f"member {path} " if path else ""
            return f"{where}has {len(mine)} members, expected {len(theirs)}"
        return ""


def _joined(path: str, name: str) -> str:
    shown = quoted(name)[1:-1] or "(unnamed)"
    return f"{path}.{shown}" if path else shown


def _place(at: int, width: int) -> str:
    return f"byte {at // 8}" if not width and at % 8 == 0 else f"bit {at}" + (f" in {width} bits" if width else "")


def _called(btf: Btf, type_id: int) -> str:
    if btf.kind(btf.bare(type_id)) == kinds.DATASEC:
        return "a section of globals"
    words = spelled(btf, type_id)
    return words if words.isprintable() and len(words) < 96 else quoted(words)
