from __future__ import annotations

import pytest

from bpfimg.bytecode import Requirement, parse, requirements
from tests.support.objects import compile_source, example

MAPS = """
struct { __uint(type, 27); __uint(max_entries, 4096); } events SEC(".maps");
struct { __uint(type, 1); __uint(max_entries, 8); __uint(map_flags, 1); __type(key, __u32); __type(value, __u64); }
counts SEC(".maps");
"""
HELPERS = """
static void *(*lookup)(void *, const void *) = (void *)1;
static long (*tail_call)(void *, void *, __u32) = (void *)12;
static long (*read_kernel)(void *, __u32, const void *) = (void *)113;
static long (*output)(void *, void *, __u64, __u64) = (void *)130;
static long (*loop)(__u32, void *, void *, __u64) = (void *)181;
"""


def needs(source: str, *, target: str = "bpfel", flags: tuple[str, ...] = ("-g", "-O2")) -> dict[str, Requirement]:
    """By "kind name"."""
    found = requirements(parse(compile_source(source, target=target, flags=flags)))
    return {f"{entry.kind} {entry.name}": entry for entry in found}


@pytest.mark.parametrize("target", ["bpfel", "bpfeb"])
def test_an_ordinary_object(target: str) -> None:
    assert requirements(parse(example("xdp_counter", target=target))) == (
        Requirement("program_type", "xdp", "4.8", ("xdp_count",), False),
        Requirement("map_type", "array", "3.19", (), False),
        Requirement("helper", "bpf_get_prandom_u32", "4.1", ("xdp_count",), False),
        Requirement("helper", "bpf_map_lookup_elem", "3.19", ("xdp_count",), False),
        Requirement("feature", "global-data", "5.2", (), False),
    )


def test_the_order_is_that_of_the_kinds_and_then_of_the_names() -> None:
    source = (
        MAPS + HELPERS + 'SEC("fentry/f") int p(void *c) { return output(&events, c, 8, 0) + !lookup(&counts, c); }'
    )
    assert list(needs(source)) == [
        "program_type tracing",
        "attach_type trace_fentry",
        "map_type hash",
        "map_type ringbuf",
        "map_flag no_prealloc",
        "helper bpf_map_lookup_elem",
        "helper bpf_ringbuf_output",
        "feature kernel-btf",
        "feature trampoline",
    ]


def test_an_object_without_programs_needs_nothing() -> None:
    assert needs('char LICENSE[] SEC("license") = "GPL";') == {}


def test_programs_are_named_in_the_order_of_the_object() -> None:
    source = (
        HELPERS
        + MAPS
        + """
    SEC("xdp") int b(void *c) { return !lookup(&counts, c); }
    SEC("xdp") int a(void *c) { return !lookup(&counts, c); }
    SEC("tc") int other(void *c) { return 0; }
    """
    )
    found = needs(source)
    assert found["helper bpf_map_lookup_elem"].programs == ("b", "a")
    assert found["program_type xdp"].programs == ("b", "a")
    assert found["program_type sched_cls"].programs == ("other",)
    assert found["map_type hash"].programs == ()


def test_what_only_programs_need_that_are_not_loaded_unasked_is_optional() -> None:
    source = (
        HELPERS
        + MAPS
        + """
    SEC("?fentry/f") int wanted(void *c) { return output(&events, c, 8, 0); }
    SEC("?tc") int also(void *c) { return !lookup(&counts, c); }
    SEC("tc") int usual(void *c) { return 0; }
    """
    )
    found = needs(source)
    optional = {name for name, entry in found.items() if entry.optional}
    assert optional == {
        "program_type tracing",
        "attach_type trace_fentry",
        "helper bpf_map_lookup_elem",
        "helper bpf_ringbuf_output",
        "feature kernel-btf",
        "feature trampoline",
    }
    assert sorted(found["program_type sched_cls"].programs) == ["also", "usual"]
    assert not found["map_type ringbuf"].optional  # libbpf makes all maps


def test_what_sub_programs_use_their_callers_need() -> None:
    source = (
        HELPERS
        + MAPS
        + """
    static __attribute__((noinline)) int inner(void *c) { return !lookup(&counts, c); }
    SEC("xdp") int caller(void *c) { return inner(c) + 1; }
    SEC("xdp") int alone(void *c) { return 2; }
    """
    )
    found = needs(source)
    assert found["helper bpf_map_lookup_elem"].programs == ("caller",)
    assert found["feature bpf-to-bpf-calls"] == Requirement("feature", "bpf-to-bpf-calls", "4.16", ("caller",), False)


@pytest.mark.parametrize(
    ("section", "attach"),
    [
        ("xdp", None),  # XDP is older than its attach type: netlink attaches without
        ("xdp/devmap", "xdp_devmap"),
        ("sk_reuseport", None),
        ("sk_reuseport/migrate", "sk_reuseport_select_or_migrate"),
        ("tc", None),
        ("tc/ingress", None),  # goes to clsact as well
        ("tcx/ingress", "tcx_ingress"),
        ("netkit/peer", "netkit_peer"),
        ("kprobe/f", None),
        ("kprobe.multi/f*", "trace_kprobe_multi"),
        ("cgroup_skb/egress", "cgroup_inet_egress"),
        ("cgroup/skb", None),
        ("netfilter", "netfilter"),
        ("something/else", None),
    ],
)
def test_attach_types(section: str, attach: str | None) -> None:
    found = needs(f'SEC("{section}") int p(void *c) {{ return 0; }}')
    assert [entry.name for entry in found.values() if entry.kind == "attach_type"] == ([attach] if attach else [])


def test_a_section_that_nobody_knows_needs_no_program_type() -> None:
    assert needs('SEC("something/else") int p(void *c) { return 0; }') == {}


@pytest.mark.parametrize(
    ("section", "features"),
    [
        ("xdp", set()),
        ("xdp.frags", {"xdp-frags"}),
        ("tracepoint/syscalls/sys_enter_openat", set()),
        ("raw_tp/sys_enter", set()),
        ("kprobe/f", {"kprobes"}),
        ("kretsyscall/openat", {"kprobes"}),
        ("uprobe/f", {"uprobes"}),
        ("uretprobe.s/f", {"uprobes", "sleepable-uprobes"}),
        ("usdt/f", {"uprobes"}),
        ("kretprobe.multi/f*", {"kprobe-multi"}),
        ("kprobe.session/f*", {"kprobe-session"}),
        ("uprobe.multi/f", {"uprobe-multi"}),
        ("uprobe.session.s/f", {"uprobe-session", "sleepable-uprobes"}),
        ("fentry/f", {"trampoline", "kernel-btf"}),
        ("fexit.s/f", {"trampoline", "kernel-btf", "sleepable"}),
        ("fmod_ret/f", {"trampoline", "kernel-btf"}),
        ("lsm/file_open", {"trampoline", "kernel-btf"}),
        ("lsm_cgroup/socket_bind", {"trampoline", "kernel-btf"}),
        ("tp_btf/sched_switch", {"kernel-btf"}),
        ("iter/task", {"kernel-btf"}),
        ("iter.s/task", {"kernel-btf", "sleepable-iterators"}),
        ("freplace/f", {"trampoline", "object-btf"}),
        ("struct_ops/f", {"trampoline", "kernel-btf", "object-btf"}),
        ("struct_ops.s/f", {"trampoline", "kernel-btf", "object-btf", "sleepable-struct-ops"}),
        ("syscall", set()),
    ],
)
def test_features_of_program_kinds(section: str, features: set[str]) -> None:
    found = needs(f'SEC("{section}") int p(void *c) {{ return 0; }}')
    assert {entry.name for entry in found.values() if entry.kind == "feature"} == features
    assert all(entry.programs == ("p",) and entry.since for entry in found.values() if entry.kind == "feature")


@pytest.mark.parametrize(
    ("section", "wanted"),
    [
        ("tp_btf/sched_switch", ["typedef btf_trace_sched_switch"]),
        ("lsm/file_open", ["func bpf_lsm_file_open"]),
        ("lsm_cgroup/socket_bind", ["func bpf_lsm_socket_bind"]),
        ("iter.s/task", ["func bpf_iter_task"]),
        ("tp_btf", []),  # the loader says which
        ("fentry/f", []),  # may be a function of another program
    ],
)
def test_what_the_kernels_btf_has_to_name(section: str, wanted: list[str]) -> None:
    found = needs(f'SEC("{section}") int p(void *c) {{ return 0; }}')
    assert [entry.name for entry in found.values() if entry.kind == "btf"] == wanted


def test_reads_of_memory_for_which_loaders_have_a_substitute_are_optional() -> None:
    source = HELPERS + 'SEC("kprobe/f") int p(void *c) { long x = 0; read_kernel(&x, 8, c); return x; }'
    found = needs(source)["helper bpf_probe_read_kernel"]
    assert (found.optional, found.since, found.programs) == (True, "5.5", ("p",))


def test_a_helper_function_that_nobody_knows() -> None:
    source = 'static long (*far)(void) = (void *)4711; SEC("xdp") int p(void *c) { return far(); }'
    assert needs(source)["helper helper#4711"] == Requirement("helper", "helper#4711", None, ("p",), False)


def test_callbacks_need_the_objects_own_btf() -> None:
    source = (
        HELPERS
        + """
    static int step(__u32 i, void *c) { return 0; }
    SEC("xdp") int p(void *c) { return loop(4, step, 0, 0); }
    """
    )
    found = needs(source)
    assert found["feature callbacks"].programs == ("p",)
    assert found["feature object-btf"].programs == ("p",)


def test_tail_calls_beside_sub_programs() -> None:
    source = (
        HELPERS
        + """
    struct { __uint(type, 3); __uint(max_entries, 2); __type(key, __u32); __type(value, __u32); } table SEC(".maps");
    static __attribute__((noinline)) int inner(void *c) { return *(int *)c; }
    SEC("tc") int both(void *c) { tail_call(c, &table, 0); return inner(c); }
    SEC("tc") int only(void *c) { tail_call(c, &table, 0); return 1; }
    """
    )
    assert needs(source)["feature tail-calls-with-subprograms"].programs == ("both",)


@pytest.mark.parametrize(("count", "wanted"), [(4000, False), (4200, True)])
def test_more_instructions_than_older_kernels_take(count: int, wanted: bool) -> None:
    body = f'asm volatile(".rept {count}\\n r1 = 1\\n .endr" ::: "r1");'
    found = needs(f'SEC("xdp") int p(void *c) {{ {body} return 2; }}')
    assert ("feature large-programs" in found) == wanted


def test_instructions_of_sub_programs_count() -> None:
    body = 'asm volatile(".rept 2500\\n r1 = 1\\n .endr" ::: "r1");'
    source = f"""
    static __attribute__((noinline)) int inner(void *c) {{ {body} return *(int *)c; }}
    SEC("xdp") int p(void *c) {{ {body} return inner(c); }}
    SEC("xdp") int q(void *c) {{ {body} return 2; }}
    """
    assert needs(source)["feature large-programs"].programs == ("p",)


def test_instruction_sets() -> None:
    source = """
    __u64 x;
    SEC("xdp") int fetches(void *c) { return __sync_fetch_and_add(&x, 1); }
    SEC("xdp") int adds(void *c) { __sync_fetch_and_add(&x, 1); return 2; }
    SEC("xdp") int compares(__u32 *c) { return c[0] < c[1] ? 1 : 2; }
    """
    found = needs(source, flags=("-g", "-O2", "-mcpu=v3"))
    assert {entry.name for entry in found.values() if entry.kind == "isa"} == {"atomics", "jmp32"}
    assert found["isa atomics"].programs == ("fetches",)
    assert found["isa jmp32"].programs == ("compares",)


def test_map_types_and_flags() -> None:
    source = """
    struct inner { __uint(type, 2); __uint(max_entries, 1); __uint(map_flags, 1 << 12); __type(key, __u32);
                   __type(value, __u32); };
    struct { __uint(type, 13); __uint(max_entries, 4); __type(key, __u32); __array(values, struct inner); }
    outer SEC(".maps");
    struct { __uint(type, 24); __uint(map_flags, 1); __type(key, __u32); __type(value, __u64); } storage SEC(".maps");
    struct { __uint(type, 77); __uint(map_flags, 1 << 30); __type(key, __u32); __type(value, __u64); } far SEC(".maps");
    """
    found = needs(source)
    assert [(entry.kind, entry.name, entry.since) for entry in found.values()] == [
        ("map_type", "array", "3.19"),
        ("map_type", "hash_of_maps", "4.12"),
        ("map_type", "sk_storage", "5.2"),
        ("map_type", "type_77", None),
        ("map_flag", "bit_30", None),
        ("map_flag", "inner_map", "5.10"),
        ("map_flag", "no_prealloc", "4.6"),
        ("feature", "object-btf", "4.18"),
    ]
    assert all(entry.programs == () and not entry.optional for entry in found.values())


def test_global_data_needs_no_flag_that_libbpf_drops() -> None:
    """.rodata is RDONLY_PROG (as old as global data) and MMAPABLE (left out where the kernel has it not)."""
    found = needs('volatile const int limit = 3; SEC("xdp") int p(void *c) { return limit; }')
    assert set(found) == {"program_type xdp", "map_type array", "feature global-data"}


def test_values_with_locks_need_the_btf_of_the_map() -> None:
    source = """
    struct bpf_spin_lock { __u32 val; };
    struct value { struct bpf_spin_lock lock; __u32 count; };
    static void *(*lookup)(void *, const void *) = (void *)1;
    static long (*lock)(void *) = (void *)93;
    struct { __uint(type, 2); __uint(max_entries, 1); __type(key, __u32); __type(value, struct value); } m SEC(".maps");
    SEC("tc") int p(void *c) { struct value *v = lookup(&m, c); return v ? lock(&v->lock) : 0; }
    """
    assert needs(source)["feature object-btf"].programs == ("p",)


EXTERNS = """
struct task_struct;
extern struct task_struct *bpf_task_acquire(struct task_struct *p) SEC(".ksyms");
extern void bpf_of_mine(void *p) __attribute__((weak)) SEC(".ksyms");
extern const int runqueues SEC(".ksyms");
extern const void init_task SEC(".ksyms");
extern int CONFIG_HZ SEC(".kconfig");
extern int CONFIG_MINE SEC(".kconfig") __attribute__((weak));
extern int LINUX_KERNEL_VERSION SEC(".kconfig");
SEC("tc") int calls(void *c) { bpf_of_mine(c); return !bpf_task_acquire(c); }
SEC("tc") int reads(void *c) { return runqueues + (long)&init_task; }
SEC("tc") int asks(void *c) { return CONFIG_HZ + CONFIG_MINE + LINUX_KERNEL_VERSION; }
"""


def test_externs() -> None:
    found = needs(EXTERNS)
    assert found["kfunc bpf_task_acquire"] == Requirement("kfunc", "bpf_task_acquire", "6.2", ("calls",), False)
    assert found["kfunc bpf_of_mine"] == Requirement("kfunc", "bpf_of_mine", None, ("calls",), True)
    assert found["ksym runqueues"] == Requirement("ksym", "runqueues", None, ("reads",), False)
    assert found["ksym init_task"] == Requirement("ksym", "init_task", None, ("reads",), False)
    assert found["kconfig CONFIG_HZ"] == Requirement("kconfig", "CONFIG_HZ", None, ("asks",), False)
    assert found["kconfig CONFIG_MINE"].optional
    assert "kconfig LINUX_KERNEL_VERSION" not in found  # libbpf's own
    assert found["feature kernel-btf"] == Requirement("feature", "kernel-btf", "5.4", ("calls", "reads"), False)


def test_an_address_without_a_type_needs_no_btf() -> None:
    source = 'extern const void init_task SEC(".ksyms"); SEC("tc") int p(void *c) { return (long)&init_task; }'
    found = needs(source)
    assert "ksym init_task" in found
    assert "feature kernel-btf" not in found


def test_an_extern_is_needed_whether_its_program_is_loaded_or_not() -> None:
    source = 'extern void gone(void) SEC(".ksyms"); SEC("?tc") int p(void *c) { gone(); return 0; }'
    found = needs(source)
    assert not found["kfunc gone"].optional
    assert not found["feature kernel-btf"].optional
    assert found["program_type sched_cls"].optional


def test_core_relocations_need_the_kernels_btf() -> None:
    source = """
    struct task { int pid; } __attribute__((preserve_access_index));
    SEC("tc") int relocated(struct task *t) { return t->pid; }
    SEC("tc") int plain(void *c) { return 0; }
    """
    assert needs(source)["feature kernel-btf"] == Requirement("feature", "kernel-btf", "5.4", ("relocated",), False)


STRUCT_OPS = """
struct tcp_congestion_ops { void (*init)(void *); int x; };
SEC("struct_ops/init") void init(void *c) { }
SEC("%s") struct tcp_congestion_ops ours = { .init = (void *)init };
"""


@pytest.mark.parametrize(("section", "optional"), [(".struct_ops", False), ("?.struct_ops", True)])
def test_struct_ops(section: str, optional: bool) -> None:
    found = needs(STRUCT_OPS % section)
    assert found["map_type struct_ops"] == Requirement("map_type", "struct_ops", "5.6", (), optional)
    name = "struct tcp_congestion_ops"
    assert found[f"btf {name}"] == Requirement("btf", name, "5.6", (), optional)
    assert found["feature trampoline"].programs == ("init",)
    assert found["feature kernel-btf"].programs == ()
    assert not found["feature kernel-btf"].optional  # the program is loaded all the same


def test_struct_ops_that_is_attached_by_a_link() -> None:
    found = needs(STRUCT_OPS % ".struct_ops.link")
    assert found["map_flag link"] == Requirement("map_flag", "link", "6.4", (), False)


def test_the_flavour_of_a_struct_is_not_part_of_its_name() -> None:
    found = needs((STRUCT_OPS % ".struct_ops").replace("tcp_congestion_ops", "tcp_congestion_ops___old"))
    assert "btf struct tcp_congestion_ops" in found
