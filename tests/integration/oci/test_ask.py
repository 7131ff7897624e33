"""Asking a service that is no registry: over TLS with the same authorities, once, bounded, nothing followed."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import RegistryError
from bpfimg.oci import places
from tests.support.authority import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator

#: path -> status, headers, content
ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/good": (201, {"X-Word": "one"}, b'{"a": 1}'),
    "/moved": (302, {"Location": "/good"}, b""),
    "/refused": (503, {"Retry-After": "0"}, b"busy"),
    "/packed": (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"),
    "/large": (200, {}, b"x" * 1001),
}


class Handler(BaseHTTPRequestHandler):
    asked: list[tuple[str, str, bytes]] = []  # noqa: RUF012 (one list for the one server)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append((self.command, self.path, body))
        status, headers, content = ANSWERS[self.path.partition("?")[0]]
        self.send_response(status)
        for name, text in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST  # noqa: N815 (the name that http.server calls)

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[str]:
    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A refused handshake is what a test wants."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def secure(authority: Authority) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("service", "127.0.0.1"))
    with serving(context) as url:
        yield url


@pytest.fixture(scope="module")
def plain() -> Iterator[str]:
    with serving() as url:
        yield url


@pytest.fixture(autouse=True)
def asked() -> list[tuple[str, str, bytes]]:
    Handler.asked.clear()
    return Handler.asked


def ask(url: str, method: str = "POST", **options: object) -> tuple[int, bytes, str]:
    with places.Connections(places.RegistryOptions(**options)) as connections:  # type: ignore[arg-type]
        answer = connections.ask(method, url, "try it", body=b"{}", headers={"Content-Type": "x/y"}, limit=1000)
    return answer.status, answer.content, answer.headers.get("X-Word", "")


def test_the_answer_comes_whole(plain: str, asked: list[tuple[str, str, bytes]]) -> None:
    assert ask(f"{plain}/good?q=1") == (201, b'{"a": 1}', "one")
    assert ask(f"{plain}/good", "GET")[0] == 201
    assert asked == [("POST", "/good?q=1", b"{}"), ("GET", "/good", b"{}")]


@pytest.mark.parametrize(("path", "status"), [("/moved", 302), ("/refused", 503)])
def test_it_is_asked_once_and_nothing_is_followed(
    plain: str, asked: list[tuple[str, str, bytes]], path: str, status: int
) -> None:
    assert ask(plain + path)[0] == status
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/packed", "sends its answer encoded as 'gzip', expected it plain"),
        ("/large", "answers with more than 1000 bytes"),
    ],
)
def test_what_is_not_as_it_should_be(plain: str, path: str, reason: str) -> None:
    with pytest.raises(RegistryError, match=f"cannot try it: .* {reason}"):
        ask(plain + path)


def test_tls_is_checked_by_the_authorities_of_registries(secure: str, authority: Authority) -> None:
    assert ask(f"{secure}/good", ca_file=str(authority.file))[0] == 201
    with pytest.raises(RegistryError, match="its TLS certificate is not believed") as caught:
        ask(f"{secure}/good")
    assert "--ca-file" in caught.value.hint


def test_what_is_said_about_registries_does_not_count(secure: str) -> None:
    """A registry without a good certificate is the user's choice; a token is not sent into the blue by that."""
    with pytest.raises(RegistryError, match="its TLS certificate is not believed"):
        ask(f"{secure}/good", insecure_skip_tls_verify=True)
    with pytest.raises(RegistryError, match="is not encrypted, expected an https URL"):
        ask("http://service.example/good", plain_http=True)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "127.0.0.1/x", "https://", "https://a b/", "file:///etc/passwd"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(RegistryError, match="expected an https URL"):
        ask(url)


def test_a_user_in_an_address_is_nobodys_business(plain: str, asked: list[tuple[str, str, bytes]]) -> None:
    with pytest.raises(RegistryError) as caught:
        ask(plain.replace("http://127.0.0.1", "http://user:secret@service.example") + "/good")
    assert "secret" not in str(caught.value)
    assert asked == []
