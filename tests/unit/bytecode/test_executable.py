"""Executables are read within bounds: functions, versions, static probes; what is none says so in one sentence."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpfimg.bytecode import executable
from bpfimg.errors import BytecodeError
from tests.support.executables import ECHO, compiled

if TYPE_CHECKING:
    from collections.abc import Callable

LIBC = next((path for path in Path("/lib").glob("*-linux-gnu/libc.so.6")), None)


def opened(data: bytes, limits: executable.Limits | None = None) -> executable.Executable:
    return executable.read(lambda at, size: data[at : at + size], len(data), limits)


def patched(data: bytes, at: int, layout: str, number: int) -> bytes:
    return data[:at] + struct.pack(layout, number) + data[at + struct.calcsize(layout) :]


@pytest.mark.parametrize("flags", [(), ("-no-pie",), ("-static",)])
def test_functions_are_where_readelf_says(flags: tuple[str, ...], tmp_path: Path) -> None:
    if shutil.which("readelf") is None:
        pytest.skip("needs readelf")
    data = compiled(ECHO, *flags)
    (tmp_path / "echo").write_bytes(data)
    file = opened(data)
    assert file.position_independent is (flags == ())
    said = subprocess.run(["readelf", "-sW", tmp_path / "echo"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in said.splitlines()]
    theirs = {
        (row[7].partition("@")[0], int(row[1], 16))
        for row in rows
        if len(row) > 7 and row[3] == "FUNC" and row[6] != "UND"
    }
    ours = {(symbol.name, symbol.address) for symbol in executable.functions(file) if symbol.kind == "function"}
    assert ours == theirs
    assert {"main", "work", "hidden"} <= {name for name, _ in ours}
    (chosen,) = executable.named(file, "chosen")
    assert chosen.kind == "ifunc"


def test_a_name_is_found_without_looking_at_all_and_never_by_its_end() -> None:
    file = opened(compiled())
    (work,) = executable.named(file, "work")
    assert (work.kind, work.bind, work.defined) == ("function", "global", True)
    assert executable.named(file, "ork") == ()
    assert executable.named(file, "work_mor") == ()
    assert executable.named(file, "") == ()
    (read,) = executable.named(file, "read")
    assert not read.defined
    (hidden,) = executable.named(file, "hidden")
    assert hidden.bind == "local"


@pytest.mark.skipif(LIBC is None, reason="needs glibc in its usual place")
def test_versions_of_the_c_library() -> None:
    assert LIBC is not None
    file = opened(LIBC.read_bytes())
    found = executable.named(file, "malloc")
    assert [symbol.full for symbol in found] == [f"malloc@@{found[0].version}"]
    assert executable.named(file, f"malloc@{found[0].version}") == found
    assert executable.named(file, "malloc@GLIBC_0") == ()
    assert executable.build_id(file) is not None


def test_a_place_in_the_file_and_an_address_are_each_others() -> None:
    file = opened(compiled())
    (main,) = executable.named(file, "main")
    offset = file.file_offset(main.address)
    assert offset is not None
    assert file.code_address(offset) == main.address
    (variable,) = executable.named(file, "fell")
    assert variable.kind == "variable"
    assert file.file_offset(variable.address) is None, "no code is there"
    assert file.code_address(0) is None


def test_static_probes_with_all_their_places() -> None:
    found = executable.probes(opened(compiled()))
    assert {(each.provider, each.name) for each in found} == {
        ("app", "passed"),
        ("app", "constant"),
        ("app", "watched"),
    }
    assert [bool(each.semaphore) for each in found if each.name in ("watched", "passed")].count(True) == 1
    assert len([each for each in found if each.name == "passed"]) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: b"#!/bin/sh\n", "a script"),
        (lambda data: b"", "not an ELF file"),
        (lambda data: data[:40], "ends after 40 bytes"),
        (lambda data: patched(data, 4, "B", 1), "of 32 bits, expected 64"),
        (lambda data: patched(data, 5, "B", 7), "byte order is 7"),
        (lambda data: patched(data, 16, "<H", 1), "an object file, expected an executable"),
        (lambda data: patched(data, 16, "<H", 4), "a core dump"),
        (lambda data: patched(data, 32, "<Q", 1 << 62), "the program headers"),
        (lambda data: patched(data, 56, "<H", 0), "0 program headers"),
        (lambda data: patched(data, 40, "<Q", 1 << 40), "the section headers"),
        (lambda data: patched(data, 58, "<H", 1), "section headers have 1 bytes"),
    ],
)
def test_what_is_no_executable_says_so(change: Callable[[bytes], bytes], said: str) -> None:
    with pytest.raises(BytecodeError, match=said):
        opened(change(compiled()))


def test_limits_are_kept() -> None:
    data = compiled()
    with pytest.raises(BytecodeError, match="sections, expected at most 3"):
        opened(data, executable.Limits(sections=3))
    with pytest.raises(BytecodeError, match="symbols, expected at most 1"):
        executable.named(opened(data, executable.Limits(symbols=1)), "main")
    with pytest.raises(BytecodeError, match="bytes, expected at most 8"):
        executable.named(opened(data, executable.Limits(string_bytes=8)), "main")
    with pytest.raises(BytecodeError, match="more than 1 static probes"):
        executable.probes(opened(data, executable.Limits(probes=1)))


def test_the_linkers_list_of_libraries() -> None:
    with pytest.raises(BytecodeError, match="does not begin"):
        executable.libraries(b"nonsense")
    names = b"libc.so.6\0/lib/libc.so.6\0"
    entry = struct.pack("=iIIIQ", 0x303, 72, 82, 0, 0)
    new = b"glibc-ld.so.cache1.1" + struct.pack("=II", 1, len(names)) + bytes(20) + entry + names
    assert executable.libraries(new) == (("libc.so.6", "/lib/libc.so.6"),)
    old = b"ld.so-1.7.0\0" + struct.pack("=I", 1) + bytes(12)
    assert executable.libraries(old + bytes(-len(old) % 8) + new) == (("libc.so.6", "/lib/libc.so.6"),)
    with pytest.raises(BytecodeError, match="should have 1 entries"):
        executable.libraries(new[:60])
    wrong = new[:48] + struct.pack("=iIIIQ", 0x303, 1 << 31, 82, 0, 0) + names
    assert executable.libraries(wrong) == ()
