"""A server on loopback that answers by a function; tests see what it was asked, and may make it fail."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `query` has the first value of each name."""

    method: str
    path: str
    query: dict[str, str]
    headers: Any
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise RefusedError(400, f"no JSON: {error}") from error


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    body: bytes = b""
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """The request is not what the service takes: the status and the reason go back to the client."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(slots=True)
class Service:
    """A running server. `asked` has `METHOD PATH` of every request; `fault` is a status that it answers to all of
    them (0: it does its work); `change` may replace an answer."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    fault: int = 0
    change: Callable[[Request, Answer], Answer] | None = None


def document(value: object, status: int = 200) -> Answer:
    """An answer in JSON."""
    return Answer(json.dumps(value).encode(), status)


@contextmanager
def serving(respond: Callable[[Request], Answer]) -> Iterator[Service]:
    """Runs a server on a free port."""
    service = Service()

    def answer(request: Request) -> Answer:
        service.asked.append(f"{request.method} {request.path}")
        if service.fault:
            return document({"code": service.fault, "message": "out of order"}, service.fault)
        try:
            found = respond(request)
        except RefusedError as refused:
            found = document({"code": refused.status, "message": refused.reason}, refused.status)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            found = document({"code": 400, "message": f"not what is asked here: {error!r}"}, 400)
        return service.change(request, found) if service.change else found

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            asked = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(asked.query).items()}
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found = answer(Request(self.command, asked.path, query, self.headers, body))
            self.send_response(found.status)
            self.send_header("Content-Type", found.kind)
            self.send_header("Content-Length", str(len(found.body)))
            for name, text in found.headers.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        service.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
