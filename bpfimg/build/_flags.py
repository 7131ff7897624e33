"""What clang is told: a closed set of words, each checked, and the same words as they may be published."""

from __future__ import annotations

import os
import re

from bpfimg._value import value
from bpfimg.errors import UsageError, quoted
from bpfimg.image import MACHINES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["CPUS", "Flags", "check_compiler", "check_cpu", "check_define", "flags"]

#: instruction sets: v2 has more comparisons (Linux 4.14), v3 32-bit jumps (5.1), v4 signed division and more (6.6)
CPUS = ("v1", "v2", "v3", "v4")

_DEFINE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(=[^\x00-\x1f\x7f]*)?", re.ASCII)
_COMPILER = re.compile(r"clang(-[0-9]{1,3})?", re.ASCII)


@value(frozen=True, slots=True)
class Flags:
    """`words` for this machine; `published` say the same without where anything lies. `folders` are the include folders
    outside the source's, by the way there from it, with the names that stand for them."""

    words: tuple[str, ...]
    published: tuple[str, ...]
    folders: Mapping[str, str]

    def name(self, path: str) -> str:
        """A header's name as it may be published; `path` is as clang says it, from the source's folder on."""
        for folder in sorted(self.folders, key=len, reverse=True):
            if path.startswith(f"{folder}/"):
                return f"{self.folders[folder]}/{os.path.normpath(path[len(folder) + 1 :])}"
        return os.path.normpath(path)


def flags(arch: str, defines: Sequence[str], includes: Sequence[str], folder: str, cpu: str | None = None) -> Flags:
    """The words for a source in `folder`, an absolute path without symbolic links; UsageError for any that is none."""
    if arch not in MACHINES:
        raise UsageError(f"there is no architecture {arch!r}, expected one of {', '.join(MACHINES)}")
    byte_order, target_arch, _, _ = MACHINES[arch]
    words = ["-target", "bpfel" if byte_order == "little" else "bpfeb", "-g", "-O2", "-fno-color-diagnostics"]
    if cpu is not None:
        words.append(f"-mcpu={check_cpu(cpu)}")
    # Line information in .BTF.ext and __FILE__ hold file names: all are relative to the source's folder, our cwd.
    words += ["-fdebug-compilation-dir=.", f"-D__TARGET_ARCH_{target_arch}"]
    words += [f"-D{check_define(define)}" for define in defines]
    published = list(words)
    folders = {}
    for number, include in enumerate(includes, 1):
        path = _include(include, folder)
        words.append(f"-I{path}")
        if path.split(os.sep)[0] == os.pardir:
            # Outside the source's folder the way there differs from machine to machine, so names get a fixed beginning.
            folders[path] = f"include{number}"
            words.append(f"-ffile-prefix-map={path}=include{number}")
        published.append(f"-I{folders.get(path, path)}")
    for headers in _system_headers(arch):
        words += ["-idirafter", headers]
        published += ["-idirafter", headers]
    return Flags(tuple(words), tuple(published), folders)


def check_define(word: str) -> str:
    """`word` when it is NAME or NAME=VALUE, else UsageError."""
    if not _DEFINE.fullmatch(word):
        raise UsageError(f"{quoted(word)} cannot be defined, expected NAME or NAME=VALUE")
    return word


def check_cpu(word: str) -> str:
    """`word` when it is an instruction set of eBPF, else UsageError."""
    if word not in CPUS:
        raise UsageError(f"the instruction set is {quoted(word)}, expected one of {', '.join(CPUS)}")
    return word


def check_compiler(word: str) -> str:
    """`word` when it is `clang` or `clang-19`, else UsageError: a file may choose one, not name a program."""
    if not _COMPILER.fullmatch(word):
        raise UsageError(f"the compiler is {quoted(word)}, expected clang or clang-VERSION")
    return word


def _include(include: str, folder: str) -> str:
    if not os.path.isdir(include):
        raise UsageError(f"there is no include folder {include!r}, expected a folder of headers")
    path = os.path.relpath(os.path.realpath(include), folder)
    if path.split(os.sep)[0] == os.pardir and "=" in path:
        raise UsageError(
            f"the include folder {include!r} has a = in its path, which clang's -ffile-prefix-map cannot take"
        )
    return path


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
