"""Connections that do not come up, or end where nobody looks: told in time, or gone over in silence."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from bpfimg._value import replace
from bpfimg.errors import RegistryError
from bpfimg.oci import Descriptor, Digest, Registry, Repository
from tests.support.fake_registry import FakeRegistry, fake_registry
from tests.support.faulty.goods import NAME, TAG, plain
from tests.support.faulty.scene import OPTIONS
from tests.support.faulty.ways import hung, sent
from tests.support.targets import LAYER
from tests.support.tokens import certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOODS = plain()
TOP = Digest.parse(GOODS.top)


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with fake_registry() as found:
        GOODS.put_into(found)
        yield found


def test_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
    with Registry(Repository(host, NAME), OPTIONS) as place, pytest.raises(RegistryError, match="refused") as caught:
        place.resolve(TAG)
    assert caught.value.hint


def test_somebody_is_there_and_does_not_take_the_call() -> None:
    """The queue of a listener that accepts nobody is full: the kernel answers no further SYN."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(closing(socket.socket()))
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        host = f"127.0.0.1:{server.getsockname()[1]}"
        place = stack.enter_context(Registry(Repository(host, NAME), replace(OPTIONS, waits=())))
        with pytest.raises(RegistryError, match="in time"):
            place.resolve(TAG)


def test_a_handshake_that_never_comes(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
        options = replace(OPTIONS, waits=(), ca_file=str(certificate(tmp_path, "x")[0]))
        with Registry(Repository(host, NAME), options) as place, pytest.raises(RegistryError):
            place.resolve(TAG)


def test_no_tls_where_it_is_expected(fake: FakeRegistry, tmp_path: Path) -> None:
    options = replace(OPTIONS, ca_file=str(certificate(tmp_path, "x")[0]))
    with Registry(Repository(fake.host, NAME), options) as place, pytest.raises(RegistryError, match="TLS"):
        place.resolve(TAG)
    assert fake.requests == []


def test_tls_where_none_is_expected(tmp_path: Path) -> None:
    with (
        fake_registry(certificate(tmp_path, "x")) as fake,
        Registry(Repository(fake.host, NAME), OPTIONS) as place,
        pytest.raises(RegistryError),
    ):
        place.resolve(TAG)


def test_connections_that_were_closed_meanwhile(fake: FakeRegistry) -> None:
    """As servers do after a minute: no reason to speak of it."""
    said: list[str] = []
    with Registry(Repository(fake.host, NAME), replace(OPTIONS, warn=said.append)) as place:
        for _ in range(3):
            place.tags()
            fake.hang_up()
        place.push(Descriptor.of(b"x", LAYER), b"x")
    assert said == []


def test_a_registry_that_goes_away() -> None:
    with fake_registry() as fake:
        GOODS.put_into(fake)
        with Registry(Repository(fake.host, NAME), OPTIONS) as place:
            place.resolve(TAG)
            fake.stop()
            with pytest.raises(RegistryError):
                place.tags()


@pytest.mark.parametrize("size", [1 << 16, 32 << 20])
def test_an_upload_that_nobody_takes(size: int, fake: FakeRegistry) -> None:
    """Small ones fit into the buffers of the sockets; large ones wait for room that never comes."""
    content = bytes(size)
    fake.fail("PUT", sent(hung), 100, early=True)
    with Registry(Repository(fake.host, NAME), replace(OPTIONS, waits=(0.0,))) as place, pytest.raises(RegistryError):
        place.push(Descriptor.of(content, LAYER), content)
    assert fake.blobs == GOODS.blobs


def test_a_chunk_that_nobody_takes(fake: FakeRegistry) -> None:
    content = bytes(range(256)) * (64 << 10)
    options = replace(OPTIONS, whole=1 << 20, chunk=8 << 20, waits=(0.0,))
    fake.fail("PATCH", sent(hung), 100, early=True)
    with Registry(Repository(fake.host, NAME), options) as place, pytest.raises(RegistryError):
        place.push_stream(Descriptor.of(content, LAYER), lambda: iter([content]))
    assert fake.blobs == GOODS.blobs


def test_content_in_memory_goes_in_chunks_too(fake: FakeRegistry) -> None:
    content = bytes(range(256)) * (16 << 10)
    options = replace(OPTIONS, whole=1 << 20, chunk=2 << 20)
    with Registry(Repository(fake.host, NAME), options) as place:
        place.push(Descriptor.of(content, LAYER), content)
        assert place.fetch(Descriptor.of(content, LAYER)) == content
