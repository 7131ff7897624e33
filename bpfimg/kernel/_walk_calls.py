"""The calls of a walk over all objects of one kind, with buffers that are made once."""

from __future__ import annotations

import os
import struct

from bpfimg.kernel import _abi as abi
from bpfimg.kernel._fd import Fd
from bpfimg.kernel._syscall import address, bpf_errno_at, failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.kernel._abi import Layout

_ENOENT = 2
_GONE = (-2, -11)  # EAGAIN: a link that is only being made
_INFO_SIZE = 256  # more than any info of today's kernels; the tail of a longer one is left out
_FDINFO_SIZE = 2048
_ONE = {
    abi.PROG_GET_FD_BY_ID: "program",
    abi.MAP_GET_FD_BY_ID: "map",
    abi.LINK_GET_FD_BY_ID: "link",
    abi.BTF_GET_FD_BY_ID: "BTF",
}
_WORDS = struct.Struct("=III")
_INFO = struct.Struct("=IIQ")


def packed(layout: Layout, names: str) -> struct.Struct:
    """One structure of these fields of a layout, in the order of their places."""
    form, at = "=", 0
    for name in names.split():
        offset, width = layout[name]
        text = f"{width}s" if name in ("tag", "name") else {4: "I", 8: "Q"}[width]
        form += f"{offset - at}x{text}" if offset > at else text
        at = offset + width
    return struct.Struct(form)


class Calls:
    """One kind of object: `opened` yields a descriptor of each, `ask` fills `info`, `memory` what /proc adds to it."""

    __slots__ = ("_attr", "_attr_at", "_by_id", "_fdinfo", "_info_at", "_next_id", "info", "template")

    def __init__(self, next_id: int, by_id: int, template: bytes = b"") -> None:
        self._next_id, self._by_id = next_id, by_id
        self._attr, self.info = bytearray(16), bytearray(_INFO_SIZE)
        self._attr_at, self._info_at = address(self._attr), address(self.info)
        self.template = template.ljust(_INFO_SIZE, b"\0")
        self._fdinfo: tuple[int, Fd | None] = (-1, None)

    def opened(self) -> Iterator[int]:
        """A descriptor of each object, open until the next one is asked for."""
        attr, at, last = self._attr, self._attr_at, 0
        try:
            while True:
                _WORDS.pack_into(attr, 0, last + 1, 0, 0)
                fd = bpf_errno_at(self._by_id, at, 12)  # ids mostly follow each other: this saves a call
                last += 1
                if fd == -_ENOENT:
                    last = self._following(last)
                    if not last:
                        return
                    _WORDS.pack_into(attr, 0, last, 0, 0)
                    fd = bpf_errno_at(self._by_id, at, 12)
                if fd in _GONE:
                    continue  # meanwhile, or not there yet
                if fd < 0:
                    raise failed(self._by_id, f"{_ONE[self._by_id]} {last}", fd)
                try:
                    yield fd
                finally:
                    os.close(fd)
        finally:
            self.close()

    def _following(self, last: int) -> int:
        _WORDS.pack_into(self._attr, 0, last, 0, 0)
        result = bpf_errno_at(self._next_id, self._attr_at, 12)
        if result == -_ENOENT:
            return 0
        if result < 0:
            raise failed(self._next_id, "everything in the kernel", result)
        number: int = _WORDS.unpack_from(self._attr)[1]
        return number

    def ask(self, fd: int, template: bytes = b"") -> int:
        """Fills `info`, which has `template` before; how much of it the kernel wrote, or minus the error number."""
        self.info[:] = template or self.template
        _INFO.pack_into(self._attr, 0, fd, _INFO_SIZE, self._info_at)
        result = bpf_errno_at(abi.OBJ_GET_INFO_BY_FD, self._attr_at, 16)
        length: int = _INFO.unpack_from(self._attr)[1]
        return length if result >= 0 else result

    def fdinfo(self, fd: int) -> bytes:
        """What /proc says of the descriptor; empty where it does not."""
        number, file = self._fdinfo
        try:
            if number != fd or file is None:
                self.close()
                file = Fd(os.open(f"/proc/self/fdinfo/{fd}", os.O_RDONLY | os.O_CLOEXEC))
                # read again from its start it tells of whatever has that number then (fs/proc/fd.c, seq_show)
                self._fdinfo = (fd, file)
            return os.pread(file.fileno(), _FDINFO_SIZE, 0)
        except OSError:
            return b""

    def close(self) -> None:
        """Closes the file of /proc."""
        file = self._fdinfo[1]
        self._fdinfo = (-1, None)
        if file is not None:
            file.close()


def number_in(fdinfo: bytes, key: bytes) -> int | None:
    """The number behind `key` in what /proc says: `number_in(text, b"memlock:")`."""
    _, found, rest = fdinfo.partition(key)
    try:
        return int(rest.partition(b"\n")[0]) if found else None
    except ValueError:
        return None


def text_at(buffer: bytearray) -> str:
    """The text up to the first NUL."""
    return bytes(buffer[: buffer.find(b"\0")]).decode("utf-8", "replace")
