"""Files made to cost: sound at first sight, small or of a few mebibytes, and square or worse to look at carelessly.

A mutator seldom finds these: they need thousands of things that fit together.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tests.support import btf as b
from tests.support.btf import BtfWriter
from tests.support.elf_writer import NOBITS, OBJECT, ElfWriter

if TYPE_CHECKING:
    from collections.abc import Callable

_EXIT = bytes((0x95, 0, 0, 0, 0, 0, 0, 0))


def call(distance: int) -> bytes:
    return struct.pack("<BBhi", 0x85, 0x10, 0, distance)


def call_chain(count: int = 12_000) -> bytes:
    """Each function calls the next one: what each of them reaches, listed, is the square of their number."""
    writer = ElfWriter()
    text = writer.code(".text", (call(1) + _EXIT) * (count - 1) + _EXIT * 2)
    for number in range(count):
        writer.symbol(f"f{number}", text, 16 * number, 16)
    return writer.data()


def call_everyone(count: int = 700) -> bytes:
    """Each function calls all the others."""
    size = 8 * (count + 1)
    code = bytearray()
    for number in range(count):
        for other in range(count):
            code += call((other * size - len(code)) // 8 - 1) if other != number else _EXIT
        code += _EXIT
    writer = ElfWriter()
    text = writer.code("xdp", bytes(code))
    for number in range(count):
        writer.symbol(f"f{number}", text, number * size, size)
    return writer.data()


def overlapping_functions(count: int = 12_000, size: int = 1 << 20) -> bytes:
    """Every function is the whole section."""
    writer = ElfWriter()
    text = writer.code("xdp", _EXIT * (size // 8))
    for number in range(count):
        writer.symbol(f"f{number}", text, 0, size)
    return writer.data()


def many_functions_many_relocations(functions: int = 8_000, relocations: int = 20_000) -> bytes:
    """CO-RE relocations to look up for each function."""
    types = BtfWriter()
    structure = types.add(b.STRUCT, "s", 4, types.string("field"), 2, 0, vlen=1)
    types.integer()
    access, section = types.string("0:0"), types.string("xdp")
    records = struct.pack("<IIII", 0, structure, access, 0) * relocations
    core = struct.pack("<III", 16, section, relocations) + records
    ext = struct.pack("<HBBIIIIIII", 0xEB9F, 1, 0, 32, 0, 4, 4, 4, 8, len(core)) + struct.pack("<II", 8, 16) + core
    writer = ElfWriter()
    code = writer.code("xdp", _EXIT * functions)
    writer.section(".BTF", types.data())
    writer.section(".BTF.ext", ext)
    for number in range(functions):
        writer.symbol(f"f{number}", code, 8 * number, 8)
    return writer.data()


def many_map_sections(sections: int = 4000, symbols: int = 60_000) -> bytes:
    """Old maps, each in a section of its own, and symbols that belong to none."""
    writer = ElfWriter()
    for number in range(sections):
        writer.section(f"maps/{number}", bytes(20))
    for number in range(symbols):
        writer.symbol(f"s{number}", 1 + number % sections, 0, 20, kind=OBJECT)
    return writer.data()


def many_data_sections(count: int = 4000) -> bytes:
    """Global variables, each in a section of its own."""
    types = BtfWriter()
    integer = types.integer()
    writer = ElfWriter()
    for number in range(count):
        variable = types.variable(f"v{number}", integer)
        types.section(f".data.{number}", (variable, 0, 4))
        index = writer.section(f".data.{number}", bytes(4))
        writer.symbol(f"v{number}", index, 0, 4, kind=OBJECT)
    writer.section(".BTF", types.data())
    return writer.data()


def many_sections_of_one_name(count: int = 4000) -> bytes:
    """Programs in as many sections, each with relocations of its own."""
    writer = ElfWriter()
    for number in range(count // 2):
        code = writer.code("xdp", call(-1) + _EXIT)
        symbol = writer.symbol(f"f{number}", code, 0, 16)
        writer.relocations(code, [(0, symbol, 10)])
    return writer.data()


def many_instructions_many_globals(instructions: int = 20_000, count: int = 8_000) -> bytes:
    """Each instruction loads the address of a global variable: which one?"""
    types = BtfWriter()
    integer = types.integer()
    names = [(types.variable(f"v{number}", integer), 4 * number, 4) for number in range(count)]
    types.section(".data", *names)
    writer = ElfWriter()
    load = struct.pack("<BBhiq", 0x18, 1, 0, 4 * count - 4, 0)
    code = writer.code("xdp", load * instructions + _EXIT)
    section = writer.section(".data", bytes(4 * count))
    writer.section(".BTF", types.data())
    symbol = writer.symbol("", section, 0, 0, kind=3, bind=0)
    for number in range(count):
        writer.symbol(f"v{number}", section, 4 * number, 4, kind=OBJECT)
    writer.symbol("program", code, 0, 16 * instructions + 8)
    writer.relocations(code, [(16 * number, symbol, 1) for number in range(instructions)])
    return writer.data()


def many_functions_many_lines(functions: int = 4_000, lines: int = 100_000) -> bytes:
    """Source lines to look up for each function."""
    types = BtfWriter()
    types.integer()
    section, file, text = types.string("xdp"), types.string("a.c"), types.string("return 0;")
    records = b"".join(struct.pack("<IIII", 8 * (n % functions), file, text, n << 10) for n in range(lines))
    table = struct.pack("<III", 16, section, lines) + records
    ext = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, 4, 4, len(table)) + struct.pack("<I", 8) + table
    writer = ElfWriter()
    code = writer.code("xdp", _EXIT * functions)
    writer.section(".BTF", types.data())
    writer.section(".BTF.ext", ext)
    for number in range(functions):
        writer.symbol(f"f{number}", code, 8 * number, 8)
    return writer.data()


def _typed(types: BtfWriter, value: int, size: int = 8) -> bytes:
    """An object with a global variable and a map of that type."""
    types.section(".data", (types.variable("v", value), 0, size))
    writer = ElfWriter()
    section = writer.section(".data", bytes(1 << 20))
    writer.section(".BTF", types.data())
    writer.symbol("v", section, 0, 1 << 20, kind=OBJECT)
    return writer.data()


def prototypes_of_prototypes(depth: int = 14) -> bytes:
    """A function that takes two functions that each take two …, as deep as a chain may be."""
    types = BtfWriter()
    last = types.integer()
    for _ in range(depth):
        prototype = types.add(b.FUNC_PROTO, "", last, 0, last, 0, last, vlen=2)
        last = types.add(b.PTR, "", prototype)
    return _typed(types, last)


def structs_of_structs(depth: int = 16) -> bytes:
    """An anonymous struct that holds two anonymous structs that each hold two …"""
    types = BtfWriter()
    last, size = types.integer(), 4
    for number in range(depth):
        name = types.string(f"a{number}"), types.string(f"b{number}")
        first, second = (name[0], last, 0), (name[1], last, 8 * size & 0xFFFFFFFF)
        size = min(2 * size, 0x7FFFFFFF)
        last = types.add(b.STRUCT, "", size, *first, *second, vlen=2)
    return _typed(types, last, size)


def wide_structs(depth: int = 12, width: int = 60) -> bytes:
    """Anonymous unions of sixty members, each the next union."""
    types = BtfWriter()
    last = types.integer()
    for _ in range(depth):
        members = [word for number in range(width) for word in (types.string(f"m{number}"), last, 0)]
        last = types.add(b.UNION, "", 4, *members, vlen=width)
    return _typed(types, last)


def one_struct_with_many_members(members: int = 65_000) -> bytes:
    """All of one name."""
    types = BtfWriter()
    integer = types.integer()
    name = types.string("m")
    words = [word for number in range(members) for word in (name, integer, 32 * number & 0xFFFFFFFF)]
    return _typed(types, types.add(b.STRUCT, "s", 4 * members, *words, vlen=members), 4 * members)


def flavors(count: int = 3_000) -> bytes:
    """As many types of one name, and as many relocations that ask for it."""
    types = BtfWriter()
    integer = types.integer()
    field, access, section = types.string("field"), types.string("0:0"), types.string("xdp")
    ids = [types.add(b.STRUCT, f"task___{n}", 4, field, integer, 0, vlen=1) for n in range(count)]
    records = b"".join(struct.pack("<IIII", 0, each, access, 0) for each in ids)
    core = struct.pack("<III", 16, section, count) + records
    ext = struct.pack("<HBBIIIIIII", 0xEB9F, 1, 0, 32, 0, 4, 4, 4, 8, len(core)) + struct.pack("<II", 8, 16) + core
    writer = ElfWriter()
    code = writer.code("xdp", _EXIT)
    writer.section(".BTF", types.data())
    writer.section(".BTF.ext", ext)
    writer.symbol("program", code, 0, 8)
    return writer.data()


def zeros(count: int = 500) -> bytes:
    """Global variables that are all of the same large .bss."""
    types = BtfWriter()
    integer = types.integer("char", 1, 1)
    array = types.array(integer, 60 << 20)
    names = [(types.variable(f"v{number}", array), 0, 60 << 20) for number in range(count)]
    types.add(b.DATASEC, ".bss", 0, *(word for each in names for word in each), vlen=count)
    writer = ElfWriter()
    section = writer.section(".bss", bytes(60 << 20), kind=NOBITS)
    writer.section(".BTF", types.data())
    for number in range(count):
        writer.symbol(f"v{number}", section, 0, 60 << 20, kind=OBJECT)
    return writer.data()


def duplicated_names(count: int = 60_000) -> bytes:
    """Undefined symbols, and as many types that might describe them."""
    types = BtfWriter()
    integer = types.integer()
    for number in range(2_000):
        types.variable(f"x{number}", integer, 2)
    writer = ElfWriter()
    writer.code("xdp", _EXIT)
    writer.section(".BTF", types.data())
    for number in range(count):
        writer.symbol(f"x{number % 16_000}", 0, 0, 0)
    return writer.data()


BOMBS: dict[str, Callable[[], bytes]] = {
    each.__name__: each
    for each in (
        call_chain,
        call_everyone,
        overlapping_functions,
        many_functions_many_relocations,
        many_map_sections,
        many_data_sections,
        many_sections_of_one_name,
        many_instructions_many_globals,
        many_functions_many_lines,
        prototypes_of_prototypes,
        structs_of_structs,
        wide_structs,
        one_struct_with_many_members,
        flavors,
        zeros,
        duplicated_names,
    )
}
