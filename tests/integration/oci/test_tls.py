"""Whom we trust, who we are in TLS, and the way through a proxy."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from base64 import b64encode
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.errors import RegistryError
from bpfimg.oci import Registry, Repository, places
from bpfimg.oci._http._no_proxy import is_exempt
from tests.support.authority import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """Has one tag, and says who asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        body = b'{"name": "acme/xdp", "tags": ["v1"]}'
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """An HTTP server on loopback, over TLS with a context; yields its port."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A refused handshake is what the test wants."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def strict(authority: Authority) -> Iterator[str]:
    """A registry that demands a certificate of its clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("server", "127.0.0.1", "registry.test"))
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    with serving(context) as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def sealed(authority: Authority) -> Iterator[int]:
    """The port of a registry over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("sealed", "127.0.0.1", "registry.test"))
    with serving(context) as port:
        yield port


def tags(host: str, **given: Any) -> list[str]:
    with Registry(Repository(host, "acme/xdp"), places.RegistryOptions(waits=(), **given)) as place:
        return list(place.tags())


@pytest.fixture
def folder(strict: str, authority: Authority, tmp_path: Path) -> Path:
    """The folder of that registry below certs.d, which is `tmp_path`."""
    made = tmp_path / strict
    made.mkdir()
    shutil.copy(authority.file, made / "ca.crt")
    return made


def test_a_client_certificate_lets_us_in(strict: str, authority: Authority, folder: Path) -> None:
    with pytest.raises(RegistryError, match=r"wants a certificate|TLS fails|connection broke"):
        tags(strict, certs_d=(str(folder.parent),))
    chain, key = authority.issue("client")
    shutil.copy(chain, folder / "client.cert")
    shutil.copy(key, folder / "client.key")
    assert tags(strict, certs_d=("/does/not/exist", str(folder.parent))) == ["v1"]
    peer = shutil.which("skopeo")
    if peer:  # the same folder means the same to it
        words = [peer, "list-tags", "--cert-dir", str(folder), f"docker://{strict}/acme/xdp"]
        assert '"v1"' in subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout


def test_the_first_folder_decides(strict: str, authority: Authority, folder: Path, tmp_path: Path) -> None:
    chain, key = authority.issue("second")
    shutil.copy(chain, folder / "client.cert")
    shutil.copy(key, folder / "client.key")
    empty = tmp_path / "empty"
    (empty / strict).mkdir(parents=True)
    with pytest.raises(RegistryError, match="certificate is not believed"):
        tags(strict, certs_d=(str(empty), str(folder.parent)))


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("client.cert",), "has no key beside it, expected client.key"),
        (("client.key",), "has no certificate beside it, expected client.cert"),
        (("client.cert", "locked.key"), "has a passphrase, expected one without"),
        (("client.cert", "server.key"), "they are no pair"),
        (("server.key", "client.key"), "cannot be used"),
    ],
)
def test_a_pair_that_is_none(
    strict: str, authority: Authority, folder: Path, names: tuple[str, ...], sentence: str
) -> None:
    authority.issue("client")
    authority.issue("locked", passphrase=b"secret")
    for number, name in enumerate(names):
        source = name.replace(".cert", ".crt")
        ending = (".cert", ".key")[number] if len(names) == 2 else f".{name.partition('.')[2]}"
        shutil.copy(authority.file.parent / source, folder / f"client{ending}")
    with pytest.raises(RegistryError, match=sentence.replace(".", r"\.")):
        tags(strict, certs_d=(str(folder.parent),))


def test_the_systems_authorities_can_be_others(sealed: int, authority: Authority, tmp_path: Path) -> None:
    host = f"127.0.0.1:{sealed}"
    (tmp_path / host).mkdir()  # so that TLS is spoken on loopback
    given: dict[str, Any] = {"certs_d": (str(tmp_path),)}
    with pytest.raises(RegistryError, match="certificate is not believed"):
        tags(host, **given)
    assert tags(host, system_ca=(str(authority.file), ""), **given) == ["v1"]
    loose = tmp_path / "loose"
    loose.mkdir()
    shutil.copy(authority.file, loose / "mine.pem")
    (loose / "README").write_text("no certificate")
    assert tags(host, system_ca=("", f"/does/not/exist:{loose}"), **given) == ["v1"]
    if shutil.which("openssl"):
        subprocess.run(["openssl", "rehash", str(loose)], check=True, capture_output=True)
        (loose / "junk.pem").write_text("not looked at")
        assert tags(host, system_ca=("", str(loose)), **given) == ["v1"]
    with pytest.raises(RegistryError, match=r"none\.pem cannot be used"):
        tags(host, system_ca=(str(tmp_path / "none.pem"), ""), **given)


@dataclass(slots=True)
class Proxy:
    """A proxy that leads every name to `port` on this machine; `seen` has its request lines."""

    url: str
    port: int
    login: str = ""
    refuses: int = 0
    seen: list[str] = field(default_factory=list)


@contextmanager
def proxy(port: int) -> Iterator[Proxy]:
    listener = socket.create_server(("127.0.0.1", 0))
    state = Proxy(f"127.0.0.1:{listener.getsockname()[1]}", port)

    def relay(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while part := source.recv(1 << 16):
                target.sendall(part)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def handle(client: socket.socket) -> None:
        with ExitStack() as stack:
            stack.enter_context(client)
            head = b""
            while b"\r\n\r\n" not in head:
                part = client.recv(1 << 16)
                if not part:
                    return
                head += part
            line = head.partition(b"\r\n")[0].decode()
            state.seen.append(line.rpartition(" ")[0])
            expected = b64encode(state.login.encode())
            if state.login and b"proxy-authorization: basic " + expected.lower() not in head.lower():
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            if state.refuses:
                client.sendall(f"HTTP/1.1 {state.refuses} No\r\nContent-Length: 0\r\n\r\n".encode())
                return
            far = stack.enter_context(socket.create_connection(("127.0.0.1", state.port)))
            if line.startswith("CONNECT "):
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                far.sendall(head)
            back = threading.Thread(target=relay, args=(far, client))
            back.start()
            relay(client, far)
            back.join()

    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threads.append(threading.Thread(target=handle, args=(client,)))
                threads[-1].start()

    server = threading.Thread(target=accept)
    server.start()
    try:
        yield state
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        server.join()
        for thread in threads:
            thread.join()


def test_through_a_proxy(sealed: int, authority: Authority) -> None:
    with proxy(sealed) as through:
        given: dict[str, Any] = {"ca_file": str(authority.file), "proxies": {"https": f"http://{through.url}"}}
        assert tags("registry.test", **given) == ["v1"]
        assert through.seen == ["CONNECT registry.test:443"]
        assert tags("registry.test:5000", **given) == ["v1"]
        assert through.seen[1:] == ["CONNECT registry.test:5000"]
        with pytest.raises(RegistryError, match="certificate is not believed"):
            tags("other.test", **given)
        assert tags(f"127.0.0.1:{sealed}", **given) == ["v1"]
        assert len(through.seen) == 3, "what is on this machine needs no proxy"


def test_a_proxy_that_wants_a_password(sealed: int, authority: Authority) -> None:
    with proxy(sealed) as through:
        through.login = "me:p@ss"
        given: dict[str, Any] = {"ca_file": str(authority.file)}
        assert tags("registry.test", proxies={"https": f"http://me:p%40ss@{through.url}"}, **given) == ["v1"]
        with pytest.raises(RegistryError, match="407") as refused:
            tags("registry.test", proxies={"https": f"http://me:hidden@{through.url}"}, **given)
        assert "hidden" not in f"{refused.value} {refused.value.hint}"
        through.login, through.refuses = "", 403
        with pytest.raises(RegistryError, match="403"):
            tags("registry.test", proxies={"https": f"http://{through.url}"}, **given)


def test_plain_http_through_a_proxy() -> None:
    with serving() as port, proxy(port) as through:
        assert tags("registry.test", plain_http=True, proxies={"http": through.url}) == ["v1"]
        assert through.seen[0].startswith("GET http://registry.test/v2/acme/xdp/tags/list")


def test_a_proxy_that_is_not_there(sealed: int, authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(RegistryError, match=r"proxy|refused") as refused:
        tags("registry.test", ca_file=str(authority.file), proxies={"https": f"http://me:hidden@127.0.0.1:{port}"})
    assert "hidden" not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize(
    ("names", "host", "exempt"),
    [
        ("", "a.test", False),
        ("*", "a.test", True),
        ("a.test", "a.test", True),
        ("a.test", "a.test:5000", True),
        ("A.Test", "sub.a.test:5000", True),
        (".a.test", "sub.a.test", True),
        (".a.test", "a.test", True),
        ("*.a.test", "sub.a.test", True),
        ("a.test", "nota.test", False),
        ("a.test:5000", "a.test:5000", True),
        ("a.test:5000", "a.test:5001", False),
        ("a.test:443", "a.test", True),
        ("b.test, a.test ,c.test", "a.test", True),
        ("10.0.0.0/8", "10.1.2.3:5000", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "a.test", False),
        ("10.1.2.3", "10.1.2.3:80", True),
        ("fd00::/8", "[fd00::1]:5000", True),
        ("[fd00::1]", "[fd00::1]:5000", True),
        ("junk/x,,.", "a.test", False),
    ],
)
def test_what_goes_without_a_proxy(names: str, host: str, exempt: bool) -> None:
    assert is_exempt(host, names, "443") is exempt
