"""sk_msg: what is sent on the sockets in a map is counted, until the program is taken off; with a link or without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect
from bpfimg.errors import AttachError, Busy, KernelError, UsageError
from bpfimg.kernel import abi, bpf, features
from bpfimg.load._attach import check
from bpfimg.load._hooks import Sockmap
from tests.support import loads
from tests.support.features import hook, lacks, needs
from tests.support.objects import example
from tests.support.sockmaps import connected, put

if TYPE_CHECKING:
    from bpfimg.kernel import Fd
    from bpfimg.load import Host, Load
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, hook("sk_msg")]


@pytest.fixture(params=["as the kernel has it", "without a link"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Kernels with links for such maps take an attachment without one, too: then it is as on older kernels."""
    if request.param == "without a link":
        needs("sockmap-link")
        from bpfimg.load._families import _sockmap

        def none(*_: object) -> None:
            raise _sockmap.KernelError("as kernels before 6.10", errno=22)

        monkeypatch.setattr(_sockmap.bpf, "link_create", none)
        monkeypatch.setitem(features._answers, "sockmap-link", False)
    return str(request.param)


def map_of(loaded: Load, name: str = "sockets") -> int:
    assert loaded.record is not None
    return dict(loaded.record.maps)[name]


def test_messages_are_counted_until_the_program_is_detached(way: str, host: Host, ns: Namespace) -> None:
    loaded = loads.run(host, example("sk_msg_counter"), Sockmap("sk_msg", "sockets"))
    (link,) = loaded.links
    linked = way != "without a link" and features.has("sockmap-link")
    assert link.how == ("link" if linked else "attach")
    assert link.where == f"map sockets (id {map_of(loaded)}) verdict"
    assert ("without a bpf link" in link.note) is not linked
    assert link.note.startswith("runs for sockets that are put into the map from now on")
    assert inspect.host(host).links[0].state == "attached"
    with connected(ns) as (near, far):
        put(loaded, "sockets", near)
        near.sendall(b"hello")
        assert far.recv(5) == b"hello"
        assert loads.counted(loaded) == 1
        loads.detach(host, link.id)
        near.sendall(b"again")
        assert far.recv(5) == b"again"
        assert loads.counted(loaded) == 2, "a socket keeps what it found when it was put there"
    with connected(ns) as (near, far):
        put(loaded, "sockets", near)
        near.sendall(b"other")
        assert far.recv(5) == b"other"
    assert loads.counted(loaded) == 2


def test_the_map_takes_one_program_of_a_kind_and_it_is_never_pushed_off(way: str, host: Host) -> None:
    loaded = loads.run(host, example("sk_msg_counter"), Sockmap("sk_msg", "sockets"), "mine")
    for where in (str(map_of(loaded)), loaded.map_pins()[1]):
        with loads.nothing_left(host), pytest.raises(Busy, match=r"already has program \d+ of 'mine'") as caught:
            loads.run(host, example("sk_msg_counter"), Sockmap("sk_msg", where))
        assert f"`bpfimg detach {loaded.links[0].id}`" in caught.value.hint
    loads.detach(host, loaded.links[0].id)
    other = loads.run(host, example("sk_msg_counter"), Sockmap("sk_msg", str(map_of(loaded))), "other")
    with bpf.map_by_id(map_of(loaded)) as fd:
        assert bpf.prog_query(fd.fileno(), abi.ATTACH_TYPES.index("sk_msg_verdict"))[0] == (other.id,)


def test_unload_takes_it_off_a_map_that_stays(way: str, host: Host) -> None:
    kept = loads.only_load(host, example("sk_skb_counter"), "kept")
    other = loads.run(host, example("sk_msg_counter"), Sockmap("sk_msg", str(map_of(kept))), "other")
    with host.writer() as writer:
        writer.unload(other.id)
    with bpf.map_by_id(map_of(kept)) as fd:
        assert bpf.prog_query(fd.fileno(), abi.ATTACH_TYPES.index("sk_msg_verdict"))[0] == ()


def test_the_map_may_go_before_the_attachment(way: str, host: Host) -> None:
    kept = loads.only_load(host, example("sk_skb_counter"), "kept")
    other = loads.run(host, example("sk_msg_counter"), Sockmap("sk_msg", str(map_of(kept))), "other")
    with host.writer() as writer:
        writer.unload(kept.id)
        writer.detach(other.links[0].id)


def test_a_failure_after_the_attachment_and_before_its_commit_takes_it_off(
    way: str, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = loads.only_load(host, example("sk_skb_counter"), "kept")
    pin = bpf.pin

    def refusing(fd: Fd | int, path: str) -> None:
        if path.endswith("/link"):
            raise KernelError("no room", errno=28)
        pin(fd, path)

    monkeypatch.setattr(bpf, "pin", refusing)
    with loads.nothing_left(host), pytest.raises(KernelError, match="no room"):
        loads.run(host, example("sk_msg_counter"), Sockmap("sk_msg", str(map_of(kept))))
    with bpf.map_by_id(map_of(kept)) as fd:
        assert bpf.prog_query(fd.fileno(), abi.ATTACH_TYPES.index("sk_msg_verdict"))[0] == ()


def test_what_is_no_map_of_sockets(host: Host) -> None:
    data = example("sk_msg_counter")
    with loads.nothing_left(host):
        with pytest.raises(UsageError, match="map 'counters' is of type array, expected a sockmap or a sockhash"):
            loads.run(host, data, Sockmap("sk_msg", "counters"))
        with pytest.raises(UsageError, match="no map 'nope' in what is loaded, expected counters, sockets"):
            loads.run(host, data, Sockmap("sk_msg", "nope"))
        for place in ("4000000000", f"{host.bpffs}/nope"):
            with pytest.raises(AttachError, match="no map"):
                loads.run(host, data, Sockmap("sk_msg", place))
            with pytest.raises(AttachError, match="no map"):
                check(Sockmap("sk_msg", place))


def test_a_kernel_without_links_for_such_maps_says_so(host: Host) -> None:
    lacks("sockmap-link")  # no mark: the hook is there all the same
    (link,) = loads.run(host, example("sk_msg_counter"), Sockmap("sk_msg", "sockets")).links
    assert link.note.endswith("; without a bpf link: they came for maps of sockets with kernel 6.10")
