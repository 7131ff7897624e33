"""Types of a program that is made of others: only what functions and lines need, under ids and strings of its own."""

from __future__ import annotations

import struct

import pytest

from bpfimg.btf import Btf, Limits, kinds, spelled
from bpfimg.dispatcher import _instructions as i
from bpfimg.dispatcher._assemble import Part, assemble
from bpfimg.dispatcher._merge import Merged, merge
from bpfimg.dispatcher._words import mask
from bpfimg.load import members
from tests.support import btf as write

Code = members.Code
TWO = i.constant(0, 2)


class Member:
    """Types of an object with a program, a function that it calls, and much that neither needs."""

    def __init__(self, name: str = "count", field: str = "hits") -> None:
        w = write.BtfWriter()
        unused = w.string("nobody asks for this")
        integer = w.integer()
        w.add(write.STRUCT, "unused", 4, w.string("member"), integer, 0, vlen=1)
        context = w.add(write.STRUCT, "xdp_md", 4, w.string("data"), integer, 0, vlen=1)
        pointer = w.add(write.PTR, "", context)
        proto = w.add(write.FUNC_PROTO, "", integer, w.string("ctx"), pointer, vlen=1)
        self.main = w.add(write.FUNC, name, proto, vlen=1)
        # struct node { struct node *next; int hits[3]; const enum word word; }
        array = w.array(integer, 3)
        enum = w.add(write.ENUM, "word", 4, w.string("YES"), 7, vlen=1)
        constant = w.add(write.CONST, "", enum)
        rows = [w.string("next"), constant + 2, 0, w.string(field), array, 64, w.string("word"), constant, 160]
        node = w.add(write.STRUCT, "node", 24, *rows, vlen=3)
        to_node = w.add(write.PTR, "", node)
        assert (node, to_node) == (constant + 1, constant + 2)
        inner = w.add(write.FUNC_PROTO, "", integer, w.string("node"), to_node, vlen=1)
        self.inner = w.add(write.FUNC, "walk", inner, vlen=1)
        w.add(write.DECL_TAG, "arg:nonnull", self.inner, 0)
        w.add(write.DECL_TAG, "about:unused", 2, 0xFFFFFFFF)
        self.file, self.text = w.string("member.bpf.c"), w.string("return walk(&node);")
        assert unused
        self.btf = w.data()
        insns = i.call(2) + TWO + i.leave() + TWO + i.leave()
        lines = struct.pack("=8I", 0, self.file, self.text, 9 << 10 | 2, 3, self.file, 0, 3 << 10)
        self.code = Code(name, insns, functions=((0, self.main), (3, self.inner)), lines=lines)


def merged(*found: Member, inline: bool = False, btfs: tuple[bytes, ...] = ()) -> tuple[Merged, Btf]:
    parts = [Part(each.code, mask("xdp", ("pass",)), f"note {at}") for at, each in enumerate(found)]
    made = assemble("xdp", parts, 2, inline=inline)
    result = merge("xdp", "bpfimg_xdp", made, parts, btfs or [each.btf for each in found])
    return result, Btf(result.btf, "little", Limits())


def functions(found: Merged, types: Btf) -> list[tuple[str, int]]:
    """Name and linkage of each function, in the order of their places."""
    rows = list(struct.iter_unpack("=II", found.functions))
    assert rows == sorted(rows)
    return [(types.name(number), types.length(number)) for _, number in rows]


def test_each_function_has_its_name_and_members_are_static() -> None:
    found, types = merged(Member("one"), Member("two"))
    assert functions(found, types) == [("bpfimg_xdp", 0), ("one", 0), ("walk", 1), ("two", 0), ("walk", 1)]


def test_what_an_inlined_member_calls_keeps_its_name() -> None:
    found, types = merged(Member("one"), inline=True)
    assert functions(found, types) == [("bpfimg_xdp", 0), ("walk", 1)]


def test_only_what_functions_lead_to_is_taken_and_it_is_the_same() -> None:
    found, types = merged(Member())
    names = {types.name(number) for number in range(1, len(types))}
    assert "unused" not in names
    assert b"nobody asks" not in found.btf
    (node,) = [number for number in types.of_kind(kinds.STRUCT) if types.name(number) == "node"]
    fields = [(types.string(name), spelled(types, kind), bits) for name, kind, bits, _ in types.fields(node)]
    assert fields == [("next", "struct node *", 0), ("hits", "int[3]", 64), ("word", "enum word", 160)]
    assert len(types.of_kind(kinds.CONST)) == 1
    (enum,) = types.of_kind(kinds.ENUM)
    assert [(types.string(name), number) for name, number in types.enumerators(enum)] == [("YES", 7)]


def test_tags_on_functions_that_are_taken_come_along() -> None:
    found, types = merged(Member())
    (tag,) = types.of_kind(kinds.DECL_TAG)
    assert types.name(tag) == "arg:nonnull"
    assert types.name(types.target(tag)) == "walk"
    del found


def test_types_of_several_members_do_not_mix() -> None:
    _, types = merged(Member("one", "left"), Member("two", "right"))
    nodes = [number for number in types.of_kind(kinds.STRUCT) if types.name(number) == "node"]
    assert [types.string(list(types.fields(node))[1][0]) for node in nodes] == ["left", "right"]


def test_lines_are_the_members_and_main_says_whose_turn_it_is() -> None:
    found, types = merged(Member("one"), Member("two"))
    rows = [(types.string(f), types.string(t), p >> 10) for _, f, t, p in struct.iter_unpack("=IIII", found.lines)]
    member = [("member.bpf.c", "return walk(&node);", 9), ("member.bpf.c", "", 3)]
    assert rows[-4:] == member * 2
    assert rows[0] == ("bpfimg", "bpfimg_xdp", 1)
    assert {row[1] for row in rows if row[0] == "bpfimg"} == {"bpfimg_xdp", "note 0", "note 1"}


@pytest.mark.parametrize("btf", [b"", b"\x9f\xeb not types"])
def test_members_without_types_get_names(btf: bytes) -> None:
    odd = Member("4 odd-näme")
    found, types = merged(odd, Member("plain"), btfs=(btf, Member("plain").btf))
    names = [name for name, _ in functions(found, types)]
    assert names[1] == "m_4_odd_n_me"
    assert names[2].startswith("m_4_odd_n_me_")
    assert names[3:] == ["plain", "walk"]
    rows = [(types.string(f), types.string(t)) for _, f, t, _ in struct.iter_unpack("=IIII", found.lines)]
    assert ("bpfimg", "note 0") in rows


def test_a_number_that_is_no_function_is_not_believed() -> None:
    member = Member()
    member.code = Code("count", member.code.insns, functions=((0, 1), (3, 4000)))
    found, types = merged(member)
    assert [linkage for _, linkage in functions(found, types)] == [0, 0, 0]


def test_a_member_that_jumps_away_is_global_and_the_kernel_knows_its_context() -> None:
    member = Member("goes")
    member.code = Code("goes", i.call_kernel(12) + TWO + i.leave(), functions=((0, member.main),))
    found, types = merged(member)
    assert functions(found, types) == [("bpfimg_xdp", 0), ("goes", 1)]
    number = struct.unpack("=IIII", found.functions)[3]
    ((_, pointer),) = types.parameters(types.target(number))
    assert spelled(types, pointer) == "struct xdp_md *"


def test_what_is_the_same_is_written_once() -> None:
    one, _ = merged(Member())
    two, _ = merged(Member(), Member())
    assert two.btf.count(b"member.bpf.c") == 1
    assert len(two.btf) < 2 * len(one.btf)
