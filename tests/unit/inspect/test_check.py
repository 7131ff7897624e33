"""Programs against kernels that are nothing but types: what fails, what is not known, what does no harm."""

from __future__ import annotations

import functools

import pytest

from bpfimg.btf import KernelTypes
from bpfimg.bytecode import dissect
from bpfimg.errors import BytecodeError
from bpfimg.inspect import check
from tests.support.core import compiled, kernel_of, opened

#: what every kernel here has
ENUMS = """
enum bpf_prog_type { BPF_PROG_TYPE_RAW_TRACEPOINT = 17, BPF_PROG_TYPE_XDP = 6, BPF_PROG_TYPE_TRACING = 26 } e1;
enum bpf_map_type { BPF_MAP_TYPE_ARRAY = 2, BPF_MAP_TYPE_PERCPU_HASH = 5, BPF_MAP_TYPE_CGROUP_STORAGE_DEPRECATED } e2;
enum bpf_attach_type { BPF_XDP = 37, BPF_TRACE_RAW_TP = 23, BPF_TRACE_FENTRY = 24, BPF_TRACE_ITER = 28 } e3;
enum bpf_func_id { BPF_FUNC_map_lookup_elem = 1, BPF_FUNC_ktime_get_ns = 5 } e4;
enum { BPF_F_NO_PREALLOC = 1, BPF_F_NUMA_NODE = 4 } e5;
struct bpf_trampoline { int x; } s1;
struct bpf_prog_aux { int sleepable; } s2;
"""
OLD = ENUMS + "struct task_struct { long state; int pid; } t; int traced(int a) { return a; }"
NEW = (
    ENUMS
    + """
struct task_struct { unsigned __state; int pid; int tgid; } t; int traced(int a) { return a; }
int a_kfunc(int a) { return a; } typedef void (*btf_trace_something)(void *); btf_trace_something tp;
int bpf_lsm_file_open(int a) { return a; } int bpf_iter_task(int a) { return a; } struct ops { int a; } o;
"""
)
LOCAL = """
struct task_struct { int pid; int tgid; unsigned __state; } CORE;
struct task_struct___old { long state; } CORE;
#define T ((struct task_struct *)ctx)
#define O ((struct task_struct___old *)ctx)
#define PROGRAM(name) SEC("raw_tp") int name(void *ctx)
static long (*ktime)(void) = (void *)5;
static long (*loop)(void *) = (void *)181;
"""


@functools.cache
def kernel(source: str) -> KernelTypes:
    return opened(kernel_of(source))


def cell(source: str, types: str = OLD, program: str = "p", clang: str = "clang") -> check.Cell:
    """What is said of one program on one kernel."""
    found = check.against(dissect(compiled(LOCAL + source, target="bpfel", clang=clang)), [kernel(types)], [program])
    return found.kernels[0].cells[0]


def effects(found: check.Cell) -> list[tuple[str, str, str]]:
    return [(reason.kind, reason.subject, reason.effect) for reason in found.reasons]


def test_a_field_that_is_there_is_ok() -> None:
    found = cell("PROGRAM(p) { return T->pid; }")
    assert (found.result, found.reasons, found.relocations) == ("ok", (), {"resolved": 1})


def test_a_field_that_is_not_there_fails_with_reason_and_line() -> None:
    # the function's file, too: clang 14 gives each of its lines that one
    found = cell('\n#line 6 "src/trace.bpf.c"\nPROGRAM(p) {\n return T->__state + T->__state; }')
    (reason,) = found.reasons
    assert (found.result, reason.effect) == ("fails", "fails")
    assert reason.words == "struct task_struct has no field '__state'"
    assert (reason.subject, reason.nearest) == ("task_struct.__state", "state")
    assert reason.places == ("trace.bpf.c:7",)


GUARDS = {
    "if and else": "if (field_exists(T->__state)) return T->__state; else return O->state;",
    "early return": "if (!field_exists(T->tgid)) return 0; return T->tgid;",
    "both of two": "if (field_exists(T->pid) && field_exists(T->tgid)) return T->tgid; return 0;",
    "a type": "struct none { int a; } CORE; if (type_exists(struct none)) return ((struct none *)ctx)->a; return 0;",
    "a loop": "int s = 0; for (int i = 0; i < 10; i++) if (field_exists(T->tgid)) s += T->tgid + ktime(); return s;",
    "a size": "if (field_size(T->pid) == 8) return T->tgid; return 1;",
    "an enumerator": "enum bpf_func_id { BPF_FUNC_loop = 181 }; if (enumval_exists(enum bpf_func_id, BPF_FUNC_loop)) "
    "return loop(ctx); return 0;",
}


@pytest.mark.parametrize("name", GUARDS)
def test_what_is_behind_a_check_is_not_missed(name: str) -> None:
    found = cell(f"PROGRAM(p) {{ {GUARDS[name]} }}")
    assert found.result == "ok", found.reasons
    assert "guarded" in {reason.effect for reason in found.reasons}


UNGUARDED = {
    "the wrong way": "if (!field_exists(T->tgid)) return T->tgid; return 0;",
    "another field": "if (field_exists(T->pid)) return T->tgid; return 0;",
    "either of two": "if (field_exists(T->pid) || field_exists(T->tgid)) return T->tgid; return 0;",
    "at run time": "if (sink) return T->tgid; return 0;",
    "after it": "if (field_exists(T->tgid)) sink = 1; return T->tgid;",
    "of the run": "int s = field_exists(T->tgid); if (s + sink) return T->tgid; return 0;",
}


@pytest.mark.parametrize("name", UNGUARDED)
def test_what_is_not_behind_its_check_fails(name: str) -> None:
    assert cell(f"PROGRAM(p) {{ {UNGUARDED[name]} }}").result == "fails"


def test_sub_programs_belong_to_those_who_call_them() -> None:
    source = """
static __attribute__((noinline)) int helped(struct task_struct *t, int how) { return how ? t->tgid : t->pid; }
PROGRAM(p) { return helped(ctx, sink); }
PROGRAM(q) { return T->pid; }
PROGRAM(r) { return field_exists(T->tgid) ? helped(ctx, 1) : 0; }
"""
    assert cell(source).result == "fails"
    assert cell(source, program="q").result == "ok"
    assert cell(source, program="r").result == "ok"


def test_read_only_globals_decide_as_the_object_has_them() -> None:
    source = "volatile const __u32 %s; PROGRAM(p) { return wanted ? T->tgid : 0; }"
    assert cell(source % "wanted = 0").result == "ok"
    assert cell(source % "wanted = 1").result == "fails"


def test_the_kernels_configuration_decides_what_nobody_knows() -> None:
    head = 'extern int LINUX_KERNEL_VERSION SEC(".kconfig") __attribute__((weak));'
    found = cell(head + "PROGRAM(p) { if (LINUX_KERNEL_VERSION > 0x50000) return T->tgid; return 0; }")
    assert (found.result, effects(found)) == ("unknown", [("core", "task_struct.tgid", "unknown")])
    found = cell(head + "PROGRAM(p) { if (LINUX_KERNEL_VERSION > 0x50000) sink = 1; return T->tgid; }")
    assert found.result == "fails"


def test_helper_functions_and_types() -> None:
    found = cell("PROGRAM(p) { return loop(ctx) + ktime(); }")
    assert effects(found) == [("helper", "bpf_loop", "fails")]
    assert found.reasons[0].words == "enum bpf_func_id has no BPF_FUNC_loop"
    found = cell('SEC("socket") int p(void *ctx) { return 0; }')
    assert effects(found) == [("program_type", "socket_filter", "fails")]
    found = cell('SEC("xdp.frags") int p(void *ctx) { return 0; }')
    assert effects(found) == [("feature", "xdp-frags", "fails")]
    assert cell('SEC("xdp") int p(void *ctx) { return 0; }').result == "ok"


MAP = """struct { __uint(type, %s); __uint(max_entries, 1); __uint(key_size, 4); __uint(value_size, 4); %s } m
SEC(".maps");"""


@pytest.mark.parametrize(
    ("kind", "flags", "expected"),
    [
        ("2", "", []),
        ("5", "__uint(map_flags, 5);", []),
        ("27", "", [("map_type", "ringbuf", "fails")]),
        ("19", "", []),
        ("2", "__uint(map_flags, 1024);", []),
    ],
)
def test_maps(kind: str, flags: str, expected: list[tuple[str, str, str]]) -> None:
    found = cell(MAP % (kind, flags) + "PROGRAM(p) { return 0; }")
    if "1024" in flags:
        assert effects(found) == [("map_flag", "mmapable", "fails")]
    else:
        assert effects(found) == expected


def test_targets() -> None:
    sections = {"fentry/traced": "ok", "fentry/renamed": "unknown", "tp_btf/something": "ok", "tp_btf/other": "unknown"}
    for section, result in {**sections, "iter/task": "ok", "lsm/file_open": "fails", "lsm/other": "fails"}.items():
        found = cell(f'SEC("{section}") int p(void *ctx) {{ return 0; }}', NEW)
        assert found.result == result, section
    with_modules = KernelTypes("k", kernel(OLD).types, {"mod": kernel("int renamed(int a) { return a; }").types})
    for name, result in (("renamed", "ok"), ("mod:renamed", "ok"), ("mod:traced", "fails"), ("gone", "fails")):
        data = compiled(LOCAL + f'SEC("fentry/{name}") int p(void *ctx) {{ return 0; }}', target="bpfel")
        assert check.against(dissect(data), [with_modules]).kernels[0].cells[0].result == result, name


def test_symbols() -> None:
    strong = 'extern int a_kfunc(int a) SEC(".ksyms"); PROGRAM(p) { return a_kfunc(1); } PROGRAM(q) { return 0; }'
    assert cell(strong, NEW).result == "ok"
    assert effects(cell(strong, OLD)) == [("kfunc", "a_kfunc", "unknown")]
    assert cell(strong, OLD, "q").result == "unknown", "libbpf resolves all symbols of an object"
    none = KernelTypes("k", kernel(OLD).types, {"mod": kernel("int x;").types})
    data = compiled(LOCAL + strong, target="bpfel")
    assert check.against(dissect(data), [none]).worst() == "fails"


def test_weak_symbols_fail_only_where_they_are_called() -> None:
    weak = 'extern int a_kfunc(int a) SEC(".ksyms") __attribute__((weak)); PROGRAM(p) { %s }'
    none = KernelTypes("k", kernel(OLD).types, {"mod": kernel("int x;").types})
    for body, result in (
        ("if (a_kfunc) return a_kfunc(1); return 0;", "ok"),
        ("return a_kfunc(1);", "fails"),
    ):
        data = compiled(LOCAL + weak % body, target="bpfel")
        assert check.against(dissect(data), [none]).worst() == result, body
    assert cell(weak % "if (a_kfunc) return a_kfunc(1); return 0;", NEW).result == "ok"


def test_what_is_not_loaded_unasked_does_not_count() -> None:
    source = 'SEC("?raw_tp") int p(void *ctx) { return T->tgid; } PROGRAM(q) { return T->pid; }'
    found = check.against(dissect(compiled(LOCAL + source, target="bpfel")), [kernel(OLD)])
    assert [(each.program, each.result, each.optional) for each in found.kernels[0].cells] == [
        ("p", "fails", True),
        ("q", "ok", False),
    ]
    assert found.worst() == "ok"


def test_another_byte_order_fails() -> None:
    data = compiled(LOCAL + "PROGRAM(p) { return T->pid; }", target="bpfeb")
    (answer,) = check.against(dissect(data), [kernel(OLD)]).kernels[0].cells
    assert (answer.result, answer.reasons[0].words) == ("fails", "the object is big-endian, the kernel little-endian")


def test_candidates_that_disagree_fail_wherever_they_are() -> None:
    types = OLD + "struct task_struct___2 { int pid; } u;"
    found = cell("PROGRAM(p) { if (field_exists(O->state) == 5) return T->pid; return 0; }", types)
    assert found.result == "fails"
    assert "disagree" in found.reasons[0].words


def test_objects_without_types_and_names_that_are_not_there() -> None:
    assert cell("PROGRAM(p) { return 0; }").relocations == {}
    with pytest.raises(BytecodeError, match="nothing"):
        cell("PROGRAM(p) { return 0; }", program="nothing")


def test_questions_and_requirements_by_kernel() -> None:
    source = "PROGRAM(p) { return T->__state + T->pid; } PROGRAM(q) { return T->pid + loop(ctx); }"
    data = compiled(LOCAL + source, target="bpfel")
    found = check.against(dissect(data), [kernel(OLD), kernel(NEW)])
    answers = {each.subject: (each.programs, each.answers) for each in found.questions}
    assert answers == {
        "task_struct.__state": (("p",), (("unresolved", None), ("resolved", 0))),
        "task_struct.pid": (("p", "q"), (("resolved", 8), ("resolved", 4))),
    }
    (needed,) = (each for each in found.requirements if each.subject == "bpf_loop")
    assert (needed.kind, needed.programs, needed.answers) == ("helper", ("q",), (("absent", None), ("absent", None)))
    document = check.report(found)
    assert document["result"] == "fails"
    page = check.markdown("object | file", found)
    assert "| `test` | **fails** | **fails** |" in page
    assert "`object \\| file`" in page
