"""Servers that take their time, or say too much: every request has an end, in time and in memory."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from bpfimg._value import replace
from bpfimg.errors import Error, RegistryError
from bpfimg.oci import Descriptor, Registry, Repository, places
from tests.support.fake_registry import FakeRegistry, Reply, fake_registry
from tests.support.targets import LAYER, image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Talk = Callable[[socket.socket, threading.Event], None]

NAME = "acme/xdp"
QUICK = places.RegistryOptions(waits=(), connect=5.0, silence=0.3, grace=0.3, slowest=1 << 30)
"""A third of a second for headers, and for each piece; content that takes longer must come at a GiB a second."""
BRIEF = replace(QUICK, silence=0.08, grace=0.08)
OK = b"HTTP/1.1 200 OK\r\n"
CONTENT = b"x" * 300_000
BLOB = Descriptor.of(CONTENT, LAYER)


@contextmanager
def server(talk: Talk) -> Iterator[str]:
    """Runs `talk` on every connection after its first request has come; yields `HOST:PORT`."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(10.0)
            head = b""
            while b"\r\n\r\n" not in head:
                part = connection.recv(65536)
                if not part:
                    return
                head += part
            talk(connection, stop)

    def listen() -> None:
        while not stop.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=one, args=(connection,), daemon=True))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.02)
        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stop.set()
            thread.join()
            for each in threads:
                each.join()


def always(word: bytes, pause: float = 0.0, before: bytes = b"") -> Talk:
    """Sends `before`, then `word` for ever."""

    def talk(connection: socket.socket, stop: threading.Event) -> None:
        connection.sendall(before)
        while not stop.is_set():
            connection.sendall(word)
            if pause:
                stop.wait(pause)

    return talk


def once(answer: bytes) -> Talk:
    """Sends an answer and hangs up."""
    return lambda connection, _: connection.sendall(answer)


ENDLESS = {
    "nothing": always(b"", 0.02),
    "a byte of the status line now and then": always(b"H", 0.02),
    "a byte of the headers now and then": always(b"x", 0.02, OK),
    "a header now and then": always(b"A: b\r\n", 0.02, OK),
    "headers without end": always(b"A: b\r\n", 0.0, OK),
    "one header without end": always(b"x" * 8192, 0.0, OK + b"A: "),
    "a status line without end": always(b"x" * 8192, 0.0, b"HTTP/1.1 200 "),
    "100 Continue without end": always(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "100 Continue now and then": always(b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
    "100 Continue with headers without end": always(b"A: b\r\n", 0.0, b"HTTP/1.1 100 Continue\r\n"),
    "empty lines without end": always(b"\r\n"),
    "a byte of the body now and then": always(b"x", 0.02, OK + b"Content-Length: 300000\r\n\r\n"),
    "a byte of an unannounced body now and then": always(b"x", 0.02, OK + b"\r\n"),
    "a chunk now and then": always(b"1\r\nx\r\n", 0.02, OK + b"Transfer-Encoding: chunked\r\n\r\n"),
    "a byte of a chunk size now and then": always(b"0", 0.02, OK + b"Transfer-Encoding: chunked\r\n\r\n"),
    "a chunk size without end": always(b"0" * 8192, 0.0, OK + b"Transfer-Encoding: chunked\r\n\r\n"),
    "a chunk extension without end": always(b"x" * 8192, 0.0, OK + b"Transfer-Encoding: chunked\r\n\r\n1;"),
    "trailers without end": always(b"A: b\r\n" * 100, 0.0, OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"),
    "a trailer now and then": always(b"A: b\r\n", 0.02, OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"),
    "silence within the body": always(b"", 0.02, OK + b"Content-Length: 300000\r\n\r\nxxx"),
    "no HTTP": always(b"SSH-2.0-OpenSSH_9.2\r\n", 0.02),
}
"""What a server may do for ever; the first answer of each request of a command is of this kind."""


def ask(place: Registry, what: str) -> None:
    """Asks for something; RegistryError when it is there, for which the headers of HEAD and PUT are enough."""
    if what == "manifest":
        place.resolve("v1")
    elif what == "blob":
        list(place.stream(BLOB))
    elif what == "push":
        place.push(*image().blobs[1])
    elif what == "list":
        place.tags()
    else:
        place.exists(BLOB)
    raise RegistryError("the headers were all that was wanted")


@pytest.mark.parametrize("talk", ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize("what", ["manifest", "blob", "exists", "push", "list"])
def test_nothing_goes_on_for_ever(talk: Talk, what: str) -> None:
    with server(talk) as host, Registry(Repository(host, NAME), BRIEF) as place:
        tracemalloc.start()
        try:
            with pytest.raises(Error) as caught:
                ask(place, what)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert peak < 16 << 20


def test_a_token_server_has_an_end_as_well() -> None:
    with server(ENDLESS["a byte of the headers now and then"]) as slow, fake_registry() as fake:
        fake.authorization = "Bearer x"
        fake.challenge = f'Bearer realm="http://{slow}/token"'
        with (
            Registry(Repository(fake.host, NAME), QUICK) as place,
            pytest.raises(RegistryError, match="does not answer in time"),
        ):
            place.resolve("v1")


@pytest.mark.parametrize("answer", [OK + b"A" * 70_000 + b": b\r\n\r\n", OK + b"A: b\r\n" * 101 + b"\r\n"])
def test_too_many_headers_are_no_reason_to_try_again(answer: bytes) -> None:
    said: list[str] = []
    options = replace(QUICK, waits=(0.0,) * 5, warn=said.append)
    with (
        server(once(answer)) as host,
        Registry(Repository(host, NAME), options) as place,
        pytest.raises(RegistryError, match="no answer by the rules of HTTP"),
    ):
        place.resolve("v1")
    assert said == []


@pytest.mark.parametrize("end", [5, 20, 40])
def test_headers_that_break_off_are(end: int) -> None:
    """http.client takes the end of the connection for the end of the headers."""
    answer = OK + b"Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n"
    said: list[str] = []
    with (
        server(once(answer[:end])) as host,
        Registry(Repository(host, NAME), replace(QUICK, waits=(0.0,), warn=said.append)) as place,
        pytest.raises(RegistryError, match="the connection broke"),
    ):
        place.resolve("v1")
    assert len(said) == 1


def test_a_server_that_never_reads() -> None:
    def talk(_: socket.socket, stop: threading.Event) -> None:
        stop.wait(10.0)

    content = bytes(32 << 20)
    with fake_registry() as fake, server(talk) as deaf:
        location = f"http://{deaf}/upload"
        fake.fail("POST", lambda reply: replace(reply, headers={**reply.headers, "Location": location}), times=9)
        with (
            Registry(Repository(fake.host, NAME), QUICK) as place,
            pytest.raises(RegistryError, match=r"connection broke|in time"),
        ):
            place.push(Descriptor.of(content, LAYER), content)


def test_a_slow_line_is_no_fault() -> None:
    """More than all deadlines together, but each piece in time and fast enough."""

    def talk(connection: socket.socket, stop: threading.Event) -> None:
        connection.sendall(OK + b"Content-Length: 300000\r\n\r\n")
        for at in range(0, len(CONTENT), 20_000):
            connection.sendall(CONTENT[at : at + 20_000])
            stop.wait(0.06)

    options = replace(QUICK, slowest=1000)
    with server(talk) as host, Registry(Repository(host, NAME), options) as place:
        begun = time.monotonic()
        assert place.fetch(BLOB) == CONTENT
        assert time.monotonic() - begun > options.silence + options.grace


def test_who_reads_may_take_his_time() -> None:
    with server(once(OK + b"Content-Length: 300000\r\n\r\n" + CONTENT)) as host:
        options = replace(QUICK, grace=0.2, slowest=10_000_000)
        with Registry(Repository(host, NAME), options) as place:
            got = 0
            for piece in place.stream(BLOB):
                got += len(piece)
                time.sleep(0.1)
            assert got == BLOB.size


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with fake_registry() as running:
        yield running


def test_what_a_registry_says_to_people(fake: FakeRegistry) -> None:
    said: list[str] = []
    fake.warning = '299 - "this repository is \x1b[31m going away"'
    with Registry(Repository(fake.host, NAME), replace(QUICK, warn=said.append)) as place:
        image().push(place, "v1")
        place.resolve("v1")
    assert said == [f"{fake.host} says: 'this repository is \\x1b[31m going away'"]


def test_a_date_may_say_when_to_come_back(fake: FakeRegistry) -> None:
    with Registry(Repository(fake.host, NAME), replace(QUICK, waits=(9.0, 9.0))) as place:
        image().push(place, "v1")
        past = {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}
        fake.fail("GET", lambda _: Reply(429, headers=past))
        assert place.resolve("v1") == image().descriptor
        far = {"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}
        fake.fail("GET", lambda _: Reply(429, headers=far))
        with pytest.raises(RegistryError) as refused:
            place.resolve("v1")
        assert refused.value.status == 429
