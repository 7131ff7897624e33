"""struct_ops: a TCP congestion control made of programs; by a link where the kernel has such, else by its map."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect
from bpfimg.errors import AttachError, Busy, NotSupported, UsageError
from bpfimg.kernel import libbpf
from bpfimg.load import hooks
from tests.support import loads
from tests.support.features import hook, lacks, needs
from tests.support.objects import EXAMPLES, compile_source, example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.load import Host

pytestmark = [pytest.mark.kernel, hook("struct_ops")]

NAME = "bpf_reno"


def _available() -> bool:
    with open("/proc/sys/net/ipv4/tcp_available_congestion_control", encoding="ascii") as file:
        return NAME in file.read().split()


def _connect() -> None:
    """A connection of this process to itself that uses it, through to its end."""
    with socket.socket() as listening, socket.socket() as near:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, NAME.encode())
        near.connect(listening.getsockname())
        far, _ = listening.accept()
        with far:
            near.sendall(b"x" * 50_000)
            left = 50_000
            while left:
                left -= len(far.recv(left))


@pytest.fixture(autouse=True)
def _none_before_and_after() -> Iterator[None]:
    needs("struct-ops")
    assert not _available()
    yield
    assert not _available()


def test_connections_are_counted_until_it_is_detached(host: Host) -> None:
    loaded = loads.run(host, example("tcp_reno_counted"), hooks.StructOps())
    (link,) = loaded.links
    assert (link.hook, link.where) == ("struct_ops", NAME)
    assert _available()
    _connect()
    _connect()
    assert loads.counted(loaded) == 2
    (view,) = inspect.host(host).links
    assert (view.hook, view.state) == ("struct_ops", "attached")
    assert len(loaded.program_ids) == 4
    loads.detach(host, link.id)
    assert not _available()
    with pytest.raises(FileNotFoundError):
        _connect()
    assert loads.counted(loaded) == 2
    loads.clear(host)


@needs("struct-ops-link")
def test_by_a_link_it_comes_back(host: Host) -> None:
    loaded = loads.run(host, example("tcp_reno_counted"), hooks.StructOps(NAME))
    assert loaded.links[0].how == "link"
    loads.detach(host, loaded.links[0].id)
    loads.attach(host, loaded.id, hooks.StructOps())
    assert _available()
    _connect()
    assert loads.counted(loaded) == 1
    loads.clear(host)


@hook("struct_ops", other_way=True)
@lacks("struct-ops-link")
def test_by_its_map_where_there_are_no_links(host: Host) -> None:
    loaded = loads.run(host, example("tcp_reno_counted"), hooks.StructOps(NAME))
    assert loaded.links[0].how == "attach"
    (view,) = inspect.host(host).links
    assert (view.kernel_id, view.state) == (None, "attached")
    with socket.socket() as user:
        user.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, NAME.encode())
        loads.detach(host, loaded.links[0].id)  # although it is in use
    assert inspect.host(host).links == ()
    loads.clear(host)


def test_unload_takes_it_along(host: Host) -> None:
    loaded = loads.run(host, example("tcp_reno_counted"), hooks.StructOps())
    with host.writer() as writer:
        writer.unload(loaded.id)
    assert not _available()


def test_a_name_that_is_in_use(host: Host) -> None:
    loads.run(host, example("tcp_reno_counted"), hooks.StructOps())
    with loads.nothing_left(host), pytest.raises(Busy, match=f"the operations of {NAME} have a name that is in use"):
        loads.run(host, example("tcp_reno_counted"), hooks.StructOps())
    assert _available()
    loads.clear(host)


def test_what_was_only_loaded_cannot_be_filled_in_later(host: Host) -> None:
    loaded = loads.only_load(host, example("tcp_reno_counted"))
    with pytest.raises(AttachError, match=f"the table {NAME} was loaded without being attached") as caught:
        loads.attach(host, loaded.id, hooks.StructOps())
    assert "bpfimg run" in caught.value.hint


def test_a_table_that_is_not_there(host: Host) -> None:
    with loads.nothing_left(host), pytest.raises(UsageError, match=f"no table of operations called 'no', .* {NAME}"):
        loads.run(host, example("tcp_reno_counted"), hooks.StructOps("no"))


def test_the_section_for_links_takes_a_newer_libbpf(host: Host) -> None:
    text = (EXAMPLES / "tcp_reno_counted.bpf.c").read_text().replace('SEC(".struct_ops")', 'SEC(".struct_ops.link")')
    data = compile_source(text, prelude=False)
    old = tuple(map(int, libbpf.version().split(".")[:2])) < (1, 2)
    with pytest.raises(NotSupported, match=r"libbpf 1\.\d finds no table") if old else contextlib.nullcontext():
        assert loads.run(host, data, hooks.StructOps()).links[0].how == "link"
    loads.clear(host)


def test_operations_that_the_kernel_does_not_take(host: Host) -> None:
    """A congestion control needs a function for `ssthresh`."""
    text = (EXAMPLES / "tcp_reno_counted.bpf.c").read_text().replace("\t.ssthresh = (void *)count_ssthresh,\n", "")
    text = text.replace('SEC("struct_ops/ssthresh")', 'SEC("?struct_ops/ssthresh")')
    with loads.nothing_left(host), pytest.raises(AttachError, match=f"the kernel does not take {NAME}"):
        loads.run(host, compile_source(text, prelude=False), hooks.StructOps())
