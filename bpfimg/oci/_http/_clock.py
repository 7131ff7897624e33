"""Connections whose answers have an end: the time-outs of sockets count from byte to byte, so that a byte a minute, or
`100 Continue` for ever, would be waited for.

Only imported where a connection is opened: it needs urllib3.
"""

from __future__ import annotations

from functools import partial
from http.client import HTTPException, HTTPResponse, RemoteDisconnected
from io import BufferedReader, RawIOBase
from time import monotonic

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from bpfimg.oci._settings._options import RegistryOptions

    class _Socket(Protocol):
        def settimeout(self, value: float | None, /) -> None: ...


NEVER = Retry(False, redirect=False)
"""No further try and no redirect by urllib3: both are ours to decide."""
_MOST = 1 << 20
"""Bytes of all headers of an answer, or of what stands around one piece of its content: chunk sizes, trailers."""


class _Timed(RawIOBase):
    """The bytes of a socket, so many of them and until then."""

    def __init__(self, sock: _Socket, raw: RawIOBase) -> None:
        self._sock = sock
        self._raw = raw
        self._end = 0.0
        self._left = 0
        self.ended = False

    def allow(self, seconds: float) -> None:
        """Begins a new supply of time and bytes."""
        self._end = monotonic() + seconds
        self._left = _MOST

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int | None:  # type: ignore[override]
        seconds = self._end - monotonic()
        if seconds <= 0:
            raise TimeoutError("timed out")
        if self._left <= 0:
            raise HTTPException(f"more than {_MOST} bytes around the content")
        self._sock.settimeout(seconds)
        got: int | None = self._raw.readinto(buffer)
        self._left -= got or 0
        self.ended = got == 0
        return got

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """An answer that must come in time: the headers together, each piece of the content, and the content as a whole."""

    def __init__(self, sock: _Socket, *given: object, options: RegistryOptions, **named: object) -> None:
        super().__init__(sock, *given, **named)  # type: ignore[arg-type]
        self._options = options
        self._timed = _Timed(sock, self.fp.detach())
        self._timed.allow(options.silence)
        self.fp = BufferedReader(self._timed)
        self._waited = 0.0
        self._got = 0

    def begin(self) -> None:
        super().begin()
        if self._timed.ended:  # http.client takes the end of the connection for that of the headers
            raise RemoteDisconnected("the connection ended within the headers")

    def read1(self, n: int = -1) -> bytes:
        if self._waited > self._options.grace and self._got < self._waited * self._options.slowest:
            raise TimeoutError(f"{self._got} bytes in {self._waited:.0f} seconds")
        self._timed.allow(self._options.silence)
        begun = monotonic()
        piece = super().read1(n)
        self._waited += monotonic() - begun  # not the time that whoever reads takes for himself
        self._got += len(piece)
        return piece


class _Paced:
    """Of both kinds of connection: what is sent must be taken in time, piece by piece; answers are `_Response`s."""

    sock: _Socket | None

    def __init__(self, *given: object, options: RegistryOptions, **named: object) -> None:
        super().__init__(*given, **named)
        self._silence = options.silence
        self.response_class = partial(_Response, options=options)

    def send(self, data: object) -> None:
        if self.sock is not None:
            # urllib3 leaves the time-out for connecting, which is short for a registry that writes to slow disks
            self.sock.settimeout(self._silence)
        super().send(data)  # type: ignore[misc]


class _Plain(_Paced, HTTPConnection):  # type: ignore[misc]
    pass


class _Tls(_Paced, HTTPSConnection):  # type: ignore[misc]
    pass


class PlainPool(HTTPConnectionPool):
    """Connections without TLS; takes `options` beside what urllib3's takes."""

    ConnectionCls = _Plain


class TlsPool(HTTPSConnectionPool):
    """Connections with TLS; takes `options` beside what urllib3's takes."""

    ConnectionCls = _Tls
