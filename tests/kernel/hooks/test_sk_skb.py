"""sk_skb: what arrives on the sockets in a map is counted, until the program is taken off."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import UsageError
from bpfimg.load._hooks import Sockmap
from tests.support import loads
from tests.support.features import hook
from tests.support.objects import compile_source, example
from tests.support.sockmaps import connected, put

if TYPE_CHECKING:
    import socket

    from bpfimg.load import Host
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, hook("sk_skb")]

_OPEN = """
static void *(*lookup)(void *map, const void *key) = (void *)1;
struct { __uint(type, 2); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } counters SEC(".maps");
struct { __uint(type, 15); __uint(max_entries, 4); __type(key, __u32); __type(value, __u64); } sockets SEC(".maps");
SEC("sk_skb") int %sopen(void *skb)
{
	__u32 key = 0;
	__u64 *value = lookup(&counters, &key);
	if (value)
		__sync_fetch_and_add(value, 1);
	return 1;
}
char LICENSE[] SEC("license") = "Dual BSD/GPL";
"""


def received(sock: socket.socket, size: int) -> bytes:
    """What has come through the program; a verdict is given in the background."""
    select.select([sock], [], [], 10)
    return sock.recv(size)


def test_what_arrives_is_counted_until_the_program_is_detached(host: Host, ns: Namespace) -> None:
    loaded = loads.run(host, example("sk_skb_counter"), Sockmap("sk_skb", "sockets"))
    assert loaded.links[0].where.endswith(") verdict")
    with connected(ns) as (near, far):
        put(loaded, "sockets", far)
        near.sendall(b"hello")
        assert received(far, 5) == b"hello"
        assert loads.counted(loaded) == 1
    loads.detach(host, loaded.links[0].id)
    with connected(ns) as (near, far):  # what a socket runs is decided when it is put there
        put(loaded, "sockets", far)
        near.sendall(b"again")
        assert received(far, 5) == b"again"
    assert loads.counted(loaded) == 1


@pytest.mark.parametrize("way", [None, "sk_skb_verdict", "sk_skb_stream_verdict"])
def test_a_section_that_leaves_the_kind_open(way: str | None, host: Host, ns: Namespace) -> None:
    loaded = loads.run(host, compile_source(_OPEN % loads.TAG), Sockmap("sk_skb", "sockets", way))
    (link,) = loaded.links
    assert link.details is not None
    assert link.details["attach_type"] == (way or "sk_skb_verdict")
    with connected(ns) as (near, far):
        put(loaded, "sockets", far)
        near.sendall(b"hello")
        assert received(far, 5) == b"hello"
    assert loads.counted(loaded) == 1


def test_a_kind_that_the_program_is_not(host: Host) -> None:
    with loads.nothing_left(host), pytest.raises(UsageError, match="no program for hook sk_skb"):
        loads.run(host, example("sk_skb_counter"), Sockmap("sk_skb", "sockets", "sk_skb_stream_parser"))
    with pytest.raises(UsageError, match="expected sk_msg_verdict"):
        Sockmap("sk_msg", "sockets", "sk_skb_verdict")
