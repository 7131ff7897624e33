"""Maps of the old kind: `struct bpf_map_def` in section "maps". libbpf 1.0 and newer refuse them, so does `load`."""

from __future__ import annotations

import struct

from bpfimg.bytecode._elf import STT_SECTION
from bpfimg.bytecode._header import prefix
from bpfimg.bytecode._map_types import map_type
from bpfimg.bytecode._model import MapSpec
from bpfimg.bytecode._text import checked
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode._elf import ElfObject

_SECTION = "maps"
_SIZE = 16  # type, key_size, value_size, max_entries; since Linux 4.6 map_flags; iproute2, bcc and others added more
_WITH_FLAGS = 20


def legacy(elf: ElfObject) -> tuple[MapSpec, ...]:
    """The maps in section "maps", in the order of the file; `BytecodeError` for one that is cut off."""
    section = elf.section(_SECTION)
    if section is None or not section.size:
        return ()
    content = section.content
    found = []
    symbols = [s for s in elf.symbols if s.section == section.index and s.kind != STT_SECTION]
    symbols.sort(key=lambda symbol: symbol.value)
    ends = [*(symbol.value for symbol in symbols[1:]), len(content)]
    for symbol, end in zip(symbols, ends, strict=True):
        name = checked(symbol.name, "a map in section 'maps'")
        if symbol.value + _SIZE > len(content):
            raise BytecodeError(f"map {quoted(name)} in section 'maps' is cut off, expected {_SIZE} bytes or more")
        definition = content[symbol.value : max(end, symbol.value + _SIZE)][:_WITH_FLAGS].ljust(_WITH_FLAGS, b"\0")
        kind, key, size, entries, flags = struct.unpack(prefix(elf.byte_order) + "5I", definition)
        found.append(
            MapSpec(
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
        )
    return tuple(found)
