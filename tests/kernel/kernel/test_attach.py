"""Programs on hooks, in namespaces of their own: what is attached counts, and what is detached does not."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import AttachError, KernelError, NotSupported
from bpfimg.kernel import OpenObject, abi, bpf, libbpf, netlink, netns
from bpfimg.kernel import bpffs as store
from tests.support.netns import Namespace, bpffs, namespace, skip_unless, tracefs
from tests.support.objects import example

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kernel

ECHO = 98  # bytes of one of our echo requests on the wire


@pytest.fixture(autouse=True)
def _host() -> None:
    skip_unless("xdp")


@pytest.fixture
def ns() -> Iterator[Namespace]:
    with namespace() as made:
        yield made


@pytest.fixture
def index(ns: Namespace) -> int:
    return netns.call(ns.name, netlink.interface_index, ns.interface)


@pytest.fixture
def xdp() -> Iterator[OpenObject]:
    with libbpf.open_object(example("xdp_counter"), name="xdp_counter") as opened:
        opened.load()
        yield opened


@pytest.fixture
def tc() -> Iterator[OpenObject]:
    with libbpf.open_object(example("tc_counter"), name="tc_counter") as opened:
        opened.programs[0].set_type(abi.PROG_TYPE_SCHED_CLS, opened.programs[0].attach_type_id)
        opened.load()
        yield opened


def packets(opened: OpenObject) -> int:
    counters = next(each for each in opened.maps if each.name == "counters")
    value = bpf.map_lookup(counters.fd, bytes(4), counters.value_size)
    assert value is not None
    return int.from_bytes(value[:8], sys.byteorder)


def test_xdp_link(ns: Namespace, index: int, xdp: OpenObject) -> None:
    program = xdp.programs[0].fd
    with netns.call(ns.name, bpf.link_create, program, index, abi.ATTACH_XDP) as link:
        assert ns.ping(5)
        assert packets(xdp) == 5
        info = bpf.link_info(link)
        assert bpf.kind(link) == "link"
        with bpf.link_by_id(info.id) as same:
            assert bpf.kind(same) == "link", "the kernel calls it bpf-link here, and bpf_link above"
        assert info.id in set(bpf.link_ids())
        assert (info.type, info.ifindex, info.prog_id) == (abi.LINK_XDP, index, bpf.program_info(program).id)
        state = netns.call(ns.name, libbpf.xdp_query, index)
        assert (state.prog_id, state.mode) == (info.prog_id, "native")
        with pytest.raises(KernelError, match=r"cannot attach program 'xdp_count' .*\(LINK_CREATE\).*EBUSY") as caught:
            netns.call(ns.name, bpf.link_create, program, index, abi.ATTACH_XDP)
        assert caught.value.errno == errno.EBUSY
    assert ns.ping(2)
    assert packets(xdp) == 5
    assert netns.call(ns.name, libbpf.xdp_query, index).mode is None


def test_xdp_link_update(ns: Namespace, index: int, xdp: OpenObject) -> None:
    with libbpf.open_object(example("xdp_counter"), name="second") as second:
        second.load()
        new, old = second.programs[0].fd, xdp.programs[0].fd
        with netns.call(ns.name, bpf.link_create, old, index, abi.ATTACH_XDP) as link:
            with pytest.raises(KernelError) as caught:
                bpf.link_update(link, new, old_prog=new)
            assert caught.value.errno == errno.EPERM, "the program that was there is another"
            bpf.link_update(link, new, old_prog=old)
            assert ns.ping(3)
            assert (packets(xdp), packets(second)) == (0, 3)


def test_a_detached_link_dangles(ns: Namespace, index: int, xdp: OpenObject) -> None:
    with netns.call(ns.name, bpf.link_create, xdp.programs[0].fd, index, abi.ATTACH_XDP) as link:
        bpf.link_detach(link)
        assert bpf.link_info(link).ifindex == 0
        assert ns.ping(1)
        assert packets(xdp) == 0


@pytest.mark.parametrize(("flags", "mode"), [(abi.XDP_NATIVE, "native"), (abi.XDP_SKB, "generic")])
def test_xdp_without_a_link(ns: Namespace, index: int, xdp: OpenObject, flags: int, mode: str) -> None:
    program = xdp.programs[0].fd
    netns.call(ns.name, libbpf.xdp_attach, index, program, flags=flags | abi.XDP_NOEXIST)
    assert netns.call(ns.name, libbpf.xdp_query, index).mode == mode
    assert ns.ping(2)
    assert packets(xdp) == 2
    with pytest.raises(KernelError, match="XDP program already attached") as caught:
        netns.call(ns.name, libbpf.xdp_attach, index, program, flags=flags | abi.XDP_NOEXIST)
    assert caught.value.errno == errno.EBUSY
    with bpf.prog_load_trivial(abi.PROG_TYPE_XDP, abi.ATTACH_XDP) as other, pytest.raises(KernelError):
        netns.call(ns.name, libbpf.xdp_attach, index, None, flags=flags, old_fd=other)
    netns.call(ns.name, libbpf.xdp_attach, index, None, flags=flags, old_fd=program)
    assert netns.call(ns.name, libbpf.xdp_query, index).prog_id == 0


def test_an_interface_that_is_not_there(ns: Namespace, xdp: OpenObject) -> None:
    with pytest.raises(AttachError, match="no interface 'veth99'") as caught:
        netns.call(ns.name, netlink.interface_index, "veth99")
    assert ns.interface in caught.value.hint
    with pytest.raises(KernelError) as refused:
        netns.call(ns.name, bpf.link_create, xdp.programs[0].fd, 999, abi.ATTACH_XDP)
    assert refused.value.errno == errno.EINVAL
    with pytest.raises(KernelError) as refused:
        netns.call(ns.name, libbpf.xdp_attach, 999, xdp.programs[0].fd)
    assert refused.value.errno == errno.ENODEV


def test_the_caller_never_moves(ns: Namespace) -> None:
    here = os.stat("/proc/thread-self/ns/net").st_ino
    there = netns.call(ns.name, lambda: os.stat("/proc/thread-self/ns/net").st_ino)
    assert there == netns.inode(ns.name) == netns.inode(ns.path) != here
    assert os.stat("/proc/thread-self/ns/net").st_ino == here
    assert ns.interface in netns.call(ns.path, netlink.interfaces)
    assert ns.interface not in netlink.interfaces()
    with pytest.raises(ZeroDivisionError):
        netns.call(ns.name, lambda: 1 // 0)


def test_something_that_is_no_namespace() -> None:
    with pytest.raises(AttachError, match="/dev/null is not a network namespace"):
        netns.call("/dev/null", os.getpid)


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_tcx(ns: Namespace, index: int, tc: OpenObject, direction: str) -> None:
    skip_unless("tcx")
    kind = abi.ATTACH_TCX_INGRESS if direction == "ingress" else abi.ATTACH_TCX_EGRESS
    program = tc.programs[0].fd
    with netns.call(ns.name, bpf.link_create, program, index, kind) as link:
        assert ns.ping(4)
        assert packets(tc) == 4
        info = bpf.link_info(link)
        assert (info.type, info.ifindex, info.attach_type) == (abi.LINK_TCX, index, kind)
        programs, links, revision = netns.call(ns.name, bpf.prog_query, index, kind)
        assert (programs, links) == ((info.prog_id,), (info.id,))
        with bpf.prog_load_trivial(abi.PROG_TYPE_SCHED_CLS) as first:
            before = netns.call(ns.name, bpf.link_create, first, index, kind, flags=abi.F_BEFORE)
            with before:
                programs, links, later = netns.call(ns.name, bpf.prog_query, index, kind)
                assert programs == (bpf.program_info(first).id, info.prog_id)
                assert later > revision
    assert netns.call(ns.name, bpf.prog_query, index, kind)[0] == ()


@pytest.mark.parametrize("direction", ["ingress", "egress"])
def test_clsact(ns: Namespace, index: int, tc: OpenObject, direction: str) -> None:
    program = tc.programs[0].fd

    def query(handle: int, priority: int) -> int | None:
        return netns.call(ns.name, libbpf.tc_query, index, direction, handle, priority)

    assert query(1, 50) is None, "no clsact yet"
    handle, priority = netns.call(ns.name, libbpf.tc_attach, index, direction, program, priority=50)
    assert (handle > 0, priority) == (True, 50)
    assert query(handle, priority) == bpf.program_info(program).id
    assert ns.ping(3)
    assert packets(tc) == 3
    with pytest.raises(KernelError, match="Filter already exists") as caught:
        netns.call(ns.name, libbpf.tc_attach, index, direction, program, priority=50, handle=handle)
    assert caught.value.errno == errno.EEXIST
    again = netns.call(ns.name, libbpf.tc_attach, index, direction, program, priority=50, handle=handle, replace=True)
    assert again == (handle, priority)
    netns.call(ns.name, libbpf.tc_detach, index, direction, handle, priority)
    assert query(handle, priority) is None
    with pytest.raises(KernelError) as caught:
        netns.call(ns.name, libbpf.tc_detach, index, direction, handle, priority)
    assert caught.value.errno in (errno.ENOENT, errno.EINVAL)
    assert ns.ping(1)
    assert packets(tc) == 3
    netns.call(ns.name, libbpf.tc_destroy, index)


def test_tracepoint() -> None:
    skip_unless("perf-link")
    with tracefs(), libbpf.open_object(example("tracepoint_counter"), name="tracepoint_counter") as opened:
        opened.load()
        with bpf.tracepoint_event("syscalls", "sys_enter_getpid") as event:
            link = bpf.link_create(opened.programs[0].fd, event.fileno(), abi.ATTACH_PERF_EVENT)
        with link:
            before = packets(opened)
            for _ in range(100):
                os.getpid()
            assert packets(opened) >= before + 100
            info = bpf.link_info(link)
            assert info.type == abi.LINK_PERF_EVENT
            assert info.target in ("sys_enter_getpid", None)  # before 6.6 a perf link says nothing of its target


@pytest.mark.parametrize(
    ("group", "name", "near"),
    [
        ("syscalls", "sys_enter_getpidd", "syscalls/sys_enter_getpid"),
        ("syscall", "sys_enter_getpid", "syscalls/sys_enter_getpid"),
        ("nonesuch9", "nonesuch9", ""),
    ],
)
def test_no_such_tracepoint(group: str, name: str, near: str) -> None:
    with tracefs(), pytest.raises(AttachError, match=f"no tracepoint {group}/{name} in ") as caught:
        bpf.tracepoint_event(group, name)
    assert near in caught.value.hint


def test_names_that_would_leave_tracefs() -> None:
    for group, name in (("..", "x"), ("a/b", "c"), ("", "x"), ("x", "y\n")):
        with pytest.raises(AttachError, match="expected GROUP/NAME"):
            bpf.tracepoint_event(group, name)


def test_tracefs_that_is_not_mounted() -> None:
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        kinds = {line.partition(" - ")[2].split(" ")[0] for line in file}
    if kinds & {"tracefs", "debugfs"}:
        pytest.skip("tracefs is mounted here")
    with pytest.raises(NotSupported, match="tracefs is not mounted") as caught:
        bpf.tracepoint_event("syscalls", "sys_enter_getpid")
    assert "mount -t tracefs" in caught.value.hint


SURVIVE = """
import sys
from bpfimg.kernel import abi, bpf, libbpf, netlink, netns
place, interface, mount, data = sys.argv[1:5]
with open(data, "rb") as file, libbpf.open_object(file.read(), name="xdp_counter") as opened:
    opened.load()
    index = netns.call(place, netlink.interface_index, interface)
    with netns.call(place, bpf.link_create, opened.programs[0].fd, index, abi.ATTACH_XDP) as link:
        bpf.pin(link, mount + "/link")
    bpf.pin(opened.maps[0].fd, mount + "/counters")
"""


def test_pins_outlive_the_process(ns: Namespace, index: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    data = tmp_path_factory.mktemp("object") / "xdp_counter.o"
    data.write_bytes(example("xdp_counter"))
    with bpffs() as mount:
        subprocess.run([sys.executable, "-c", SURVIVE, ns.path, ns.interface, mount, str(data)], check=True)
        assert ns.ping(6)
        with bpf.get(f"{mount}/counters") as counters, bpf.get(f"{mount}/link") as link:
            value = bpf.map_lookup(counters, bytes(4), 16) or b""
            assert int.from_bytes(value[:8], sys.byteorder) == 6
            assert int.from_bytes(value[8:], sys.byteorder) == 6 * ECHO
            assert bpf.link_info(link).ifindex == index
        store.unlink_link(f"{mount}/link")
        assert netns.call(ns.name, libbpf.xdp_query, index).prog_id == 0
