"""CO-RE, seen by two witnesses: libbpf while it loads an object, and our own resolver."""

from __future__ import annotations

import ctypes
import functools
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from bpfimg.btf import Btf, KernelTypes, Limits, Resolver
from bpfimg.bytecode import dissect
from tests.support import tools
from tests.support.libbpf import libbpf
from tests.support.objects import PRELUDE

if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.btf import Resolution
    from bpfimg.bytecode import BytecodeObject
    from bpfimg.bytecode._model import FunctionSpec, ProgramSpec

SECTIONS = "#define SEC(name) __attribute__((section(name), used))\n"
#: what a source needs to state relocations of each kind; TYPE_MATCHES needs clang 15
CORE = """
#define CORE __attribute__((preserve_access_index))
#define field_offset(x) __builtin_preserve_field_info(x, 0)
#define field_size(x) __builtin_preserve_field_info(x, 1)
#define field_exists(x) __builtin_preserve_field_info(x, 2)
#define field_signed(x) __builtin_preserve_field_info(x, 3)
#define field_lshift(x) __builtin_preserve_field_info(x, 4)
#define field_rshift(x) __builtin_preserve_field_info(x, 5)
#define type_id_local(t) __builtin_btf_type_id(*(typeof(t) *)0, 0)
#define type_id_kernel(t) __builtin_btf_type_id(*(typeof(t) *)0, 1)
#define type_exists(t) __builtin_preserve_type_info(*(typeof(t) *)0, 0)
#define type_size(t) __builtin_preserve_type_info(*(typeof(t) *)0, 1)
#define type_matches(t) __builtin_preserve_type_info(*(typeof(t) *)0, 2)
#define enumval_exists(t, v) __builtin_preserve_enum_value(*(typeof(t) *)v, 0)
#define enumval(t, v) __builtin_preserve_enum_value(*(typeof(t) *)v, 1)
#define ask(n, x) SEC("raw_tp") int q##n(void *ctx) { sink = (x); return 0; }
volatile unsigned long long sink;
char _license[] SEC("license") = "GPL";
"""

_PATCHED = re.compile(
    r"prog '(?P<program>[^']*)': relo #(?P<number>\d+): (?:patched insn #(?P<at>\d+) \([^)]*\) (?:imm|imm64|off) "
    r"(?P<local>\d+) -> (?P<value>\d+)|(?P<poisoned>substituting insn #\d+ w/ invalid insn))"
)
_FAILED = re.compile(r"prog '(?P<program>[^']*)': relo #(?P<number>\d+): failed to (?:relocate|patch insn)")


@dataclass(frozen=True)
class Answer:
    """What became of one relocation: "patched", "poisoned" or "failed", and both values where it was patched."""

    outcome: str
    local: int = 0
    value: int = 0


@functools.lru_cache(maxsize=256)
def compiled(source: str, *, clang: str = "clang", target: str = "bpf", headers: bool = True) -> bytes:
    """The object of C text behind `PRELUDE` (not without `headers`) and `CORE`."""
    if shutil.which(clang) is None:
        pytest.skip(f"needs {clang} to compile eBPF objects")
    command = [clang, "-target", target, "-g", "-O2", "-w", "-c", "-x", "c", "-", "-o", "-"]
    text = (PRELUDE if headers else SECTIONS) + CORE + source
    status, out, err = tools.run(command, text.encode())
    assert status == 0, err.decode()[:4000]
    return out


def kernel_of(source: str, *, clang: str = "clang", target: str = "bpf") -> bytes:
    """The BTF of a made-up kernel: the types of C text. A type that no variable or function uses is not in it."""
    return dissect(compiled(source, clang=clang, target=target)).elf.content(".BTF")


def opened(kernel: bytes, byte_order: str = "little") -> KernelTypes:
    """A kernel's types from raw BTF."""
    return KernelTypes("test", Btf(kernel, byte_order, Limits(64 << 20, 2_000_000)))


def ours(data: bytes, kernel: bytes) -> dict[tuple[str, int], Resolution]:
    """By program and number of the relocation in its section."""
    dissection = dissect(data)
    assert dissection.ext is not None
    assert dissection.types is not None
    resolver = Resolver(dissection.types, opened(kernel, dissection.object.byte_order))
    found = {}
    for section, relocations in dissection.ext.core.items():
        content = dissection.elf.content(section)
        for number, relocation in enumerate(relocations):
            program = _holder(dissection.object, section, relocation.offset)
            code = content[relocation.offset : relocation.offset + 16]
            found[program, number] = resolver.resolve(relocation, code)
    return found


def _holder(obj: BytecodeObject, section: str, offset: int) -> str:
    everything: list[ProgramSpec | FunctionSpec] = [*obj.programs, *obj.functions]
    for program in everything:
        if program.section == section and program.offset <= offset < program.offset + 8 * program.instructions:
            return str(program.name)
    raise AssertionError(f"no program at {section}+{offset}")


def libbpfs(data: bytes, kernel: Path | None) -> dict[tuple[str, int], Answer]:
    """What libbpf does on the way to loading the object, which may well fail later; nothing where it fails before.
    Needs root."""
    lines: list[str] = []
    library = libbpf()
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    libc = ctypes.CDLL(None)

    def note(_level: int, form: bytes, arguments: int) -> int:
        room = ctypes.create_string_buffer(8192)
        libc.vsnprintf(room, ctypes.c_size_t(8192), form, ctypes.c_void_p(arguments))
        lines.append(room.value.decode(errors="replace"))
        return 0

    callback = kind(note)
    library.libbpf_set_print.argtypes = [ctypes.c_void_p]
    library.libbpf_set_print.restype = ctypes.c_void_p
    before = library.libbpf_set_print(ctypes.cast(callback, ctypes.c_void_p))
    try:
        options = ctypes.create_string_buffer(80)
        path = ctypes.create_string_buffer(str(kernel).encode()) if kernel else None
        ctypes.c_size_t.from_buffer(options, 0).value = 80
        ctypes.c_void_p.from_buffer(options, 48).value = ctypes.addressof(path) if path else None
        handle = library.bpf_object__open_mem(data, ctypes.c_size_t(len(data)), options)
        if handle:
            library.bpf_object__load(ctypes.c_void_p(handle))
            library.bpf_object__close(ctypes.c_void_p(handle))
    finally:
        library.libbpf_set_print(ctypes.c_void_p(before))
    return _answers(lines)


def loads(data: bytes, program: str) -> bool:
    """Whether libbpf and the running kernel take that program of the object, alone. Needs root."""
    library = libbpf()
    library.bpf_object__find_program_by_name.restype = ctypes.c_void_p
    library.libbpf_set_print.argtypes = [ctypes.c_void_p]
    library.libbpf_set_print.restype = ctypes.c_void_p
    before = library.libbpf_set_print(None)
    handle = ctypes.c_void_p(library.bpf_object__open_mem(data, ctypes.c_size_t(len(data)), None))
    assert handle
    try:
        item = None
        while item := library.bpf_object__next_program(handle, ctypes.c_void_p(item)):
            wanted = library.bpf_program__name(ctypes.c_void_p(item)) == program.encode()
            library.bpf_program__set_autoload(ctypes.c_void_p(item), ctypes.c_bool(wanted))
        return bool(library.bpf_object__load(handle) == 0)
    finally:
        library.bpf_object__close(handle)
        library.libbpf_set_print(ctypes.c_void_p(before))


def _answers(lines: list[str]) -> dict[tuple[str, int], Answer]:
    found: dict[tuple[str, int], Answer] = {}
    for line in lines:
        if done := _PATCHED.match(line.removeprefix("libbpf: ")):
            key = done["program"], int(done["number"])
            if done["poisoned"]:
                found[key] = Answer("poisoned")
            elif key not in found:
                found[key] = Answer("patched", int(done["local"]), int(done["value"]))
        elif failed := _FAILED.match(line.removeprefix("libbpf: ")):
            found[failed["program"], int(failed["number"])] = Answer("failed")
    return found
