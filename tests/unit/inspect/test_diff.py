"""Each kind of change, by whom it breaks; and what holds for all pairs of objects."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpfimg.bytecode import Dissection, dissect
from bpfimg.inspect import Change, diff
from tests.support import corpus
from tests.support.cli import check
from tests.support.objects import compile_source

LICENSE = 'char LICENSE[] SEC("license") = "GPL";\n'
XDP = 'SEC("xdp") int prog(void *ctx) { return 2; }\n'
HASH = "__uint(type, 1); __type(key, __u32); __type(value, {value}); __uint(max_entries, {entries}); {rest}"


def map_(value: str = "__u64", entries: int = 8, rest: str = "", head: str = "") -> str:
    return f'{head}struct {{ {HASH.format(value=value, entries=entries, rest=rest)} }} m SEC(".maps");\n'


def pair(fields: str) -> str:
    return f"struct pair {{ {fields} }};\n"


def set_(declaration: str, use: str = "g") -> str:
    return f'{declaration}\nSEC("socket") int user(void *c) {{ return {use}; }}\n'


PIN = "__uint(pinning, 1);"
RINGBUF = 'struct { __uint(type, 27); __uint(max_entries, 4096); } ring SEC(".maps");'
STRUCT_OPS = "static long (*bpf_ktime_get_boot_ns)(void) = (void *)125;"


@dataclass(frozen=True, slots=True)
class Case:
    """From `before` to `after` there is exactly one change of that kind and name: `field`, with that effect."""

    before: str
    after: str
    kind: str
    name: str
    field: str
    effect: str
    change: str = "changed"
    values: tuple[str | None, str | None] | None = None

    def __str__(self) -> str:
        return f"{self.kind}-{self.field or self.change}-{self.effect}"


TWO = XDP + 'SEC("xdp") int other(void *ctx) { return 1; }\n'
CASES = [
    Case(TWO, XDP, "program", "other", "", "breaking", "removed", ("xdp", None)),
    Case(XDP, TWO, "program", "other", "", "compatible", "added", (None, "xdp")),
    Case(XDP, XDP.replace("xdp", "socket"), "program", "prog", "type", "breaking", values=("xdp", "socket_filter")),
    Case(
        XDP.replace("xdp", "tcx/ingress"),
        XDP.replace("xdp", "tcx/egress"),
        "program",
        "prog",
        "attach type",
        "breaking",
        values=("tcx_ingress", "tcx_egress"),
    ),
    Case(
        XDP.replace("xdp", "fentry/vfs_read"),
        XDP.replace("xdp", "fentry/vfs_write"),
        "program",
        "prog",
        "target",
        "breaking",
        values=("vfs_read", "vfs_write"),
    ),
    Case(XDP.replace("xdp", "lsm/f"), XDP.replace("xdp", "lsm.s/f"), "program", "prog", "sleepable", "breaking"),
    Case(XDP.replace("xdp", "xdp.frags"), XDP, "program", "prog", "frags", "breaking", values=("yes", "no")),
    Case(XDP, XDP.replace("xdp", "xdp.frags"), "program", "prog", "frags", "compatible"),
    Case(XDP, XDP.replace('"xdp', '"?xdp'), "program", "prog", "autoload", "breaking"),
    Case(XDP.replace('"xdp', '"?xdp'), XDP, "program", "prog", "autoload", "compatible"),
    Case(XDP.replace("xdp", "tc"), XDP.replace("xdp", "classifier"), "program", "prog", "section", "informational"),
    Case(
        XDP, XDP.replace("return 2", "return ctx ? *(int *)ctx : 0"), "program", "prog", "instructions", "informational"
    ),
    Case(XDP, XDP.replace("return 2", "return 1"), "program", "prog", "code", "informational"),
    Case(map_() + XDP, XDP, "map", "m", "", "breaking", "removed", ("hash, 4 to 8 bytes, 8 entries", None)),
    Case(XDP, map_() + XDP, "map", "m", "", "compatible", "added"),
    Case(map_(), map_().replace("type, 1)", "type, 9)"), "map", "m", "type", "breaking", values=("hash", "lru_hash")),
    Case(map_(), map_().replace("key, __u32", "key, __u64"), "map", "m", "key size", "breaking", values=("4", "8")),
    Case(map_(), map_("__u32"), "map", "m", "value size", "breaking", values=("8", "4")),
    Case(map_(), map_(entries=16), "map", "m", "max_entries", "compatible", values=("8", "16")),
    Case(map_(), map_(entries=4), "map", "m", "max_entries", "breaking"),
    Case(map_(rest=PIN), map_(entries=16, rest=PIN), "map", "m", "max_entries", "breaking"),
    Case(map_(), map_(rest="__uint(map_flags, 1);"), "map", "m", "flags", "compatible", values=("0x0", "0x1")),
    Case(map_(rest=PIN), map_(rest=PIN + "__uint(map_flags, 1);"), "map", "m", "flags", "breaking"),
    Case(map_(), map_(rest=PIN), "map", "m", "pinning", "breaking", values=("none", "by-name")),
    Case(map_(rest=PIN), map_(), "map", "m", "pinning", "breaking"),
    Case(
        map_("struct pair", head=pair("__u32 a; __u32 b;")),
        map_("struct pair", head=pair("__u64 a;")),
        "map",
        "m",
        "value layout",
        "breaking",
        values=("a: uint32 at 0, b: uint32 at 4", "a: uint64 at 0"),
    ),
    Case(
        map_("struct pair", head=pair("__u32 a; __u32 b;")),
        map_("struct pair", head=pair("__u32 b; __u32 a;")),
        "map",
        "m",
        "value layout",
        "informational",
    ),
    Case(
        map_("struct pair", head=pair("__u32 a:3, b:5; __u32 c;")),
        map_("struct pair", head=pair("__u32 a:5, b:3; __u32 c;")),
        "map",
        "m",
        "value layout",
        "breaking",
        values=("a: uint3 at 0, b: uint5 at 0 bit 3", "a: uint5 at 0, b: uint3 at 0 bit 5"),
    ),
    Case(
        map_("struct pair", head=pair("__u32 a[2];")),
        map_("struct pair", head=pair("__u16 a[4];")),
        "map",
        "m",
        "value layout",
        "breaking",
        values=("a: uint32[2] at 0", "a: uint16[4] at 0"),
    ),
    Case(
        map_("struct pair", head="struct in { __u32 x, y; };" + pair("struct in a[2]; union { __u64 u; void *p; };")),
        map_("struct pair", head="struct in { __u64 x; };" + pair("struct in a[2]; union { __u64 u; void *p; };")),
        "map",
        "m",
        "value layout",
        "breaking",
    ),
    Case(
        map_("__u64"),
        map_("unsigned long"),
        "map",
        "m",
        "value type",
        "informational",
        values=("__u64", "unsigned long"),
    ),
    Case(
        'struct { int type, key_size, value_size, max_entries, flags; } m SEC("maps") = { 1, 4, 8, 8, 0 };' + XDP,
        map_() + XDP,
        "map",
        "m",
        "legacy",
        "compatible",
    ),
    Case(
        set_("volatile int g;"), set_("volatile int h;", "h"), "global", "g", "", "breaking", "removed", ("int", None)
    ),
    Case(set_("volatile int g;"), set_("volatile int g, h;", "g + h"), "global", "h", "", "compatible", "added"),
    Case(set_("volatile int g;"), set_("volatile long g;"), "global", "g", "size", "breaking", values=("4", "8")),
    Case(set_("volatile int g;"), set_("volatile unsigned g;"), "global", "g", "type", "breaking"),
    Case(set_("volatile __u32 g;"), set_("volatile unsigned g;"), "global", "g", "type", "informational"),
    Case(set_("const volatile int g = 1;"), set_("volatile int g = 1;"), "global", "g", "read-only", "compatible"),
    Case(set_("volatile int g = 1;"), set_("const volatile int g = 1;"), "global", "g", "read-only", "breaking"),
    Case(
        set_("const volatile int g = 1;"),
        set_("const volatile int g = -7;"),
        "global",
        "g",
        "default",
        "informational",
        values=("1", "-7"),
    ),
    Case(
        set_("enum e { A, B } ; volatile enum e g;"),
        set_("enum e { A, C } ; volatile enum e g;"),
        "global",
        "g",
        "enumerators",
        "breaking",
        values=("B", "C"),
    ),
    Case(
        set_("enum e { A, B } ; volatile enum e g;"),
        set_("enum e { A, B, C } ; volatile enum e g;"),
        "global",
        "g",
        "enumerators",
        "compatible",
    ),
    Case(XDP, XDP + RINGBUF, "requirement", "map_type ringbuf", "", "breaking", "added", (None, "since 5.8")),
    Case(XDP + RINGBUF, XDP, "requirement", "map_type ringbuf", "", "compatible", "removed"),
    Case(
        XDP,
        XDP + 'SEC("?tp_btf/sched_switch") int tp(void *c) { return 0; }',
        "requirement",
        "attach_type trace_raw_tp",
        "",
        "compatible",
        "added",
    ),
    Case(
        XDP + 'SEC("?tp_btf/sched_switch") int tp(void *c) { return 0; }',
        XDP + 'SEC("tp_btf/sched_switch") int tp(void *c) { return 0; }',
        "requirement",
        "attach_type trace_raw_tp",
        "optional",
        "breaking",
        values=("yes", "no"),
    ),
    Case(XDP + LICENSE, XDP, "object", "", "licence", "breaking", values=("GPL", None)),
    Case(XDP, XDP + LICENSE, "object", "", "licence", "compatible"),
    Case(XDP + LICENSE, XDP + LICENSE.replace("GPL", "GPL v2"), "object", "", "licence", "informational"),
]


def of(text: str) -> Dissection:
    return dissect(compile_source(text, target="bpfel"))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_change_is_seen_and_classed(case: Case) -> None:
    changes = diff.objects(of(case.before), of(case.after))
    found = [c for c in changes if (c.kind, c.name, c.field) == (case.kind, case.name, case.field)]
    assert [(c.change, c.effect) for c in found] == [(case.change, case.effect)], changes
    if case.values is not None:
        assert (found[0].before, found[0].after) == case.values
    assert found[0].reason.endswith(".")


def test_a_change_of_byte_order_btf_and_core() -> None:
    little, big = (dissect(compile_source(XDP, target=target)) for target in ("bpfel", "bpfeb"))
    (change,) = diff.objects(little, big)
    assert (change.field, change.effect, change.before, change.after) == ("byte order", "breaking", "little", "big")
    plain = dissect(compile_source(XDP, target="bpfel", flags=("-O2",)))
    assert [(c.field, c.effect) for c in diff.objects(little, plain)] == [("BTF", "breaking")]
    assert [(c.field, c.effect) for c in diff.objects(plain, little)] == [("BTF", "compatible")]


def test_the_breaking_changes_come_first() -> None:
    changes = diff.objects(of(TWO + map_()), of(XDP.replace("return 2", "return 1") + map_(entries=9) + LICENSE))
    assert [c.effect for c in changes] == ["breaking", "compatible", "compatible", "informational"]
    assert diff.verdict(changes) == "breaking"
    assert diff.verdict(changes[1:]) == "compatible"
    assert diff.verdict(changes[3:]) == "informational"
    assert diff.verdict(()) == "same"


def test_platforms() -> None:
    one, two = of(XDP), of(TWO)
    assert diff.images({"linux/amd64": one, "linux/arm64": one}, {"linux/amd64": one, "linux/arm64": one}) == ()
    gone, more = diff.images({"linux/amd64": one, "linux/arm64": one}, {"linux/amd64": one, "linux/s390x": one})
    assert (gone.kind, gone.name, gone.change, gone.effect) == ("platform", "linux/arm64", "removed", "breaking")
    assert (more.name, more.change, more.effect) == ("linux/s390x", "added", "compatible")
    everywhere = diff.images({"a": two, "b": two}, {"a": one, "b": one})
    assert [(c.name, c.platforms) for c in everywhere] == [("other", ())]
    (here,) = diff.images({"a": two, "b": two}, {"a": two, "b": one})
    assert (here.name, here.platforms) == ("other", ("b",))


def test_the_report_has_its_schema() -> None:
    changes = diff.images({"a": of(TWO + map_()), "b": of(XDP)}, {"a": of(XDP), "c": of(XDP)})
    document = json.loads(json.dumps(diff.report("x", "y", changes)))
    check("diff", document)
    assert document["result"] == "breaking"
    assert document["breaking"] + document["compatible"] + document["informational"] == len(document["changes"])
    check("diff", diff.report("x", "x", ()))


OBJECTS = [dissect(data) for _, data, _ in corpus.compiled() if len(data) < 100_000]
INDEX = st.integers(0, len(OBJECTS) - 1)


@pytest.mark.parametrize("number", range(len(OBJECTS)))
def test_an_object_is_like_itself(number: int) -> None:
    assert diff.objects(OBJECTS[number], OBJECTS[number]) == ()


@settings(max_examples=200, deadline=None)
@given(INDEX, INDEX)
def test_what_is_added_one_way_is_removed_the_other(one: int, other: int) -> None:
    there, back = diff.objects(OBJECTS[one], OBJECTS[other]), diff.objects(OBJECTS[other], OBJECTS[one])
    assert names(there, "added") == names(back, "removed")
    assert names(there, "removed") == names(back, "added")
    assert names(there, "changed") == names(back, "changed")
    json.dumps(diff.report("a", "b", there))


def names(changes: tuple[Change, ...], change: str) -> set[tuple[str, str, str]]:
    return {(c.kind, c.name, c.field) for c in changes if c.change == change}
