"""The way from a type to what a CO-RE relocation asks about: in the object as it was compiled, in a kernel as found.

As libbpf has it (src/relo_core.c: bpf_core_parse_spec, bpf_core_spec_match, bpf_core_match_member): named members and
numbers of array elements are what counts, anonymous members in between may be others or none.
"""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.btf import _core as core
from bpfimg.btf import _kinds as kinds
from bpfimg.btf._core import essential, steps
from bpfimg.btf._render import spelled
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf._compatible import Pair
    from bpfimg.btf._ext import CoreRelocation
    from bpfimg.btf._read import Btf

_U32 = 0xFFFF_FFFF


@value(frozen=True, slots=True)
class Accessor:
    """One point on the way: element `index` of an array of `type_id` (`name` is None), or member `index` of it."""

    type_id: int
    index: int
    name: str | None


@value(frozen=True, slots=True)
class Spec:
    """The way and where it ends: `root` the type it begins with, `bits` the offset in bits."""

    root: int
    accessors: tuple[Accessor, ...]
    bits: int


@value(frozen=True, slots=True)
class Mismatch:
    """Why a way does not exist in a kernel's type, and what is there instead, if anything is like it."""

    reason: str
    nearest: str = ""


def parsed(btf: Btf, relocation: CoreRelocation) -> Spec:
    """The way in the object's own types; `BytecodeError` where libbpf refuses the relocation as malformed."""
    root = relocation.type_id
    if relocation.kind in core.ABOUT_TYPES:
        btf.kind(root)
        if relocation.access != "0":
            raise BytecodeError(f'a CO-RE relocation has the access string {quoted(relocation.access)}, expected "0"')
        return Spec(root, (), 0)
    numbers = steps(relocation.access)
    type_id = btf.bare(root)
    if relocation.kind in core.ABOUT_ENUMERATORS:
        if btf.kind(type_id) not in kinds.ENUMS or len(numbers) > 1 or numbers[0] >= btf.length(type_id):
            raise BytecodeError(f"a CO-RE relocation asks for enumerator {quoted(relocation.access)} of type {root}")
        name = btf.string(btf.enumerator(type_id, numbers[0])[0])
        return Spec(root, (Accessor(type_id, numbers[0], name),), 0)
    if relocation.kind not in core.ABOUT_FIELDS:
        raise BytecodeError(
            f"a CO-RE relocation is of kind {relocation.kind}, expected 0 to {len(kinds.CORE_KINDS) - 1}"
        )
    accessors = [Accessor(type_id, numbers[0], None)]
    bits = numbers[0] * btf.size(type_id) * 8
    for number in numbers[1:]:
        type_id = btf.bare(type_id)
        if btf.kind(type_id) in kinds.COMPOSITES and number < btf.length(type_id):
            name_at, member, offset, _width = btf.field(type_id, number)
            if name_at:
                accessors.append(Accessor(type_id, number, btf.string(name_at)))
            bits, type_id = bits + offset, member
        elif btf.kind(type_id) == kinds.ARRAY:
            element, count = btf.array(type_id)
            if number >= count and not _flexible(btf, accessors[-1], count):
                raise BytecodeError(f"a CO-RE relocation asks for element {number} of an array of {count}")
            type_id = btf.bare(element)
            accessors.append(Accessor(type_id, number, None))
            bits += number * btf.size(type_id) * 8
        else:
            raise BytecodeError(f"a CO-RE relocation asks for part {number} of type {type_id}, which has no such part")
    return Spec(root, tuple(accessors), bits & _U32)


def matched(pair: Pair, spec: Spec, candidate: int) -> Spec | Mismatch:
    """The same way in the kernel's type `candidate`; `BytecodeError` where libbpf gives up on the whole object."""
    target, type_id = pair.target, candidate
    found: list[Accessor] = []
    bits, deep = 0, 0
    for at, accessor in enumerate(spec.accessors):
        pair.step()
        type_id = target.bare(type_id)
        if accessor.name is not None:
            step = _member(pair, accessor, type_id, deep)
            if isinstance(step, Mismatch):
                return step
            here, offset, type_id, levels = step
            bits, deep = bits + offset, deep + levels
            found.append(here)
            continue
        if at > 0:
            element = _element(target, type_id, accessor.index, found[-1])
            if isinstance(element, Mismatch):
                return element
            type_id = element
        _not_too_deep(deep)
        found.append(Accessor(type_id, accessor.index, None))
        bits, deep = bits + accessor.index * target.size(type_id) * 8, deep + 1
    return Spec(candidate, tuple(found), bits & _U32)


def matched_enumerator(pair: Pair, spec: Spec, candidate: int) -> Spec | Mismatch:
    """The enumerator of the same name in the kernel's enum `candidate`."""
    target, wanted = pair.target, spec.accessors[0].name or ""
    type_id = target.bare(candidate)
    if target.kind(type_id) not in kinds.ENUMS:
        return Mismatch(f"{_called(target, type_id)} is no enum")
    names: list[str] = []
    for at, (name_at, _) in enumerate(target.enumerators(type_id)):
        pair.step()
        name = target.string(name_at)
        if essential(name) == essential(wanted):
            return Spec(candidate, (Accessor(type_id, at, name),), 0)
        names.append(name)
    name = essential(wanted)
    nearest = like(name, names, 0.85) if pair.steps.guess() else ""
    return Mismatch(f"{_called(target, type_id)} has no {quoted(name)}", nearest)


_Step = tuple[Accessor, int, int, int]  # where, bits from the struct's beginning, the member's type, levels


def _member(pair: Pair, accessor: Accessor, type_id: int, deep: int) -> _Step | Mismatch:
    target, name = pair.target, accessor.name or ""
    if target.kind(type_id) not in kinds.COMPOSITES:
        return Mismatch(f"{_called(target, type_id)} has no members, so no {quoted(name)}")
    wanted = pair.local.field(accessor.type_id, accessor.index)[1]
    step = _search(pair, name, wanted, type_id, deep)
    if isinstance(step, int):
        mine, theirs = (_called(btf, found) for btf, found in ((pair.local, wanted), (target, step)))
        return Mismatch(f"field {quoted(name)} of {_called(target, type_id)} is {theirs}, not {mine}")
    if step is None:
        from bpfimg.btf._nearest import nearest_member

        nearest = nearest_member(pair, name, type_id) if pair.steps.guess() else ""
        return Mismatch(f"{_called(target, type_id)} has no field {quoted(name)}", nearest)
    return step


def _search(pair: Pair, name: str, wanted: int, type_id: int, deep: int) -> _Step | int | None:
    """The member of that name, also in anonymous members; the type of one that is of another type; or nothing."""
    target = pair.target
    other: int | None = None
    for at, (name_at, member, offset, _width) in enumerate(target.fields(type_id)):
        pair.step()
        _not_too_deep(deep)
        here = target.string(name_at)
        if here == name:
            same = pair.fields(wanted, member)
            return (Accessor(type_id, at, here), offset, member, 1) if same else member
        if here:
            continue
        inner = target.bare(member)
        step = _search(pair, name, wanted, inner, deep + 1) if target.kind(inner) in kinds.COMPOSITES else None
        if isinstance(step, tuple):
            return step[0], offset + step[1], step[2], step[3] + 1
        other = step if step is not None else other
    return other


def _element(target: Btf, type_id: int, index: int, before: Accessor) -> int | Mismatch:
    if target.kind(type_id) != kinds.ARRAY:
        return Mismatch(f"field {quoted(before.name or '')} is {_called(target, type_id)}, not an array")
    element, count = target.array(type_id)
    if index >= count and not _flexible(target, before, count):
        return Mismatch(f"array {quoted(before.name or '')} has {count} elements, so no element {index}")
    return target.bare(element)


def _flexible(btf: Btf, before: Accessor, count: int) -> bool:
    """Is an array of `count` elements, just reached by `before`, the open end of a struct?"""
    return before.name is not None and count == 0 and before.index == btf.length(before.type_id) - 1


def _not_too_deep(deep: int) -> None:
    if deep >= core.SPEC_MAX:
        raise BytecodeError(f"the kernel's types are nested more than {core.SPEC_MAX} deep")


def _called(btf: Btf, type_id: int) -> str:
    """A type for a message; names in BTF are nobody's word."""
    words = spelled(btf, type_id)
    return words if words.isprintable() and words.isascii() and len(words) < 96 else quoted(words)


def like(name: str, names: list[str], least: float = 0.6) -> str:
    """The name that is most like another, "" if none is; `least` of 1.0 would be the same name."""
    from difflib import get_close_matches

    found = get_close_matches(name, [each for each in names if each.isprintable()][:4096], 1, least)
    return found[0] if found else ""
