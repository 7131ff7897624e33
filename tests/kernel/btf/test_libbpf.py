"""Our answers against libbpf's: value by value, for every kind of relocation, on real and on made-up kernels.

libbpf says what it writes into each instruction (`libbpf_set_print`) before the kernel sees a program, so that it does
not matter whether the programs would load.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from bpfimg.btf import declaration, kinds, spelled
from bpfimg.bytecode import dissect
from tests.support import corpus_groups
from tests.support.core import compiled, kernel_of, libbpfs, opened, ours
from tests.support.features import native

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: libbpf resolves only on the way to loading"),
]

VMLINUX = Path("/sys/kernel/btf/vmlinux")


def agree(data: bytes, kernel: Path) -> dict[str, int]:
    """Fails unless both say the same of each relocation, up to the one where libbpf gives up; counts outcomes."""
    mine, theirs = ours(data, kernel.read_bytes()), libbpfs(data, kernel)
    if not theirs:
        return {}
    counted: dict[str, int] = {}
    for key, answer in mine.items():
        counted[answer.outcome] = counted.get(answer.outcome, 0) + 1
        other = theirs.get(key)
        assert other is not None, f"{key}: libbpf says nothing, we {answer}"
        if answer.outcome == "refused":
            assert other.outcome == "failed", f"{key}: {answer} and {other}"
            break
        if answer.outcome == "unresolved":
            assert other.outcome == "poisoned", f"{key}: {answer} and {other}"
        else:
            assert (other.outcome, other.value) == ("patched", answer.value), f"{key}: {answer} and {other}"
    return counted


REAL = """
struct task_struct___mine { int pid; int tgid; char comm[16]; struct task_struct___mine *group_leader;
    unsigned in_execve:1; int __state; long state; struct { int nope; }; unsigned flags; void *mm; } CORE;
struct sk_buff { unsigned char cloned:1; unsigned char pkt_type:3; unsigned int len; unsigned long tstamp; } CORE;
struct nowhere { int a; } CORE;
struct list_head { struct list_head *next, *prev; } CORE;
struct bpf_map { unsigned int key_size; struct { int counter; } refcnt; char name[16]; } CORE;
struct file { void *f_inode; unsigned f_mode; } CORE;
struct path { void *mnt; } CORE;
union bpf_attr { struct { unsigned map_type; unsigned key_size; }; } CORE;
enum bpf_func_id { BPF_FUNC_unspec, BPF_FUNC_map_lookup_elem = 1, BPF_FUNC_nix = 3 };
enum bpf_prog_type { BPF_PROG_TYPE_XDP = 0, BPF_PROG_TYPE_LSM___old = 1 };
enum pid_type { PIDTYPE_SID = 9 };
typedef unsigned long long u64;
typedef struct { int counter; } atomic_t;
typedef int (*initcall_t)(void);
#define T ((struct task_struct___mine *)ctx)
#define S ((struct sk_buff *)ctx)
ask(1, field_offset(T->pid) + T->tgid)
ask(2, field_exists(T->nope) + field_exists(T->mm) + field_exists(T->state) + field_exists(T->__state))
ask(3, field_size(T->comm) + field_size(T->comm[3]) + field_offset(T->comm[3]) + T->comm[5])
ask(4, T->group_leader->group_leader->pid + T->flags + T->state)
ask(5, field_offset(T->in_execve) + field_size(T->in_execve) + field_lshift(T->in_execve) + field_rshift(T->in_execve))
ask(6, field_offset(S->pkt_type) + field_size(S->pkt_type) + field_lshift(S->pkt_type) + field_rshift(S->pkt_type))
ask(7, field_signed(S->pkt_type) + field_signed(T->pid) + field_signed(T->flags) + S->len + S->tstamp)
ask(8, type_exists(struct nowhere) + type_size(struct nowhere) + type_id_kernel(struct nowhere))
ask(9, type_exists(struct sk_buff) + type_size(struct sk_buff) + type_id_kernel(struct sk_buff))
ask(10, type_id_local(struct sk_buff) + type_id_local(struct nowhere))
ask(11, type_exists(u64) + type_size(u64) + type_exists(atomic_t) + type_size(atomic_t) + type_exists(initcall_t))
ask(12, type_exists(union bpf_attr) + type_size(union bpf_attr) + field_offset(((union bpf_attr *)ctx)->key_size))
ask(13, enumval(enum bpf_func_id, BPF_FUNC_map_lookup_elem) + enumval_exists(enum bpf_func_id, BPF_FUNC_nix))
ask(14, enumval(enum bpf_func_id, BPF_FUNC_nix))
ask(15, enumval(enum bpf_prog_type, BPF_PROG_TYPE_XDP) + enumval(enum bpf_prog_type, BPF_PROG_TYPE_LSM___old))
ask(16, enumval(enum pid_type, PIDTYPE_SID) + enumval_exists(enum pid_type, PIDTYPE_SID))
ask(17, ((struct nowhere *)ctx)->a)
ask(18, field_exists(((struct bpf_map *)ctx)->refcnt.counter) + ((struct bpf_map *)ctx)->name[7])
ask(19, (unsigned long)((struct list_head *)ctx)[2].prev + field_offset(((struct list_head *)ctx)[3].prev))
ask(20, ((struct file *)ctx)->f_mode + field_exists(((struct path *)ctx)->mnt))
"""

MATCHES = """
struct list_head { struct list_head *next, *prev; };
struct path { int mnt; };
struct hlist_node___mine { struct hlist_node *next; };
struct nowhere;
enum pid_type { PIDTYPE_PID, PIDTYPE_TGID, PIDTYPE_PGID };
enum bpf_prog_type { BPF_PROG_TYPE_NIX };
typedef struct { int counter; } atomic_t;
typedef struct { long counter; } atomic64_t;
typedef int (*initcall_t)(void);
typedef int (*notifier_fn_t)(struct notifier_block *nb, unsigned long action, void *data);
typedef unsigned short __u16_;
ask(1, type_matches(struct list_head) + type_matches(struct path))
ask(2, type_matches(struct hlist_node___mine))
ask(3, type_matches(enum pid_type) + type_matches(enum bpf_prog_type))
ask(4, type_matches(atomic_t) + type_matches(atomic64_t))
ask(5, type_matches(initcall_t) + type_matches(notifier_fn_t))
"""


@pytest.mark.parametrize("clang", ["clang", "clang-19"])
def test_the_running_kernel(clang: str) -> None:
    counted = agree(compiled(REAL, clang=clang), VMLINUX)
    assert counted["resolved"] > 30
    assert counted["absent"] >= 6
    assert counted["unresolved"] >= 3


def test_type_matches_on_the_running_kernel() -> None:
    counted = agree(compiled(MATCHES, clang="clang-19"), VMLINUX)
    assert counted["resolved"] >= 5
    assert counted["absent"] >= 2


#: what an object thinks of the kernel, and kernels that differ from it
LOCAL = """
enum colour { RED = 1, GREEN = -2, BLUE = 7 };
enum wide { SMALL = 1, LARGE = 0x100000002ULL };
struct inner { int x; short y[4]; };
struct tail { int n; struct inner rest[]; };
struct subject { unsigned a; int s; unsigned char b; char text[16]; struct inner in[3]; struct inner *p;
    unsigned f:3; int g:7; enum colour c; struct { int deep; struct { int deeper; }; }; unsigned long long u; } CORE;
struct subject___old { unsigned former; unsigned a; } CORE;
struct tail_user { struct tail *t; } CORE;
typedef struct subject subject_t;
typedef int (*call_t)(struct inner *, int);
#define P ((struct subject *)ctx)
ask(1, P->a + P->b + P->u)
ask(2, P->text[3] + field_offset(P->text[15]) + field_size(P->text) + field_exists(P->text[15]))
ask(3, field_offset(P->in[2].y[3]) + field_exists(P->in[2].y[3]) + field_size(P->in[1]) + field_exists(P->in[1].x))
ask(4, field_offset(P->f) + field_size(P->f) + field_lshift(P->f) + field_rshift(P->f) + field_signed(P->f))
ask(5, field_offset(P->g) + field_size(P->g) + field_lshift(P->g) + field_rshift(P->g) + field_signed(P->g))
ask(6, field_lshift(P->a) + field_rshift(P->a) + field_signed(P->s) + field_signed(P->c) + field_exists(P->c))
ask(7, P->deep + P->deeper + field_exists(P->deep) + field_exists(P->deeper))
ask(8, (unsigned long)P->p + field_offset(P->p) + field_exists(P->p) + field_size(P->p))
ask(9, type_exists(struct subject) + type_size(struct subject) + type_id_kernel(struct subject))
ask(10, type_exists(subject_t) + type_size(subject_t) + type_exists(call_t) + type_id_local(struct subject))
ask(11, enumval(enum colour, GREEN) + enumval_exists(enum colour, BLUE) + enumval_exists(enum colour, RED))
ask(12, enumval(enum colour, BLUE) + enumval(enum colour, RED))
ask(13, ((struct subject___old *)ctx)->former + field_exists(((struct subject___old *)ctx)->former))
ask(14, field_exists(((struct tail *)ctx)->n) + type_size(struct tail))
ask(15, P->s)
"""
LARGE = "ask(16, enumval(enum wide, LARGE) + enumval(enum wide, SMALL) + enumval_exists(enum wide, LARGE))\n"

SAME = """
enum colour { RED = 1, GREEN = -2, BLUE = 7 };
enum wide { SMALL = 1, LARGE = 0x100000002ULL };
struct inner { int x; short y[4]; };
struct subject { unsigned a; int s; unsigned char b; char text[16]; struct inner in[3]; struct inner *p;
    unsigned f:3; int g:7; enum colour c; struct { int deep; struct { int deeper; }; }; unsigned long long u; };
typedef struct subject subject_t;
typedef int (*call_t)(struct inner *, int);
struct subject one; subject_t two; enum colour c; enum wide w = 0x100000002ULL; call_t call;
"""
KERNELS = {
    "same": SAME,
    "moved": """
enum colour { BLACK, GREEN, RED = 0x7fffffff };
enum wide { LARGE = 0x7fffffffffffULL };
struct inner { char new; short y[8]; long x; };
struct subject { union { struct { struct { int deeper; } named; int deep; }; long cover; }; struct inner in[2];
    unsigned long long f:40; char text[8]; long long g:20; unsigned long a; short b; int u;
    enum colour c; int s; int *p; };
struct subject one; enum colour c; enum wide w;
""",
    "other types": """
enum colour { RED = 5 };
struct inner { int x; short y[2]; };
struct subject { struct inner a; char *b; int text; struct inner *in; int p; int f; unsigned g; int c; long s;
    int deep[3]; float deeper; struct { int v; } u; };
struct subject one; enum colour c; typedef int call_t; call_t call; typedef struct { int x; } subject_t; subject_t two;
""",
    "flavours that agree": """
struct inner { int x; short y[4]; };
struct subject { unsigned a; int s; char text[16]; };
struct subject___2 { unsigned a; int s; char text[16]; int more; };
struct subject one; struct subject___2 two;
""",
    "flavours that disagree": """
struct subject { unsigned a; int s; }; struct subject___2 { int s; unsigned a; };
struct subject one; struct subject___2 two;
""",
    "nothing": "struct unrelated { int x; } one; enum { RED, GREEN } c;",
    "packed": """
struct inner { char z; int x; short y[5]; } __attribute__((packed));
struct subject { char first; unsigned f:5; unsigned long long g:62; struct inner in[4]; unsigned a; struct inner *p;
    unsigned char b; char text[3]; long long u; enum { A } c; } __attribute__((packed));
struct subject one;
""",
    "typedefs and unions": """
typedef const unsigned number; typedef number *pointer; enum colour { RED___new = 77, GREEN___x = -5 };
union subject { int a; };
typedef struct { number a; volatile int s; pointer p; } subject_t; subject_t one; union subject two; enum colour c;
""",
}


@native("the running kernel has no part in it")
@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("clang", ["clang", "clang-19"])
def test_made_up_kernels(name: str, clang: str, tmp_path: Path) -> None:
    kernel = tmp_path / "kernel.btf"
    kernel.write_bytes(kernel_of(KERNELS[name], clang=clang))
    assert agree(compiled(LOCAL + (LARGE if clang != "clang" else ""), clang=clang), kernel)


@native("the running kernel has no part in it")
def test_an_enum_of_64_bits(tmp_path: Path) -> None:
    kernel = tmp_path / "kernel.btf"
    for name in ("same", "moved"):
        kernel.write_bytes(kernel_of(KERNELS[name], clang="clang-19"))
        wide = "enum wide { SMALL = 1, LARGE = 0x100000002ULL, NEGATIVE = -1LL };\n" + LARGE
        assert agree(compiled(wide, clang="clang-19"), kernel)


FIELDS: tuple[str, ...] = (
    "unsigned {}",
    "int {}",
    "unsigned char {}",
    "short {}",
    "long long {}",
    "unsigned long {}",
    "char *{}",
)
FIELDS += ("char {}[8]", "struct inner {}", "struct inner *{}", "enum colour {}", "int {}[2][3]", "void (*{})(int)")
BITS = ("unsigned {} : 3", "int {} : 9", "unsigned char {} : 1", "_Bool {} : 1")
OTHER_BITS = (*BITS, "unsigned long {} : 33", "long long {} : 60")  # clang takes no questions about all of these
TOO_MUCH = (5, 21)  # where clang 14 dies of a question ("requiring too big alignment")
HEAD = "enum colour { RED = 1 }; struct inner { int x; long y; };\n"


def made_up(seed: int) -> tuple[str, str]:
    """A random struct in the object, questions about each of its fields, and a kernel's that differs at random."""
    chance = random.Random(seed)
    fields = {f"m{n}": chance.choice(FIELDS if chance.random() < 0.7 else BITS) for n in range(12)}
    there = {
        name: chance.choice(FIELDS + OTHER_BITS) if chance.random() < 0.3 else form for name, form in fields.items()
    }
    for name in chance.sample(sorted(there), 2):
        del there[name]
    fields |= {name: FIELDS[0] for name, form in fields.items() if form == BITS[1] and seed in TOO_MUCH}
    names = [*there, "extra1", "extra2"]
    there |= {"extra1": chance.choice(FIELDS), "extra2": chance.choice(OTHER_BITS)}
    chance.shuffle(names)
    lines = [there[name].format(name) + ";" for name in names]
    cut = chance.randrange(len(lines))
    word = chance.choice(("struct", "union"))
    lines[cut : cut + 3] = [word + " {", *lines[cut : cut + 3], "};"]
    packed = " __attribute__((packed))" if chance.random() < 0.2 else ""
    kernel = f"{HEAD}struct random {{ {' '.join(lines)} }}{packed}; struct random one;"
    local = (
        HEAD + "struct random { " + " ".join(form.format(name) + ";" for name, form in fields.items()) + " } CORE;\n"
    )
    local += "#define R ((struct random *)ctx)\n"
    for number, (name, form) in enumerate(fields.items()):
        words = [f"field_exists(R->{name})", f"field_offset(R->{name})", f"field_size(R->{name})"]
        words += [f"field_signed(R->{name})"] if form in (*BITS, *FIELDS[:2]) else []
        words += [f"field_{side}shift(R->{name})" for side in "lr"] if form in BITS else []
        words += [f"R->{name}"] if form in FIELDS[:6] else []
        local += f"ask({number}, {' + '.join(words)})\n"
    return local, kernel


@native("the running kernel has no part in it")
@pytest.mark.parametrize("seed", range(24))
def test_random_structs(seed: int, tmp_path: Path) -> None:
    local, target = made_up(seed)
    kernel = tmp_path / "kernel.btf"
    kernel.write_bytes(kernel_of(target))
    assert agree(compiled(local), kernel)


@native("reads the types of the kernel again and again")
def test_structs_of_the_running_kernel(tmp_path: Path) -> None:
    """A random struct of this kernel, declared here as C, asked for field by field in this kernel and in one where some
    names are others."""
    raw = VMLINUX.read_bytes()
    types = opened(raw).types
    chance = random.Random(1)
    composites = (kinds.STRUCT, kinds.UNION)
    ids = [
        i for i in range(1, len(types)) if types.kind(i) in composites and types.name(i) and 4 < types.length(i) < 40
    ]
    other = tmp_path / "kernel.btf"
    counted = {"resolved": 0, "absent": 0, "unresolved": 0}
    for type_id in chance.sample(ids, 12):
        struct = spelled(types, type_id)
        names = [types.string(name) for name, _type, _offset, _width in types.fields(type_id) if name]
        words = [f"field_{what}((({struct} *)ctx)->{name})" for name in names for what in ("exists", "offset", "size")]
        source = "#pragma clang attribute push (CORE, apply_to = record)\n" + declaration(types, type_id)
        source += "#pragma clang attribute pop\n" + f"ask(1, {' + '.join(words)})\n"
        source += f"ask(2, type_exists({struct}) + type_size({struct}) + type_id_kernel({struct}))\n"
        renamed = raw
        for name in names[::3]:
            renamed = renamed.replace(b"\0" + name.encode() + b"\0", b"\0" + name.encode()[:-1] + b"!\0")
        other.write_bytes(renamed)
        for kernel in (VMLINUX, other):
            for outcome, number in agree(compiled(source, headers=False), kernel).items():
                counted[outcome] += number
    assert min(counted.values()) > 10


@native("parses hundreds of objects, minutes under emulation")
def test_objects_of_packages() -> None:
    """Every object of a package that libbpf gets as far as relocating."""
    counted: dict[str, int] = {}
    objects = 0
    for sample in corpus_groups.here():
        dissection = dissect(sample.data)
        if ":" in sample.name and dissection.object.byte_order == "little" and dissection.object.has_core_relocations:
            found = agree(sample.data, VMLINUX)
            objects += bool(found)
            for outcome, number in found.items():
                counted[outcome] = counted.get(outcome, 0) + number
    if not objects:
        pytest.skip("needs packages with eBPF objects: python -m tests.support.packages")
    assert counted["resolved"] > 100
