"""What is where in the keys and values of maps: two types of one size need not be the same to those who read them."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.btf import kinds
from bpfimg.errors import BytecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.btf import Btf
    from bpfimg.bytecode import Dissection

    Layout = tuple["Leaf", ...]

_LEAVES = 4096
_DEPTH = 32
_WORDS = {kinds.PTR: "pointer", kinds.ENUM: "enum", kinds.ENUM64: "enum", kinds.FLOAT: "float"}


@value(frozen=True, slots=True)
class Leaf:
    """One field that has no fields: `place` is offset and width in bits, kind, and number of elements of an array."""

    place: tuple[int, int, str, int]
    name: str

    @property
    def words(self) -> str:
        offset, width, kind, count = self.place
        at = f"{offset // 8}" if offset % 8 == 0 else f"{offset // 8} bit {offset % 8}"
        return f"{self.name or '(itself)'}: {kind}{width}{f'[{count}]' if count != 1 else ''} at {at}"


def layouts(dissection: Dissection) -> dict[tuple[str, str], Layout]:
    """By map and part ("key" or "value"); nothing for what has no BTF, is too large, or makes no sense."""
    types = dissection.types
    found: dict[tuple[str, str], Layout] = {}
    section = types.data_sections().get(".maps") if types is not None else None
    if types is None or section is None:
        return found
    for variable, _, _ in types.variables(section):
        definition = types.bare(types.target(variable))
        if types.kind(definition) != kinds.STRUCT:
            continue
        for offset, member, _, _ in types.fields(definition):
            part = types.string(offset)
            if part in ("key", "value"):
                try:
                    leaves = _leaves(types, types.target(types.bare(member)))
                except BytecodeError:
                    continue
                found[types.name(variable), part] = leaves
    return found


def _leaves(types: Btf, type_id: int) -> Layout:
    """The fields by offset. `BytecodeError` for more than there can be in a sensible map."""
    found: list[Leaf] = []
    for leaf in _walk(types, type_id):
        found.append(leaf)
        if len(found) > _LEAVES:
            raise BytecodeError(f"type {type_id} in section .BTF has more than {_LEAVES} fields")
    return tuple(sorted(found, key=lambda leaf: (leaf.place, leaf.name)))


def _walk(types: Btf, type_id: int) -> Iterator[Leaf]:
    """Every step takes one type off the stack; the number of steps is bounded."""
    stack: list[tuple[int, int, int, str, int, int]] = [(type_id, 0, 0, "", 1, 0)]
    steps = 0
    while stack:
        steps += 1
        this, offset, width, name, count, depth = stack.pop()
        this = types.bare(this)
        kind = types.kind(this)
        if steps > 4 * _LEAVES or depth > _DEPTH:
            raise BytecodeError(f"type {type_id} in section .BTF is too deep or too large to be compared")
        if kind == kinds.ARRAY:
            element, length = types.array(this)
            stack.append((element, offset, 0, name, count * length, depth + 1))
        elif kind in (kinds.STRUCT, kinds.UNION):
            steps += types.length(this)
            if steps > 4 * _LEAVES:
                continue  # the next step says so
            inner = f"{name}[]" if count != 1 else name
            for text, member, at, bits in types.fields(this):
                path = ".".join(part for part in (inner, types.string(text)) if part)
                stack.append((member, offset + at, bits, path, 1, depth + 1))
            if count != 1:  # how many there are, and how far apart
                yield Leaf((offset, 8 * types.size(this), "struct", count), name)
        elif kind == kinds.INT:
            signed = "int" if types.integer(this) & kinds.INT_SIGNED else "uint"
            yield Leaf((offset, width or 8 * types.size(this), signed, count), name)
        else:
            yield Leaf((offset, width or 8 * types.size(this), _WORDS.get(kind, "other"), count), name)
