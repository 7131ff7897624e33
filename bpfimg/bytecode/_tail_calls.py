"""Which programs an object puts into its maps of programs: `__array(values, …)` with `.values = {[0] = &other}`."""

from __future__ import annotations

from bpfimg.bytecode._elf import STT_FUNC, STT_OBJECT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode._parse import Dissection

_DECLARED = ".maps"
_MAP_OF_PROGRAMS = "prog_array"


def tail_calls(dissection: Dissection) -> dict[str, tuple[str, ...]]:
    """Name of each map of programs -> names of the functions that the object puts there, sorted.

    libbpf fills such a map when the object is loaded (`init_prog_array_slots` in its `libbpf.c`).
    """
    elf = dissection.elf
    section = elf.section(_DECLARED)
    wanted = {spec.name for spec in dissection.object.maps if spec.type == _MAP_OF_PROGRAMS}
    if section is None or not wanted:
        return {}
    functions = [
        (offset, elf.table[symbol].name)
        for offset, symbol, _ in elf.relocations(section.index)
        if elf.table[symbol].kind == STT_FUNC
    ]
    found = {}
    for symbol in elf.symbols:
        if symbol.section == section.index and symbol.kind == STT_OBJECT and symbol.name in wanted:
            end = symbol.value + symbol.size
            found[symbol.name] = tuple(sorted({name for at, name in functions if symbol.value <= at < end}))
    return found
