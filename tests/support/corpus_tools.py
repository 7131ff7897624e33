"""What other people's tools say about an object: readelf, llvm-objdump, bpftool. Each is asked once for each file."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

STEM = "probe"


def needs(*tools: str) -> None:
    """Skips the test, naming the tool, where one of them is lacking."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool} to compare with")


def ask(*command: str) -> str | None:
    """What the tool prints, None when it refuses the file."""
    done = subprocess.run(command, capture_output=True, check=False)
    return None if done.returncode else done.stdout.decode(errors="replace")


@contextlib.contextmanager
def stored(data: bytes) -> Iterator[str]:
    """The path of a file with these bytes; libbpf and bpftool like its name, "probe.o"."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/{STEM}.o"
        Path(path).write_bytes(data)
        yield path


def newest(tool: str) -> str:
    """`tool` in the newest version that Debian has beside the plain one: "llvm-objdump-19"."""
    for number in range(30, 13, -1):
        if shutil.which(f"{tool}-{number}"):
            return f"{tool}-{number}"
    needs(tool)
    return tool


@dataclass
class Elf:
    """Sections as (name, type, offset, size), symbols as (value, size, type, bind, section, name), and relocations by
    name of the relocation section as (offset, symbol, type)."""

    sections: list[tuple[str, str, int, int]] = field(default_factory=list)
    symbols: list[tuple[int, int, str, str, str, str]] = field(default_factory=list)
    relocations: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)


_SECTION = re.compile(r"\s*\[ *\d+\] (.*?) *(\S+) +[0-9a-f]{16} ([0-9a-f]{6,}) ([0-9a-f]{6,}) [0-9a-f]{2}\s")
_RELOCATIONS = re.compile(r"Relocation section '(.*)' at offset")
_RELOCATION = re.compile(r"([0-9a-f]{16})  ([0-9a-f]{8})([0-9a-f]{8}) R_BPF")
_SYMBOL = re.compile(r" *\d+: ([0-9a-f]{16}) +(\S+) (\S+) +(\S+) +\S+ +(?:\[.*?\] +)?(\S+) ?(.*)$")


@functools.cache
def readelf(data: bytes) -> Elf:
    """GNU readelf's reading."""
    needs("readelf")
    with stored(data) as path:
        said = ask("readelf", "-W", "-S", "-s", "-r", path)
    assert said is not None
    found = Elf()
    table = ""
    for line in said.splitlines():
        if match := _RELOCATIONS.match(line):
            table = match[1]
            found.relocations.setdefault(table, [])
        elif match := _RELOCATION.match(line):
            found.relocations[table].append((int(match[1], 16), int(match[2], 16), int(match[3], 16)))
        elif match := _SECTION.match(line):
            found.sections.append((match[1], match[2], int(match[3], 16), int(match[4], 16)))
        elif match := _SYMBOL.match(line):
            found.symbols.append((int(match[1], 16), int(match[2], 0), match[3], match[4], match[5], match[6]))
    return found


@dataclass
class Code:
    """What llvm-objdump disassembles of one section: by byte offset the raw bytes and the text of each instruction, the
    name in its relocation, and its CO-RE relocation: kind, type, words (by LLVM 18 and newer)."""

    instructions: dict[int, bytes] = field(default_factory=dict)
    relocations: dict[int, str] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    core: dict[int, tuple[str, int, str]] = field(default_factory=dict)


_INSTRUCTION = re.compile(r" *(\d+):\t((?:[0-9a-f]{2} ?)+)\t(.*)$")
_CODE_RELOCATION = re.compile(r"\t\t([0-9a-f]{16}):  (R_BPF\w+)\t(\S+)")
# [2] struct task_struct::comm[3] (0:4:3)   [5] enum state::BUSY = 7   [2] struct task_struct
_CORE_RELOCATION = re.compile(r"\t\t([0-9a-f]{16}):  CO-RE <(\w+)> \[(\d+)\] (.*)$")


@functools.cache
def objdump(data: bytes) -> dict[str, Code]:
    """The code by name of its section."""
    with stored(data) as path:
        said = ask(newest("llvm-objdump"), "-d", "-r", path)
    assert said is not None
    found: dict[str, Code] = {}
    code = Code()
    for line in said.splitlines():
        if line.startswith("Disassembly of section "):
            code = found.setdefault(line[len("Disassembly of section ") : -1], Code())
        elif match := _INSTRUCTION.match(line):
            at = int(match[1]) * 8
            code.instructions[at] = bytes.fromhex(match[2])
            code.texts[at] = match[3]
        elif match := _CODE_RELOCATION.match(line):
            code.relocations[int(match[1], 16)] = match[3]
        elif match := _CORE_RELOCATION.match(line):
            code.core[int(match[1], 16)] = match[2], int(match[3]), match[4]
    return found


def btf_dump(data: bytes) -> list[dict[str, Any]] | None:
    """bpftool's reading of the types; None where it refuses the file, or there is no BTF."""
    needs("bpftool")
    with stored(data) as path:
        said = ask("bpftool", "-j", "btf", "dump", "file", path)
    if said is None:
        return None
    types: list[dict[str, Any]] = json.loads(said)["types"]
    return types


@dataclass
class Skeleton:
    """The names in bpftool's skeleton: maps and programs as C has them, global variables by section ("data_own")."""

    maps: set[str] = field(default_factory=set)
    programs: set[str] = field(default_factory=set)
    variables: dict[str, set[str]] = field(default_factory=dict)


def skeleton(data: bytes) -> Skeleton | None:
    """The names that `bpftool gen skeleton` gives things; None where it refuses the file."""
    needs("bpftool")
    with stored(data) as path:
        said = ask("bpftool", "gen", "skeleton", path)
    if said is None:
        return None
    found = Skeleton()
    body = said[said.index("struct bpf_object *obj;") : said.index("#ifdef __cplusplus\n\tstatic")]
    found.maps = set(re.findall(r"^\t\tstruct bpf_map \*(\w+);", body, re.M))
    found.programs = set(re.findall(r"^\t\tstruct bpf_program \*(\w+);", body, re.M))
    for section, inside in re.findall(rf"^\tstruct {STEM}__(\w+) {{\n(.*?)^\t}} \*\w+;", body, re.M | re.S):
        found.variables[section] = set(_members(inside))
    return found


def _members(text: str) -> list[str]:
    """The names of a C struct's members, those of nested structs left out, and bpftool's padding."""
    flat = ""
    depth = 0
    for letter in text:
        depth += letter == "{"
        if not depth and letter not in "}":
            flat += letter
        depth -= letter == "}"
    names = []
    for declaration in flat.split(";"):
        plain = re.sub(r"__attribute__\(\(.*?\)\)+", "", re.sub(r":\s*\d+$", "", declaration.strip()))
        pointer = re.search(r"\(\*+\s*(?:const |volatile |restrict )*(\w+)", plain)
        match = pointer or re.search(r"(\w+)\s*(?:\[[^]]*\]\s*)*$", plain)
        if match and not match[1].startswith("__pad"):
            names.append(match[1])
    return names
