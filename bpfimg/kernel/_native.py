"""The pointer to libbpf's object, guarded by a state; and the words for what libbpf refuses."""

from __future__ import annotations

import ctypes
import weakref

from bpfimg.errors import KernelError
from bpfimg.kernel._library import useful
from bpfimg.kernel._syscall import libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel._library import Library

LOG_SIZE = (1 << 24) - 1  # the most that kernels before 5.2 take; memory is used only as far as a log reaches

# Not calloc, which clears memory that was used before: 16 MiB of it, from the second object on.
_malloc, _free = libc.malloc, libc.free
_malloc.argtypes, _malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
_free.argtypes, _free.restype = [ctypes.c_void_p], None


class Native:
    """The pointer to libbpf's object, with its state: every use of the pointer asks for a state first.

    libbpf writes through stale pointers: a global that is set after the load kills the interpreter.
    """

    __slots__ = ("__weakref__", "_finalizer", "_keep", "_pointer", "library", "log", "name", "state")

    def __init__(self, lib: Library, pointer: int, name: str, keep: tuple[bytearray, ...]) -> None:
        self.library = lib
        self.name = name
        self.state = "opened"
        self.log = int(_malloc(LOG_SIZE) or 0)
        if self.log:
            ctypes.memset(self.log, 0, 1)  # an empty text
        self._pointer = pointer
        self._keep = keep  # libbpf reads the ELF bytes and the options until the object is closed
        self._finalizer = weakref.finalize(self, _release, lib, pointer, self.log, keep)
        self._finalizer.atexit = False

    def pointer(self, *states: str) -> int:
        """Returns the pointer if the object is in one of these states; else KernelError, a fault of the caller."""
        if self.state not in states:
            raise KernelError(f"object {self.name!r} is {self.state}, expected {' or '.join(states)}")
        return self._pointer

    def log_text(self) -> str:
        """What the verifier wrote about the program that failed."""
        return ctypes.string_at(self.log).decode("utf-8", "replace") if self.log else ""

    def elf(self) -> bytes:
        """The ELF file that it was opened from."""
        return bytes(self._keep[0])

    def must(self, function: str, what: str, *arguments: object) -> None:
        """Makes a call that returns 0 or minus an error number; `what` is for the KernelError."""
        result, lines = self.library.call(function, *arguments)
        if result < 0:
            raise KernelError(f"{function} of {what} failed: {explained(-result, lines)}", errno=-result)

    def close(self) -> None:
        self.state = "closed"
        self._finalizer()


def _release(lib: Library, pointer: int, log: int, _keep: tuple[bytearray, ...]) -> None:
    lib.bpf_object__close(pointer)
    _free(log)


def explained(failed: int, lines: list[str]) -> str:
    from bpfimg.kernel._failure import printable, reason

    return "; ".join(printable(line) for line in useful(lines)[:2]) or reason(failed)
