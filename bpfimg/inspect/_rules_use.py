"""Rules about what is used: maps and globals that nothing touches, names that cannot be told apart."""

from __future__ import annotations

import struct
from bisect import bisect_left

from bpfimg.btf import kinds
from bpfimg.errors import quoted
from bpfimg.inspect._lint_model import Found
from bpfimg.inspect._rules_maps import about, declared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.btf import Btf
    from bpfimg.bytecode import Dissection
    from bpfimg.inspect._lint_model import Context

_NAME_MAX = 15  # BPF_OBJ_NAME_LEN, less the NUL
_DEPTH = 32
_DATA = (".data", ".rodata", ".bss", ".maps", ".struct_ops", "?.struct_ops")


def unused_map(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL034."""
    obj = dissection.object
    used = {name for program in obj.programs for name in program.uses.maps}
    used |= {name for function in obj.functions for name in function.uses.maps}
    unused = [m for m in obj.maps if not m.internal and m.name not in used and m.type != "struct_ops"]
    if not unused or not obj.programs:
        return
    used = _named_by_data(dissection)
    for found in unused:
        if found.name not in used:
            yield about(
                found,
                f"no program uses map {quoted(found.name)}, but every loader makes it",
                hint="leave it out, unless it is user space that needs it",
            )


def _named_by_data(dissection: Dissection) -> set[str]:
    """The symbols that sections of data refer to: maps in maps, programs in struct_ops."""
    elf = dissection.elf
    sections = [section.index for section in elf.sections if section.name.startswith(_DATA)]
    return {elf.table[symbol].name for section in sections for _, symbol, _ in elf.relocations(section)}


def name_collision(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL036."""
    obj = dissection.object
    for kind, names in (
        ("program", [program.name for program in obj.programs]),
        ("map", [found.name for found in obj.maps if not found.internal]),
    ):
        alike: dict[bytes, list[str]] = {}
        for name in names:
            alike.setdefault(name.encode()[:_NAME_MAX], []).append(name)
        for short, found in alike.items():
            if len(found) > 1:
                words = ", ".join(quoted(name) for name in found[:4]) + (", ..." if len(found) > 4 else "")
                yield Found(
                    f"the kernel cuts the names of {len(found)} {kind}s ({words}) to the same "
                    f"{quoted(short.decode(errors='replace'))}",
                    kind=kind,
                    about=found[0],
                    hint=f"let names differ in their first {_NAME_MAX} bytes",
                )


def perf_buffer(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL026."""
    outputs = {"bpf_perf_event_output", "bpf_skb_output", "bpf_xdp_output"}
    users = [program for program in dissection.object.programs if not outputs.isdisjoint(program.uses.helpers)]
    used = {name for program in users for name in program.uses.maps}
    for found in declared(dissection):
        if found.type == "perf_event_array" and found.name in used:
            yield about(
                found,
                f"map {quoted(found.name)} is a perf buffer: one for each CPU, and events of several CPUs come out of "
                "order",
                hint="BPF_MAP_TYPE_RINGBUF (since 5.8), unless the object is for older kernels",
            )


def unread_global(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL037. Pointers are left out: nobody can set one, and `struct event *unused` is how types are exported.

    A constant that is not volatile is the trap: the compiler has put its value into the code. Others are knobs of a
    header that this program does without.
    """
    wanted = [
        spec
        for spec in dissection.object.globals
        if spec.section != ".kconfig" and spec.kind != "pointer" and "." not in spec.name
    ]
    if not wanted:
        return
    elf = dissection.elf
    symbols = {(symbol.section, symbol.name) for symbol in elf.symbols if not symbol.local}
    named, places = _touched(dissection)
    sections = {section.name: section.index for section in elf.sections}
    volatile: set[str] | None = None
    for spec in wanted:
        index = sections.get(spec.section, 0)
        if (index, spec.name) not in symbols or (index, spec.name) in named:
            continue
        if _between(places.get(index, []), spec.offset, spec.offset + max(spec.size, 1)):
            continue
        volatile = _volatile(dissection) if volatile is None else volatile
        folded = spec.read_only and spec.name not in volatile
        yield Found(
            f"no program touches the global {quoted(spec.name)} ({spec.type}): to set it changes nothing",
            kind="global",
            about=spec.name,
            hint="declare it `const volatile`: the compiler has put its value into the code" if folded else "",
            severity="" if folded else "note",
        )


def _between(places: list[int], start: int, end: int) -> bool:
    """Whether one of the sorted places lies there."""
    at = bisect_left(places, start)
    return at < len(places) and places[at] < end


def _volatile(dissection: Dissection) -> set[str]:
    """The globals that were declared so."""
    types, found = dissection.types, set[str]()
    if types is None:
        return found
    for section, type_id in types.data_sections().items():
        if section.startswith(_DATA):
            variables = (variable for variable, _, _ in types.variables(type_id))
            found.update(types.name(each) for each in variables if _is_volatile(types, types.target(each)))
    return found


def _is_volatile(types: Btf, type_id: int) -> bool:
    for _ in range(_DEPTH):
        kind = types.kind(type_id)
        if kind not in (kinds.CONST, kinds.VOLATILE, kinds.ARRAY):
            return False
        if kind == kinds.VOLATILE:
            return True
        type_id = types.array(type_id)[0] if kind == kinds.ARRAY else types.target(type_id)
    return False


def _touched(dissection: Dissection) -> tuple[set[tuple[int, str]], dict[int, list[int]]]:
    """What code and data refer to: symbols by section and name; by section, places named by offset only."""
    elf = dissection.elf
    word = struct.Struct(">I" if elf.byte_order == "big" else "<I")
    named: set[tuple[int, str]] = set()
    places: dict[int, set[int]] = {}
    for section in elf.sections:
        if not section.executable and not section.name.startswith(_DATA):
            continue
        content = b""
        for offset, number, _ in elf.relocations(section.index):
            symbol = elf.table[number]
            if not symbol.of_section:
                named.add((symbol.section, symbol.name))
                continue
            content = content or section.content
            start = offset + 4 if section.executable else offset
            if start + 4 <= len(content):
                places.setdefault(symbol.section, set()).add(word.unpack_from(content, start)[0])
    return named, {index: sorted(found) for index, found in places.items()}
