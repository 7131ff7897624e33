"""CO-RE relocations in words."""

from __future__ import annotations

import pytest

from bpfimg.btf import CoreRelocation, kinds, question
from bpfimg.btf._core import Question, essential
from bpfimg.bytecode import dissect
from bpfimg.errors import BytecodeError
from tests.support import btf as w
from tests.support.btf import BtfWriter
from tests.support.core import compiled
from tests.unit.btf.test_read import read

SOURCE = """
struct inner { int x; struct { short y[4]; union { int deep; }; }; } CORE;
struct subject { int a; struct inner in[3]; unsigned bits : 3; } CORE;
struct subject___old { int former; } CORE;
enum colour { RED = 1, GREEN };
typedef struct subject subject_t;
#define P ((struct subject *)ctx)
ask(0, P->in[2].y[3] + field_offset(P[1].a))
ask(1, field_size(P->in))
ask(2, field_exists(P->in[1].deep))
ask(3, field_signed(P->bits))
ask(4, field_lshift(P->bits))
ask(5, field_rshift(P->bits))
ask(6, type_id_local(struct inner))
ask(7, type_id_kernel(subject_t))
ask(8, type_exists(enum colour))
ask(9, type_size(struct subject___old))
ask(10, enumval_exists(enum colour, GREEN))
ask(11, enumval(enum colour, RED))
ask(12, type_matches(struct inner))
ask(13, ((struct subject___old *)ctx)->former)
"""


@pytest.fixture(scope="module")
def asked() -> list[Question]:
    dissection = dissect(compiled(SOURCE, clang="clang-19"))
    assert dissection.ext is not None
    assert dissection.types is not None
    types = dissection.types
    return [question(types, each) for found in dissection.ext.core.values() for each in found]


def test_every_kind_has_words(asked: list[Question]) -> None:
    assert {each.kind for each in asked} == set(kinds.CORE_KINDS)
    words = {(each.kind, each.subject): each.words for each in asked}
    assert words["field_byte_offset", "subject.in[2].y[3]"] == "reads subject.in[2].y[3], any kernel with that field"
    assert words["field_byte_offset", "subject[1].a"].startswith("reads subject[1].a")
    assert words["field_byte_size", "subject.in"] == "needs the size of subject.in"
    assert words["field_exists", "subject.in[1].deep"] == "asks whether the field subject.in[1].deep exists (optional)"
    assert words["field_signed", "subject.bits"] == "asks whether subject.bits is signed"
    assert words["field_lshift_u64", "subject.bits"] == "reads the bits of subject.bits: shift to the left"
    assert (
        words["type_id_target", "subject_t"] == "needs the id of subject_t in the kernel's BTF, 0 where there is none"
    )
    assert words["type_exists", "enum colour"] == "asks whether enum colour exists (optional)"
    assert words["type_size", "struct subject"] == "needs the size of struct subject, 0 where there is none"
    assert words["enumval_exists", "GREEN of enum colour"] == "asks whether GREEN of enum colour exists (optional)"
    assert words["enumval_value", "RED of enum colour"] == "needs the value of RED of enum colour"
    assert "as the object declares it" in words["type_matches", "struct inner"]


def test_what_may_be_absent_is_optional(asked: list[Question]) -> None:
    optional = {each.kind for each in asked if each.optional}
    assert optional == {"field_exists", "type_exists", "enumval_exists", "type_matches"}


def test_a_flavour_is_no_part_of_the_subject(asked: list[Question]) -> None:
    (former,) = (each for each in asked if each.subject == "subject.former")
    assert former.flavour == "subject___old"
    assert {each.flavour for each in asked} == {"", "subject___old"}


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("task_struct___old", "task_struct"),
        ("a___b___c", "a___b"),
        ("a____b", "a____b"),
        ("___b", "___b"),
        ("a___", "a___"),
        ("a___b", "a"),
        ("", ""),
    ],
)
def test_essential_names_are_libbpfs(name: str, short: str) -> None:
    assert essential(name) == short


@pytest.mark.parametrize(
    ("relocation", "words"),
    [
        (CoreRelocation(0, 2, "0:0", 13), "kind 13, expected 0 to 12"),
        (CoreRelocation(0, 2, "0:9", 0), "part 9 of type 2"),
        (CoreRelocation(0, 2, "0:0:0", 0), "part 0 of type 1"),
        (CoreRelocation(0, 2, "0:-1", 0), 'the access string "0:-1"'),
        (CoreRelocation(0, 2, "", 0), "the access string"),
        (CoreRelocation(0, 2, "0:" * 70 + "0", 0), "the access string"),
        (CoreRelocation(0, 2, "0", 10), "which is no enum"),
        (CoreRelocation(0, 3, "7", 11), "which has 1 of them"),
        (CoreRelocation(0, 77, "0", 8), "no type 77"),
    ],
)
def test_what_is_not_sound_is_an_error(relocation: CoreRelocation, words: str) -> None:
    writer = BtfWriter()
    number = writer.integer()
    writer.add(w.STRUCT, "s", 4, writer.string("a"), number, 0, vlen=1)
    writer.add(w.ENUM, "e", 4, writer.string("A"), 0, vlen=1)
    with pytest.raises(BytecodeError) as caught:
        question(read(writer), relocation)
    assert words.replace('"', "'") in str(caught.value)
