"""eBPF objects for tests, compiled with the machine's clang, each one once per test run."""

from __future__ import annotations

import functools
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

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
            pytest.skip(f"needs {tool} to compile eBPF objects")
    include = f"/usr/include/{platform.machine()}-linux-gnu"  # asm/types.h on Debian
    command = ["clang", "-target", target, *flags, "-Wno-unknown-attributes", f"-I{include}", "-c", "-o", "-"]
    if isinstance(source, Path):
        compiled = _run([*command, str(source)])
    else:
        text = (PRELUDE if prelude else "") + source
        compiled = _run([*command, "-x", "c", "-"], text.encode())
    return _run(["llvm-strip", "-g", "-o", "-", "-"], compiled) if strip else compiled


def example(name: str, *, target: str = "bpf") -> bytes:
    """The compiled example of that name: `example("xdp_counter")`."""
    return compile_source(EXAMPLES / f"{name}.bpf.c", target=target)


def _run(command: list[str], given: bytes = b"") -> bytes:
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
    return done.stdout
