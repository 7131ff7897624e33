"""When two types are the same for CO-RE: one of an object, one of a kernel.

The rules are libbpf's (src/relo_core.c): `fields` is bpf_core_fields_are_compat, `types` bpf_core_types_are_compat,
`matching` bpf_core_types_match. Where libbpf gives up on the whole object (types nested too deep, or not sound) these
raise `BytecodeError`; steps are counted, because types nobody vouches for can make the number of comparisons explode.
What libbpf would be busy with for hours is refused here.
"""

from __future__ import annotations

from bpfimg.btf import _kinds as kinds
from bpfimg.btf._core import essential
from bpfimg.errors import BytecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf._read import Btf

_NAMED = (*kinds.COMPOSITES, *kinds.ENUMS, kinds.FWD, kinds.VOID)
_DEPTH = 32
_STEPS = 300_000  # for one relocation
_STEPS_OF_ALL = 6_000_000
_GUESSES = 400


def same_kind(one: int, other: int) -> bool:
    """Kinds that may stand for each other: equal ones, and any two enums."""
    return one == other or (one in kinds.ENUMS and other in kinds.ENUMS)


class Steps:
    """Counts what has been looked at, for one relocation and for all of an object on one kernel."""

    __slots__ = ("_all", "_guesses", "_one")

    def __init__(self) -> None:
        self._one = self._all = self._guesses = 0

    def begin(self) -> None:
        """The next relocation."""
        self._all += self._one
        self._one = 0

    def step(self) -> None:
        """One more; BytecodeError when there have been too many."""
        self._one += 1
        if self._one > _STEPS or self._all > _STEPS_OF_ALL:
            limit = _STEPS if self._one > _STEPS else _STEPS_OF_ALL
            raise BytecodeError(f"to compare the types in section .BTF takes more than {limit} steps")

    def guess(self) -> bool:
        """Whether there is time for one more guess at what a name has become."""
        self._guesses += 1
        return self._guesses <= _GUESSES


class Pair:
    """The object's types and the kernel's."""

    __slots__ = ("local", "step", "steps", "target")

    def __init__(self, local: Btf, target: Btf, steps: Steps) -> None:
        self.local = local
        self.target = target
        self.steps = steps
        self.step = steps.step

    def fields(self, local: int, target: int) -> bool:
        """May a field of the one type be read as one of the other?"""
        for _ in range(_DEPTH):
            self.step()
            local, target = self.local.bare(local), self.target.bare(target)
            kind, other = self.local.kind(local), self.target.kind(target)
            if kind in kinds.COMPOSITES and other in kinds.COMPOSITES:
                return True
            if not same_kind(kind, other):
                return False
            if kind in (kinds.PTR, kinds.FLOAT):
                return True
            if kind == kinds.INT:
                return self._plain_integers(local, target)
            if kind in kinds.ENUMS or kind == kinds.FWD:
                one, two = essential(self.local.name(local)), essential(self.target.name(target))
                return not one or not two or one == two
            if kind != kinds.ARRAY:
                return False
            local, target = self.local.array(local)[0], self.target.array(target)[0]
        raise self.local.endless(local)

    def types(self, local: int, target: int, level: int = _DEPTH) -> bool:
        """Is the one type there in the form of the other? Members of structs are not looked at."""
        if not same_kind(self.local.kind(local), self.target.kind(target)):
            return False
        for _ in range(_DEPTH):
            self.step()
            local, target = self.local.bare(local), self.target.bare(target)
            kind = self.local.kind(local)
            if not same_kind(kind, self.target.kind(target)):
                return False
            if kind in _NAMED:
                return True
            if kind == kinds.INT:
                return self._plain_integers(local, target)
            if kind == kinds.PTR:
                local, target = self.local.target(local), self.target.target(target)
            elif kind == kinds.ARRAY:
                local, target = self.local.array(local)[0], self.target.array(target)[0]
            elif kind == kinds.FUNC_PROTO:
                if not self._parameters(local, target, level, matching=None):
                    return False
                local = self.local.bare(self.local.target(local))
                target = self.target.bare(self.target.target(target))
            else:
                return False
        raise self.local.endless(local)

    def matching(self, local: int, target: int, *, behind_pointer: bool = False, level: int = _DEPTH) -> bool:
        """Is the one type all that the other one is declared to be, members by name and type?"""
        if level <= 0:
            raise self.local.endless(local)
        for _ in range(_DEPTH):
            self.step()
            local, target = self.local.bare(local), self.target.bare(target)
            if not _same_name(self.local.name(local), self.target.name(target)):
                return False
            kind, other = self.local.kind(local), self.target.kind(target)
            if kind in (kinds.PTR, kinds.ARRAY, kinds.FUNC_PROTO):
                if kind != other:
                    return False
                if kind == kinds.ARRAY:
                    (local, count), (target, number) = self.local.array(local), self.target.array(target)
                    if count != number:
                        return False
                    continue
                if kind == kinds.FUNC_PROTO and not self._parameters(local, target, level, matching=behind_pointer):
                    return False
                behind_pointer = behind_pointer or kind == kinds.PTR
                local, target = self.local.target(local), self.target.target(target)
            else:
                return self._ends_match(local, target, behind_pointer=behind_pointer, level=level)
        raise self.local.endless(local)

    def _ends_match(self, local: int, target: int, *, behind_pointer: bool, level: int) -> bool:
        """The same for types that lead to no further one."""
        kind, other = self.local.kind(local), self.target.kind(target)
        if kind == kinds.VOID:
            return other == kind
        if kind == kinds.INT:
            signed, too = (t & kinds.INT_SIGNED for t in (self.local.integer(local), self._integer(target)))
            return other == kind and signed == too and self.local.target(local) == self.target.target(target)
        if kind in kinds.ENUMS:
            return other in kinds.ENUMS and self._enums_match(local, target)
        if kind == kinds.FWD:
            union = self.local.flag(local)
            if other == kind:
                return union == self.target.flag(target)
            return behind_pointer and other == (kinds.UNION if union else kinds.STRUCT)
        if kind not in kinds.COMPOSITES:
            return False
        if not behind_pointer:
            return kind == other and self._members_match(local, target, level)
        return kind == other or (other == kinds.FWD and (kind == kinds.UNION) == self.target.flag(target))

    def _integer(self, target: int) -> int:
        return self.target.integer(target) if self.target.kind(target) == kinds.INT else 0

    def _plain_integers(self, local: int, target: int) -> bool:
        """Bitfields by the integer's own offset, in BTF from before Linux 4.20, are never the same."""
        return not self.local.integer_bits(local)[0] and not self.target.integer_bits(target)[0]

    def _parameters(self, local: int, target: int, level: int, *, matching: bool | None) -> bool:
        if self.local.length(local) != self.target.length(target):
            return False
        pairs = zip(self.local.parameters(local), self.target.parameters(target), strict=True)
        for (_, one), (_, other) in pairs:
            if matching is not None:
                same = self.matching(one, other, behind_pointer=matching, level=level - 1)
            elif level <= 0:
                raise self.local.endless(local)
            else:
                same = self.types(self.local.bare(one), self.target.bare(other), level - 1)
            if not same:
                return False
        return True

    def _enums_match(self, local: int, target: int) -> bool:
        one, other = self.local, self.target
        if one.target(local) != other.target(target) or one.length(local) > other.length(target):
            return False
        there = {essential(other.string(name)) for name, _ in other.enumerators(target)}
        return all(essential(one.string(name)) in there for name, _ in one.enumerators(local))

    def _members_match(self, local: int, target: int, level: int) -> bool:
        if self.local.length(local) > self.target.length(target):
            return False
        there: dict[str, list[int]] = {}
        for name, member in self.target.members(target):
            there.setdefault(essential(self.target.string(name)), []).append(member)
        for name, member in self.local.members(local):
            candidates = there.get(essential(self.local.string(name)), ())
            if not any(self.matching(member, candidate, level=level - 1) for candidate in candidates):
                return False
        return True


def _same_name(local: str, target: str) -> bool:
    return essential(target) == essential(local)
