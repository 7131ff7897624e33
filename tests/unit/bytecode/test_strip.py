"""DWARF comes off, all else stays: held against llvm-strip, bpftool and libbpf, both byte orders, two compilers."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bpfimg._value import replace
from bpfimg.bytecode import Dissection, dissect
from bpfimg.errors import BytecodeError
from tests.support.corpus_groups import every_group, objects
from tests.support.objects import EXAMPLES, PRELUDE, compile_source, headers, overwritten, patched

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """
struct flow { __u32 id; __u64 packets[4]; };
struct { __uint(type, 1); __type(key, __u32); __type(value, struct flow); __uint(max_entries, 8); } flows SEC(".maps");
const volatile __u32 limit = 7;
__u64 total;
__attribute__((noinline)) int twice(int n) { return n * 2 + limit; }
static __attribute__((noinline)) int add(int n) { total += n; return total; }
SEC("xdp") int one(void *c) {
  __u32 k = 0; struct flow *f = ((void *(*)(void *, void *))1)(&flows, &k);
  if (f) f->packets[1] += twice(f->id);
  return add(2);
}
SEC("tc") int two(void *c) { return twice(3); }
SEC("kprobe/do_exit") int three(void *c) { return add(4); }
char LICENSE[] SEC("license") = "GPL";
"""


def taken(data: bytes) -> bytes:
    return dissect(data).without_dwarf()


def said(data: bytes) -> dict[str, object]:
    """What the reader makes of an object, but for what stripping is to change."""
    parts: Dissection = dissect(data)
    plain = replace(parts.object, size=0, dwarf_size=0, producer=None, sections=())
    relocations = {
        section.name: [
            (o, parts.elf.table[s].name, parts.elf.table[s].value, k)
            for o, s, k in parts.elf.relocations(section.index)
        ]
        for section in parts.elf.sections
        if section.size
    }
    contents = {section.name: section.content for section in parts.elf.sections}
    return {"object": plain, "relocations": relocations, "contents": contents}


@pytest.fixture(params=["bpfel", "bpfeb"])
def raw(request: pytest.FixtureRequest) -> bytes:
    return compile_source(SOURCE, target=request.param, strip=False)


def test_nothing_else_changes(raw: bytes) -> None:
    ours = taken(raw)
    assert said(ours) == said(raw)
    assert dissect(raw).object.dwarf_size > 1000
    assert dissect(ours).object.dwarf_size == 0
    assert len(ours) < len(raw) - 1000
    assert b".debug" not in ours
    assert b".llvm_addrsig" not in ours
    assert taken(ours) is ours


def test_the_same_as_llvm_strip_says(raw: bytes) -> None:
    done = subprocess.run(["llvm-strip", "-g", "-o", "-", "-"], input=raw, capture_output=True, check=True)
    theirs, ours = said(done.stdout), said(taken(raw))
    assert ours == theirs
    assert taken(done.stdout) == done.stdout


def test_every_symbol_but_that_of_the_file_stays(raw: bytes) -> None:
    before, after = dissect(raw).elf, dissect(taken(raw)).elf
    names = dict(enumerate(before.tables.names))
    renamed = dict(enumerate(after.tables.names))

    def rows(elf: object, sections: dict[int, str]) -> list[tuple[object, ...]]:
        return [
            (s.name, s.kind, s.bind, sections.get(s.section, s.section), s.value, s.size)
            for s in elf.table  # type: ignore[attr-defined]
            if s.kind != 4 and not sections.get(s.section, "").startswith(".debug")
        ]

    assert rows(after, renamed) == rows(before, names)
    first_global = next(i for i, symbol in enumerate(after.table) if symbol.bind)
    assert after.tables.rows[after.tables.symbols][7] == first_global


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.bpf.c")))
def test_the_examples(name: str) -> None:
    data = compile_source(EXAMPLES / name, strip=False)
    assert said(taken(data)) == said(data)


def test_a_newer_compiler(tmp_path: Path) -> None:
    clang = shutil.which("clang-19")
    if clang is None:
        pytest.skip("needs clang-19 for DWARF 5 of a newer LLVM")
    for target in ("bpfel", "bpfeb"):
        argv = [clang, "-target", target, "-g", "-O2", "-mcpu=v3", "-x", "c", "-c", "-", "-o", "-"]
        data = subprocess.run(argv, input=(PRELUDE + SOURCE).encode(), capture_output=True, check=True).stdout
        assert said(taken(data)) == said(data)


def kept(data: bytes) -> dict[str, object]:
    """Everything but what stripping is to change, sections by number among those of code and data."""
    parts = dissect(data)
    elf = parts.elf
    sections = [(section.name, section.size, section.content) for section in elf.sections]
    relocations = [
        [(offset, elf.table[symbol].name, elf.table[symbol].value, kind) for offset, symbol, kind in rows]
        for rows in (elf.relocations(section.index) for section in elf.sections)
    ]
    plain = replace(parts.object, size=0, dwarf_size=0, producer=None, sections=())
    return {"object": plain, "sections": sections, "relocations": relocations}


@every_group
def test_every_object_of_the_corpus_keeps_what_it_says(group: str) -> None:
    """Ours is what it was, and what llvm-strip makes of it, for every object that the reader takes."""
    strip = shutil.which("llvm-strip-19") or shutil.which("llvm-strip")
    taken_off = 0
    for sample in objects(group):
        try:
            before = kept(sample.data)
        except BytecodeError:
            continue
        ours = taken(sample.data)
        assert kept(ours) == before, sample.name
        taken_off += len(sample.data) - len(ours)
        if strip is not None and ours != sample.data:
            done = subprocess.run([strip, "-g", "-o", "-", "-"], input=sample.data, capture_output=True, check=False)
            assert done.returncode or kept(done.stdout) == before, sample.name
    assert taken_off > 10_000 or group != "compiled"


def bpftool() -> str:
    found = shutil.which("bpftool", path="/usr/sbin:/sbin:" + os.environ.get("PATH", ""))
    if found is None:
        pytest.skip("needs bpftool to read what was stripped")
    return found


def test_bpftool_reads_it_as_before(tmp_path: Path) -> None:
    tool = bpftool()
    raw = compile_source(SOURCE, strip=False)
    for name, data in (("a.o", raw), ("b.o", taken(raw))):
        (tmp_path / name).write_bytes(data)

    def run(*words: str) -> str:
        return subprocess.run([tool, *words], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert json.loads(run("-j", "btf", "dump", "file", "b.o")) == json.loads(run("-j", "btf", "dump", "file", "a.o"))
    skeletons = [run("gen", "skeleton", name, "name", "same").split("elf_bytes")[0] for name in ("a.o", "b.o")]
    assert skeletons[0] == skeletons[1]
    run("gen", "object", "linked_a.o", "a.o")
    run("gen", "object", "linked_b.o", "b.o")
    assert (
        said((tmp_path / "linked_a.o").read_bytes())["contents"]
        == said((tmp_path / "linked_b.o").read_bytes())["contents"]
    )


def test_libbpf_opens_it_as_before() -> None:
    from bpfimg.kernel import libbpf

    found = []
    raw = compile_source(SOURCE, strip=False)
    for data in (raw, taken(raw)):
        with libbpf.open_object(data, name="x") as opened:
            programs = [(program.name, program.section, program.type_id) for program in opened.programs]
            maps = [(item.name, item.type_id, item.value_size, item.initial()) for item in opened.maps]
            found.append((programs, maps))
    assert found[0] == found[1]
    assert [name for name, _, _ in found[0][0]] == ["one", "two", "three"]


def test_readelf_finds_nothing_wrong(tmp_path: Path, raw: bytes) -> None:
    readelf = shutil.which("llvm-readelf") or shutil.which("llvm-readelf-19")
    if readelf is None:
        pytest.skip("needs llvm-readelf")
    (tmp_path / "x.o").write_bytes(taken(raw))
    done = subprocess.run([readelf, "-a", "x.o"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "warning" not in done.stderr.lower()
    assert "error" not in done.stderr.lower()


def test_what_stays_may_not_refer_to_what_goes() -> None:
    raw = compile_source(SOURCE, target="bpfel", strip=False)
    table, debug = dissect(raw).elf.table, dissect(raw).elf.tables.names.index(".debug_abbrev")
    number = next(i for i, symbol in enumerate(table) if symbol.section == debug)
    at = headers(raw)[".relxdp"].offset + 12
    with pytest.raises(BytecodeError, match=r"'\.relxdp' refers to DWARF") as caught:
        taken(overwritten(raw, at, struct.pack("<I", number)))
    assert "--no-strip" in caught.value.hint


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [(".BTF", "link", 9), (".BTF", "link", 60_000), (".rel.BTF", "link", 1), (".llvm_addrsig", "link", 60_000)],
)
def test_odd_headers_are_refused_or_harmless(section: str, field: str, value: int) -> None:
    raw = patched(compile_source(SOURCE, target="bpfel", strip=False), section, field, value)
    try:
        dissect(taken(raw))
    except BytecodeError as error:
        assert len(str(error)) < 300  # noqa: PT017


def test_alignment_and_program_headers() -> None:
    raw = compile_source(SOURCE, target="bpfel", strip=False)
    at = headers(raw)[".BTF"].at + 48
    with pytest.raises(BytecodeError, match="of a kind that cannot be stripped"):
        taken(overwritten(raw, at, struct.pack("<Q", 1 << 40)))
    with pytest.raises(BytecodeError, match="3 program headers"):
        taken(overwritten(raw, 56, struct.pack("<H", 3)))


def test_any_damage_is_one_sentence() -> None:
    """Every byte of the headers and tables in turn: whatever the reader lets pass is stripped or refused."""
    raw = compile_source(SOURCE, target="bpfel", strip=False)
    start = struct.unpack_from("<Q", raw, 40)[0]
    for at in [*range(16, 64), *range(start, len(raw))]:
        broken = overwritten(raw, at, bytes([raw[at] ^ 0x41]))
        try:
            result = taken(broken)
        except BytecodeError:
            continue
        assert len(result) <= len(raw) + 64, (at, sys.byteorder)
