"""C declarations: they compile, and clang lays them out as the BTF says."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from bpfimg.btf import Btf, Limits, declaration, kinds, spelled
from bpfimg.bytecode import dissect
from bpfimg.errors import BytecodeError
from tests.support import btf as w
from tests.support.btf import BtfWriter
from tests.support.objects import compile_source
from tests.unit.btf.test_read import read

VMLINUX = Path("/sys/kernel/btf/vmlinux")
COMPOSITES = (kinds.STRUCT, kinds.UNION)


def shape(btf: Btf, type_id: int) -> object:
    """Sizes, offsets and names of members, all the way down, but for padding that a declaration has to name."""
    type_id = btf.bare(type_id)
    kind = btf.kind(type_id)
    if kind in COMPOSITES:
        members = [
            (btf.string(name), offset, width, shape(btf, member))
            for name, member, offset, width in btf.fields(type_id)
            if not btf.string(name).startswith("__pad")
        ]
        return kind, btf.target(type_id), tuple(members)
    if kind == kinds.ARRAY:
        element, count = btf.array(type_id)
        return "array", count, shape(btf, element)
    return kind if kind == kinds.PTR else ("number", btf.target(type_id))


def compiled_again(text: str, name: str, *, clang: str = "clang") -> tuple[Btf, int]:
    """The BTF of a declaration, and the id of the type that it was for."""
    if shutil.which(clang) is None:
        pytest.skip(f"needs {clang} to compile declarations")
    source = f"{text}\n{name} the_value;\n"
    command = [clang, "-target", "bpf", "-g", "-O0", "-w", "-c", "-x", "c", "-", "-o", "-"]
    done = subprocess.run(command, input=source.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode() + source
    types = dissect(done.stdout).types
    assert types is not None
    (variable,) = (i for i in range(1, len(types)) if types.kind(i) == kinds.VAR and types.name(i) == "the_value")
    return types, types.target(variable)


def same_again(btf: Btf, type_id: int) -> str:
    """The declaration, after checking that it has the layout it should have."""
    text = declaration(btf, type_id)
    types, again = compiled_again(text, spelled(btf, type_id))
    assert shape(types, again) == shape(btf, type_id), text
    return text


SOURCES = {
    "plain": "struct x { char a; int b; long c[2][3]; const char *const d; volatile int *e[4]; _Bool f; };",
    "nested": "struct in { int q; }; struct x { struct in a; struct { int b; union { char c; long d; }; } e[2]; };",
    "anonymous": "struct x { union { struct { int a, b; }; long c; }; struct { int d; }; };",
    "bitfields": "struct x { int a:3, b:7; unsigned c:22; long d:40; char e; int :0; int g:5; int :7; int h:2; };",
    "bits after bytes": "struct x { char a; short b; unsigned c:5; char d; int e:9; unsigned long f:33; _Bool g:1; };",
    "packed": "struct x { char a; int b; short c; long d; int e:3; int f:30; } __attribute__((packed));",
    "packed inside": "struct p { char a; int b; } __attribute__((packed)); struct x { char c; struct p d; int e; };",
    "aligned": "struct x { char a; int b __attribute__((aligned(64))); char c; } ;",
    "aligned whole": "struct x { char a; long b; char c[3]; } __attribute__((aligned(32)));",
    "aligned inside": "struct p { int a; } __attribute__((aligned(16))); struct x { char c; struct p d; char e; };",
    "packed and aligned": "struct x { char a; int b; } __attribute__((packed, aligned(4)));",
    "padding": "struct x { int a; int :32; char b; char pad[100]; long c; };",
    "functions": "struct x { int (*a)(void); void (*b[3])(struct x *, const char *, ...); long (*(*c)(int))(char); };",
    "typedefs": "typedef int t; typedef t *u; typedef u v[3]; typedef void (*w)(v); struct x { v a; w b; const t c; };",
    "typedef of anonymous": "typedef struct { int a; } t; struct x { t b; t *c; };",
    "enums": "enum e { A = -1, B }; enum f { C = 0xffffffff }; struct x { enum e a; enum f b; enum { D = 3 } c; };",
    "small enums": "enum e { A, B = 200 } __attribute__((packed)); struct x { enum e a; char b; enum e c:3; };",
    "list": "struct x { struct x *next; struct y *other; struct x *array[2]; }; struct y { struct x *back; };",
    "numbers": "struct x { __int128 a; unsigned __int128 b; float c; double d; signed char e; unsigned short f; };",
    "flexible": "struct x { int n; long rest[]; };",
    "empty": "struct e {}; struct x { struct e a; int b; struct e c; };",
    "union": "union u { char a[5]; int b:3; short c; } ; struct x { union u d; char e; };",
    "odd union": "union u { char a[5]; short b; } __attribute__((packed)); struct x { char c; union u d; short e; };",
    "same names": "struct x { struct { int a; } x; enum { Z } y; union { int z; } z; };",
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("target", ["bpfel", "bpfeb"])
def test_what_clang_made_is_made_again(name: str, target: str) -> None:
    dissection = dissect(compile_source(SOURCES[name] + " struct x value;", target=target))
    types = dissection.types
    assert types is not None
    (type_id,) = (i for i in range(1, len(types)) if types.kind(i) == kinds.STRUCT and types.name(i) == "x")
    if target == "bpfel":
        same_again(types, type_id)
    else:
        types_again, again = compiled_again(declaration(types, type_id), "struct x")
        assert shape(types_again, again) == shape(types, type_id)


def test_an_enum_of_64_bits() -> None:
    source = "enum wide { LARGE = 0xfffffffffffffffeULL, SMALL = 1 }; enum low { MIN = -0x7fffffffffffffffLL - 1 };"
    types, type_id = compiled_again(source + " struct x { enum wide a; enum low b; };", "struct x", clang="clang-19")
    text = declaration(types, type_id)
    again, found = compiled_again(text, "struct x", clang="clang-19")
    assert shape(again, found) == shape(types, type_id)
    assert "LARGE = 18446744073709551614ULL" in text
    assert "MIN = -9223372036854775807LL - 1" in text


def test_order_forward_declarations_and_text() -> None:
    source = """
struct far { int a; };
struct near { int b; };
typedef int (*call_t)(struct far *);
struct value { __u64 count; struct near n; struct far *f; call_t call; __u32 flags : 3; } value;
"""
    types = dissect(compile_source(source)).types
    assert types is not None
    (type_id,) = (i for i in range(1, len(types)) if types.name(i) == "value" and types.kind(i) == kinds.STRUCT)
    expected = """\
typedef unsigned long long __u64;
struct near {
	int b;
};
struct far;
typedef int (*call_t)(struct far *);
typedef unsigned int __u32;
struct value {
	__u64 count;
	struct near n;
	struct far *f;
	call_t call;
	__u32 flags : 3;
};
"""
    assert declaration(types, type_id) == expected


def test_names_that_c_does_not_have_are_mended() -> None:
    """As Rust writes them: "core::Foo<u8>", and its own names for numbers."""
    writer = BtfWriter()
    u8 = writer.integer("u8", 1, encoding=0)
    flag = writer.integer("bool", 1, encoding=4)
    words = writer.string("0"), u8, 0, writer.string("default"), flag, 8, writer.string('"; evil'), u8, 16
    struct = writer.add(w.STRUCT, "core::Foo<u8>", 3, *words, vlen=3)
    expected = (
        "typedef unsigned char u8;\ntypedef _Bool bool;\n"
        "struct core__Foo_u8_ {\n\tu8 _0;\n\tbool default_;\n\tu8 ___evil;\n};\n"
    )
    assert declaration(read(writer), struct) == expected


def test_names_that_come_twice_get_a_number() -> None:
    writer = BtfWriter()
    number = writer.integer()
    one = writer.add(w.STRUCT, "same", 4, writer.string("a"), number, 0, vlen=1)
    two = writer.add(w.STRUCT, "same", 4, writer.string("b"), number, 0, vlen=1)
    enums = [writer.add(w.ENUM, name, 4, writer.string("A"), 7, vlen=1) for name in ("e", "f")]
    words = [
        word for at, member in enumerate((one, two, *enums)) for word in (writer.string(f"m{at}"), member, at * 32)
    ]
    both = writer.add(w.STRUCT, "both", 16, *words, vlen=4)
    text = declaration(read(writer), both)
    assert "struct same___2 m1;" in text
    assert "\tA___2 = 7," in text
    compiled_again(text, "struct both")


def test_tags_and_variables() -> None:
    writer = BtfWriter()
    number = writer.integer()
    tagged = writer.add(w.PTR, "", writer.add(w.TYPE_TAG, "user", writer.add(w.CONST, "", number)))
    variable = writer.variable("where", tagged)
    assert declaration(read(writer), variable) == 'const int __attribute__((btf_type_tag("user"))) *where;\n'
    function = writer.add(
        w.FUNC, "go", writer.add(w.FUNC_PROTO, "", 0, writer.string("a"), number, 0, 0, vlen=2), vlen=1
    )
    assert declaration(read(writer), function) == "void go(int a, ...);\n"
    assert declaration(read(writer), number) == ""


def test_hostile_types_are_one_error() -> None:
    writer = BtfWriter()
    writer.add(w.STRUCT, "itself", 4, writer.string("a"), 1, 0, vlen=1)
    with pytest.raises(BytecodeError, match="holds itself"):
        declaration(read(writer), 1)
    writer = BtfWriter()
    number = writer.integer()
    overlap = writer.add(w.STRUCT, "o", 8, writer.string("a"), number, 32, writer.string("b"), number, 8, vlen=2)
    with pytest.raises(BytecodeError, match="overlap"):
        declaration(read(writer), overlap)
    writer = BtfWriter()
    pointer = writer.add(w.PTR, "", 1)
    with pytest.raises(BytecodeError, match="cycle"):
        declaration(read(writer), pointer)
    writer = BtfWriter()
    writer = BtfWriter()
    pointer = writer.add(w.PTR, "", writer.section(".data"))
    variable = writer.variable("x", pointer)
    with pytest.raises(BytecodeError, match="no word for"):
        declaration(read(writer), variable)


def test_types_that_would_explode_are_one_error() -> None:
    """A few hundred bytes of anonymous unions that hold the one before twice would be gigabytes of C."""
    writer = BtfWriter()
    last = writer.integer()
    for _ in range(30):
        last = writer.add(w.UNION, "", 4, writer.string("a"), last, 0, writer.string("b"), last, 0, vlen=2)
    with pytest.raises(BytecodeError):
        declaration(read(writer), last)


@pytest.mark.skipif(not VMLINUX.exists(), reason="needs the types of the running kernel in /sys/kernel/btf/vmlinux")
def test_structs_of_the_running_kernel() -> None:
    types = Btf(VMLINUX.read_bytes(), "little", Limits())
    ids = [i for i in range(1, len(types)) if types.kind(i) in COMPOSITES and types.name(i)]
    named = [i for i in ids if types.name(i) in ("task_struct", "sk_buff", "tcphdr", "bpf_insn", "net_device")]
    for type_id in [*named, *random.Random(5).sample(ids, 60)]:
        same_again(types, type_id)


def test_bpftool_lays_it_out_the_same(tmp_path: Path) -> None:
    """The peer: `bpftool btf dump file OBJECT format c`."""
    if shutil.which("bpftool") is None:
        pytest.skip("needs bpftool to compare with")
    data = compile_source(
        SOURCES["nested"] + SOURCES["packed"].replace("struct x", "struct y") + "struct x a; struct y b;"
    )
    types = dissect(data).types
    assert types is not None
    (tmp_path / "o.o").write_bytes(data)
    command = ["bpftool", "btf", "dump", "file", str(tmp_path / "o.o"), "format", "c"]
    done = subprocess.run(command, capture_output=True, check=True)
    for type_id in range(1, len(types)):
        if types.kind(type_id) == kinds.STRUCT and types.name(type_id) in ("x", "y"):
            name = f"struct {types.name(type_id)}"
            theirs = compiled_again(done.stdout.decode(), name)
            ours = compiled_again(declaration(types, type_id), name)
            assert shape(*theirs) == shape(*ours)
