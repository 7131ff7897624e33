"""Several objects into one, by the static linker of libbpf: `linker.link(...)`."""

from __future__ import annotations

import ctypes
import errno
import os
import sys

from bpfimg.errors import BytecodeError, KernelError, NotSupported, quoted
from bpfimg.kernel._library import library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.kernel._library import Library

__all__ = ["link"]


def link(objects: Sequence[tuple[str, bytes]], *, byte_order: str) -> bytes:
    """One object with the programs, maps and globals of all, their extern functions, maps and variables resolved.

    `objects` are (name for messages, content) in the order in which their sections are joined; `byte_order`, "little"
    or "big", is that of all of them. The result has no DWARF and depends on the contents and their order alone.

    Raises BytecodeError with libbpf's words when they do not fit together, NotSupported when this libbpf cannot link
    the byte order (older ones know only their machine's) or is not there.
    """
    from contextlib import ExitStack

    bpf = library()
    with ExitStack() as undo:
        target = _memory(undo)
        linker, said = bpf.call("bpf_linker__new", _path(target), None)
        if not linker:
            raise KernelError(f"libbpf makes no linker: {_last(said)}", errno=ctypes.get_errno())
        undo.callback(bpf.bpf_linker__free, linker)
        for name, content in objects:
            source = _memory(undo)
            _write(source, content)
            code, said = bpf.call("bpf_linker__add_file", linker, _path(source), None)
            if code:
                raise _refusal(bpf, f"libbpf cannot link {quoted(name)}", code, _named(said, source, name), byte_order)
        code, said = bpf.call("bpf_linker__finalize", linker)
        if code:
            names = ", ".join(quoted(name) for name, _ in objects)
            raise _refusal(bpf, f"libbpf cannot link {names}", code, said, byte_order)
        return _read(target)


def _memory(undo: object) -> int:
    """A file without a name, closed with the stack: the functions of libbpf 1.0 take paths only."""
    fd = os.memfd_create("bpfimg-link", os.MFD_CLOEXEC)
    undo.callback(os.close, fd)  # type: ignore[attr-defined]
    return fd


def _path(fd: int) -> bytes:
    return f"/proc/self/fd/{fd}".encode()


def _write(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


def _read(fd: int) -> bytes:
    with open(os.dup(fd), "rb") as file:
        file.seek(0)
        return file.read()


def _named(said: list[str], fd: int, name: str) -> list[str]:
    """libbpf's lines with the name of the input where it says that of the file it was given."""
    shown = quoted(name)[1:-1]
    return [line.replace(f"/proc/self/fd/{fd}", shown) for line in said]


def _last(said: list[str]) -> str:
    return said[-1] if said else "it gives no reason"


def _refusal(bpf: Library, what: str, code: int, said: list[str], byte_order: str) -> BytecodeError | NotSupported:
    number = -code if code < 0 else ctypes.get_errno()
    if number == errno.EOPNOTSUPP and byte_order != sys.byteorder:
        version = bpf.libbpf_version_string().decode().removeprefix("v")
        return NotSupported(
            f"libbpf {version} links {sys.byteorder}-endian objects only, the inputs are {byte_order}-endian",
            feature=f"linking {byte_order}-endian objects",
            errno=number,
            hint="newer versions of libbpf link both byte orders; else put all sources into one C file",
        )
    return BytecodeError(f"{what}: {_last(said)}", hint="\n".join(said[:-1]))
