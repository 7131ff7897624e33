"""Dumps by netlink: a question, and all that the kernel answers; bodies and attributes within bounds.

The layouts are those of `linux/netlink.h` and `linux/rtnetlink.h`.
"""

from __future__ import annotations

# the C half of `socket`: the other half costs 2 ms
import _socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

ROUTE, NETFILTER = 0, 12
_NETLINK = 16  # AF_NETLINK
_HEADER, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")
_REQUEST_DUMP = 1 | 0x300
_ERROR, _DONE = 2, 3
_NESTED = 0x3FFF  # without the flags for nesting and byte order
_BUFFER = 1 << 18
_MOST = 256  # buffers of one dump: more than anybody has
_PATIENCE = 2.0  # seconds; the kernel answers at once


class Dumps:
    """One socket for many questions, in the network namespace of the thread that opened it. Close it, or use `with`."""

    __slots__ = ("_socket",)

    def __init__(self, protocol: int = ROUTE) -> None:
        self._socket = _socket.socket(_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, protocol)
        self._socket.settimeout(_PATIENCE)

    def ask(self, kind: int, request: bytes, fixed: int) -> list[bytes]:
        """The bodies, each with its fixed part of that many bytes; empty where the kernel does not tell."""
        header = _HEADER.pack(_HEADER.size + len(request), kind, _REQUEST_DUMP, 1, 0)
        found: list[bytes] = []
        try:
            self._socket.send(header + request)
            for _ in range(_MOST):
                more, done = read(self._socket.recv(_BUFFER), fixed)
                found += more
                if done:
                    break
        except OSError:
            return []
        return found

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()

    def __enter__(self) -> Dumps:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read(data: bytes, fixed: int) -> tuple[list[bytes], bool]:
    """The bodies in one buffer of a dump that are as long as their fixed part, and whether it was the last."""
    found: list[bytes] = []
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if kind in (_ERROR, _DONE) or not _HEADER.size <= length <= len(data) - at:
            return found, True
        if length >= _HEADER.size + fixed:
            found.append(data[at + _HEADER.size : at + length])
        at += length + 3 & ~3
    return found, False


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(Number, content) of each attribute; ends where something is not one."""
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if not _ATTRIBUTE.size <= length <= len(data) - at:
            return
        yield kind & _NESTED, data[at + _ATTRIBUTE.size : at + length]
        at += length + 3 & ~3


def attribute(kind: int, content: bytes) -> bytes:
    """One attribute as it is sent."""
    return (_ATTRIBUTE.pack(_ATTRIBUTE.size + len(content), kind) + content).ljust(4 + len(content) + 3 & ~3, b"\0")


def text(content: bytes) -> str:
    """A name, without its NUL."""
    return content.split(b"\0")[0].decode("utf-8", "replace")


def word(content: bytes) -> int:
    """A number of four bytes; 0 for anything else."""
    return int(struct.unpack("=I", content)[0]) if len(content) == 4 else 0
