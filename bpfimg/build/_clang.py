"""C to an eBPF object through clang: the only file of bpfimg that starts other programs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

from bpfimg.errors import BytecodeError, Error, UsageError
from bpfimg.image import MACHINES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["compile_c"]

DEFINE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(=.*)?", re.ASCII | re.DOTALL)
DIAGNOSTICS = 8 * 1024  # characters of clang's output that an error carries


def compile_c(
    path: str,
    *,
    arch: str,
    defines: Sequence[str] = (),
    includes: Sequence[str] = (),
    compiler: str = "clang",
    timeout: float = 120.0,
    warn: Callable[[str], None] | None = None,
) -> bytes:
    """The object that clang makes of the C source at `path`, with BTF and without DWARF.

    `arch` is the Go word for the CPU whose registers the source may name (`__TARGET_ARCH_x86` for amd64) and whose
    byte order the object gets; `defines` are NAME or NAME=VALUE, `includes` folders. `timeout` in seconds, for
    compiling and for stripping each. `warn` is given clang's warnings. The bytes do not depend on the folder that
    the source is in (BI-34).

    Raises BytecodeError with clang's diagnostics as its hint, UsageError for words that are none, Error with the
    package to install when clang is not there.
    """
    if arch not in MACHINES:
        raise UsageError(f"there is no architecture {arch!r}, expected one of {', '.join(MACHINES)}")
    if not os.path.isfile(path):
        raise UsageError(f"there is no C source {path!r}, expected a file")
    clang = _tool(compiler, package="clang")
    strip = _strip_beside(clang)
    folder, name = os.path.realpath(os.path.dirname(path)), os.path.basename(path)
    command = [clang, *_flags(arch, defines, includes, folder), "-c", f"./{name}", "-o", "-"]
    code, compiled, said = _run(command, folder=folder, timeout=timeout)
    if code:
        raise _refusal(name, code, said)
    if said and warn is not None:
        warn(said)
    code, stripped, said = _run([strip, "-g", "-", "-o", "-"], given=compiled, folder="/", timeout=timeout)
    if code:
        raise BytecodeError(f"llvm-strip cannot strip the object made of {name!r}", hint=said)
    return stripped


def _flags(arch: str, defines: Sequence[str], includes: Sequence[str], folder: str) -> list[str]:
    byte_order, target_arch, _, _ = MACHINES[arch]
    flags = ["-target", "bpfel" if byte_order == "little" else "bpfeb", "-g", "-O2", "-fno-color-diagnostics"]
    # Line information in .BTF.ext and __FILE__ hold file names: all are relative to the source's folder, our cwd.
    flags += ["-fdebug-compilation-dir=.", f"-D__TARGET_ARCH_{target_arch}"]
    for define in defines:
        if not DEFINE.fullmatch(define):
            raise UsageError(f"{define!r} cannot be defined, expected NAME or NAME=VALUE")
        flags.append(f"-D{define}")
    for number, include in enumerate(includes, 1):
        flags += _include(include, folder, number)
    for headers in _system_headers(arch):
        flags += ["-idirafter", headers]
    return flags


def _include(include: str, folder: str, number: int) -> list[str]:
    if not os.path.isdir(include):
        raise UsageError(f"there is no include folder {include!r}")
    path = os.path.relpath(os.path.realpath(include), folder)
    if path.split(os.sep)[0] != os.pardir:
        return [f"-I{path}"]
    # Outside the source's folder the way there differs from machine to machine, so names get a fixed beginning.
    if "=" in path:
        raise UsageError(
            f"the include folder {include!r} has a = in its path, which clang's -ffile-prefix-map cannot take"
        )
    return [f"-I{path}", f"-ffile-prefix-map={path}=include{number}"]


def _system_headers(arch: str) -> list[str]:
    """Where <asm/types.h> may be: clang looks for the headers of its target, and `bpf` has none.

    The machine's own headers serve another architecture of the same byte order, whose <asm/...> that BPF programs
    use is the same; for the other byte order <asm/byteorder.h> would be wrong without a word, so they do not.
    """
    byte_order, _, triplet, kernel = MACHINES[arch]
    found = [f"/usr/include/{triplet}", f"/usr/{triplet}/include", f"/usr/lib/linux/uapi/{kernel}"]
    for other_order, _, other, _ in MACHINES.values():
        if other_order == byte_order:
            found.append(f"/usr/include/{other}")
    return [folder for folder in dict.fromkeys(found) if os.path.isfile(f"{folder}/asm/types.h")][:1]


def _tool(name: str, *, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Error(
            f"there is no {name} on this machine, which makes eBPF objects of C sources",
            hint=f"apt-get install {package}, or build from an object file that was compiled elsewhere",
        )
    return found


def _strip_beside(clang: str) -> str:
    """The llvm-strip of the same LLVM, else the one on the search path: an older one may not know newer BTF."""
    beside = os.path.join(os.path.dirname(os.path.realpath(clang)), "llvm-strip")
    return beside if os.access(beside, os.X_OK) else _tool("llvm-strip", package="llvm")


def _run(command: list[str], *, folder: str, timeout: float, given: bytes = b"") -> tuple[int, bytes, str]:
    """(exit code, standard output, what was said on standard error); BytecodeError when time is up.

    The environment is empty but for the locale: CPATH, CCC_OVERRIDE_OPTIONS and their like change what clang does.
    """
    try:
        done = subprocess.run(  # noqa: S603 (an argument list, the program found by name above)
            command,
            cwd=folder,
            env={"LC_ALL": "C"},
            input=given,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        tool = os.path.basename(command[0])
        raise BytecodeError(f"{tool} was stopped after {timeout:g} seconds, expected it to be done") from error
    except OSError as error:
        raise Error(f"{command[0]} cannot be started: {error.strerror}") from error
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").strip()


def _refusal(name: str, code: int, said: str) -> BytecodeError:
    lines = said.splitlines()
    first = next((line for line in lines if "error:" in line), lines[0] if lines else f"exit code {code}")
    shown = (
        said if len(said) <= DIAGNOSTICS else f"{said[:DIAGNOSTICS]}\n... ({len(said) - DIAGNOSTICS} more characters)"
    )
    if "asm/types.h" in said:
        shown += "\n<asm/types.h> is in the package linux-libc-dev, for other machines in linux-libc-dev-ARCH-cross"
    elif "'bpf/" in said:
        shown += "\n<bpf/bpf_helpers.h> and its like are in the package libbpf-dev"
    return BytecodeError(f"clang refuses {name!r}: {first[:300]}", hint=shown)
