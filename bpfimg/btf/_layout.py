"""Where C would put the members of a struct, and what has to be written so that it puts them where BTF says.

The rules are those of clang for BPF and of the System V ABIs: a member begins at a multiple of its alignment, a
bitfield stays within one unit of its type, `packed` drops both, unnamed bitfields take room and align nothing.
"""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_UNITS = ((64, "unsigned long long"), (32, "unsigned int"), (16, "unsigned short"), (8, "unsigned char"))
_ARRAY_FROM = 32 * 8  # a gap of so many bits is an array, not line after line of bitfields
_LINE = 16  # an alignment that nobody gets by chance
_ALIGNED_MAX = 4096


@value(frozen=True, slots=True)
class Member:
    """`offset` and `size` in bits, `width` of a bitfield in bits (0: not one), `align` in bytes."""

    offset: int
    size: int
    width: int
    align: int


@value(frozen=True, slots=True)
class Arrangement:
    """How to write a struct: before each member its padding, `aligned` attributes (0: none), `packed`.

    `aligned` has one number for each member, `tail` is the padding after the last, `attribute` the alignment to state
    for the whole. `align` is what it comes to, in bytes. Padding of a negative number is an array of so many bytes.
    """

    padding: tuple[tuple[str | int, ...], ...]
    aligned: tuple[int, ...]
    tail: tuple[str | int, ...]
    packed: bool
    attribute: int
    align: int


def arranged(members: Sequence[Member], size: int, *, union: bool) -> Arrangement | None:
    """How to write a struct or union of `size` bytes; None where C has no way to (members that overlap)."""
    place = _union if union else _struct
    return place(members, size * 8, packed=False) or place(members, size * 8, packed=True)


def _union(members: Sequence[Member], size: int, *, packed: bool) -> Arrangement | None:
    if any(member.offset for member in members):
        return None
    align = max((member.align for member in members), default=1) if not packed else 1
    end = max((member.width or member.size for member in members), default=0)
    none: tuple[tuple[str | int, ...], ...] = ((),) * len(members)
    return _ended(none, (0,) * len(members), end, size, align, packed=packed, union=True)


def _struct(members: Sequence[Member], size: int, *, packed: bool) -> Arrangement | None:
    padding: list[tuple[str | int, ...]] = []
    aligned: list[int] = []
    end, align = 0, 1
    for member in members:
        at = _natural(member, end, packed=packed)
        if at is None or at > member.offset:
            return None
        attribute = _attribute(member, end, size) if at < member.offset and not packed else 0
        gap = () if at == member.offset or attribute else _gap(member, at, end, packed=packed)
        padding.append(gap)
        aligned.append(attribute)
        end = member.offset + (member.width or member.size)
        align = align if packed else max(align, member.align, attribute)
    return _ended(tuple(padding), tuple(aligned), end, size, align, packed=packed)


def _natural(member: Member, end: int, *, packed: bool) -> int | None:
    """Where C would put the next member; None where the member can never be where it is."""
    if member.width:
        unit = member.size
        if packed:
            return end
        if not unit or member.offset % unit + member.width > unit:
            return None
        return end if end % unit + member.width <= unit else _up(end, unit)
    unit = 8 if packed else 8 * member.align
    return _up(end, unit) if member.offset % unit == 0 else None


def _attribute(member: Member, end: int, size: int) -> int:
    """The alignment that explains a gap before a member, 0 if none does."""
    align = max(_LINE, 2 * member.align)
    while not member.width and align <= _ALIGNED_MAX and size % (8 * align) == 0:
        if _up(end, 8 * align) == member.offset:
            return align
        align *= 2
    return 0


def _gap(member: Member, at: int, end: int, *, packed: bool) -> tuple[str | int, ...]:
    unit = 8 * member.align
    if member.width or packed or unit > 64 or member.offset - end >= _ARRAY_FROM:
        return tuple(_pads(end, member.offset, 8))
    return tuple(_pads(at, member.offset, unit))  # whole units cannot end up before `at`


def _pads(start: int, end: int, least: int) -> Iterator[str | int]:
    """Unnamed bitfields from bit `start` to `end`, of units of `least` bits or more."""
    if start % 8 and start < end:
        bits = min(8 - start % 8, end - start)
        yield f"unsigned char : {bits}"
        start += bits
    if end - start >= _ARRAY_FROM:
        yield -((end - start) // 8)
        start = end - (end - start) % 8
    while start < end:
        for unit, word in _UNITS:
            if start % unit == 0 and unit >= least and (end - start >= unit or unit == 8):
                bits = min(unit, end - start)
                yield f"{word} : {bits}"
                start += bits
                break


def _ended(
    padding: tuple[tuple[str | int, ...], ...],
    aligned: tuple[int, ...],
    end: int,
    size: int,
    align: int,
    *,
    packed: bool,
    union: bool = False,
) -> Arrangement | None:
    """Brings the end of the last member to the size of the whole."""
    natural = _up(end, 8 * align)
    if natural > size:
        return None
    attribute, tail = 0, tuple[str | int, ...]()
    if natural < size:
        wanted = 2 * align
        while wanted <= _ALIGNED_MAX and _up(end, 8 * wanted) < size:
            wanted *= 2
        if _up(end, 8 * wanted) == size:
            attribute = wanted
        elif union:
            tail = (-(size // 8),)
        else:
            tail = tuple(_pads(end, size, 8))
    return Arrangement(padding, aligned, tail, packed, attribute, max(align, attribute))


def _up(bits: int, unit: int) -> int:
    return -(-bits // unit) * unit
