from __future__ import annotations

import pytest

from bpfimg.bytecode import MapSpec, parse
from bpfimg.bytecode._map_types import MAP_TYPES
from bpfimg.errors import BytecodeError
from tests.support import btf as w
from tests.support.btf import BtfWriter
from tests.support.libbpf import opened
from tests.support.objects import compile_source, example, with_section

SOURCE = """
struct pair { __u32 a; __u64 b; };
typedef struct pair pair_t;
struct inner { __uint(type, 2); __uint(max_entries, 4); __type(key, __u32); __type(value, __u64); };
struct {
    __uint(type, 1); __uint(max_entries, 128); __type(key, pair_t); __type(value, __u64[4]);
    __uint(map_flags, 1); __uint(pinning, 1);
} table SEC(".maps");
struct { __uint(type, 27); __uint(max_entries, 4096); } ring SEC(".maps");
struct { __uint(type, 4); __uint(key_size, 4); __uint(value_size, 4); } events SEC(".maps");
struct { __uint(type, 6); __uint(max_entries, 1); __type(key, int); __type(value, const char *); } percpu SEC(".maps");
struct {
    __uint(type, 12); __uint(max_entries, 2); __uint(key_size, 4); __array(values, struct inner);
} outer SEC(".maps");
const volatile __u32 constant = 7;
static volatile __u32 only_static SEC(".data.hidden");
__u32 counter;
extern int LINUX_KERNEL_VERSION __attribute__((section(".kconfig")));
static void *(*lookup)(void *map, const void *key) = (void *)1;
SEC("xdp") int program(void *context)
{
    counter += constant + LINUX_KERNEL_VERSION;
    only_static++;
    return !!lookup(&table, context) + !!lookup(&ring, context) + !!lookup(&events, context)
        + !!lookup(&percpu, context) + !!lookup(&outer, context);
}
char LICENSE[] SEC("license") = "GPL";
"""


def maps(data: bytes) -> dict[str, MapSpec]:
    return {found.name: found for found in parse(data).maps}


@pytest.mark.parametrize("target", ["bpfel", "bpfeb"])
def test_declared_maps(target: str) -> None:
    found = maps(compile_source(SOURCE, target=target))
    assert [name for name in found if not found[name].internal] == ["table", "ring", "events", "percpu", "outer"]
    table = found["table"]
    assert (table.type, table.type_id, table.max_entries, table.flags, table.pinning) == ("hash", 1, 128, 1, "by-name")
    assert (table.key_type, table.key_size) == ("pair_t", 16)
    assert (table.value_type, table.value_size) == ("__u64[4]", 32)
    assert (found["ring"].type, found["ring"].key_size, found["ring"].key_type) == ("ringbuf", 0, None)
    assert (found["events"].type, found["events"].value_size, found["events"].pinning) == (
        "perf_event_array",
        4,
        "none",
    )
    assert (found["percpu"].type, found["percpu"].value_type) == ("per_cpu_array", "const char *")
    assert (found["outer"].type, found["outer"].key_size, found["outer"].value_size) == ("array_of_maps", 4, 4)


def test_internal_maps_come_last() -> None:
    found = parse(compile_source(SOURCE)).maps
    assert [m.internal for m in found] == sorted(m.internal for m in found)
    assert {m.name for m in found if m.internal} >= {".rodata", ".bss", ".data.hidden", ".kconfig"}


@pytest.mark.parametrize(
    "data",
    [compile_source(SOURCE), *map(example, ("xdp_pass", "xdp_counter", "tc_counter", "tracepoint_counter"))],
    ids=["all kinds", "xdp_pass", "xdp_counter", "tc_counter", "tracepoint_counter"],
)
def test_maps_are_those_of_libbpf(data: bytes) -> None:
    witness = opened(data)
    assert witness is not None
    ours = {(m.name, m.type_id, m.key_size, m.value_size, m.max_entries, m.flags, m.internal) for m in parse(data).maps}
    assert ours == witness.maps


def test_struct_ops() -> None:
    source = """
    struct ops { int (*init)(void); char name[16]; };
    SEC("struct_ops/start") int start(void) { return 0; }
    SEC(".struct_ops") struct ops mine = { .init = (void *)start, .name = "mine" };
    SEC(".struct_ops.link") struct ops linked = { .init = (void *)start };
    """
    found = maps(compile_source(source))
    assert (found["mine"].type, found["mine"].flags, found["mine"].value_type) == ("struct_ops", 0, "struct ops")
    assert (found["mine"].value_size, found["mine"].internal) == (24, False)
    assert found["linked"].flags == 1 << 13


def test_objects_without_btf_have_internal_maps_only() -> None:
    source = '__u32 counter; SEC("xdp") int p(void *c) { return counter++; }'
    found = parse(compile_source(source, flags=("-O2",)))
    assert not found.has_btf
    assert [(m.name, m.value_size, m.flags) for m in found.maps] == [(".bss", 4, 0)]
    assert found.globals == ()


def test_declared_maps_without_btf() -> None:
    with pytest.raises(BytecodeError, match=r"section '\.maps' declares maps, but the object has no BTF") as caught:
        parse(compile_source(SOURCE, flags=("-O2",)))
    assert "clang -g" in caught.value.hint


def test_maps_of_the_old_kind_are_listed_and_marked() -> None:
    source = """
    struct bpf_map_def { unsigned type, key_size, value_size, max_entries, map_flags; };
    struct bpf_map_def SEC("maps") old = { 1, 4, 8, 16, 0 };
    struct longer { struct bpf_map_def def; unsigned more[4]; };
    struct longer SEC("maps") next = { { 2, 4, 16, 3, 1024 }, { 1 } };
    static void *(*lookup)(void *map, const void *key) = (void *)1;
    SEC("xdp") int p(void *c) { return !lookup(&next, c); }
    """
    for target in ("bpfel", "bpfeb"):
        for flags in (("-g", "-O2"), ("-O2",)):
            data = compile_source(source, target=target, flags=flags)
            old, following = parse(data).maps
            assert (old.name, old.type, old.key_size, old.value_size, old.max_entries) == ("old", "hash", 4, 8, 16)
            assert (following.name, following.type, following.flags, following.max_entries) == (
                "next",
                "array",
                1024,
                3,
            )
            assert old.legacy
            assert parse(data).programs[0].uses.maps == ("next",)
            if target == "bpfel":
                assert opened(data) is None


def test_a_map_of_the_old_kind_that_is_cut_off() -> None:
    data = compile_source('int SEC("maps") old = 1; SEC("xdp") int p(void *c) { return 2; }')
    with pytest.raises(BytecodeError, match="map 'old' in section 'maps' is cut off, expected 16 bytes"):
        parse(data)


def test_types_in_the_order_of_the_kernel() -> None:
    assert len(MAP_TYPES) == 34
    assert (MAP_TYPES[9], MAP_TYPES[19], MAP_TYPES[27], MAP_TYPES[32]) == (
        "lru_hash",
        "cgroup_storage",
        "ringbuf",
        "cgrp_storage",
    )


class Declaration:
    """An object whose only map has the fields that a test adds, by hand."""

    def __init__(self) -> None:
        self.btf = BtfWriter()
        self.number = self.btf.integer()
        self.fields: list[int] = []

    def pointer(self, name: str, target: int) -> None:
        self.fields += [self.btf.string(name), self.btf.add(w.PTR, "", target), 0]

    def uint(self, name: str, value: int) -> None:
        self.pointer(name, self.btf.array(self.number, value))

    def parse(self) -> tuple[MapSpec, ...]:
        struct = self.btf.add(w.STRUCT, "", 0, *self.fields, vlen=len(self.fields) // 3)
        self.btf.section(".maps", (self.btf.variable("odd", struct), 0, 8))
        return parse(with_section(example("xdp_counter", target="bpfel"), ".BTF", self.btf.data())).maps


def test_fields_that_libbpf_does_not_know_are_passed_over() -> None:
    declaration = Declaration()
    declaration.uint("type", 99)
    declaration.uint("brand_new", 1)
    found = declaration.parse()[0]
    assert (found.name, found.type, found.type_id) == ("odd", "type_99", 99)


def test_declarations_that_are_not_sound() -> None:
    for add, words in (
        (lambda d: None, "map 'odd' has no type"),
        (lambda d: d.uint("type", 0), "map 'odd' has no type"),
        (lambda d: d.pointer("type", d.number), "field 'type' of map 'odd' is no number"),
        (lambda d: d.fields.extend([d.btf.string("type"), d.number, 0]), "field 'type' of map 'odd' is no pointer"),
        (lambda d: (d.uint("type", 1), d.uint("pinning", 2)), "pinning 2, expected"),
        (lambda d: (d.uint("type", 1), d.uint("key_size", 8), d.pointer("key", 1)), "key_size of 8, but .* 4 bytes"),
        (lambda d: (d.uint("type", 1), d.pointer("value", 0)), "has no size"),
        (lambda d: (d.uint("type", 1), d.pointer("value", d.btf.add(w.STRUCT, "a\x07", 4))), "printable"),
        (lambda d: d.fields.extend([0, 1, 0] * 65), "is not declared as a struct of up to 64 fields"),
    ):
        declaration = Declaration()
        add(declaration)
        with pytest.raises(BytecodeError, match=words):
            declaration.parse()


def test_a_map_that_is_no_struct() -> None:
    declaration = Declaration()
    declaration.btf.section(".maps", (declaration.btf.variable("odd", declaration.number), 0, 4))
    with pytest.raises(BytecodeError, match="'odd' is not declared as a struct"):
        parse(with_section(example("xdp_counter", target="bpfel"), ".BTF", declaration.btf.data()))


def test_maps_that_btf_does_not_describe() -> None:
    with pytest.raises(BytecodeError, match=r"section \.BTF does not describe it"):
        parse(with_section(example("xdp_counter", target="bpfel"), ".BTF", BtfWriter().data()))
