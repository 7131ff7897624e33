"""eBPF objects for tests, compiled with the machine's clang, each one once per test run."""

from __future__ import annotations

import functools
import platform
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import tools

EXAMPLES = Path(__file__).parents[2] / "examples" / "bytecode"

# Enough of the kernel's and libbpf's headers for most tests, so that they need no headers at all.
PRELUDE = """
typedef unsigned char __u8; typedef unsigned short __u16; typedef unsigned int __u32; typedef unsigned long long __u64;
typedef signed char __s8; typedef short __s16; typedef int __s32; typedef long long __s64;
#define SEC(name) __attribute__((section(name), used))
#define __uint(name, val) int (*name)[val]
#define __type(name, val) typeof(val) *name
#define __array(name, val) typeof(val) *name[]
"""


@functools.lru_cache(maxsize=256)
def compile_source(
    source: str | Path,
    *,
    target: str = "bpf",
    flags: tuple[str, ...] = ("-g", "-O2"),
    strip: bool = True,
    prelude: bool = True,
) -> bytes:
    """The object file that clang makes of `source`: C text, or the path of a `.c` file.

    `target` is "bpf" (this machine's byte order), "bpfel" or "bpfeb". `strip` drops DWARF and keeps BTF.
    C text gets `PRELUDE` in front unless `prelude` is false.
    """
    for tool in ("clang", "llvm-strip"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool} to compile eBPF objects", allow_module_level=True)
    include = f"/usr/include/{platform.machine()}-linux-gnu"  # asm/types.h on Debian
    command = ["clang", "-target", target, *flags, "-Wno-unknown-attributes", f"-I{include}", "-c", "-o", "-"]
    if isinstance(source, Path):
        compiled = _run([*command, str(source)])
    else:
        text = (PRELUDE if prelude else "") + source
        compiled = _run([*command, "-x", "c", "-"], text.encode())
    return _run(["llvm-strip", "-g", "-o", "-", "-"], compiled) if strip else compiled


def example(name: str, *, target: str = "bpf") -> bytes:
    """The compiled example of that name: `example("xdp_counter")`, the same wherever this checkout is."""
    flags = ("-g", "-O2", f"-ffile-prefix-map={EXAMPLES}=.", "-fdebug-compilation-dir=.")
    return compile_source(EXAMPLES / f"{name}.bpf.c", target=target, flags=flags)


def _run(command: list[str], given: bytes = b"") -> bytes:
    status, out, err = tools.run(command, given)
    if status:
        raise AssertionError(f"{' '.join(command)}: {err.decode(errors='replace')}")
    return out


@dataclass(frozen=True)
class Header:
    """One entry of an object's section header table; `at` is where it is in the file."""

    at: int
    name: str
    type: int
    offset: int
    size: int


# Where the fields of a section header are, and their `struct` codes.
SECTION_FIELDS = {
    "name": (0, "I"),
    "type": (4, "I"),
    "flags": (8, "Q"),
    "offset": (24, "Q"),
    "size": (32, "Q"),
    "link": (40, "I"),
    "entsize": (56, "Q"),
}


def headers(data: bytes) -> dict[str, Header]:
    """The section headers of a sound little-endian object by name."""
    (table,) = struct.unpack_from("<Q", data, 40)
    count, names = struct.unpack_from("<HH", data, 60)
    rows = [struct.unpack_from("<IIQQQQ", data, table + 64 * i) for i in range(count)]
    strings = data[rows[names][4] : rows[names][4] + rows[names][5]]
    found = {}
    for i, (name, kind, _flags, _addr, offset, size) in enumerate(rows):
        text = strings[name : strings.index(b"\0", name)].decode()
        found[text] = Header(table + 64 * i, text, kind, offset, size)
    return found


def patched(data: bytes, section: str, field: str, value: int) -> bytes:
    """`data` with one field of the header of that section changed."""
    at, code = SECTION_FIELDS[field]
    return overwritten(data, headers(data)[section].at + at, struct.pack("<" + code, value))


def overwritten(data: bytes, at: int, new: bytes) -> bytes:
    """`data` with the bytes from `at` on replaced by `new`."""
    return data[:at] + new + data[at + len(new) :]


def with_section(data: bytes, section: str, content: bytes) -> bytes:
    """`data` with other content in that section: appended to the file, and the section header pointed at it.

    Other BTF has other strings, so the .BTF.ext that refers to them is emptied.
    """
    if section == ".BTF" and ".BTF.ext" in headers(data):
        data = patched(data, ".BTF.ext", "size", 0)
    at = headers(data)[section].at
    moved = overwritten(data, at + 24, struct.pack("<QQ", len(data), len(content)))
    return moved + content
