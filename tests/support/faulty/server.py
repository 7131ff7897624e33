"""HTTP/1.1 on sockets, with a way to every wrong byte: one thread a connection, several origins a server."""

from __future__ import annotations

import select
import socket
import ssl
import struct
import sys
import threading
from contextlib import ExitStack, contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Protocol

from tests.support.faulty.messages import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Application(Protocol):
    """What answers."""

    def begin(self, request: Request) -> Reply | None:
        """Returns an answer that does not wait for the body of the request, else None."""

    def reply(self, request: Request, body: bytes) -> Reply:
        """Returns the answer."""

    def broken(self, request: Request, body: bytes) -> None:
        """Learns that a connection broke within the body of a request, after these bytes of it."""


class Line:
    """One connection, for those who want to misuse it."""

    def __init__(self, connection: socket.socket, method: str, stopping: threading.Event) -> None:
        self.connection = connection
        self.method = method
        self.broken = False
        """Nothing more is to be said on it."""
        self._stopping = stopping

    def write(self, raw: bytes) -> None:
        """Sends bytes as they are."""
        self.connection.sendall(raw)

    def head(self, reply: Reply) -> bytes:
        """The status line and headers of an answer."""
        lines = [f"HTTP/1.1 {reply.status} {_phrase(reply.status)}"]
        lines += [f"{name}: {text}" for name, text in (*reply.headers.items(), *reply.more)]
        announced = any(line.lower().startswith("content-length:") for line in lines)
        if not reply.unannounced and not announced and reply.status not in (204, 304):
            lines.append(f"Content-Length: {len(reply.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def say(self, reply: Reply) -> None:
        """Sends an answer as a server should, but for what the reply itself says."""
        body = reply.body if reply.cut is None else reply.body[: reply.cut]
        self.write(self.head(reply) + (b"" if self.method == "HEAD" else body))
        if reply.cut is not None or reply.unannounced:
            self.close()

    def close(self) -> None:
        """Ends the connection in good order, after what was sent."""
        self.broken = True

    def reset(self) -> None:
        """Breaks the connection off: what was sent and not read yet is lost as well."""
        self.broken = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def hang(self, seconds: float | None = None) -> bool:
        """Says nothing until the other side hangs up (then False), or for so many seconds (True)."""
        step = 0.01
        while not self._stopping.is_set() and (seconds is None or seconds > 0):
            if seconds is not None:
                seconds -= step
            with suppress(OSError, ValueError):
                readable, _, _ = select.select([self.connection], [], [], step)
                if not readable or self.connection.recv(1, socket.MSG_PEEK):
                    if readable:
                        self._stopping.wait(step)
                    continue
            self.broken = True
            return False
        self.broken = self.broken or self._stopping.is_set()
        return not self.broken


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    application: Application
    origin: str
    stopping: threading.Event

    def handle_any(self) -> None:
        line = Line(self.connection, self.command, self.stopping)
        length = int(self.headers.get("Content-Length") or "0")
        request = Request(self.command, self.path, dict(self.headers.items()), length, self.origin)
        early = self.application.begin(request)
        if early is None:
            body, whole = self._body(length)
            if not whole:
                self.application.broken(request, body)
                self.close_connection = True
                return
            early = self.application.reply(request, body)
        else:
            line.close()  # the body that is still on its way would be read as the next request
        (early.send or Line.say)(line, early)
        self.close_connection = self.close_connection or line.broken

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self.handle_any
        raise AttributeError(name)

    def _body(self, length: int) -> tuple[bytes, bool]:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self._exactly(length)
        content = b""
        while size := int(self.rfile.readline().partition(b";")[0] or b"0", 16):
            piece, whole = self._exactly(size)
            content += piece
            if not whole or self.rfile.readline() != b"\r\n":
                return content, False
        return content, self.rfile.readline() == b"\r\n"

    def _exactly(self, length: int) -> tuple[bytes, bool]:
        content = b""
        try:
            while len(content) < length and (piece := self.rfile.read1(length - len(content))):
                content += piece
        except ConnectionError:
            pass
        return content, len(content) == length

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    tls: ssl.SSLContext | None = None

    def __init__(self, handler: type[_Handler]) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), handler)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, address = self.socket.accept()
        if self.tls is not None:  # the handshake is the thread's
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self.connections.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        self.connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Ends every connection; those who wait on one are told."""
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # clients hang up on purpose, and so do faults
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Origin:
    """A running server: `host` is its `HOST:PORT`."""

    def __init__(self, server: _Server, scheme: str) -> None:
        self._server = server
        self.host = f"127.0.0.1:{server.server_address[1]}"
        self.url = f"{scheme}://{self.host}"

    def hang_up(self) -> None:
        """Ends every connection, also those that are only kept open for later."""
        self._server.hang_up()

    def stop(self) -> None:
        """Listens no more, and ends every connection."""
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()


@contextmanager
def serve(application: Application, tls: tuple[Path, Path] | None = None) -> Iterator[Origin]:
    """Runs an application on a free loopback port, with a certificate and key over TLS."""
    handler = type("Handler", (_Handler,), {"application": application, "stopping": threading.Event(), "origin": ""})
    with ExitStack() as stack:
        server = stack.enter_context(_Server(handler))
        if tls is not None:
            server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.tls.load_cert_chain(*tls)
        origin = Origin(server, "http" if tls is None else "https")
        handler.origin = origin.host
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.hang_up)
        stack.callback(server.shutdown)
        stack.callback(handler.stopping.set)
        yield origin


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
