"""Pairs of connected sockets, and putting them into maps of sockets."""

from __future__ import annotations

import socket
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock

from bpfimg.errors import KernelError
from bpfimg.kernel import abi, bpf, features, netns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.kernel import Fd
    from bpfimg.load import Load
    from tests.support.netns import Namespace


@contextmanager
def connected(ns: Namespace) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection from the namespace to its peer: the near end and the far end."""

    def listen() -> socket.socket:
        listener = socket.socket()
        listener.bind((ns.peer_address, 0))
        listener.listen()
        return listener

    with netns.call(f"/var/run/netns/{ns.peer}", listen) as listener, netns.call(ns.path, socket.socket) as near:
        near.settimeout(10)
        near.connect(listener.getsockname())
        far, _ = listener.accept()
        with far:
            far.settimeout(10)
            yield near, far


def put(loaded: Load, name: str, sock: socket.socket) -> None:
    """Puts a socket into a sockmap of a load, at key 0."""
    record = loaded.record
    assert record is not None
    with bpf.get(loaded.map_pins()[[each for each, _ in record.maps].index(name)]) as fd:
        bpf.map_update(fd, bytes(4), struct.pack("=Q", sock.fileno()))


@contextmanager
def unlinked() -> Iterator[None]:
    """A kernel without links for maps of sockets, as before 6.10: those that have them take the old way, too."""
    link_create = bpf.link_create

    def refused(program: int, target: int, attach_type: int) -> Fd:
        if abi.ATTACH_TYPES[attach_type].startswith(("sk_msg_", "sk_skb_")):
            raise KernelError("as kernels before 6.10", errno=22)
        return link_create(program, target, attach_type)

    with (
        mock.patch.object(bpf, "link_create", refused),
        mock.patch.dict(features._answers, {"sockmap-link": False}),
    ):
        yield
