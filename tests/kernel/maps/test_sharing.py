"""Maps that loads share: with a load, with a pin or an id, within an application; never two that are not alike."""

from __future__ import annotations

import os
import stat
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import Error, KernelError, UsageError
from bpfimg.kernel import Fd, abi, bpf
from bpfimg.kernel._syscall import bpf as call
from bpfimg.kernel._syscall import fill
from bpfimg.load import maps, prepare
from tests.support import loads
from tests.support.maps import every_kind, loaded, shared

if TYPE_CHECKING:
    from bpfimg.load import Host, Load

pytestmark = pytest.mark.kernel

SECOND = (
    'struct { __uint(type, 2); __uint(max_entries, 1); __type(key, __u32); __type(value, __u32); } own SEC(".maps");'
)


def ids(load: Load) -> dict[str, int]:
    assert load.record is not None
    return dict(load.record.maps)


def run(host: Host, load: Load) -> None:
    """Runs the program once, on a packet of nothing."""
    with bpf.get(load.program_pins()[0]) as fd:
        bpf.test_run(fd, bytes(64))


def test_all_maps_of_an_owner_by_name(host: Host) -> None:
    owner = loaded(host, shared(), "owner")
    user = loaded(host, shared(more=SECOND), "user", sharing=maps.Sharing(owner=str(owner.id)))
    assert ids(user)["hits"] == ids(owner)["hits"]
    assert user.record is not None
    assert user.record.shared == {"hits": f"load {owner.id}"}
    run(host, owner)
    run(host, user)
    with host.map(user, "hits") as hits:
        assert hits[0] == 2
    assert host.find("user").record == user.record


def test_the_maps_of_an_owner_outlive_it_where_they_are_used(host: Host) -> None:
    owner = loaded(host, shared(), "owner")
    user = loaded(host, shared(), "user", sharing=maps.Sharing(owner="owner"))
    number = ids(owner)["hits"]
    assert maps.kept(owner, host.loads()) == (f"map hits (id {number}) stays: load {user.id} (user) uses it",)
    with host.writer() as writer:
        writer.unload(owner.id)
    assert maps.kept(user, host.loads()) == ()
    run(host, user)
    with host.map(user, "hits") as hits:
        assert (hits.id, hits[0]) == (number, 1)


def test_globals_and_maps_of_programs_stay_each_objects_own(host: Host) -> None:
    owner = loaded(host, every_kind(), "owner")
    user = loaded(host, every_kind(), "user", globals={"limit": "9"}, sharing=maps.Sharing(owner="owner"))
    same = {name for name, number in ids(user).items() if ids(owner)[name] == number}
    assert set(ids(user)) - same == {".rodata", ".data", ".bss", "jumps"}
    with host.map(user, ".rodata") as own, host.map(owner, ".rodata") as theirs:
        assert (own[0]["limit"], theirs[0]["limit"]) == (9, 5)


def test_one_map_by_pin_or_by_id(host: Host) -> None:
    owner = loaded(host, shared(), "owner")
    number = ids(owner)["hits"]
    for word in (str(number), owner.map_pins()[0]):
        user = loaded(host, shared(), f"user of {word}", sharing=maps.Sharing(maps={"hits": word}))
        assert ids(user)["hits"] == number
        assert user.record is not None
        assert user.record.shared == {"hits": f"map {number}"}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("__u32", "its value size is 4, expected 8"),
        ("__s64", "the type of its value is long long, expected unsigned long long"),
        ("struct { __u32 a, b; }", "the type of its value is struct given, expected"),
    ],
)
def test_a_map_that_differs_is_refused_before_anything_is_loaded(host: Host, data: str, sentence: str) -> None:
    other = loaded(host, shared(data), "other")
    with loads.nothing_left(host), pytest.raises(KernelError) as caught:
        loaded(host, shared(), "user", sharing=maps.Sharing(owner="other"))
    said = str(caught.value).replace("__s64", "long long").replace("__u64", "unsigned long long")
    assert f"map 'hits' cannot be shared with map {ids(other)['hits']}: {sentence}" in said


def test_structs_are_compared_member_by_member(host: Host) -> None:
    loaded(host, shared("struct stats"), "stats")
    swapped = "struct { __u64 bytes; __u64 packets; }"
    for value, sentence in (
        (swapped, "of the type of its value, member packets is where bytes is expected"),
        (
            "struct { __u64 packets; __u32 bytes, more; }",
            "of the type of its value, member bytes is __u64, expected __u32",
        ),
        ("struct { __u32 packets[4]; }", "of the type of its value, member packets is __u64, expected __u32[4]"),
    ):
        with pytest.raises(KernelError, match="cannot be shared") as caught:
            loaded(host, shared(value), "user", sharing=maps.Sharing(owner="stats"))
        assert sentence in str(caught.value)
    again = loaded(host, shared("struct { __u64 packets; __u64 bytes; }"), "user", sharing=maps.Sharing(owner="stats"))
    assert again.record is not None


def test_maps_in_maps_and_settings_are_compared(host: Host) -> None:
    app = loaded(host, every_kind(), "app")
    with bpf.map_create(2, 4, 8, 4, flags=1 << 10) as other, host.map(app, "outside") as outside:
        number = bpf.map_info(other).id
        with pytest.raises(KernelError, match=f"with map {number}: its flags is 1024, expected 0"):
            loaded(host, shared(), "user", sharing=maps.Sharing(maps={"hits": str(number)}))
        with host.map(app, "inside") as inside:
            outside[0] = inside.id
        twice = loaded(host, every_kind(), "twice", sharing=maps.Sharing(maps={"outside": str(outside.id)}))
        assert ids(twice)["outside"] == outside.id
    with bpf.map_create(2, 4, 16, 1) as wider, map_of_maps(wider) as foreign:
        bpf.map_update(foreign, bytes(4), wider.fileno().to_bytes(4, sys.byteorder))
        sharing = maps.Sharing(maps={"outside": str(bpf.map_info(foreign).id)})
        with pytest.raises(KernelError, match=r"of map \d+ in it, the value size is 16, expected 8"):
            loaded(host, every_kind(), "user", sharing=sharing)


def map_of_maps(inner: Fd) -> Fd:
    layout = {**abi.ATTR_MAP_CREATE, "inner_map_fd": (20, 4)}
    kind = abi.MAP_TYPES.index("array_of_maps")
    values = {"map_type": kind, "key_size": 4, "value_size": 4, "max_entries": 2, "inner_map_fd": inner.fileno()}
    return Fd(call(abi.MAP_CREATE, fill(layout, values), "a map of maps"))


@pytest.mark.parametrize(
    ("sharing", "sentence", "hint"),
    [
        (maps.Sharing(owner="nobody"), "bpfimg has loaded no program called 'nobody'", "bpfimg list"),
        (maps.Sharing(maps={"hit": "1"}), "the object has no map 'hit', expected one of its 1", "it has: hits"),
        (maps.Sharing(maps={"hits": "4294967295"}), "there is no map 4294967295 in this kernel", ""),
        (maps.Sharing(maps={"hits": "relative"}), "expected the id of a map or the path of its pin", ""),
    ],
)
def test_what_is_not_there(host: Host, sharing: maps.Sharing, sentence: str, hint: str) -> None:
    with loads.nothing_left(host), pytest.raises(Error) as caught:
        loaded(host, shared(), "user", sharing=sharing)
    assert sentence in str(caught.value)
    assert hint in caught.value.hint


def test_an_owner_without_any_of_the_names(host: Host) -> None:
    owner = loaded(host, every_kind(), "owner")
    with pytest.raises(UsageError, match=f"no map that load {owner.id}") as caught:
        loaded(host, shared(), "user", sharing=maps.Sharing(owner="owner"))
    assert caught.value.hint.startswith(f"the object has hits; load {owner.id} has odds, numbers, ")


def test_a_pin_of_a_program_is_no_map(host: Host) -> None:
    owner = loaded(host, shared(), "owner")
    with pytest.raises(UsageError, match="is the pin of a program, expected that of a map"):
        loaded(host, shared(), "user", sharing=maps.Sharing(maps={"hits": owner.program_pins()[0]}))


def test_maps_pinned_by_name_are_the_applications(host: Host) -> None:
    first = loaded(host, shared(pinning=True), "edge")
    second = loaded(host, shared(pinning=True), "edge")
    stranger = loaded(host, shared("__u32", 9, pinning=True), "other")  # another shape: nothing of edge's
    assert ids(first)["hits"] == ids(second)["hits"] != ids(stranger)["hits"]
    assert first.record is not None
    assert first.record.shared == {"hits": "application"}
    with host.writer() as writer:
        writer.unload(first.id)
    third = loaded(host, shared(pinning=True), "edge")
    assert ids(third)["hits"] == ids(second)["hits"]
    with pytest.raises(KernelError, match="its max_entries is 4, expected 5") as caught:
        loaded(host, shared(entries=5, pinning=True), "edge")
    assert "or give another --name" in caught.value.hint
    with host.writer() as writer:
        writer.unload(second.id)
        writer.unload(third.id)
    with pytest.raises(Error, match="there is no map"):  # it went with the last load of the application
        gone(ids(third)["hits"])
    assert ids(loaded(host, shared(entries=5, pinning=True), "edge"))


def test_first_loads_at_the_same_time_share_one_map(host: Host) -> None:
    data = shared(pinning=True)
    done: list[Load] = []
    threads = [threading.Thread(target=lambda: done.append(loaded(host, data, "edge"))) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(done) == 6
    assert len({ids(each)["hits"] for each in done}) == 1


def gone(number: int) -> None:
    """Opens a map until that is an error: the kernel frees maps a little later."""
    for _ in range(500):
        maps.by_id(number).close()
        os.sched_yield()


def test_a_map_with_the_same_name_that_was_not_pinned_by_name_is_not_taken(host: Host) -> None:
    plain = loaded(host, shared(), "edge")
    pinned = loaded(host, shared(pinning=True), "edge")
    assert ids(plain)["hits"] != ids(pinned)["hits"]


def test_an_object_that_wants_the_applications_maps_says_so(host: Host) -> None:
    with prepare(shared(), name="x") as plain, prepare(shared(pinning=True), name="x") as pinned:
        assert (plain.alone, pinned.alone) == (False, True)
    given = maps.Sharing(maps={"hits": "1"})
    with prepare(shared(pinning=True), name="x", sharing=given) as prepared:
        assert not prepared.alone


def mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_pins_are_roots_alone_unless_asked(host: Host) -> None:
    plain = loaded(host, shared(), "plain")
    assert mode(host.directory) == mode(plain.path) == 0o700
    assert mode(plain.map_pins()[0]) == 0o600
    access = maps.Access(65534, 100, 0o640)
    given = loaded(host, shared(), "given", sharing=maps.Sharing(access=access))
    assert given.record is not None
    assert given.record.map_access == {"user": 65534, "group": 100, "mode": 0o640}
    pin = os.stat(given.map_pins()[0])
    assert (pin.st_uid, pin.st_gid, stat.S_IMODE(pin.st_mode)) == (65534, 100, 0o640)
    assert mode(given.path) == mode(host.directory) == 0o711  # others pass, and list nothing
    assert mode(f"{given.path}/record") == mode(given.program_pins()[0]) == 0o600
    assert mode(plain.path) == 0o700
    with host.writer() as writer:
        writer.unload(given.id)
    assert mode(host.directory) == 0o700


def test_somebody_else_reads_a_pin_that_he_may_read(host: Host) -> None:
    given = loaded(host, shared(), "given", sharing=maps.Sharing(access=maps.Access(mode=0o644)))
    os.chmod(host.bpffs, 0o711)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        answer = b"?"
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            with maps.by_pin(given.map_pins()[0]) as hits:
                answer = str(hits.get("hex:00000000") if hits.value_type == "" else hits[0]).encode()
            try:
                os.listdir(given.path)
            except PermissionError:
                answer += b", closed"
        except Error as error:
            answer = repr(error).encode()
        finally:
            os.write(writer, answer)
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    said = os.read(reader, 4096).decode()
    os.close(reader)
    assert said == "hex:0000000000000000, closed"
