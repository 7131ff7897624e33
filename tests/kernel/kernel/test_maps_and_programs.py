"""Maps, infos and ids, with bpftool as the second witness."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.errors import KernelError
from bpfimg.kernel import Fd, abi, bpf, libbpf
from tests.support.netns import bpffs, skip_unless
from tests.support.objects import example

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kernel


@pytest.fixture(autouse=True)
def _host() -> None:
    skip_unless("xdp")


@pytest.fixture
def array() -> Iterator[Fd]:
    with bpf.map_create(abi.MAP_TYPE_ARRAY, 4, 8, 3, name="test-array") as fd:
        yield fd


@pytest.fixture
def hashed() -> Iterator[Fd]:
    with bpf.map_create(abi.MAP_TYPES.index("hash"), 4, 4, 8, name="hashed") as fd:
        yield fd


def key(number: int) -> bytes:
    return number.to_bytes(4, "little")


def bpftool(*arguments: str) -> Any:  # JSON
    if shutil.which("bpftool") is None:
        pytest.skip("needs bpftool")
    return json.loads(subprocess.run(["bpftool", "-j", *arguments], capture_output=True, check=True).stdout)


def test_write_read_delete(hashed: Fd) -> None:
    assert bpf.map_lookup(hashed, key(1), 4) is None
    bpf.map_update(hashed, key(1), b"abcd")
    assert bpf.map_lookup(hashed, key(1), 4) == b"abcd"
    bpf.map_delete(hashed, key(1))
    assert bpf.map_lookup(hashed, key(1), 4) is None
    with pytest.raises(KernelError, match=r"cannot delete from map 'hashed' \(id \d+\) \(MAP_DELETE_ELEM\): No such"):
        bpf.map_delete(hashed, key(1))


def test_flags_of_an_update(hashed: Fd) -> None:
    with pytest.raises(KernelError) as caught:
        bpf.map_update(hashed, key(1), b"abcd", abi.EXIST)
    assert caught.value.errno == errno.ENOENT
    bpf.map_update(hashed, key(1), b"abcd", abi.NOEXIST)
    with pytest.raises(KernelError) as caught:
        bpf.map_update(hashed, key(1), b"efgh", abi.NOEXIST)
    assert caught.value.errno == errno.EEXIST


def test_walk(hashed: Fd, array: Fd) -> None:
    assert list(bpf.map_keys(hashed, 4)) == []
    for number in range(8):
        bpf.map_update(hashed, key(number), key(number))
    assert sorted(bpf.map_keys(hashed, 4)) == sorted(key(number) for number in range(8))
    assert list(bpf.map_keys(array, 4)) == [key(0), key(1), key(2)]


def test_per_cpu_values() -> None:
    cpus = bpf.possible_cpus()
    with bpf.map_create(abi.MAP_TYPES.index("percpu_array"), 4, 4, 1, name="percpu") as fd:
        bpf.map_update(fd, key(0), b"".join(number.to_bytes(8, "little") for number in range(cpus)))
        value = bpf.map_lookup(fd, key(0), 8 * cpus)
    assert value is not None
    assert [value[8 * n] for n in range(cpus)] == list(range(cpus))


def test_frozen(array: Fd) -> None:
    assert bpf.map_info(array).frozen is False
    bpf.map_freeze(array)
    assert bpf.map_info(array).frozen is True
    with pytest.raises(KernelError, match=r"cannot write map 'test_array' .*\(MAP_UPDATE_ELEM\).*EPERM") as caught:
        bpf.map_update(array, key(0), b"12345678")
    assert caught.value.hint == "", "root lacks nothing: the map is frozen"
    assert bpf.map_lookup(array, key(0), 8) == bytes(8)


def test_map_info_as_bpftool_has_it(array: Fd) -> None:
    info = bpf.map_info(array)
    shown = bpftool("map", "show", "id", str(info.id))
    assert (shown["type"], shown["name"]) == (abi.MAP_TYPES[info.type], info.name) == ("array", "test_array")
    assert (shown["bytes_key"], shown["bytes_value"], shown["max_entries"]) == (4, 8, 3)
    assert (info.key_size, info.value_size, info.max_entries, info.flags) == (4, 8, 3, 0)
    assert info.memlock == shown["bytes_memlock"]


def test_program_info_as_bpftool_has_it() -> None:
    with libbpf.open_object(example("xdp_counter"), name="xdp_counter") as opened:
        opened.load()
        info = bpf.program_info(opened.programs[0].fd)
        maps = {bpf.map_info(each.fd).id for each in opened.maps}
        shown = bpftool("prog", "show", "id", str(info.id))
    assert (shown["type"], shown["name"], shown["tag"]) == ("xdp", info.name, info.tag)
    assert set(shown["map_ids"]) == set(info.map_ids) == maps
    assert (shown["bytes_xlated"], shown["bytes_jited"]) == (info.xlated_size, info.jited_size)
    assert (shown["bytes_memlock"], shown["btf_id"], shown["uid"]) == (info.memlock, info.btf_id, info.uid)
    assert shown["gpl_compatible"] is info.gpl is True
    assert info.verified_insns
    with open("/proc/uptime", encoding="ascii") as file:
        assert 0 < info.loaded_at / 1e9 <= float(file.read().split()[0]) + 1


def test_a_program_without_maps_has_none() -> None:
    with bpf.prog_load_trivial(abi.PROG_TYPE_XDP, abi.ATTACH_XDP) as program:
        info = bpf.program_info(program, memlock=False)
    assert (info.map_ids, info.btf_id, info.memlock) == ((), 0, None)


def test_kinds(array: Fd) -> None:
    assert bpf.kind(array) == "map"
    with bpf.prog_load_trivial(abi.PROG_TYPE_XDP, abi.ATTACH_XDP) as program:
        assert bpf.kind(program) == "program"
    with open("/dev/null", "rb") as file:
        assert bpf.kind(file.fileno()) is None


def test_ids_lead_back(array: Fd) -> None:
    with bpf.prog_load_trivial(abi.PROG_TYPE_XDP, abi.ATTACH_XDP) as program:
        program_id, map_id = bpf.program_info(program).id, bpf.map_info(array).id
        assert program_id in set(bpf.program_ids())
        assert map_id in set(bpf.map_ids())
        with bpf.program_by_id(program_id) as same, bpf.map_by_id(map_id) as same_map:
            assert bpf.program_info(same).tag == bpf.program_info(program).tag
            assert bpf.map_info(same_map).name == "test_array"
    assert list(bpf.link_ids()) == sorted(bpf.link_ids())


@pytest.mark.parametrize("opener", [bpf.program_by_id, bpf.map_by_id, bpf.link_by_id])
def test_an_id_that_has_gone(opener: Any) -> None:
    with pytest.raises(KernelError, match=r"2147483647 \([A-Z_]+\): No such file or directory \(ENOENT\)") as caught:
        opener(0x7FFFFFFF)
    assert caught.value.errno == errno.ENOENT


def test_a_bound_map_lives_with_the_program(array: Fd) -> None:
    with bpf.prog_load_trivial(abi.PROG_TYPE_XDP, abi.ATTACH_XDP) as program:
        bpf.bind_map(program, array)
        assert bpf.program_info(program).map_ids == (bpf.map_info(array).id,)


def test_run_on_data() -> None:
    with bpf.prog_load_trivial(abi.PROG_TYPE_XDP, abi.ATTACH_XDP) as program:
        returned, data, nanoseconds = bpf.test_run(program, bytes(range(64)), 10)
    assert (returned, data) == (0, bytes(range(64)))
    assert nanoseconds >= 0


def test_pin_and_get(array: Fd) -> None:
    with bpffs() as mount:
        path = f"{mount}/pin"
        bpf.pin(array, path)
        with pytest.raises(KernelError, match=r"cannot pin .*/pin \(OBJ_PIN\): File exists \(EEXIST\)") as caught:
            bpf.pin(array, path)
        assert caught.value.errno == errno.EEXIST
        with bpf.get(path) as same, bpf.get(path, read_only=True) as reader:
            assert bpf.map_info(same).id == bpf.map_info(array).id
            with pytest.raises(KernelError):
                bpf.map_update(reader, key(0), bytes(8))
        os.unlink(path)
        with pytest.raises(KernelError) as caught:
            bpf.get(path)
        assert caught.value.errno == errno.ENOENT
