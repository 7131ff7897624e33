"""Dispatchers of libxdp as they are told from other programs, and their pins: published whole, removed, swept."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpfimg.dispatcher import Member, Plan, _freplace, _libxdp, _libxdp_pins
from bpfimg.dispatcher._emit import emitted
from bpfimg.dispatcher._libxdp_stale import sweep_stale
from bpfimg.dispatcher._raced import Raced
from bpfimg.errors import KernelError, LockTimeout
from bpfimg.kernel import abi, bpf, libbpf, netlink, netns
from tests.kernel.run.held import settled
from tests.support.features import needs
from tests.support.netns import bpffs, skip_unless
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.kernel import Fd
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, needs("bpffs", "xdp")]

MASKS, PRIORITIES = (0x80000004, 0x80000006), (10, 20)


@pytest.fixture
def mount() -> Iterator[str]:
    """A bpffs of the test's own."""
    skip_unless("bpffs")
    with bpffs() as place:
        yield place


@contextmanager
def dispatcher(version: int, count: int = 2) -> Iterator[Fd]:
    """One of ours that is attached nowhere, with a record, and with nothing in its slots."""
    members = tuple(Member(at + 1, "", PRIORITIES[at], MASKS[at]) for at in range(count))
    made = emitted("xdp", MASKS[:count], 2)
    with _freplace.loaded("xdp", made, 0) as fd:
        _freplace._bind_record(fd, Plan("xdp", members), version, frags=False)
        yield fd


def number(fd: Fd | int) -> int:
    return bpf.program_info(fd, memlock=False).id


@pytest.mark.parametrize("version", [2, 3])
def test_slots_without_programs_are_told(version: int, mount: str) -> None:
    with dispatcher(version) as fd:
        found = _libxdp.read(mount, 7, number(fd))
        assert found is not None
        assert (found.dispatcher, found.version, found.frags) == (number(fd), version, False)
        assert found.folder == f"{mount}/xdp/dispatch-7-{number(fd)}"
        told = [(each.program, each.priority, each.mask, each.attached) for each in found.slots]
        assert told == [(0, 10, 0x80000004, False), (0, 20, 0x80000006, False)]
        assert found.damage == "nothing runs in slot 0, 1: its link has gone"
        assert _libxdp.open_slots(found) == []


def test_a_program_that_has_gone_is_to_be_looked_for_again(mount: str) -> None:
    with dispatcher(2) as fd:
        gone = number(fd)
    with pytest.raises(Raced, match="has gone"):
        _libxdp.read(mount, 7, gone)


def test_other_programs_are_none(mount: str) -> None:
    with bpf.prog_load_trivial(abi.PROG_TYPE_XDP, abi.ATTACH_XDP) as fd:
        assert _libxdp.read(mount, 7, number(fd)) is None
    with dispatcher(2) as fd:  # a counter more than the record makes it somebody else's
        with bpf.map_create(abi.MAP_TYPE_ARRAY, 4, 8, 1, name="counter") as counter:
            bpf.bind_map(fd, counter)
        assert _libxdp.read(mount, 7, number(fd)) is None
    for size, flags in ((124, 0), (1, 0x80)):
        with (
            _freplace.loaded("xdp", emitted("xdp", MASKS, 2), 0) as fd,
            bpf.map_create(abi.MAP_TYPE_ARRAY, 4, size, 1, flags=flags, name="xdp_disp.rodata") as record,
        ):
            bpf.bind_map(fd, record)
            assert _libxdp.read(mount, 7, number(fd)) is None


@pytest.mark.parametrize(
    ("value", "version", "damage"),
    [
        (bytes([236, 4, 2, 0]) + bytes(128), 4, "of version 4 of libxdp's protocol, expected at most 3"),
        (bytes([236, 2, 11, 0]) + bytes(120), 2, "a record of 11 slots, expected at most 10"),
        (bytes([236, 3, 2, 0]) + bytes(120), 3, "a record of 124 bytes, expected 128 in version 3"),
        (bytes([236, 0, 2, 0]) + bytes(120), 0, None),
        (bytes(124), 0, None),
    ],
)
def test_records_that_cannot_be_read(value: bytes, version: int, damage: str | None, mount: str) -> None:
    with (
        _freplace.loaded("xdp", emitted("xdp", MASKS, 2), 0) as fd,
        bpf.map_create(abi.MAP_TYPE_ARRAY, 4, len(value), 1, flags=0x80, name="xdp_disp.rodata") as record,
    ):
        bpf.map_update(record, bytes(4), value)
        bpf.map_freeze(record)
        bpf.bind_map(fd, record)
        found = _libxdp.read(mount, 7, number(fd))
        if damage is None:
            assert found is None
            return
        assert found is not None
        assert (found.version, found.slots) == (version, ())
        assert damage in found.damage


_FIRST_VERSION = """
struct xdp_md { unsigned data; };
struct config { unsigned char count, pad[3]; unsigned actions[10], priorities[10]; };
static volatile const struct config config = { .count = 1, .actions = { 4 }, .priorities = { 33 } };
__attribute__((noinline)) int prog0(struct xdp_md *ctx)
{
	volatile int result = 31;
	return ctx ? result : 0;
}
SEC("xdp") int xdp_dispatcher(struct xdp_md *ctx)
{
	int result = config.count ? prog0(ctx) : 2;
	return 1u << result & config.actions[0] ? 2 : result;
}
__uint(dispatcher_version, 1) SEC("xdp_metadata");
char LICENSE[] SEC("license") = "GPL";
"""


def test_the_first_version_is_told_by_its_types(mount: str) -> None:
    with libbpf.open_object(compile_source(_FIRST_VERSION), name="xdp_disp") as opened:
        opened.load()
        (program,) = opened.programs
        found = _libxdp.read(mount, 7, number(program.fd))
    assert found is not None
    assert (found.version, [(each.priority, each.mask) for each in found.slots]) == (1, [(33, 4)])


# --- pins -------------------------------------------------------------------------------------------------------------


@contextmanager
def pairs(count: int) -> Iterator[list[tuple[Fd, Fd]]]:
    """Things to pin. What a directory is called does not depend on what is in it."""
    with bpf.prog_load_trivial(abi.PROG_TYPE_XDP, abi.ATTACH_XDP) as fd:
        yield [(fd, fd)] * count


def listed(mount: str) -> list[str]:
    """All below libxdp's directory."""
    top = Path(mount, "xdp")
    return sorted(str(path.relative_to(top)) for path in top.rglob("*"))


def test_pins_are_published_and_removed(mount: str) -> None:
    with pairs(2) as slots:
        _libxdp.publish(mount, 7, 33, slots)
        each = [f"dispatch-7-33/prog{at}-{kind}" for at in range(2) for kind in ("link", "prog")]
        assert listed(mount) == ["dispatch-7-33", *each]
        for path, mode in (("", 0o40700), ("dispatch-7-33", 0o40700), (each[0], 0o100600)):
            assert Path(mount, "xdp", path).stat().st_mode == mode
        assert _libxdp.is_published(mount, 7, 33, 2)
        assert not _libxdp.is_published(mount, 7, 33, 3)
        Path(mount, "xdp", each[2]).unlink()
        assert not _libxdp.is_published(mount, 7, 33, 2)
        _libxdp.publish(mount, 7, 33, slots)
        assert _libxdp.is_published(mount, 7, 33, 2)
        _libxdp.remove(mount, 7, 33)
        _libxdp.remove(mount, 7, 33)
        assert listed(mount) == []


def test_what_cannot_be_published_leaves_nothing(mount: str) -> None:
    with pairs(1) as slots, pytest.raises(KernelError):
        _libxdp.publish(mount, 7, 33, [*slots, (9999, 9999)])
    assert listed(mount) == []


def test_only_pins_of_slots_are_removed(mount: str) -> None:
    with pairs(1) as slots:
        _libxdp.publish(mount, 7, 33, slots)
        bpf.pin(slots[0][1], f"{mount}/xdp/dispatch-7-33/other")
        _libxdp.remove(mount, 7, 33)
        assert [name for name in listed(mount) if name.endswith("other")]
        assert not [name for name in listed(mount) if "prog0" in name]


def test_the_sweep_takes_what_runs_nowhere_and_only_what_has_the_name_of_a_dispatcher(mount: str) -> None:
    with pairs(1) as slots:
        for dispatcher_id in (33, 44):
            _libxdp.publish(mount, 7, dispatcher_id, slots)
        left = ["globals", "prog-test-link-1-5", "dispatch-7", "dispatch-x-1", "dispatch-7-1-2", "dispatch--7-8"]
        for name in left:
            os.mkdir(f"{mount}/xdp/{name}")
        os.mkdir(f"{mount}/xdp/bpfimg-7-55")  # what a writer that was killed leaves
        bpf.pin(slots[0][0], f"{mount}/xdp/bpfimg-7-55/prog0-link")
        asked: list[tuple[int, int]] = []

        def is_attached(ifindex: int, dispatcher_id: int) -> bool:
            asked.append((ifindex, dispatcher_id))
            return dispatcher_id == 44

        assert _libxdp.sweep(mount, is_attached, grace=0) == ((7, 33),)
        assert asked == [(7, 33), (7, 44)]
        whole = ["dispatch-7-44", "dispatch-7-44/prog0-link", "dispatch-7-44/prog0-prog"]
        assert listed(mount) == sorted([*whole, *left])


def test_others_have_time_to_attach_what_they_have_pinned(mount: str) -> None:
    with pairs(1) as slots:
        _libxdp.publish(mount, 7, 33, slots)
        assert _libxdp.sweep(mount, lambda *_: False, grace=3600) == ()
        assert _libxdp.is_published(mount, 7, 33, 1)
        age = time.time() - os.stat(f"{mount}/xdp/dispatch-7-33").st_mtime
        assert -60 < age < 600, "bpffs knows when a directory was made"


def test_no_directory_is_nothing_to_sweep(mount: str) -> None:
    assert _libxdp.sweep(mount, lambda *_: False, grace=0) == ()
    assert not os.path.exists(f"{mount}/xdp")


def test_the_lock_is_libxdps(mount: str) -> None:
    """A flock(2) on the directory, as `xdp_lock_acquire` in lib/libxdp takes it."""
    os.mkdir(f"{mount}/xdp", 0o700)
    holder = (
        f"import fcntl, os, sys; fcntl.flock(os.open({mount + '/xdp'!r}, 0), 2); print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()
        with pairs(1) as slots, pytest.raises(LockTimeout, match=f"locked by process {running.pid}") as caught:
            _libxdp_pins.publish(mount, 7, 33, slots, timeout=0.05)
        assert "xdp-loader" in caught.value.hint
        assert listed(mount) == []
        running.communicate()
    with pairs(1) as slots:
        _libxdp.publish(mount, 7, 33, slots)


@contextmanager
def running(ns: Namespace) -> Iterator[int]:
    """The id of a program on the interface of a namespace."""
    with bpf.prog_load_trivial(abi.PROG_TYPE_XDP, abi.ATTACH_XDP) as fd:

        def attach() -> None:
            libbpf.xdp_attach(netlink.interface_index(ns.interface), fd)

        netns.call(ns.path, attach)
        yield number(fd)


def test_what_runs_in_another_namespace_is_not_stale(mount: str, ns: Namespace) -> None:
    with running(ns) as elsewhere, pairs(1) as slots, dispatcher(2) as nowhere:
        for each in (elsewhere, number(nowhere)):
            _libxdp.publish(mount, 7, each, slots)
        assert sweep_stale(mount, {number(nowhere)}, grace=0) == ()
        assert sweep_stale(mount, (), grace=0) == ((7, number(nowhere)),)
        assert _libxdp.is_published(mount, 7, elsewhere, 1)


def test_a_namespace_that_only_a_process_is_in_is_in_sight(mount: str) -> None:
    script = "ip link add v1 type veth peer name v2 && exec sleep 60"
    with subprocess.Popen(["unshare", "--net", "sh", "-c", script]) as process, pairs(1) as slots:
        try:
            place = f"/proc/{process.pid}/ns/net"
            assert settled(lambda: _has(place, "v1"), True)
            with bpf.prog_load_trivial(abi.PROG_TYPE_XDP, abi.ATTACH_XDP) as fd:
                netns.call(place, lambda: libbpf.xdp_attach(netlink.interface_index("v1"), fd))
                _libxdp.publish(mount, 7, number(fd), slots)
                assert sweep_stale(mount, (), grace=0) == ()
        finally:
            process.kill()


def _has(place: str, interface: str) -> bool:
    return netns.inode(place) != netns.inode(None) and interface in netns.call(place, netlink.interfaces)


def test_drafts_of_killed_writers_go_at_once(mount: str) -> None:
    _libxdp.sweep_drafts(mount)
    with pairs(1) as slots:
        _libxdp.publish(mount, 7, 33, slots)
        os.mkdir(f"{mount}/xdp/bpfimg-7-55")
        bpf.pin(slots[0][0], f"{mount}/xdp/bpfimg-7-55/prog0-link")
        _libxdp.sweep_drafts(mount)
        assert listed(mount) == ["dispatch-7-33", "dispatch-7-33/prog0-link", "dispatch-7-33/prog0-prog"]
