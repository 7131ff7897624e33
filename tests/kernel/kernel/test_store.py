"""bpffs as the store: records, names, renames, and what is removed in which order."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import KernelError, LockTimeout
from bpfimg.kernel import abi, bpf, libbpf, netlink, netns
from bpfimg.kernel import bpffs as store
from tests.support.netns import bpffs, namespace, skip_unless, tracefs
from tests.support.objects import example

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kernel


@pytest.fixture(autouse=True)
def _host() -> None:
    skip_unless("bpffs", "xdp")


@pytest.fixture(scope="module")
def mount() -> Iterator[str]:
    skip_unless("bpffs")
    with bpffs() as place:
        yield place


@pytest.fixture
def place(mount: str, request: pytest.FixtureRequest) -> Iterator[str]:
    directory = f"{mount}/{store.encode_name(request.node.name)}"
    store.make_directory(directory)
    yield directory
    store.remove_tree(directory)
    assert not os.path.exists(directory)


def test_a_record_comes_back(place: str) -> None:
    text = json.dumps({"image": "127.0.0.1:5000/x:v1", "word": "é", "n": list(range(900))}, ensure_ascii=False)
    identity = store.write_record(f"{place}/record", text)
    assert store.read_record(f"{place}/record") == text
    with bpf.get(f"{place}/record") as fd:
        info = bpf.map_info(fd)
        assert (info.id, info.name, info.frozen) == (identity, store.RECORD_NAME, True)
        assert info.value_size == len(text.encode()) + 1
        with pytest.raises(KernelError) as caught:
            bpf.map_update(fd, bytes(4), bytes(info.value_size))
        assert caught.value.errno == errno.EPERM


def test_bpftool_prints_a_record_as_text(place: str) -> None:
    if shutil.which("bpftool") is None:
        pytest.skip("needs bpftool")
    store.write_record(f"{place}/record", '{"name":"app"}')
    argv = ["bpftool", "map", "dump", "pinned", f"{place}/record"]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert r'"value": "{\"name\":\"app\"}"' in shown


@pytest.mark.parametrize("text", ["", "x", "x" * 3000, "x" * ((1 << 20) - 1)])
def test_records_of_all_sizes(place: str, text: str) -> None:
    store.write_record(f"{place}/record", text)
    assert store.read_record(f"{place}/record") == text


def test_a_record_that_is_too_long(place: str) -> None:
    with pytest.raises(ValueError, match="expected at most 1048576"):
        store.write_record(f"{place}/record", "x" * (1 << 20))
    assert os.listdir(place) == []


def test_what_is_no_record(place: str) -> None:
    with bpf.prog_load_trivial(abi.PROG_TYPE_XDP, abi.ATTACH_XDP) as program:
        bpf.pin(program, f"{place}/program")
    with bpf.map_create(abi.MAP_TYPES.index("hash"), 4, 8, 1) as other:
        bpf.pin(other, f"{place}/hash")
    with bpf.map_create(abi.MAP_TYPE_ARRAY, 4, (1 << 20) + 1, 1) as other:
        bpf.pin(other, f"{place}/huge")
    with bpf.map_create(abi.MAP_TYPE_ARRAY, 4, 2, 1) as other:
        bpf.map_update(other, bytes(4), b"\xff\xff")
        bpf.pin(other, f"{place}/binary")
    for name, why in (("program", "array"), ("hash", "array"), ("huge", "at most"), ("binary", "UTF-8")):
        with pytest.raises(KernelError, match=f"is not a bpfimg record: .*{why}") as caught:
            store.read_record(f"{place}/{name}")
        assert caught.value.errno == errno.EINVAL
    with pytest.raises(KernelError) as caught:
        store.read_record(f"{place}/gone")
    assert caught.value.errno == errno.ENOENT


def test_every_name_can_be_pinned(place: str) -> None:
    for text in ("xdp_coun.rodata", "..", "a/b c", "é\n%", "x" * 200):
        path = f"{place}/{store.encode_name(text)}"
        store.write_record(path, text)
        assert store.decode_name(os.path.basename(path)) == text
        assert store.read_record(path) == text


def test_a_name_with_a_dot_is_refused_by_the_kernel(place: str) -> None:
    with pytest.raises(KernelError, match=r"cannot make directory .*/a\.b: Operation not permitted"):
        store.make_directory(f"{place}/a.b")


def test_rename_publishes_and_never_replaces_by_itself(place: str) -> None:
    store.make_directory(f"{place}/tmp")
    identity = store.write_record(f"{place}/tmp/record", "new")
    store.make_directory(f"{place}/taken")
    with pytest.raises(KernelError, match=r"cannot rename .*/tmp to .*/taken: File exists") as caught:
        store.rename(f"{place}/tmp", f"{place}/taken")
    assert caught.value.errno == errno.EEXIST
    store.rename(f"{place}/tmp", f"{place}/published")
    with bpf.get(f"{place}/published/record") as fd:
        assert bpf.map_info(fd).id == identity
    store.write_record(f"{place}/newer", "newer")
    with pytest.raises(KernelError):
        store.rename(f"{place}/newer", f"{place}/published/record")
    store.rename(f"{place}/newer", f"{place}/published/record", replace=True)
    assert store.read_record(f"{place}/published/record") == "newer"
    with pytest.raises(KernelError) as caught:
        store.rename(f"{place}/nowhere", f"{place}/somewhere")
    assert caught.value.errno == errno.ENOENT


def test_make_directory_twice(place: str) -> None:
    store.make_directory(f"{place}/d")
    assert os.stat(f"{place}/d").st_mode & 0o777 == 0o700
    with pytest.raises(KernelError) as caught:
        store.make_directory(f"{place}/d")
    assert caught.value.errno == errno.EEXIST


def test_unlink_is_content_when_it_is_gone(place: str) -> None:
    store.write_record(f"{place}/record", "x")
    for _ in range(2):
        store.unlink(f"{place}/record")


def test_a_tree_goes_links_first(place: str) -> None:
    with namespace() as ns, libbpf.open_object(example("xdp_counter"), name="xdp_counter") as opened:
        opened.load()
        index = netns.call(ns.name, netlink.interface_index, ns.interface)
        for directory in ("tree", "tree/links", "tree/links/7"):
            store.make_directory(f"{place}/{directory}")
        bpf.pin(opened.programs[0].fd, f"{place}/tree/aaa")
        with netns.call(ns.name, bpf.link_create, opened.programs[0].fd, index, abi.ATTACH_XDP) as link:
            bpf.pin(link, f"{place}/tree/links/7/another_name")
        store.write_record(f"{place}/tree/links/7/record", "{}")
        store.remove_tree(f"{place}/tree")
        assert not os.path.exists(f"{place}/tree")
        assert netns.call(ns.name, libbpf.xdp_query, index).prog_id == 0
    store.remove_tree(f"{place}/tree")


def test_the_order_of_removal(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[str] = []
    unlink = os.unlink

    def watched(path: str) -> None:
        removed.append(os.path.basename(path))
        unlink(path)

    monkeypatch.setattr(os, "unlink", watched)
    store.make_directory(f"{place}/sub")
    for name in ("aaa", "link", "zzz", "sub/link", "sub/bbb"):
        store.write_record(f"{place}/{name}", "x")
    with tracefs(), libbpf.open_object(example("tracepoint_counter"), name="tracepoint_counter") as opened:
        opened.load()
        with bpf.tracepoint_event("syscalls", "sys_enter_getpid") as event:
            attached = bpf.link_create(opened.programs[0].fd, event.fileno(), abi.ATTACH_PERF_EVENT)
        with attached:
            bpf.pin(attached, f"{place}/zzz_of_another_name")
    store.remove_tree(place)
    assert sorted(removed[:3]) == ["link", "link", "zzz_of_another_name"]
    assert sorted(removed[3:]) == ["aaa", "bbb", "zzz"]
    monkeypatch.undo()
    store.make_directory(place)


def test_a_hook_is_free_as_soon_as_its_link_is_unlinked(place: str) -> None:
    with namespace() as ns, libbpf.open_object(example("xdp_counter"), name="xdp_counter") as opened:
        opened.load()
        program = opened.programs[0].fd
        index = netns.call(ns.name, netlink.interface_index, ns.interface)
        for _ in range(20):
            with netns.call(ns.name, bpf.link_create, program, index, abi.ATTACH_XDP) as link:
                bpf.pin(link, f"{place}/link")
            store.unlink_link(f"{place}/link")
        assert not os.path.exists(f"{place}/link")
        with netns.call(ns.name, bpf.link_create, program, index, abi.ATTACH_XDP) as held:
            bpf.pin(held, f"{place}/link")
            store.unlink_link(f"{place}/link")
            assert bpf.link_info(held).ifindex == 0, "whoever still has it open does not keep it attached"
        with netns.call(ns.name, bpf.link_create, program, index, abi.ATTACH_XDP) as other:
            bpf.pin(other, f"{place}/other")
            os.symlink(f"{place}/other", f"{place}/link")
            store.unlink_link(f"{place}/link")
            assert not os.path.lexists(f"{place}/link")
            assert bpf.link_info(other).ifindex == index, "what a symbolic link leads to is somebody else's"
        store.unlink_link(f"{place}/link")
        store.write_record(f"{place}/link", "a pin of something else goes, too")
        store.unlink_link(f"{place}/link")
        assert not os.path.exists(f"{place}/link")


def test_readers_and_a_sweeper_at_once(place: str) -> None:
    """Nobody sees half a directory, and a vanished one is ENOENT, whoever asks."""
    stop = threading.Event()
    torn: list[str] = []

    def read() -> None:
        while not stop.is_set():
            for entry in os.listdir(place):
                if entry.startswith("tmp"):
                    continue
                try:
                    text = store.read_record(f"{place}/{entry}/record")
                except KernelError as error:
                    if error.errno != errno.ENOENT:
                        torn.append(str(error))
                else:
                    if text != "whole" * 100:
                        torn.append(text)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        store.make_directory(f"{place}/tmp-{number}")
        store.write_record(f"{place}/tmp-{number}/record", "whole" * 100)
        store.rename(f"{place}/tmp-{number}", f"{place}/{number}")
        store.rename(f"{place}/{number}", f"{place}/tmp-out")
        store.remove_tree(f"{place}/tmp-out")
    stop.set()
    reader.join()
    assert torn == []


def test_lock_in_bpffs(place: str) -> None:
    with (
        store.lock(f"{place}/bpfimg", timeout=1),
        pytest.raises(LockTimeout, match=rf"/bpfimg is still locked by process {os.getpid()} \("),
        store.lock(f"{place}/bpfimg", timeout=0),
    ):
        pytest.fail("two writers")


def test_where_there_is_no_bpffs(tmp_path_factory: pytest.TempPathFactory) -> None:
    ordinary = str(tmp_path_factory.mktemp("ordinary"))
    path = f"{ordinary}/pin"
    with bpf.map_create(abi.MAP_TYPE_ARRAY, 4, 4, 1) as fd:
        for attempt in (lambda: bpf.pin(fd, path), lambda: store.write_record(path, "x")):
            with pytest.raises(KernelError, match=f"{path} is not in a BPF filesystem") as caught:
                attempt()
            assert caught.value.hint.startswith(f"mount -t bpf bpf {ordinary}; in a container")
    with open(path, "w", encoding="ascii"), pytest.raises(KernelError, match=r"is not (in )?a BPF filesystem"):
        bpf.get(path)


def test_require(mount: str, place: str) -> None:
    store.require(mount)
    store.require(place)
