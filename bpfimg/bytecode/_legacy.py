"""Maps of the old kind: `struct bpf_map_def` in section "maps". libbpf 1.0 and newer refuse them."""

from __future__ import annotations

import struct

from bpfimg.bytecode._header import prefix
from bpfimg.bytecode._map_types import map_type
from bpfimg.bytecode._model import MapSpec
from bpfimg.bytecode._text import checked
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.bytecode._elf import ElfObject, Section, Symbol

_SECTION = "maps"
_SIZE = 16  # type, key_size, value_size, max_entries; since Linux 4.6 map_flags; iproute2, bcc and others added more
_WITH_FLAGS = 20


def is_legacy(section: str) -> bool:
    """Whether a section of that name holds old definitions: gobpf has one for each map, "maps/NAME"."""
    return section == _SECTION or section.startswith(_SECTION + "/")


def legacy(elf: ElfObject) -> tuple[MapSpec, ...]:
    """The maps of the old kind, in the order of the file; `BytecodeError` for one that is cut off."""
    sections = {section.index: section for section in elf.sections if is_legacy(section.name)}
    if not sections:
        return ()
    symbols: dict[int, list[Symbol]] = {index: [] for index in sections}
    for symbol in elf.symbols:
        if symbol.section in symbols and not symbol.of_section:
            symbols[symbol.section].append(symbol)
    return tuple(spec for index, section in sections.items() for spec in _maps(elf, section, symbols[index]))


def _maps(elf: ElfObject, section: Section, symbols: list[Symbol]) -> Iterator[MapSpec]:
    content = section.content
    symbols.sort(key=lambda symbol: symbol.value)
    ends = [symbol.value for symbol in symbols[1:]] + [len(content)]
    for symbol, end in zip(symbols, ends, strict=False):  # strict=False: there may be no symbol at all
        name = checked(symbol.name, f"a map in section {quoted(section.name)}")
        if symbol.value + _SIZE > len(content):
            raise BytecodeError(
                f"map {quoted(name)} in section {quoted(section.name)} is cut off, expected {_SIZE} bytes or more"
            )
        definition = content[symbol.value : max(end, symbol.value + _SIZE)][:_WITH_FLAGS].ljust(_WITH_FLAGS, b"\0")
        yield _spec(name, struct.unpack(prefix(elf.byte_order) + "5I", definition))


def _spec(name: str, words: tuple[int, ...]) -> MapSpec:
    kind, key, size, entries, flags = words
    return MapSpec(
        name=name,
        type=map_type(kind),
        type_id=kind,
        key_size=key,
        value_size=size,
        key_type=None,
        value_type=None,
        max_entries=entries,
        flags=flags,
        pinning="none",
        internal=False,
        legacy=True,
    )
