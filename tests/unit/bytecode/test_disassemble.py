"""Instructions as text: compared with llvm-objdump for every operation code, and in real objects."""

from __future__ import annotations

import random
import re
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from bpfimg.bytecode import dissect
from bpfimg.bytecode._decode import UNKNOWN, decode
from bpfimg.errors import BytecodeError
from tests.support.corpus import compiled
from tests.support.objects import EXAMPLES, PRELUDE, compile_source

if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.bytecode._decode import Instruction

OLD, NEW = "llvm-objdump", "llvm-objdump-19"
#: LLVM's own option for "everything that you know", and how each version is asked
EVERYTHING = {OLD: ("--mattr=+alu32", "--print-imm-hex"), NEW: ("--mcpu=v4",)}
PLAIN = {OLD: ("--print-imm-hex",), NEW: ()}


def objdump(tool: str, path: Path, *options: str) -> list[tuple[bytes, str]]:
    """(bytes, text) of each instruction, without the symbols that LLVM puts behind branches."""
    if shutil.which(tool) is None:
        pytest.skip(f"needs {tool}")
    done = subprocess.run([tool, "-d", "-z", *options, str(path)], capture_output=True, text=True, check=True)
    found = []
    for line in done.stdout.splitlines():
        parts = line.split("\t")
        if len(parts) >= 3 and parts[0].strip().removesuffix(":").isdigit():
            text = UNKNOWN if UNKNOWN in line else re.sub(r" <[^ <>]+>$", "", " ".join(parts[2:]))
            found.append((bytes.fromhex(parts[1].replace(" ", "")), text))
    return found


def assembled(code: bytes, target: str) -> bytes:
    rows = "\\n".join(".byte " + ",".join(map(str, code[i : i + 8])) for i in range(0, len(code), 8))
    return compile_source(f'__asm__(".section prog,\\"ax\\"\\n{rows}\\n");', target=target, prelude=False)


def every_operation(order: str) -> list[bytes]:
    """Every operation code with many registers, offsets and immediates."""
    chance = random.Random(7)
    offsets = (0, 0, 0, 1, 4, 8, 16, 24, 32, -8, 32767, -32768)
    immediates = (0, 0, 1, 2, 3, 7, 16, 32, 64, -1, -5, 0x41, 0x50, 0x51, 0xA0, 0xA1, 0xE1, 0xF1, 0x7FFFFFFF, -(2**31))
    atomics = (0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xA0, 0xA1, 0xE1, 0xF1)
    rows = []
    for opcode in range(256):
        if opcode == 0x18:
            continue  # takes two rows: below
        for _ in range(40):
            low, high = chance.randrange(11), chance.randrange(11)
            registers = low | high << 4
            imm = chance.choice(atomics if opcode in (0xC3, 0xDB) else immediates)
            rows.append(struct.pack(order + "BBhi", opcode, registers, chance.choice(offsets), imm))
    for imm, high in ((0, 0), (1, 0), (-1, -1), (0, -(2**31)), (-1, 2**31 - 1), (0x75BCD15, 0)):
        rows.append(struct.pack(order + "BBhiBBhi", 0x18, 0x01 if order == "<" else 0x10, 0, imm, 0, 0, 0, high))
    return rows


# What ours reads that LLVM 19 does not: newer instructions (LLVM 20 and 21), and what the verifier puts in.
NEWER = ("gotox", "nospec", "load_acquire", "store_release", "&(void __percpu *)")


def alike(ours: str, theirs: str) -> bool:
    """Whether LLVM, asked for 32-bit registers, says the same: it calls them w where memory is read or written."""
    if "skb[r" in ours:
        return re.sub(r" [+-] .*]", "]", ours) == theirs  # LLVM leaves the immediate out
    return ours == re.sub(r"^w(\d+ = \*)|^(\*\(u(?:8|16|32) \*\).* = )w(\d+)$", _wide, theirs)


def _wide(found: re.Match[str]) -> str:
    return f"r{found[1]}" if found[1] else f"{found[2]}r{found[3]}"


@pytest.mark.parametrize(("target", "order"), [("bpfel", "<"), ("bpfeb", ">")])
def test_every_operation_is_read_as_llvm_reads_it(target: str, order: str, tmp_path: Path) -> None:
    rows = every_operation(order)
    path = tmp_path / "all.o"
    path.write_bytes(assembled(b"".join(rows), target))
    theirs = objdump(NEW, path, *EVERYTHING[NEW])
    assert [raw for raw, _ in theirs] == rows
    known = 0
    for raw, text in theirs:
        (ours,) = decode(raw, "little" if order == "<" else "big")
        assert ours.raw == raw
        if text == UNKNOWN:
            assert ours.text == UNKNOWN or ours.text.startswith(NEWER) or any(word in ours.text for word in NEWER)
        else:
            known += 1
            assert alike(ours.text, text), f"{raw.hex()}: {ours.text} / {text}"
    assert known > 3000


SOURCE = r"""
struct { __uint(type, 1); __type(key, __u32); __type(value, __u64); __uint(max_entries, 8); } counts SEC(".maps");
static void *(*lookup)(void *, const void *) = (void *)1;
static long (*printk)(const char *, __u32, ...) = (void *)6;
static long (*loop)(__u32, void *, void *, __u64) = (void *)181;
const volatile __u32 limit = 7;
__u64 seen, other[4];
extern int kernel_function(int) __attribute__((section(".ksyms")));
extern const int kernel_variable __attribute__((section(".ksyms")));
extern int LINUX_KERNEL_VERSION __attribute__((section(".kconfig")));
static __attribute__((noinline)) long step(__u32 index, void *context) { return index > 3; }
__attribute__((noinline)) int deeper(int a) { asm volatile("" : "+r"(a)); return a + limit; }
static __attribute__((noinline)) int deep(int a) { asm volatile("" : "+r"(a)); return deeper(a) * 3; }
SEC("xdp") int prog(int *context)
{
    static const char format[] = "hello %d\n";
    __u32 key = *context;
    __u64 *count = lookup(&counts, &key);
    if (count && *count < limit)
        __sync_fetch_and_add(count, 1);
    printk(format, sizeof format, key);
    loop(10, step, 0, 0);
    seen += deep(key);
    other[2] = kernel_function(key) + kernel_variable + LINUX_KERNEL_VERSION;
    return 2;
}
SEC("tc") int second(void *context) { return deeper(5); }
char LICENSE[] SEC("license") = "GPL";
"""


def read(source: str, name: str, target: str = "bpf") -> tuple[Instruction, ...]:
    return dissect(compile_source(source, target=target)).disassemble(name)


@pytest.mark.parametrize("target", ["bpfel", "bpfeb"])
@pytest.mark.parametrize("cpu", ["v1", "v2", "v3"])
@pytest.mark.parametrize("tool", [OLD, NEW])
@pytest.mark.parametrize("name", ["xdp_counter", "xdp_pass", "source"])
def test_real_objects_are_read_as_llvm_reads_them(name: str, tool: str, cpu: str, target: str, tmp_path: Path) -> None:
    flags = ("-g", "-O2", f"-mcpu={cpu}")
    source = SOURCE if name == "source" else EXAMPLES / f"{name}.bpf.c"
    data = compile_source(source, target=target, flags=flags)
    path = tmp_path / "o.o"
    path.write_bytes(data)
    texts = {raw: set[str]() for raw, _ in objdump(tool, path, *PLAIN[tool])}
    theirs = [objdump(tool, path, *options) for options in (PLAIN[tool], EVERYTHING[tool])]
    for listing in theirs:
        for raw, text in listing:
            texts[raw].add(text)
    found = dissect(data)
    sizes = {each.name: each.instructions for each in found.object.programs}
    sizes |= {each.name: each.instructions for each in found.object.functions}
    for name_, size in sizes.items():
        rows = found.disassemble(name_)
        assert all(row.text in texts[row.raw] for row in rows)
        assert sum(len(row.raw) for row in rows) == 8 * size


def test_the_code_of_the_corpus_is_read_as_llvm_reads_it(tmp_path: Path) -> None:
    """Every kind of instruction that compilers write, in both byte orders, with LLVM's old and new compilers."""
    wanted = ("isa_", "subprogram_", "callback_", "kfunc_", "core_", "struct_ops_", "linked")
    samples = [sample for sample in compiled() if sample.name.startswith(wanted)]
    assert len(samples) > 60
    count = 0
    for sample in samples:
        path = tmp_path / "o.o"
        path.write_bytes(sample.data)
        texts: dict[bytes, set[str]] = {}
        for options in (PLAIN[NEW], EVERYTHING[NEW]):
            for raw, text in objdump(NEW, path, *options):
                texts.setdefault(raw, set()).add(text)
        found = dissect(sample.data)
        code = found.disassembly()
        names = [*(each.name for each in found.object.programs), *(each.name for each in found.object.functions)]
        for row in (row for name in names for row in code.of(name)):
            assert row.text in texts[row.raw], f"{sample.name}: {row.raw.hex()}"
            count += 1
    assert count > 2000


V4 = r"""
long long volatile a, b; signed char volatile c; short volatile s; int volatile i;
SEC("xdp") int prog(void *context)
{
    a = a / b; a = a % b; i = i / 3; a = (signed char)a; a = (short)b; a = (int)b; a = c; a = s; a = i;
    a = __builtin_bswap64(b); i = 7;
    return 0;
}
"""


def test_cpu_v4(tmp_path: Path) -> None:
    clang = shutil.which("clang-19")
    if clang is None or shutil.which(NEW) is None:
        pytest.skip("needs clang-19 and llvm-objdump-19")
    path = tmp_path / "v4.o"
    command = [clang, "-target", "bpfel", "-g", "-O2", "-mcpu=v4", "-x", "c", "-", "-c", "-o", str(path)]
    subprocess.run(command, input=(PRELUDE + V4).encode(), check=True)
    rows = dissect(path.read_bytes()).disassemble("prog")
    texts = " ".join(row.text for row in rows)
    for word in ("s/=", "s%=", "bswap64", "*(s8 *)", "*(s16 *)", "*(s32 *)", "(s8)", "(s16)", "(s32)", ") = 0x7"):
        assert word in texts
    for row, (raw, theirs) in zip(rows, objdump(NEW, path, "--mcpu=v4"), strict=True):
        assert (row.raw, alike(row.text, theirs)) == (raw, True), f"{row.text} / {theirs}"


@pytest.mark.parametrize("target", ["bpfel", "bpfeb"])
def test_what_instructions_refer_to(target: str) -> None:
    rows = read(SOURCE, "prog", target=target)
    referred = [(row.refers, row.note) for row in rows if row.refers]
    assert (("map", "counts"), "") in referred
    assert (("helper", "bpf_map_lookup_elem"), "") in referred
    assert (("helper", "bpf_loop"), "") in referred
    assert (("callback", "step"), "") in referred
    assert (("function", "deep"), "") in referred
    assert (("global", "limit"), "") in referred
    assert (("global", "other"), "") in referred or (("global", "other"), "+0x10") in referred
    assert (("kfunc", "kernel_function"), "") in referred
    assert (("ksym", "kernel_variable"), "") in referred
    assert (("kconfig", "LINUX_KERNEL_VERSION"), "") in referred
    assert ("global", "prog.format") in [refers for refers, note in referred if note == r"'hello %d\n'"]
    assert [row.refers for row in read(SOURCE, "deep", target=target) if row.refers] == [("function", "deeper")]
    assert [row.refers for row in read(SOURCE, "second", target=target) if row.refers] == [("function", "deeper")]


def test_branches_lead_to_labels() -> None:
    rows = read(SOURCE, "prog")
    labels = {row.offset: row.label for row in rows if row.label}
    assert list(labels.values()) == [f"L{n}" for n in range(1, len(labels) + 1)]
    branches = [row for row in rows if "goto" in row.text]
    assert branches
    assert all(row.target in labels for row in branches)
    assert all(row.target is None for row in rows if row.refers)


def test_source_lines_stand_where_they_begin(tmp_path: Path) -> None:
    path = tmp_path / "prog.bpf.c"
    path.write_text(PRELUDE + SOURCE)
    rows = dissect(compile_source(path)).disassemble("prog")
    assert rows[0].line is not None
    assert rows[0].line.text.strip() == "__u32 key = *context;"
    (called,) = [row for row in rows if row.refers == ("helper", "bpf_map_lookup_elem")]
    before = [row.line for row in rows if row.line and row.offset <= called.offset]
    assert before[-1].text.strip() == "__u64 *count = lookup(&counts, &key);"
    assert before[-1].file.endswith("prog.bpf.c")
    bare = dissect(compile_source('SEC("xdp") int prog(void *c) { return 2; }', flags=("-O2",)))
    assert all(row.line is None for row in bare.disassemble("prog"))


CORE = r"""
struct task_struct { int pid; int tgid; } __attribute__((preserve_access_index));
SEC("kprobe/f") int prog(struct task_struct *task) { return task->tgid; }
"""


def test_core_relocations_stand_where_they_are() -> None:
    assert [(row.text, row.core) for row in read(CORE, "prog") if row.core] == [
        ("r0 = *(u32 *)(r1 + 0x4)", "reads task_struct.tgid, any kernel with that field")
    ]


def test_without_btf_the_section_is_named() -> None:
    bare = dissect(compile_source('int counter; SEC("xdp") int prog(void *c) { return counter++; }', flags=("-O2",)))
    assert [row.refers for row in bare.disassemble("prog") if row.refers] == [("section", ".bss")]


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(BytecodeError, match="no program or sub-program 'nothing'") as caught:
        read(SOURCE, "nothing")
    assert "prog" in caught.value.hint


@pytest.mark.parametrize("order", ["little", "big"])
def test_any_bytes_are_shown(order: str) -> None:
    chance = random.Random(3)
    for _ in range(300):
        code = chance.randbytes(chance.randrange(70))
        rows = decode(code, order)
        assert b"".join(row.raw for row in rows) == code
        assert [row.offset for row in rows] == [sum(len(r.raw) for r in rows[:n]) for n in range(len(rows))]
        assert all(row.text.isprintable() for row in rows)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("1811000005000000 0000000000000000", "r1 = map[fd:5]"),
        ("1821000005000000 0000000008000000", "r1 = map[fd:5][0]+8"),
        ("1831000007000000 0000000000000000", "r1 = ksym[btf:7]"),
        ("1841000007000000 0000000000000000", "r1 = function[+7]"),
        ("1851000002000000 0000000000000000", "r1 = map[idx:2]"),
        ("1861000002000000 0000000008000000", "r1 = map[idx:2][0]+8"),
        ("1871000002000000 0000000008000000", UNKNOWN),
        ("db21080000010000", "r1 = load_acquire((u64 *)(r2 + 0x8))"),
        ("c321f8ff10010000", "store_release((u32 *)(r1 - 0x8), w2)"),
        ("d321000000010000", "w1 = load_acquire((u8 *)(r2 + 0x0))"),
        ("bf21010001000000", "r1 = addr_space_cast(r2, 0x0, 0x1)"),
        ("0d03000000000000", "gotox r3"),
        ("e500030000000000", "may_goto +0x3"),
        ("06000000faffffff", "gotol -0x6"),
    ],
)
def test_instructions_of_loaded_programs_and_newer_compilers(raw: str, text: str) -> None:
    """As written by bpftool for the first six; by LLVM 20 and newer for the rest."""
    (row,) = decode(bytes.fromhex(raw.replace(" ", "")), "little")
    assert row.text == text


def test_half_a_wide_load_is_unknown() -> None:
    assert [row.text for row in decode(bytes.fromhex("1801000005000000"), "little")] == [UNKNOWN]
    rows = decode(bytes.fromhex("1801000005000000 9500000000000000".replace(" ", "")), "little")
    assert [row.text for row in rows] == [UNKNOWN, "exit"]
