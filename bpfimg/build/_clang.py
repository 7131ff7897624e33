"""C to an eBPF object through clang: the only file of bpfimg that starts other programs."""

from __future__ import annotations

import os
import shutil
import subprocess

from bpfimg._value import field, value
from bpfimg.build._flags import flags
from bpfimg.build._headers import TARGET, sources
from bpfimg.errors import BytecodeError, Error, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpfimg.build._made import Source

__all__ = ["Compiled", "compile_c", "compiled"]

DIAGNOSTICS = 8 * 1024  # characters of clang's output that an error carries


@value(frozen=True, slots=True)
class Compiled:
    """What clang made of one source: the object with its DWARF, every file that went in, and the words it was given
    (without paths of this machine)."""

    bytecode: bytes = field(repr=False)
    sources: tuple[Source, ...]
    arguments: tuple[str, ...]


def compile_c(
    path: str,
    *,
    arch: str,
    defines: Sequence[str] = (),
    includes: Sequence[str] = (),
    compiler: str = "clang",
    cpu: str | None = None,
    timeout: float = 120.0,
    warn: Callable[[str], None] | None = None,
) -> bytes:
    """The object that clang makes of the C source at `path`, with BTF and without DWARF.

    `arch` is the Go word for the CPU whose registers the source may name (`__TARGET_ARCH_x86` for amd64) and whose
    byte order the object gets; `defines` are NAME or NAME=VALUE, `includes` folders, `cpu` is the instruction set, "v1"
    to "v4", else the compiler's choice. `timeout` in seconds. `warn` is given clang's warnings. The bytes do not depend
    on the folder that the source is in (BI-34).

    Raises BytecodeError with clang's diagnostics as its hint, UsageError for words that are none, Error with the
    package to install when clang is not there.
    """
    from bpfimg.bytecode import dissect

    made = compiled(
        path,
        arch=arch,
        defines=defines,
        includes=includes,
        compiler=compiler,
        cpu=cpu,
        timeout=timeout,
        warn=warn,
    )
    return dissect(made.bytecode).without_dwarf()


def compiled(
    path: str,
    *,
    arch: str,
    defines: Sequence[str] = (),
    includes: Sequence[str] = (),
    compiler: str = "clang",
    cpu: str | None = None,
    timeout: float = 120.0,
    warn: Callable[[str], None] | None = None,
) -> Compiled:
    """The same with DWARF, which names the compiler, and with what went in."""
    if not os.path.isfile(path):
        raise UsageError(f"there is no C source {path!r}, expected a file")
    folder, name = os.path.realpath(os.path.dirname(path)), os.path.basename(path)
    told = flags(arch, defines, includes, folder, cpu)
    clang = _tool(compiler)
    listing = os.memfd_create("bpfimg-headers", os.MFD_CLOEXEC)
    try:
        watch = ["-MD", "-MT", TARGET, "-MF", f"/proc/self/fd/{listing}"]
        command = [clang, *told.words, *watch, "-c", f"./{name}", "-o", "-"]
        code, made, said = _run(command, folder=folder, timeout=timeout, keep=listing)
        if code:
            raise _refusal(compiler, name, code, said)
        with open(os.dup(listing), "rb") as file:
            file.seek(0)
            rule = os.fsdecode(file.read())
    finally:
        os.close(listing)
    if said and warn is not None:
        warn(said)
    return Compiled(made, sources(rule, folder, told), (*told.published, "-c", f"./{name}"))


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Error(
            f"there is no {quoted(name)} on this machine, which makes eBPF objects of C sources",
            hint="apt-get install clang, or build from an object file that was compiled elsewhere",
        )
    return found


def _run(command: list[str], *, folder: str, timeout: float, keep: int) -> tuple[int, bytes, str]:
    """(exit code, standard output, what was said on standard error); BytecodeError when time is up.

    The environment is empty but for the locale: CPATH, CCC_OVERRIDE_OPTIONS and their like change what clang does. The
    descriptor `keep` stays open for it.
    """
    try:
        done = subprocess.run(  # noqa: S603 (an argument list, the program found by name above)
            command,
            cwd=folder,
            env={"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            pass_fds=(keep,),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        tool = os.path.basename(command[0])
        raise BytecodeError(f"{tool} was stopped after {timeout:g} seconds, expected it to be done") from error
    except OSError as error:
        raise Error(f"{command[0]} cannot be started: {error.strerror}") from error
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").strip()


def _refusal(compiler: str, name: str, code: int, said: str) -> BytecodeError:
    lines = said.splitlines()
    first = next((line for line in lines if "error:" in line), lines[0] if lines else f"exit code {code}")
    shown = (
        said if len(said) <= DIAGNOSTICS else f"{said[:DIAGNOSTICS]}\n... ({len(said) - DIAGNOSTICS} more characters)"
    )
    if "asm/types.h" in said:
        shown += "\n<asm/types.h> is in the package linux-libc-dev, for other machines in linux-libc-dev-ARCH-cross"
    elif "'bpf/" in said:
        shown += "\n<bpf/bpf_helpers.h> and its like are in the package libbpf-dev"
    return BytecodeError(f"{os.path.basename(compiler)} refuses {name!r}: {first[:300]}", hint=shown)
