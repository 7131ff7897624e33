"""What the code of an object refers to, both byte orders, and what its externs are."""

from __future__ import annotations

import pytest

from bpfimg.bytecode import ProgramSpec, parse
from tests.support.objects import compile_source

SOURCE = """
struct { __uint(type, 1); __uint(max_entries, 8); __type(key, __u32); __type(value, __u64); } counters SEC(".maps");
static struct { __uint(type, 2); __uint(max_entries, 8); __type(key, int); __type(value, __u64); } hidden SEC(".maps");
static void *(*lookup)(void *map, const void *key) = (void *)1;
static long (*probe_read_kernel)(void *dst, __u32 size, const void *src) = (void *)113;
static long (*loop)(__u32 n, void *callback, void *context, __u64 flags) = (void *)181;
static long (*unheard_of)(void) = (void *)9999;
extern int bpf_strong(int) __attribute__((section(".ksyms")));
extern int bpf_weak(int) __attribute__((section(".ksyms"), weak));
extern const int CONFIG_HZ __attribute__((section(".kconfig")));
extern const void runqueues __attribute__((section(".ksyms")));
volatile int written = 1;
const volatile int limit = 3;

__attribute__((noinline)) int leaf(int n) { return n + written + bpf_strong(n); }
static __attribute__((noinline)) int middle(int n) { __u32 key = n; return lookup(&hidden, &key) ? leaf(n) : limit; }
static int callback(__u32 n, void *context) { written = n; return 0; }
static __attribute__((noinline)) int never_called_but_kept(int n) { return n * 3; }

SEC("xdp") int direct(void *c) { __u32 key = 0; return lookup(&counters, &key) ? 1 : 2; }
SEC("xdp") int deep(void *c) { return middle(CONFIG_HZ); }
SEC("tp_btf/sched_switch") int calls_back(void *c) { loop(3, callback, 0, 0); return unheard_of(); }
SEC("kprobe") int gpl(void *c) { int x; probe_read_kernel(&x, 4, c); return &bpf_weak ? bpf_weak(x) : x; }
SEC("kprobe") int variable(void *c) { return (long)&runqueues; }
char LICENSE[] SEC("license") = "GPL";
"""


@pytest.mark.parametrize("target", ["bpfel", "bpfeb"])
def test_what_programs_use_themselves_and_through_what_they_call(target: str) -> None:
    obj = parse(compile_source(SOURCE, target=target))
    uses = {program.name: program.uses for program in obj.programs}
    assert (uses["direct"].helpers, uses["direct"].maps, uses["direct"].calls) == (
        ("bpf_map_lookup_elem",),
        ("counters",),
        (),
    )
    deep = uses["deep"]
    assert deep.calls == ("leaf", "middle")
    assert deep.maps == (".data", ".rodata", "hidden")
    assert deep.kfuncs == ("bpf_strong",)
    assert deep.ksyms == ("CONFIG_HZ",)
    assert deep.isa == ("bpf-to-bpf-calls",)
    assert uses["calls_back"].calls == ("callback",)
    assert uses["calls_back"].helpers == ("bpf_loop", "helper#9999")
    assert "callbacks" in uses["calls_back"].isa
    assert ".data" in uses["calls_back"].maps
    assert uses["gpl"].gpl_only == ("bpf_probe_read_kernel",)
    assert uses["gpl"].kfuncs == ("bpf_weak",)
    assert uses["variable"].ksyms == ("runqueues",)


@pytest.mark.parametrize("target", ["bpfel", "bpfeb"])
def test_externs(target: str) -> None:
    externs = {extern.name: extern for extern in parse(compile_source(SOURCE, target=target)).externs}
    assert {name: (e.kind, e.weak, e.type) for name, e in externs.items()} == {
        "bpf_strong": ("kfunc", False, None),
        "bpf_weak": ("kfunc", True, None),
        "CONFIG_HZ": ("kconfig", False, "int"),
        "runqueues": ("ksym", False, "void"),
    }


def test_externs_of_an_object_without_btf_are_variables_for_all_that_is_known() -> None:
    data = compile_source('extern int outside; SEC("kprobe") int p(void *c) { return (long)&outside; }', flags=("-O2",))
    assert [(e.name, e.kind, e.type) for e in parse(data).externs] == [("outside", "ksym", None)]


def test_sub_programs_are_listed() -> None:
    obj = parse(compile_source(SOURCE))
    found = {function.name: function for function in obj.functions}
    assert set(found) == {"leaf", "middle", "callback"}  # clang dropped what nothing calls
    assert (found["leaf"].local, found["middle"].local) == (False, True)
    assert found["leaf"].section == ".text"
    assert found["middle"].uses.calls == ("leaf",)


def isa(source: str, *, flags: tuple[str, ...] = (), target: str = "bpfel") -> tuple[str, ...]:
    return only(parse(compile_source(source, flags=("-g", "-O2", *flags), target=target)).programs).uses.isa


def only(programs: tuple[ProgramSpec, ...]) -> ProgramSpec:
    (program,) = programs
    return program


@pytest.mark.parametrize("target", ["bpfel", "bpfeb"])
def test_instructions_that_older_kernels_lack(target: str) -> None:
    add = 'SEC("xdp") int p(__u64 *c) { __sync_fetch_and_add(c, 1); return 2; }'
    assert isa(add, target=target) == ("atomic-add",)
    fetch = 'SEC("xdp") int p(__u64 *c) { return __sync_fetch_and_add(c, 1); }'
    assert isa(fetch, target=target, flags=("-mcpu=v3",)) == ("atomics",)
    compare = 'SEC("xdp") int p(int *c) { return c[0] > c[1] ? 1 : 2; }'
    assert isa(compare, target=target, flags=("-mcpu=v3",)) == ("jmp32",)
    assert isa(compare, target=target, flags=("-mcpu=v1",)) == ()


def test_core_relocations_are_counted_by_program() -> None:
    source = """
    struct task_struct { int pid; int tgid; } __attribute__((preserve_access_index));
    static __attribute__((noinline)) int tgid(struct task_struct *t) { return t->tgid; }
    SEC("kprobe") int one(struct task_struct *t) { return t->pid; }
    SEC("kprobe") int two(struct task_struct *t) { return t->pid + tgid(t); }
    SEC("kprobe") int none(void *t) { return 0; }
    """
    obj = parse(compile_source(source))
    assert {program.name: program.uses.core for program in obj.programs} == {"one": 1, "two": 2, "none": 0}
