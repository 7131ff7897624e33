"""What CO-RE relocations come to, and why not; tests/kernel/btf has libbpf's answers to the same and more."""

from __future__ import annotations

import struct

import pytest

from bpfimg.btf import CoreRelocation, KernelTypes, Limits, Resolution, Resolver
from bpfimg.bytecode import dissect
from tests.support import btf as w
from tests.support.btf import BtfWriter
from tests.support.core import compiled, kernel_of, opened, ours
from tests.unit.btf.test_read import read

LOCAL = """
struct inner { int x; short y[4]; } CORE;
struct subject { unsigned a; int s; char text[16]; struct inner in[3]; unsigned f:3; struct { int deep; }; } CORE;
struct subject___old { unsigned former; } CORE;
enum colour { RED = 1, GREEN = 2 };
typedef struct subject subject_t;
#define P ((struct subject *)ctx)
"""
NEW = """
struct inner { long z; int x; short y[2]; };
struct subject { struct { long before; unsigned a; }; int __s; char text[16]; struct inner in[2]; unsigned long f:50;
    struct { int deep; } moved; };
enum colour { GREEN = 7 };
struct subject one; enum colour c;
"""


def one(question: str, kernel: str, *, target: str = "bpfel", clang: str = "clang") -> Resolution:
    """What the (last) relocation of one question comes to."""
    data = compiled(LOCAL + f"ask(1, {question})", target=target, clang=clang)
    return list(ours(data, kernel_of(kernel, target=target, clang=clang)).values())[-1]


@pytest.mark.parametrize(
    ("question", "local", "value"),
    [
        ("P->a", 0, 8),
        ("field_offset(P->in[1].x)", 36, 64),
        ("field_offset(P->text[15])", 23, 35),
        ("field_size(P->in[1])", 12, 16),
        ("field_exists(P->a)", 1, 1),
        ("type_size(struct subject)", 68, 88),
        ("type_exists(struct inner)", 1, 1),
        ("enumval(enum colour, GREEN)", 2, 7),
        ("field_signed(P->in[0].x)", 1, 1),
    ],
)
def test_fields_that_moved(question: str, local: int, value: int) -> None:
    found = one(question, NEW)
    assert (found.outcome, found.local, found.value, found.reason) == ("resolved", local, value, "")
    assert found.type_id > 0 or "type" not in question


@pytest.mark.parametrize(
    ("question", "outcome", "reason", "nearest"),
    [
        ("P->s", "unresolved", "struct subject has no field 's'", ""),
        ("P->deep", "unresolved", "struct subject has no field 'deep'", "moved.deep"),
        ("field_exists(P->deep)", "absent", "struct subject has no field 'deep'", "moved.deep"),
        ("field_offset(P->in[2].x)", "unresolved", "array 'in' has 2 elements, so no element 2", ""),
        ("field_offset(P->in[1].y[2])", "unresolved", "array 'y' has 2 elements, so no element 2", ""),
        ("enumval(enum colour, RED)", "unresolved", "enum colour has no 'RED'", ""),
        ("enumval_exists(enum colour, RED)", "absent", "enum colour has no 'RED'", ""),
        ("type_size(subject_t)", "absent", "the kernel has no type 'subject_t'", ""),
        ("type_id_kernel(subject_t)", "absent", "the kernel has no type 'subject_t'", ""),
        ("field_exists(((struct subject___old *)ctx)->former)", "absent", "struct subject has no field 'former'", ""),
    ],
)
def test_what_is_not_there_has_a_reason(question: str, outcome: str, reason: str, nearest: str) -> None:
    found = one(question, NEW)
    assert (found.outcome, found.value, found.reason, found.nearest) == (outcome, 0, reason, nearest)


def test_the_nearest_is_the_renamed() -> None:
    found = one("P->text[0]", "struct subject { char texts[16]; long text_len; } one;")
    assert found.nearest == "texts"
    found = one("field_exists(((struct inner *)ctx)->x)", "struct inners { int x; } one;")
    assert (found.reason, found.nearest) == ("the kernel has no struct 'inner'", "inners")


def test_another_type_of_field() -> None:
    found = one("P->a", "struct subject { char *a; } one;")
    assert (found.outcome, found.reason) == (
        "unresolved",
        "field 'a' of struct subject is char *, not unsigned int",
    )
    found = one("field_offset(P->in[1].x)", "struct subject { struct { int x; } in; } one;")
    assert "is struct {...}, not struct inner[3]" in found.reason


def test_a_load_of_another_size() -> None:
    """Unsigned numbers may be read by another load, signed ones become an invalid instruction."""
    assert one("P->a", "struct subject { unsigned long a; } one;").outcome == "resolved"
    found = one("P->s", "struct subject { long s; } one;")
    assert (found.outcome, found.reason) == (
        "unresolved",
        "the field has 8 bytes there, 4 in the object, and is not an unsigned number",
    )


@pytest.mark.parametrize(("target", "shift"), [("bpfel", 14), ("bpfeb", 0)])
def test_bitfields_in_both_byte_orders(target: str, shift: int) -> None:
    kernel = "struct subject { unsigned long f : 50; } one;"
    left = one("field_lshift(P->f)", kernel, target=target)
    right = one("field_rshift(P->f)", kernel, target=target)
    assert (left.outcome, left.value) == ("resolved", shift)
    assert (right.outcome, right.value) == ("resolved", 14)
    assert one("field_size(P->f)", kernel, target=target).value == 8


def test_candidates_that_disagree_are_refused() -> None:
    two = "struct subject { unsigned a; } one; struct subject___2 { int b; unsigned a; } two;"
    found = one("P->a", two)
    assert found.outcome == "refused"
    assert "several types 'subject' that disagree: 0 and 4" in found.reason
    assert one("P->a", two.replace("int b; ", "")).outcome == "resolved"


def test_a_candidate_that_did_not_fit_is_not_asked_again() -> None:
    """As in libbpf, whose list of candidates gets shorter from relocation to relocation."""
    two = "struct subject { int s; unsigned a; } one; struct subject___2 { unsigned a; } two;"
    data = compiled(LOCAL + "ask(1, P->s) ask(2, P->a)", target="bpfel")
    first, second = ours(data, kernel_of(two)).values()
    assert (first.outcome, second.outcome, second.value) == ("resolved", "resolved", 4)
    (alone,) = ours(compiled(LOCAL + "ask(2, P->a)", target="bpfel"), kernel_of(two)).values()
    assert alone.outcome == "refused"


def test_types_that_match() -> None:
    same = "struct inner { int x; short y[4]; long more; } one;"
    assert one("type_matches(struct inner)", same, clang="clang-19").outcome == "resolved"
    for other in ("struct inner { int x; } one;", "struct inner { int x; short y[3]; } one;", "int x;"):
        found = one("type_matches(struct inner)", other, clang="clang-19")
        assert (found.outcome, found.value) == ("absent", 0)


def test_a_local_id_needs_no_kernel() -> None:
    found = one("type_id_local(struct inner)", "int x;")
    assert found.outcome == "resolved"
    assert found.value == found.local > 0


def test_modules_are_asked_when_vmlinux_has_none() -> None:
    data = compiled(LOCAL + "ask(1, P->a)", target="bpfel")
    dissection = dissect(data)
    assert dissection.ext is not None
    assert dissection.types is not None
    ((relocation,),) = dissection.ext.core.values()
    module = opened(kernel_of("struct subject { long b; unsigned a; } one;")).types
    empty = opened(kernel_of("int x;")).types
    found = Resolver(dissection.types, KernelTypes("k", empty, {"first": empty, "mod": module})).resolve(relocation)
    assert (found.outcome, found.value, found.module) == ("resolved", 8, "mod")
    vmlinux = opened(kernel_of("struct subject { unsigned a; } one;")).types
    found = Resolver(dissection.types, KernelTypes("k", vmlinux, {"mod": module})).resolve(relocation)
    assert (found.value, found.module) == (0, "")


def test_pointers_of_a_kernel_of_32_bits() -> None:
    writer = BtfWriter()
    long = writer.integer("long unsigned int", 4, encoding=0)
    pointer = writer.add(w.PTR, "", long)
    writer.add(w.STRUCT, "s", 8, writer.string("p"), pointer, 0, writer.string("n"), long, 32, vlen=2)
    types = read(writer)
    assert KernelTypes("arm", types).types.pointer_size == 4
    assert types.size(pointer) == 4


ALU, LDX, LD64, REGISTER = 0xB7, 0x61, 0x18, 0xBF


def instruction(opcode: int, offset: int = 0, immediate: int = 0, high: int = 0) -> bytes:
    return struct.pack("<BBhi", opcode, 1, offset, immediate) + struct.pack("<BBhi", 0, 0, 0, high)


@pytest.mark.parametrize(
    ("code", "outcome", "reason"),
    [
        (instruction(ALU, immediate=4), "resolved", ""),
        (instruction(LDX, offset=4), "resolved", ""),
        (instruction(LD64, immediate=4), "resolved", ""),
        (b"", "resolved", ""),
        (instruction(ALU, immediate=5), "refused", "holds 5, expected 4"),
        (instruction(LDX, offset=-4), "refused", "expected 4"),
        (instruction(LD64, immediate=4, high=1), "refused", "expected 4"),
        (instruction(LD64, immediate=4)[:8], "refused", "no second half"),
        (instruction(REGISTER), "refused", "opcode 0xbf"),
        (b"\xb7\1", "refused", "at no instruction"),
    ],
)
def test_the_instruction_has_to_take_the_value(code: bytes, outcome: str, reason: str) -> None:
    local, kernel = BtfWriter(), BtfWriter()
    for writer, before in ((local, 4), (kernel, 8)):
        number = writer.integer("unsigned int", 4, encoding=0)
        writer.add(w.STRUCT, "s", before + 4, writer.string("a"), number, before * 8, vlen=1)
    resolver = Resolver(read(local), KernelTypes("k", read(kernel)))
    found = resolver.resolve(CoreRelocation(0, 2, "0:0", 0), code)
    assert found.outcome == outcome, found.reason
    assert reason in found.reason
    if outcome == "resolved":
        assert found.value == 8


def test_an_offset_that_no_load_takes_is_refused() -> None:
    local, kernel = BtfWriter(), BtfWriter()
    for writer, before in ((local, 0), (kernel, 40_000)):
        number = writer.integer("unsigned int", 4, encoding=0)
        writer.add(w.STRUCT, "s", before + 4, writer.string("a"), number, before * 8, vlen=1)
    resolver = Resolver(read(local), KernelTypes("k", read(kernel)))
    found = resolver.resolve(CoreRelocation(0, 2, "0:0", 0), instruction(LDX))
    assert (found.outcome, found.reason[:12]) == ("refused", "offset 40000")
    assert resolver.resolve(CoreRelocation(0, 2, "0:0", 0), instruction(ALU)).value == 40_000


@pytest.mark.parametrize(
    "relocation",
    [
        CoreRelocation(0, 1, "0", 13),
        CoreRelocation(0, 99, "0", 8),
        CoreRelocation(0, 2, "0:5", 0),
        CoreRelocation(0, 2, "1", 8),
        CoreRelocation(0, 2, "x", 0),
        CoreRelocation(0, 2, "0", 10),
        CoreRelocation(0, 0, "0", 8),
        CoreRelocation(0, 2, "0", 3),
    ],
)
def test_what_is_not_sound_is_refused(relocation: CoreRelocation) -> None:
    writer = BtfWriter()
    number = writer.integer()
    writer.add(w.STRUCT, "s", 4, writer.string("a"), number, 0, vlen=1)
    types = read(writer)
    found = Resolver(types, KernelTypes("k", types)).resolve(relocation)
    assert found.outcome == "refused"
    assert found.reason


def test_types_that_would_explode_are_refused() -> None:
    """Structs that hold the one before twice, and differ at the bottom: 2^24 comparisons."""

    def tower(bottom: int) -> BtfWriter:
        writer = BtfWriter()
        last = writer.integer("int", bottom)
        for level in range(24):
            last = writer.add(w.STRUCT, f"s{level}", 8, *(n for x in "ab" for n in (writer.string(x), last, 0)), vlen=2)
        return writer

    local, kernel = tower(4), tower(4)
    found = Resolver(read(local), KernelTypes("k", read(kernel))).resolve(CoreRelocation(0, 25, "0", 12))
    assert (found.outcome, "steps" in found.reason) == ("refused", True)


def test_all_relocations_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bpfimg.btf._compatible._STEPS_OF_ALL", 5)
    writer = BtfWriter()
    number = writer.integer()
    words = [word for at in range(9) for word in (writer.string(f"m{at}"), number, at * 32)]
    writer.add(w.STRUCT, "s", 36, *words, vlen=9)
    types = read(writer)
    resolver = Resolver(types, KernelTypes("k", types))
    outcomes = [resolver.resolve(CoreRelocation(0, 2, f"0:{at}", 0)).outcome for at in (0, 8, 1, 8)]
    assert outcomes == ["resolved", "resolved", "refused", "resolved"], "the last was answered before"


def test_names_are_found_wherever_they_are_kept() -> None:
    """Strings may share their ends, and names may come a hundred times."""
    writer = BtfWriter()
    number = writer.integer()
    whole = writer.string("my_struct")
    writer.add(w.STRUCT, "other", 4, writer.string("a"), number, 0, vlen=1)
    data = bytearray(writer.data())
    name_at = 24 + 16  # the name of type 2, behind the header and the INT
    assert struct.unpack_from("<I", data, name_at)[0] != whole + 3
    struct.pack_into("<I", data, name_at, whole + 3)
    from bpfimg.btf import Btf

    kernel = KernelTypes("k", Btf(bytes(data), "little", Limits()))
    assert kernel.index.candidates("struct") == [2]
    assert kernel.index.candidates("my_struct") == []
    assert kernel.index.candidates("nothing") == []
