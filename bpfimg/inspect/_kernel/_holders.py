"""Who keeps a program in the kernel: pins in bpffs, and processes with a descriptor of it or of its link."""

from __future__ import annotations

import os

from bpfimg.errors import KernelError
from bpfimg.kernel import bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_PINS = 10_000
_MAX_DESCRIPTORS = 100_000
# A link is "bpf_link" where it was created and "bpf-link" where it was opened later.
_KINDS = ("anon_inode:bpf-prog", "anon_inode:bpf_link", "anon_inode:bpf-link")


def holders(bpffs: str) -> dict[int, list[str]]:
    """Returns program id -> who holds it: paths of pins below `bpffs`, and processes as `name (PID)`.

    Bounded: on a host with very many pins or descriptors some are missing. Processes that may not be looked at, too.
    """
    found: dict[int, list[str]] = {}
    for number, path in _pins(bpffs):
        found.setdefault(number, []).append(path)
    for number, process in _processes():
        names = found.setdefault(number, [])
        if process not in names:
            names.append(process)
    return found


def _pins(root: str) -> Iterator[tuple[int, str]]:
    left = _MAX_PINS
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            if left == 0:
                return
            left -= 1
            number = _program_at(f"{folder}/{name}")
            if number:
                yield number, f"{folder}/{name}"


def _program_at(path: str) -> int:
    try:
        with bpf.get(path) as fd:
            kind = bpf.kind(fd)
            if kind == "program":
                return bpf.program_info(fd, memlock=False).id
            if kind == "link":
                return bpf.link_info(fd).prog_id
    except KernelError:
        pass  # vanished, or one of the kernel's own files in the root of a bpffs
    return 0


def _processes() -> Iterator[tuple[int, str]]:
    left = _MAX_DESCRIPTORS
    own = str(os.getpid())
    for process in _listed("/proc"):
        if not process.isdigit() or process == own:
            continue
        for number in _listed(f"/proc/{process}/fd"):
            if left == 0:
                return
            left -= 1
            program = _program_of(process, number)
            if program:
                yield program, f"{_name(process)} ({process})"


def _listed(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def _program_of(process: str, number: str) -> int:
    """The program behind a descriptor; that of a link stands in its fdinfo, too."""
    try:
        if os.readlink(f"/proc/{process}/fd/{number}") not in _KINDS:
            return 0
        with open(f"/proc/{process}/fdinfo/{number}", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("prog_id:"):
                    return int(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    return 0


def _name(process: str) -> str:
    try:
        with open(f"/proc/{process}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "a process"
