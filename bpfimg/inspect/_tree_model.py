"""What a look at a source tree takes and gives: files that were read a little of, and the programs that they make."""

from __future__ import annotations

import re

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["File", "Found", "Program", "Seen", "Tree", "folder_of", "is_plain", "joined", "named"]

_PLAIN = re.compile(r"[A-Za-z0-9._+@/-]+", re.ASCII)


@value(frozen=True, slots=True)
class File:
    """One file: its path from the top of the tree with `/`, and how its content begins; `object`: an eBPF ELF."""

    path: str
    text: str = ""
    object: bool = False


@value(frozen=True, slots=True)
class Seen:
    """What is looked at: files by path, whether git leaves a path out, and the platform of this machine."""

    files: tuple[File, ...]
    ignored: Callable[[str], bool]
    host: str

    @property
    def both(self) -> tuple[str, ...]:
        """The platforms that one little-endian object is for, if its programs see nothing of the CPU."""
        little = ("linux/amd64", "linux/arm64")
        return tuple(dict.fromkeys((self.host, *little))) if self.host in little else (self.host,)


@value(frozen=True, slots=True)
class Program:
    """One image to be: what `bpfimg build` is told, and what has to be run before.

    `kind` is "c", "bpf2go", "libbpf", "aya" or "object". `commands` make the inputs, run from the top of the tree with
    the `tools` ("clang", "go", "rust", "make", "cmake", "meson", "bpftool"); none where the inputs are in the tree.
    `found` says what was seen, in one sentence; `notes` what is left to do.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    found: str
    platforms: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@value(frozen=True, slots=True)
class Found:
    """What one look found: programs, the files that are theirs, and what was left out, in sentences."""

    programs: tuple[Program, ...] = ()
    claimed: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


@value(frozen=True, slots=True)
class Tree:
    """A source tree: each program's `name` is there once and can stand in an image's name."""

    programs: tuple[Program, ...]
    notes: tuple[str, ...]


def folder_of(path: str) -> str:
    """The folder that a path is in: "" for the top."""
    return path.rpartition("/")[0]


def joined(folder: str, path: str) -> str | None:
    """`path` as seen from `folder`, from the top; None when it leads out of the tree or is absolute."""
    if path.startswith("/"):
        return None
    parts: list[str] = []
    for part in f"{folder}/{path}".split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def is_plain(path: str) -> bool:
    """Whether a path may stand in a command that is written down: no blank, no quote, nothing a shell would obey."""
    return bool(_PLAIN.fullmatch(path)) and not path.startswith("-")


def named(text: str) -> str:
    """A file's or program's name as a part of an image's name: `XDP_Counter.bpf.c` gives `xdp_counter`."""
    stem = re.sub(r"(\.bpf|\.ebpf)?\.[co]$", "", text.rpartition("/")[2]).lower()
    plain = re.sub(r"[^a-z0-9]+", lambda match: "_" if "_" in match[0] else "-", stem).strip("-_")
    return plain[:64].rstrip("-_") or "program"
