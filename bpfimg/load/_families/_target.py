"""The executable or library that a probe goes into: found, opened once, and the same file until the probe is there.

What is read and what the kernel is told is one open file: whoever exchanges the file meanwhile, in a container too,
gets no probe at an offset that belongs to other code.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

from bpfimg.errors import AttachError, BytecodeError, KernelError, UsageError, quoted
from bpfimg.kernel import userspace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from bpfimg.bytecode import executable
    from bpfimg.kernel import Fd
    from bpfimg.load._records import LinkRecord

_DEBUG = "/usr/lib/debug"


class Target:
    """An open executable. `path` is its path without symbolic links, as its own container has it."""

    def __init__(self, file: Fd, elf: executable.Executable, pid: int | None) -> None:
        self._stack = ExitStack()
        self._file = self._stack.enter_context(file)
        self.elf = elf
        self.pid = pid
        self.path = userspace.real_path(file, pid)

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def shown(self) -> str:
        """The path for a message or a list."""
        return self.path if self.pid is None else f"{self.path} of process {self.pid}"

    @property
    def for_kernel(self) -> str:
        """What the kernel is told. In a container, or a user's directory, somebody else may change what a path means,
        a descriptor not; elsewhere the path, because the kernel shows it to others as it was told."""
        if self.pid is None and userspace.is_settled(self.path):
            return self.path
        return f"/proc/self/fd/{self._file.fileno()}"

    @property
    def is_the_hosts(self) -> bool:
        """Whether only root and this user can have written what is in it, or put it there."""
        free = os.fstat(self._file.fileno()).st_mode & 0o022
        return self.pid is None and not free and userspace.is_settled(self.path)

    def still_there(self) -> None:
        """AttachError when the path has come to mean another file since it was opened."""
        if _identity(self._file) != _identity_of(self.path if self.pid is None else self.for_kernel):
            raise AttachError(f"{self.shown} was replaced while the probe was attached", hint="run the command again")

    def debug_file(self) -> executable.Executable | None:
        """The symbols that were put into a file of their own, if they are installed."""
        from bpfimg.bytecode import executable

        number = executable.build_id(self.elf)
        for path, pid in self._debug_paths(number):
            try:
                file = self._stack.enter_context(userspace.open_file(path, pid))
                found = _read(file, debug=True)
            except (AttachError, BytecodeError):
                continue
            if number is not None and executable.build_id(found) == number:
                return found
        return None

    def _debug_paths(self, number: str | None) -> list[tuple[str, int | None]]:
        if number is None:
            return []  # a checksum of the whole file would be the only proof that the two belong together
        places = [f"{_DEBUG}/.build-id/{number[:2]}/{number[2:]}.debug"]
        section = self.elf.called(".gnu_debuglink")
        if section is not None:
            name = (
                self.elf.content(section, "section .gnu_debuglink", 4096).partition(b"\0")[0].decode(errors="replace")
            )
            folder = os.path.dirname(self.path)
            if name and "/" not in name:
                places += [f"{folder}/{name}", f"{folder}/.debug/{name}", f"{_DEBUG}{folder}/{name}"]
        # Beside the container only by the build id: what is called as the container says may be any file of the host.
        return [*((place, self.pid) for place in places), *([(places[0], None)] if self.pid is not None else [])]

    def details(self) -> dict[str, object]:
        """What the record keeps of it, so that a listing can tell whether it is still the same file."""
        from bpfimg.bytecode import executable

        inode, device = _identity(self._file)
        found: dict[str, object] = {"file": self.path, "inode": inode, "device": device}
        number = executable.build_id(self.elf)
        if number is not None:
            found["build_id"] = number
        if self.pid is not None:
            found["process_started"] = _started(self.pid)
        return found


def opened(target: str, pid: int | None) -> Target:
    """Opens what `target` means: a path, or a name; AttachError when it is not there or no program of this machine."""
    from bpfimg.load._families._library import located

    if "/" in target:
        if pid is not None and not target.startswith("/"):
            raise UsageError(
                f"{quoted(target)} is relative, expected an absolute path in the container's root directory"
            )
        paths: tuple[str, ...] = (target,)
        chosen = True
    else:
        paths, chosen = tuple(located(target, pid)), False
    with ExitStack() as stack:
        for number, path in enumerate(paths, 1):
            file = stack.enter_context(userspace.open_file(path, pid))
            try:
                elf = _read(file)
            except BytecodeError as error:
                if chosen or number == len(paths):
                    shown = path if pid is None else f"{path} of process {pid}"
                    raise AttachError(f"{shown} cannot be probed: {error}") from error
                continue
            stack.pop_all()
            return Target(file, elf, pid)
    raise AttachError(f"there is no file for {quoted(target)}")


def _read(file: Fd, *, debug: bool = False) -> executable.Executable:
    from bpfimg.bytecode import executable

    number = file.fileno()
    elf = executable.read(lambda offset, size: _part(number, offset, size), os.fstat(number).st_size)
    machine = os.uname().machine
    if elf.byte_order != sys.byteorder and not debug:
        raise BytecodeError(f"it is {elf.byte_order}-endian, expected {sys.byteorder}-endian as this machine is")
    if machine in executable.MACHINES.values() and elf.machine_word != machine:
        raise BytecodeError(f"it is for {elf.machine_word}, expected {machine}")
    return elf


def _part(number: int, offset: int, size: int) -> bytes:
    try:
        return os.pread(number, size, offset)
    except (OSError, OverflowError):
        return b""  # an offset that no file has


def _identity(file: Fd) -> tuple[int, int]:
    found = os.fstat(file.fileno())
    return found.st_ino, found.st_dev


def _identity_of(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_dev


def _started(pid: int) -> int:
    """When a process began, in the kernel's ticks: its number may belong to another one later. 0: it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def changed(record: LinkRecord) -> str:
    """What has become of the file that a recorded probe is in; empty while it is the same one."""
    details, pid = record.details or {}, record.spec.get("container_pid")
    path, identity = details.get("file"), (details.get("inode"), details.get("device"))
    if not isinstance(path, str):
        return ""
    if isinstance(pid, int) and _started(pid) != details.get("process_started"):
        return f"process {pid} has ended"
    try:
        with userspace.open_file(path, pid if isinstance(pid, int) else None) as file:
            return "" if _identity(file) == identity else "the file was replaced"
    except (AttachError, KernelError):
        return "the file is gone"
