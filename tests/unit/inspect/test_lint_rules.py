"""Each rule with an object that it is for, and one that it has nothing to say about."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from bpfimg import build
from bpfimg._value import replace
from bpfimg.errors import ImageError
from bpfimg.image import Labels
from bpfimg.inspect import Problem, lint
from bpfimg.oci import Platform
from tests.support import btf as w
from tests.support import corpus
from tests.support.btf import BtfWriter
from tests.support.objects import PRELUDE, compile_source, with_section

if TYPE_CHECKING:
    from pathlib import Path

LICENSE = 'char LICENSE[] SEC("license") = "GPL";\n'
XDP = 'SEC("xdp") int prog(void *ctx) { return 2; }\n'
HELPERS = """
static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_probe_read)(void *to, __u32 size, const void *from) = (void *)4;
static __u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static long (*bpf_trace_printk)(const char *format, __u32 size, ...) = (void *)6;
static long (*bpf_tail_call)(void *ctx, void *map, __u32 index) = (void *)12;
static long (*bpf_perf_event_output)(void *c, void *map, __u64 flags, void *data, __u64 size) = (void *)25;
static long (*bpf_probe_read_str)(void *to, __u32 size, const void *from) = (void *)45;
static long (*bpf_probe_read_user)(void *to, __u32 size, const void *from) = (void *)112;
static long (*bpf_probe_read_kernel)(void *to, __u32 size, const void *from) = (void *)113;
"""
HASH, ARRAY, PROG_ARRAY, PERF, PERCPU_HASH, STACK_TRACE, LRU, TRIE, OUTER = 1, 2, 3, 4, 5, 7, 9, 11, 12
QUEUE, SK_STORAGE, RINGBUF = 22, 24, 27


NOTHING = lint.Context()


@dataclass(frozen=True, slots=True)
class Case:
    """`bad` makes the rule speak about `about`, `good` does not; C text, to which a licence and a program are added."""

    rule: str
    bad: str
    good: str
    about: str
    severity: str
    context: lint.Context = NOTHING
    good_context: lint.Context | None = None
    flags: tuple[str, ...] = ("-g", "-O2")
    good_flags: tuple[str, ...] = ("-g", "-O2")
    said: str = ""

    def __str__(self) -> str:
        return f"{self.rule}-{self.about or 'object'}-{self.severity}"


def map_(name: str, kind: int, rest: str = "") -> str:
    return f'struct {{ __uint(type, {kind}); {rest} }} {name} SEC(".maps");\n'


def using(name: str, rest: str = "return 0;") -> str:
    """A program that touches the map `name`."""
    return f'SEC("socket") int use_{name}(void *c) {{ int k = 0; bpf_map_lookup_elem(&{name}, &k); {rest} }}\n'


NUMBERS = "__type(key, __u32); __type(value, __u64); __uint(max_entries, 8);"
AMD64 = lint.Context(platforms=("linux/amd64",))
BOTH = lint.Context(platforms=("linux/amd64", "linux/arm64"))
SHIPPED = lint.Context(shipped=True)
REGISTERS = 'struct regs { long a, b, c; };\nSEC("kprobe/vfs_read") int probe(struct regs *r) { return r->c; }\n'
TRIE_KEY = "struct k { __u32 length; __u32 address; };\n"

CASES = [
    Case("BL002", XDP, XDP, "", "error", lint.Context(platforms=("linux/s390x",)), AMD64, said="linux/s390x"),
    Case("BL002", XDP, XDP, "", "error", lint.Context("a/p_bpfeb.o"), lint.Context("a/p_bpfel.o"), said="'p_bpfeb.o'"),
    Case("BL002", XDP, XDP, "", "error", lint.Context("p_bpfeb_s390.o"), lint.Context("p_bpfel_x86.o")),
    Case("BL008", LICENSE, XDP + LICENSE, "", "warning", SHIPPED),
    Case(
        "BL008", LICENSE + "int f(void *c) { return 1; }", XDP + LICENSE, "", "warning", said="'f' is in section .text"
    ),
    Case("BL008", LICENSE, XDP + LICENSE, "", "note"),
    Case("BL009", 'SEC("sandwich") int prog(void *c) { return 0; }', XDP, "prog", "warning", said="'sandwich'"),
    Case("BL009", 'SEC("sandwich") int prog(void *c) { return 0; }', XDP, "prog", "error", SHIPPED),
    Case("BL010", 'SEC("xdp/pass") int prog(void *c) { return 0; }', XDP, "prog", "warning", said="'xdp/pass'"),
    Case(
        "BL010",
        'SEC("classifier/a") int prog(void *c) { return 0; }',
        'SEC("tc/ingress") int prog(void *c) { return 0; }',
        "prog",
        "warning",
    ),
    Case("BL011", XDP, XDP + LICENSE, "license", "warning"),
    Case(
        "BL012",
        HELPERS
        + 'SEC("xdp") int prog(void *c) { char f[] = "x"; return bpf_trace_printk(f, 2); }'
        + 'char L[] SEC("license") = "MIT";',
        HELPERS
        + 'SEC("xdp") int prog(void *c) { char f[] = "x"; return bpf_trace_printk(f, 2); }'
        + 'char L[] SEC("license") = "Dual MIT/GPL";',
        "prog",
        "error",
        said="bpf_trace_printk, but licence 'MIT' is not",
    ),
    Case(
        "BL012",
        'extern void release(void *p) SEC(".ksyms"); SEC("xdp") int prog(void *c) { release(c); return 0; }',
        XDP,
        "prog",
        "error",
        said="the kernel function release, but there is no licence",
    ),
    Case(
        "BL012",
        'SEC("lsm/file_open") int prog(void *c) { return 0; } char L[] SEC("license") = "Apache-2.0";',
        'SEC("lsm/file_open") int prog(void *c) { return 0; } char L[] SEC("license") = "GPL v2";',
        "prog",
        "error",
        said="LSM programs need",
    ),
    Case("BL013", XDP + 'char L[] SEC("license") = "GPL-2.0";', XDP + LICENSE, "license", "warning"),
    Case(
        "BL013",
        XDP + 'char L[] SEC("license") = "GPL ";',
        XDP + 'char L[] SEC("license") = "LGPL-2.1 OR BSD-2-Clause";',
        "license",
        "warning",
    ),
    Case("BL014", XDP, XDP, "", "warning", flags=("-O2",)),
    Case(
        "BL015",
        'volatile int rate = 3; SEC("xdp") int prog(void *c) { return rate; }',
        'volatile int rate = 3; SEC("xdp") int prog(void *c) { return rate; }',
        ".data",
        "warning",
        flags=("-O2",),
        said="(rate)",
    ),
    Case(
        "BL017",
        HELPERS + 'SEC("kprobe/f") int prog(void *c) { long x; bpf_probe_read_kernel(&x, 8, c + 16); return x; }',
        HELPERS
        + "struct task_struct { int pid; } __attribute__((preserve_access_index));"
        + 'SEC("kprobe/f") int prog(struct task_struct *t)'
        + "{ int x; bpf_probe_read_kernel(&x, 4, __builtin_preserve_access_index(&t->pid)); return x; }",
        "prog",
        "warning",
    ),
    Case(
        "BL018",
        'SEC("fentry") int prog(void *c) { return 0; }',
        'SEC("fentry/vfs_read") int prog(void *c) { return 0; }',
        "prog",
        "warning",
        said='SEC("fentry/TARGET")',
    ),
    Case(
        "BL018",
        'SEC("tp_btf") int prog(void *c) { return 0; }',
        'SEC("kprobe") int prog(void *c) { return 0; }',
        "prog",
        "warning",
    ),
    Case(
        "BL019",
        'SEC("kprobe/tcp_v4_rcv.isra.0") int prog(void *c) { return 0; }',
        'SEC("kprobe/tcp_v4_rcv") int prog(void *c) { return 0; }',
        "prog",
        "warning",
    ),
    Case(
        "BL019",
        'SEC("kprobe/__x64_sys_openat") int prog(void *c) { return 0; }',
        'SEC("ksyscall/openat") int prog(void *c) { return 0; }',
        "prog",
        "warning",
        BOTH,
    ),
    Case(
        "BL019",
        'SEC("kprobe/__x64_sys_openat") int prog(void *c) { return 0; }',
        'SEC("tracepoint/syscalls/sys_enter_openat") int prog(void *c) { return 0; }',
        "prog",
        "note",
        AMD64,
    ),
    Case(
        "BL020",
        XDP + "__attribute__((noinline)) int lonely(int x) { return x * 3; }",
        "__attribute__((noinline)) int used(int x) { return x * 3; }"
        'SEC("xdp") int prog(void *c) { return used((long)c); }',
        "lonely",
        "note",
    ),
    Case("BL021", 'SEC("?xdp") int prog(void *c) { return 2; }', XDP, "prog", "note"),
    Case(
        "BL022",
        'SEC("xdp") int prog(void *c) { asm volatile(".rept 5000\\n r0 = 0\\n .endr"); return 0; }',
        XDP,
        "prog",
        "note",
    ),
    Case(
        "BL022",
        'SEC("xdp") int prog(void *c) { asm volatile(".rept 1000000\\n r0 = 0\\n .endr"); return 0; }',
        'SEC("xdp") int prog(void *c) { asm volatile(".rept 4000\\n r0 = 0\\n .endr"); return 0; }',
        "prog",
        "error",
    ),
    Case(
        "BL023",
        HELPERS
        + map_("table", PROG_ARRAY, "__uint(max_entries, 4); __type(key, __u32); __type(value, __u32);")
        + 'static __attribute__((noinline)) int part(void *c) { asm volatile(""); return (long)c & 1; }'
        + 'SEC("xdp") int prog(void *c) { bpf_tail_call(c, &table, 1); return part(c); }',
        HELPERS
        + map_("table", PROG_ARRAY, "__uint(max_entries, 4); __type(key, __u32); __type(value, __u32);")
        + 'SEC("xdp") int prog(void *c) { bpf_tail_call(c, &table, 1); return 0; }',
        "prog",
        "note",
    ),
    Case(
        "BL024",
        HELPERS + 'SEC("kprobe/f") int prog(void *c) { char x[8]; return bpf_probe_read_str(x, 8, c); }',
        HELPERS + 'SEC("kprobe/f") int prog(void *c) { char x[8]; return bpf_probe_read_user(x, 8, c); }',
        "prog",
        "note",
        said="bpf_probe_read_kernel_str or bpf_probe_read_user_str",
    ),
    Case(
        "BL024",
        HELPERS + 'SEC("kprobe/f") int prog(void *c) { long x; return bpf_probe_read(&x, 8, c); }',
        XDP,
        "prog",
        "error",
        lint.Context(platforms=("linux/s390x",)),
    ),
    Case(
        "BL025",
        HELPERS + 'SEC("xdp") int prog(void *c) { char f[] = "x"; return bpf_trace_printk(f, 2); }',
        XDP,
        "prog",
        "warning",
    ),
    Case(
        "BL026",
        HELPERS
        + map_("events", PERF, "__type(key, __u32); __type(value, __u32);")
        + 'SEC("kprobe/f") int prog(void *c) { return bpf_perf_event_output(c, &events, 0, &c, 8); }',
        HELPERS + map_("counts", ARRAY, NUMBERS) + using("counts"),
        "events",
        "note",
    ),
    Case("BL027", REGISTERS, REGISTERS, "probe", "warning", BOTH, AMD64),
    Case("BL027", REGISTERS, REGISTERS, "probe", "warning", lint.Context("p_bpfel.o"), lint.Context("p_x86_bpfel.o")),
    Case(
        "BL027",
        REGISTERS,
        'SEC("kprobe/vfs_read") int probe(void *r) { return 1; }'
        'SEC("xdp") int x(struct { int a; } *c) { return c->a; }',
        "probe",
        "warning",
        BOTH,
    ),
    Case(
        "BL028",
        'SEC("struct_ops/init") int prog(void *c) { return 0; }',
        'struct ops { int (*init)(void *c); }; SEC("struct_ops/init") int prog(void *c) { return 0; }'
        'SEC(".struct_ops") struct ops mine = { .init = (void *)prog };',
        "prog",
        "error",
    ),
    Case(
        "BL029",
        'struct { int type, key_size, value_size, max_entries, flags; } old SEC("maps") = { 2, 4, 8, 1, 0 };' + XDP,
        map_("new", ARRAY, NUMBERS) + XDP,
        "maps",
        "error",
        said="'old'",
    ),
    Case(
        "BL030", map_("m", ARRAY, NUMBERS.replace("key, __u32", "key, __u64")), map_("m", ARRAY, NUMBERS), "m", "error"
    ),
    Case("BL030", map_("m", ARRAY, NUMBERS + "__uint(map_flags, 1);"), map_("m", HASH, NUMBERS), "m", "error"),
    Case("BL030", map_("m", LRU, NUMBERS + "__uint(map_flags, 1);"), map_("m", LRU, NUMBERS), "m", "error"),
    Case(
        "BL030",
        map_("m", RINGBUF, "__type(value, __u64); __uint(max_entries, 4096);"),
        map_("m", RINGBUF, "__uint(max_entries, 4096);"),
        "m",
        "error",
    ),
    Case(
        "BL030",
        TRIE_KEY + map_("m", TRIE, "__type(key, struct k); __type(value, __u64); __uint(max_entries, 8);"),
        TRIE_KEY
        + map_("m", TRIE, "__type(key, struct k); __type(value, __u64); __uint(max_entries, 8); __uint(map_flags, 1);"),
        "m",
        "error",
        said="BPF_F_NO_PREALLOC",
    ),
    Case(
        "BL030",
        map_("m", SK_STORAGE, "__type(key, int); __type(value, __u64); __uint(map_flags, 1); __uint(max_entries, 9);"),
        map_("m", SK_STORAGE, "__type(key, int); __type(value, __u64); __uint(map_flags, 1);"),
        "m",
        "error",
        said="expected 0",
    ),
    Case(
        "BL030",
        "struct big { char bytes[40000]; };\n"
        + map_("m", PERCPU_HASH, "__type(key, int); __type(value, struct big); __uint(max_entries, 1);"),
        "struct big { char bytes[40000]; };\n"
        + map_("m", HASH, "__type(key, int); __type(value, struct big); __uint(max_entries, 1);"),
        "m",
        "error",
    ),
    Case("BL031", map_("m", HASH, NUMBERS.replace("8", "0")), map_("m", HASH, NUMBERS), "m", "note"),
    Case("BL031", map_("m", HASH, NUMBERS.replace("8", "0")), map_("m", HASH, NUMBERS), "m", "warning", SHIPPED),
    Case(
        "BL031",
        map_("m", STACK_TRACE, "__uint(key_size, 4); __uint(max_entries, 8);"),
        map_("m", PERF, "__uint(key_size, 4); __uint(value_size, 4);"),
        "m",
        "note",
        said="no size of values",
    ),
    Case(
        "BL031",
        map_("m", OUTER, "__uint(key_size, 4); __uint(value_size, 4); __uint(max_entries, 8);"),
        map_("m", QUEUE, "__uint(value_size, 4); __uint(max_entries, 8);"),
        "m",
        "note",
        said="shape of the inner maps",
    ),
    Case(
        "BL032",
        map_("m", RINGBUF, "__uint(max_entries, 100000);"),
        map_("m", RINGBUF, "__uint(max_entries, 262144);"),
        "m",
        "warning",
    ),
    Case(
        "BL033",
        map_("m", HASH, NUMBERS.replace("8", "4000000")),
        map_("m", HASH, NUMBERS.replace("8", "4000000") + "__uint(map_flags, 1);"),
        "m",
        "warning",
    ),
    Case(
        "BL033",
        map_("m", ARRAY, NUMBERS.replace("8", "300000")),
        map_("m", ARRAY, NUMBERS.replace("8", "100000")),
        "m",
        "warning",
        lint.Context(memory=1 << 20),
    ),
    Case(
        "BL034",
        map_("m", HASH, NUMBERS) + XDP,
        HELPERS + map_("m", HASH, NUMBERS) + using("m"),
        "m",
        "note",
    ),
    Case(
        "BL034",
        map_("m", HASH, NUMBERS) + XDP,
        HELPERS
        + map_("inner", ARRAY, NUMBERS)
        + "struct shape { __uint(type, 2); __type(key, __u32); __type(value, __u64); __uint(max_entries, 8); };"
        + "struct { __uint(type, 12); __type(key, __u32); __uint(max_entries, 2); __array(values, struct shape); }"
        + 'outer SEC(".maps") = { .values = { (void *)&inner } };'
        + using("outer"),
        "m",
        "note",
    ),
    Case("BL035", map_("m", HASH, NUMBERS + "__uint(pinning, 1);"), map_("m", HASH, NUMBERS), "m", "note"),
    Case(
        "BL036",
        'SEC("xdp") int count_packets_in(void *c) { return 0; } SEC("xdp") int count_packets_i2(void *c) { return 0; }',
        'SEC("xdp") int count_packets_i(void *c) { return 0; } SEC("xdp") int count_packets_o(void *c) { return 0; }',
        "count_packets_in",
        "note",
        said="'count_packets_i'",
    ),
    Case(
        "BL037",
        'const __u32 port = 80; SEC("xdp") int prog(void *c) { return port; }',
        'const volatile __u32 port = 80; SEC("xdp") int prog(void *c) { return port; }',
        "port",
        "warning",
        said="const volatile",
    ),
    Case(
        "BL037",
        "__u64 seen;" + XDP,
        '__u64 seen; const struct pair { int a; } *unused __attribute__((unused)); SEC("xdp") int prog(void *c)'
        "{ seen++; return 0; }",
        "seen",
        "note",
    ),
    Case("BL038", XDP + '__u32 wanted SEC("version") = 1234;', XDP, "version", "note"),
]


def of(rule: str, problems: tuple[Problem, ...]) -> list[Problem]:
    return [problem for problem in problems if problem.rule == rule]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_rule_speaks_when_it_should(case: Case) -> None:
    data = compile_source(case.bad, target="bpfel", flags=case.flags)
    found = of(case.rule, lint.problems(data, case.context))
    assert [(problem.about, problem.severity) for problem in found] == [(case.about, case.severity)]
    assert case.said in f"{found[0].message} {found[0].hint}"
    assert lint.problems(data, case.context, disabled={case.rule}) == tuple(
        problem for problem in lint.problems(data, case.context) if problem.rule != case.rule
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_rule_is_silent_when_it_should_be(case: Case) -> None:
    data = compile_source(case.good, target="bpfel", flags=case.good_flags)
    assert of(case.rule, lint.problems(data, case.good_context or case.context)) == []


@pytest.mark.parametrize("rule", ["BL017", "BL024", "BL025", "BL027", "BL037"])
def test_rules_that_read_code_read_the_other_byte_order_too(rule: str) -> None:
    for case in CASES:
        if case.rule == rule:
            bad, good = (compile_source(text, target="bpfeb", flags=case.flags) for text in (case.bad, case.good))
            assert of(rule, lint.problems(bad, case.context))
            assert not of(rule, lint.problems(good, case.good_context or case.context))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_newest_compiler_makes_no_difference(case: Case) -> None:
    compiler = corpus.compilers()[-1]
    if compiler == "clang":
        pytest.skip("needs a newer clang than this machine's own, as clang-19 or clang-22")

    def compiled(text: str, flags: tuple[str, ...]) -> bytes:
        command = [compiler, "-target", "bpfel", *flags, "-Wno-everything", "-c", "-o", "-", "-x", "c", "-"]
        return subprocess.run(command, input=(PRELUDE + text).encode(), stdout=subprocess.PIPE, check=True).stdout

    bad = of(case.rule, lint.problems(compiled(case.bad, case.flags), case.context))
    assert [(problem.about, problem.severity) for problem in bad] == [(case.about, case.severity)]
    good = lint.problems(compiled(case.good, case.good_flags), case.good_context or case.context)
    assert of(case.rule, good) == []


def test_every_rule_is_tested() -> None:
    here = {"BL001", "BL003", "BL004", "BL005", "BL006", "BL007", "BL016", "BL039"}
    assert {case.rule for case in CASES} | here == {rule.id for rule in lint.RULES}


def test_bl001_unreadable_object() -> None:
    (problem,) = lint.problems(b"#!/bin/sh\n", lint.Context())
    assert (problem.rule, problem.severity) == ("BL001", "error")
    assert "not an ELF file" in problem.message
    assert not of("BL001", lint.problems(compile_source(XDP), lint.Context()))
    assert lint.problems(b"", lint.Context(), disabled={"BL001"}) == ()


def test_bl002_and_bl003_of_an_image_that_is_none() -> None:
    (problem,) = lint.broken(ImageError("the image has 2 layers", rules=("BI-2",)), lint.Context())
    assert (problem.rule, problem.message) == ("BL003", "the image has 2 layers (BI-2)")
    (problem,) = lint.broken(ImageError("the object is big-endian", rules=("BI-25",)), lint.Context())
    assert problem.rule == "BL002"
    assert lint.broken(ImageError("x", rules=("BI-2",)), lint.Context(), disabled={"BL003"}) == ()


def test_bl004_label_mismatch() -> None:
    image = build.image(compile_source(XDP + LICENSE), platform=Platform.host(), file_name="x.o")
    assert of("BL004", lint.problems(image.bytecode, lint.Context(), images={"linux/amd64": image})) == []
    lying = replace(image, labels=Labels({"prog": "tc"}, {}))
    images = {"linux/amd64": lying}
    (problem,) = of("BL004", lint.problems(lying.bytecode, lint.Context(), images=images))
    assert problem.platforms == ("linux/amd64",)
    assert (problem.rule, problem.severity, problem.kind) == ("BL004", "warning", "label")
    assert "BI-22" in problem.message
    assert of("BL004", lint.problems(lying.bytecode, lint.Context(), images=images, disabled={"BL004"})) == []


def test_bl005_object_too_large() -> None:
    data = compile_source(XDP)
    assert of("BL005", lint.problems(data + bytes(16 << 20), lint.Context()))
    assert not of("BL005", lint.problems(data + bytes((16 << 20) - len(data)), lint.Context()))


def test_bl006_dwarf_left_in() -> None:
    plain, stripped = compile_source(XDP, strip=False), compile_source(XDP)
    assert [p.severity for p in of("BL006", lint.problems(plain, lint.Context()))] == ["note"]
    assert [p.severity for p in of("BL006", lint.problems(plain, SHIPPED))] == ["warning"]
    assert not of("BL006", lint.problems(stripped, SHIPPED))


def test_bl007_leaked_path(tmp_path: Path) -> None:
    source = tmp_path / "secret" / "x.bpf.c"
    source.parent.mkdir()
    source.write_text('__attribute__((section("xdp"), used)) int prog(void *c)\n{\n    return 2;\n}\n')

    def compiled(folder: str) -> bytes:
        return compile_source(source, flags=("-g", "-O2", f"-ffile-prefix-map={source.parent}={folder}"))

    (problem,) = of("BL007", lint.problems(compiled("/build/7"), lint.Context()))
    assert (problem.severity, problem.about) == ("note", ".BTF.ext")
    (problem,) = of("BL007", lint.problems(compiled("/home/alice"), lint.Context()))
    assert problem.severity == "warning"
    assert "'/home/alice/x.bpf.c'" in problem.message
    relative = ("-g", "-O2", f"-ffile-prefix-map={source.parent}=.", "-fdebug-compilation-dir=.")
    assert not of("BL007", lint.problems(compile_source(source, flags=relative), lint.Context()))
    assert not of("BL007", lint.problems(compiled("/usr/include/x"), lint.Context()))


def test_bl016_no_line_info() -> None:
    data = compile_source(XDP)
    assert not of("BL016", lint.problems(data, lint.Context()))
    assert of("BL016", lint.problems(data.replace(b".BTF.ext\0", b".XTF.ext\0"), lint.Context()))


def test_a_problem_says_where_it_is(tmp_path: Path) -> None:
    source = tmp_path / "where.bpf.c"
    source.write_text(
        """typedef unsigned int __u32;
static long (*bpf_trace_printk)(const char *format, __u32 size, ...) = (void *)6;
__attribute__((section("?xdp"), used)) int prog(void *c)
{
    char text[] = "x";
    return bpf_trace_printk(text, 2);
}
"""
    )
    problems = lint.problems(compile_source(source), AMD64)
    (printk,) = of("BL025", problems)
    assert (printk.file, printk.line) == (str(source), 6)
    assert printk.column > 0
    assert printk.platforms == ("linux/amd64",)
    (autoload,) = of("BL021", problems)
    assert autoload.line in (3, 4)  # of the function's name, or of its brace


def test_a_helper_function_is_found_in_a_subprogram() -> None:
    text = HELPERS + (
        "static __attribute__((noinline)) int shout(void *c)\n"
        '{ char f[] = "x"; return bpf_trace_printk(f, 2) + (long)c; }\n'
        'SEC("xdp") int one(void *c) { return shout(c); }\nSEC("xdp") int two(void *c) { return shout(c) + 1; }\n'
    )
    (problem,) = of("BL025", lint.problems(compile_source(text), lint.Context()))
    assert "'one' and 1 more call bpf_trace_printk" in problem.message


@pytest.mark.parametrize("wanted", [0, 1 << 30, None])
def test_bl039_dangling_type(wanted: int | None) -> None:
    """`None` is the prototype that is there; 0 is `void`, which is no type of a function."""
    data = compile_source(XDP, target="bpfel")
    assert not of("BL039", lint.problems(data, lint.Context()))
    writer = BtfWriter("little")
    prototype = writer.add(w.FUNC_PROTO, "", writer.integer())
    writer.add(w.FUNC, "p", prototype if wanted is None else wanted, vlen=1)
    found = of("BL039", lint.problems(with_section(data, ".BTF", writer.data()), lint.Context()))
    assert [(problem.severity, problem.about) for problem in found] == ([] if wanted is None else [("error", ".BTF")])
    assert all(f"the type {wanted}, expected one below 4" in problem.message for problem in found)
