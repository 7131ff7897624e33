"""The corpus is what it claims to be, and every object in it can be read."""

from __future__ import annotations

import pytest

from bpfimg.btf import kinds
from bpfimg.bytecode import check_header, dissect, parse, section_rule
from bpfimg.bytecode._map_types import MAP_TYPES
from bpfimg.errors import BytecodeError
from tests.support import corpus, corpus_groups
from tests.support.corpus_groups import every_group

#: Objects that are refused on purpose, with the words of the refusal.
REFUSED = {
    ".maps without BTF": ("map_sizes", ("-O2",), "section '.maps' declares maps, but the object has no BTF"),
    ".maps with lines only": (
        "map_sizes",
        ("-gline-tables-only", "-O2"),
        "section '.maps' declares maps, but section .BTF does not describe it",
    ),
}


@every_group
def test_every_object_can_be_read(group: str) -> None:
    objects = corpus_groups.objects(group)
    assert objects
    failures = []
    for sample in objects:
        try:
            found = parse(sample.data)
        except BytecodeError as error:
            failures.append(f"{sample.name}: {error}")
            continue
        assert found.byte_order == {"el": "little", "eb": "big"}["el" if "el" in sample.flags else "eb"]
        assert found.byte_order == check_header(sample.data)
        assert found.size == len(sample.data)
    assert not failures


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_and_why(case: str) -> None:
    """libbpf refuses these too: without BTF nothing says what the maps are."""
    source, flags, words = REFUSED[case]
    text = (corpus.SOURCES / f"{source}.bpf.c").read_text()
    data = corpus.made(corpus.Recipe(case, text, corpus.compilers()[0], "el", flags, keep_dwarf=True))
    with pytest.raises(BytecodeError, match=words):
        parse(data)


def test_there_are_enough() -> None:
    objects = corpus.compiled()
    assert len(objects) >= 120
    assert len({sample.data for sample in objects}) >= 120
    for word in ("el", "eb", "btf", "dwarf", "linked"):
        assert sum(word in sample.flags for sample in objects) >= 3, word
    assert sum("btf" not in sample.flags for sample in objects) >= 10


def test_two_compilers() -> None:
    if len(corpus.compilers()) < 2:
        pytest.skip("needs a clang newer than this machine's `clang` (clang-19 in Debian 12, clang-22 in Debian 13)")
    versions = [corpus.version_of(name) for name in corpus.compilers()]
    assert versions == sorted(set(versions))


def test_a_big_one() -> None:
    size = len(corpus.one("big.el"))
    assert 900_000 < size < 1_400_000


def test_every_row_of_the_table_of_sections() -> None:
    seen = {program.section for sample in corpus.compiled() for program in parse(sample.data).programs}
    rules = {rule.section for rule in map(section_rule, seen) if rule}
    wanted = {row[0].rstrip("+/") for row in corpus.section_rows()}
    assert wanted == rules


def test_every_kind_of_relocation() -> None:
    seen = set()
    for sample in corpus.compiled():
        ext = dissect(sample.data).ext
        if ext is not None:
            seen |= {relocation.kind for found in ext.core.values() for relocation in found}
    if corpus.version_of(corpus.compilers()[-1]) < 15:
        assert seen == set(range(12))
        pytest.skip("needs clang 15 or newer for the 13th kind, type_matches")
    assert seen == set(range(13))


def test_every_kind_of_global() -> None:
    found = [spec for sample in corpus.compiled() for spec in parse(sample.data).globals]
    wanted = {"int", "bool", "char", "enum", "float", "pointer", "array", "struct", "union"}
    assert {spec.kind for spec in found} >= wanted
    assert {spec.size for spec in found if spec.kind == "int"} >= {1, 2, 4, 8, 16}
    assert {spec.size for spec in found if spec.kind == "enum"} >= {1, 4, 8}
    assert {spec.section for spec in found} >= {".data", ".rodata", ".bss", ".kconfig", ".data.own", ".rodata.fixed"}


def test_every_kind_of_type() -> None:
    """From INT to ENUM64."""
    seen = set()
    for sample in corpus.compiled():
        types = dissect(sample.data).types
        if types is not None:
            seen |= {types.kind(type_id) for type_id in range(1, len(types))}
    wanted = set(range(kinds.INT, kinds.ENUM64 + 1))
    if corpus.version_of(corpus.compilers()[-1]) < 15:
        wanted.remove(kinds.ENUM64)
    assert seen >= wanted


def test_every_type_of_map() -> None:
    seen = {found.type for sample in corpus.compiled() for found in parse(sample.data).maps}
    assert seen == set(MAP_TYPES) - {"unspec"}


def test_every_instruction_set() -> None:
    seen: set[str] = set()
    for sample in corpus.compiled():
        for program in parse(sample.data).programs:
            seen.update(program.uses.isa)
    newest = corpus.version_of(corpus.compilers()[-1])
    wanted = {"atomics", "atomic-add", "jmp32", "bpf-to-bpf-calls", "callbacks"}
    wanted |= {"cpu-v4"} if newest >= 18 else set()
    wanted |= {"may-goto", "addr-space-cast"} if newest >= 19 else set()
    assert seen >= wanted
