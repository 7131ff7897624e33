"""A registry in Python with what Debian's does not have: the referrers API, and faults that a test switches on.

It learned its behaviour from docker-registry 2.8 and go-containerregistry's registry: the contract of targets runs on
all of them.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INDEX = "application/vnd.oci.image.index.v1+json"
_PATH = re.compile(r"/v2/(?P<name>.+?)/(?P<kind>manifests|blobs|referrers)/(?P<rest>.*)")


@dataclass(slots=True)
class Reply:
    """A response before it is sent."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Close the connection after so many bytes of the body, all of which were announced."""
    unannounced: bool = False
    """Send no Content-Length: the body ends when the connection does."""


@dataclass(slots=True)
class Fault:
    """What goes wrong with the next `times` requests whose `METHOD PATH` contains `where`."""

    where: str
    change: Callable[[Reply], Reply]
    times: int = 1


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(slots=True)
class FakeRegistry:
    """The state and the switches. `host` is what stands before the first / of a reference."""

    host: str
    referrers_api: bool = True
    says_subject: bool = True
    ranges: bool = True
    relative_location: bool = True
    page: int = 1000
    challenge: str = ""
    """`WWW-Authenticate` for requests without the `authorization` that is wanted."""
    authorization: str = ""
    token: bytes = b'{"token":"sesame"}'
    faults: list[Fault] = field(default_factory=list)
    after_put: Callable[[str], None] | None = None
    """Called with the path of every manifest that was put."""
    requests: list[Request] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, where: str, change: Callable[[Reply], Reply], times: int = 1) -> None:
        self.faults.append(Fault(where, change, times))

    def seen(self, word: str = "") -> list[str]:
        """`METHOD PATH` of the requests that contain `word`."""
        lines = [f"{each.method} {each.path}" for each in self.requests]
        return [line for line in lines if word in line]

    def reply(self, request: Request, body: bytes) -> Reply:
        url = urlsplit(request.path)
        if url.path == "/token":
            return Reply(200, self.token, {"Content-Type": "application/json"})
        if url.path.startswith("/elsewhere/"):
            return self._read(request, Reply(200, self.blobs[url.path.removeprefix("/elsewhere/")]))
        if self.authorization and request.headers.get("Authorization") != self.authorization:
            return _error(401, "UNAUTHORIZED", {"WWW-Authenticate": self.challenge})
        match = _PATH.fullmatch(url.path)
        if match is None:
            return Reply(404, b"404 page not found\n", {"Content-Type": "text/plain"})
        name, kind, rest = match["name"], match["kind"], match["rest"]
        if kind == "referrers":
            return self._referrers(name, rest, url.query)
        if kind == "blobs":
            return self._blob(request, name, rest, url.query, body)
        return self._put(request, name, rest, body) if request.method == "PUT" else self._manifest(name, rest)

    def _blob(self, request: Request, name: str, rest: str, query: str, body: bytes) -> Reply:
        if request.method == "POST":
            place = f"/v2/{name}/blobs/uploads/1?state=a%2Fb"
            return Reply(202, headers={"Location": place if self.relative_location else f"http://{self.host}{place}"})
        if request.method == "PUT":
            (digest,) = parse_qs(query)["digest"]
            if parse_qs(query).get("state") != ["a/b"] or _digest(body) != digest:
                return _error(400, "DIGEST_INVALID")
            self.blobs[digest] = body
            return Reply(201, headers={"Location": f"/v2/{name}/blobs/{digest}"})
        if rest not in self.blobs:
            return _error(404, "BLOB_UNKNOWN")
        return self._read(request, Reply(200, self.blobs[rest], {"ETag": f'"{rest}"'}))

    def _read(self, request: Request, whole: Reply) -> Reply:
        span = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        if span is None or not self.ranges:
            return whole
        start, size = int(span[1]), len(whole.body)
        headers = {**whole.headers, "Content-Range": f"bytes {start}-{size - 1}/{size}"}
        return Reply(206, whole.body[start:], headers)

    def _manifest(self, name: str, selector: str) -> Reply:
        found = self.manifests.get((name, selector))
        if found is None:
            return _error(404, "MANIFEST_UNKNOWN")
        media_type, raw = found
        return Reply(200, raw, {"Content-Type": media_type, "Docker-Content-Digest": _digest(raw)})

    def _put(self, request: Request, name: str, selector: str, body: bytes) -> Reply:
        document = json.loads(body)
        for part in [document.get("config"), *document.get("layers", [])]:
            if part and part["digest"] not in self.blobs:
                return _error(400, "MANIFEST_BLOB_UNKNOWN")
        entry = request.headers["Content-Type"], body
        self.manifests[name, selector] = self.manifests[name, _digest(body)] = entry
        headers = {"Docker-Content-Digest": _digest(body)}
        if self.referrers_api and self.says_subject and "subject" in document:
            headers["OCI-Subject"] = document["subject"]["digest"]
        if self.after_put:
            self.after_put(request.path)
        return Reply(201, headers=headers)

    def _referrers(self, name: str, digest: str, query: str) -> Reply:
        if not self.referrers_api:
            return Reply(404, b"404 page not found\n", {"Content-Type": "text/plain"})
        entries = []
        for (where, key), (media_type, raw) in self.manifests.items():
            document = json.loads(raw)
            if where == name and key.startswith("sha256:") and document.get("subject", {}).get("digest") == digest:
                entries.append(
                    {
                        "mediaType": media_type,
                        "digest": key,
                        "size": len(raw),
                        "artifactType": document.get("artifactType") or document.get("config", {}).get("mediaType"),
                        "annotations": document.get("annotations", {}),
                    }
                )
        start = int(parse_qs(query).get("start", ["0"])[0])
        shown, left = entries[start : start + self.page], entries[start + self.page :]
        headers = {"Content-Type": INDEX}
        if left:
            headers["Link"] = f'</v2/{name}/referrers/{digest}?start={start + self.page}>; rel="next"'
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": shown}).encode()
        return Reply(200, body, headers)


@contextmanager
def fake_registry() -> Iterator[FakeRegistry]:
    """Runs a fake registry on a free loopback port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # headers and body in one segment: else each answer waits 40 ms for an acknowledgement

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            request = Request(self.command, self.path, dict(self.headers.items()))
            with state.lock:
                state.requests.append(request)
                reply = state.reply(request, body)
                for fault in state.faults:
                    if fault.times and fault.where in f"{request.method} {request.path}":
                        fault.times -= 1
                        reply = fault.change(reply)
                        break
            self._send(reply)

        def do_GET(self) -> None:
            self.handle_any()

        def do_HEAD(self) -> None:
            self.handle_any()

        def do_POST(self) -> None:
            self.handle_any()

        def do_PUT(self) -> None:
            self.handle_any()

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, text in reply.headers.items():
                self.send_header(name, text)
            if not reply.unannounced:
                self.send_header("Content-Length", reply.headers.get("Content-Length", str(len(reply.body))))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
            if reply.cut is not None or reply.unannounced:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        state = FakeRegistry(f"127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # clients hang up on purpose
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def _error(status: int, code: str, headers: dict[str, str] | None = None) -> Reply:
    body = json.dumps({"errors": [{"code": code, "message": f"fake {code}"}]}).encode()
    return Reply(status, body, {"Content-Type": "application/json", **(headers or {})})
