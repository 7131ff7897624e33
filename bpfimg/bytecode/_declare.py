"""Maps of the old kind, declared as libbpf 1.0 and newer want it: in `.maps`, described by BTF.

Aya's `#[map]`, and C from before 2020, put a `struct bpf_map_def` into section "maps". The same maps in the other form
are the same maps: BTF says type, sizes, entries, flags and pinning, and programs refer to the same symbols.
"""

from __future__ import annotations

import struct

from bpfimg.bytecode._declare_btf import SIZE, described
from bpfimg.bytecode._header import prefix
from bpfimg.bytecode._legacy import is_legacy, legacy
from bpfimg.bytecode._strip import rewritten
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf import Btf
    from bpfimg.bytecode._elf import ElfObject, Section

__all__ = ["declared"]

_OLD, _NEW = "maps", ".maps"
_PINNING, _LARGEST = 24, 28  # Aya's definition: type, key_size, value_size, max_entries, map_flags, id, pinning
_OF_MAPS = ("array_of_maps", "hash_of_maps")
_HINT = 'declare maps with __uint() and __type() in SEC(".maps") and compile with clang -g'


def declared(elf: ElfObject, btf: Btf | None) -> bytes:
    """The object with its old maps declared; as it is where it has none.

    Raises BytecodeError for maps whose meaning only their own loader knows: definitions with more in them, maps of
    maps, maps of both kinds in one object.
    """
    specs = legacy(elf)
    if not specs:
        return elf.data
    section = _section(elf)
    symbols = [index for index, symbol in enumerate(elf.table) if symbol.section == section.index and symbol.name]
    symbols = sorted((index for index in symbols if not elf.table[index].of_section), key=lambda i: elf.table[i].value)
    starts = [elf.table[index].value for index in symbols]
    pinned = []
    for spec, start, end in zip(specs, starts, [*starts[1:], len(section.content)], strict=True):
        if spec.type in _OF_MAPS:
            raise _refused(f"map {quoted(spec.name)} holds maps")
        pinned.append(_is_pinned(section.content[start:end], spec.name, prefix(elf.byte_order)))
    return rewritten(
        elf,
        name=(section.index, _NEW.encode()),
        contents={section.index: bytes(SIZE * len(specs))},
        symbols={index: (SIZE * number, SIZE) for number, index in enumerate(symbols)},
        btf=described(btf, elf.byte_order, (_OLD, _NEW), list(zip(specs, pinned, strict=True))),
    )


def _section(elf: ElfObject) -> Section:
    """The one section of old maps, to which nothing refers but by the names of maps."""
    found = [section for section in elf.sections if is_legacy(section.name)]
    if len(found) != 1 or found[0].name != _OLD or elf.section(_NEW):
        raise _refused("the object has several sections of maps")
    for section in elf.sections:
        for _, symbol, _ in elf.relocations(section.index):
            if elf.table[symbol].of_section and elf.table[symbol].section == found[0].index:
                raise _refused(f"section {quoted(section.name)} refers to a map without its name")
    return found[0]


def _is_pinned(definition: bytes, name: str, order: str) -> bool:
    """Whether a map is pinned by its name, as Aya says it; what others put behind the flags is not known."""
    pinning = 0
    if len(definition) == _LARGEST:
        (pinning,) = struct.unpack_from(order + "I", definition, _PINNING)
    rest = definition[20:_PINNING] if len(definition) == _LARGEST else definition[20:]
    if any(rest) or pinning not in (0, 1):
        raise _refused(f"map {quoted(name)} has a definition of its own loader")
    return pinning == 1


def _refused(why: str) -> BytecodeError:
    return BytecodeError(
        f"{why}, and section {_OLD!r} holds map definitions of the old kind, which libbpf 1.0 and newer refuse",
        hint=_HINT,
    )
