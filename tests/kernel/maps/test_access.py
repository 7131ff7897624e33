"""Maps of every kind through the Python API: what is written is what the kernel has, and what is read is that."""

from __future__ import annotations

import struct
import threading
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import Error, KernelError, NotSupported, UsageError
from bpfimg.kernel import bpf
from bpfimg.load import maps
from tests.support.descriptors import none_left
from tests.support.maps import every_kind, loaded

if TYPE_CHECKING:
    from bpfimg.load import Host, Load

pytestmark = pytest.mark.kernel

ODD = {
    "name": "eth0",
    "colour": "GREEN",
    "on": True,
    "low": -3,
    "whole": 0x01020304,
    "three": 5,
    "five": 17,
    "stats": [{"packets": 1, "bytes": 2}, {"packets": 3, "bytes": 1 << 60}],
    "ratio": 0.5,
}


@pytest.fixture
def app(host: Host) -> Load:
    return loaded(host, every_kind())


def test_a_hash_of_structs_is_like_a_dict(host: Host, app: Load) -> None:
    with host.map(app, "odds") as odds:
        assert (odds.type, odds.key_type, odds.value_type) == ("hash", "__u32", "struct odd")
        assert len(odds) == 0
        odds[7] = ODD
        got = odds[7]
        assert {name: got[name] for name in ODD} == ODD
        assert got["parts"] == list(struct.pack("=I", ODD["whole"]))
        odds[7] = {"low": 12}  # the rest stays
        assert odds[7] == {**got, "low": 12}
        odds.update(8, {"name": "x"}, only="new")
        assert sorted(odds) == [7, 8]
        assert {key: value["name"] for key, value in odds.items()} == {7: "eth0", 8: "x"}
        assert 8 in odds
        assert odds.get(9) is None
        del odds[8]
        with pytest.raises(KeyError):
            del odds[8]
        with pytest.raises(KeyError):
            odds[8]
        with pytest.raises(KernelError, match="has that key already"):
            odds.update(7, ODD, only="new")
        with pytest.raises(KernelError, match="does not have that key"):
            odds.update(8, ODD, only="old")


def test_many_entries_are_read_in_few_calls(host: Host, app: Load) -> None:
    with host.map(app, "odds") as odds:
        for number in range(1000):
            odds[number] = {"low": number - 500}
        assert {key: value["low"] for key, value in odds.items()} == {n: n - 500 for n in range(1000)}
        with pytest.raises(KernelError, match="is full, or has no such index: it takes 1000 entries"):
            odds[1000] = {}


def test_arrays_have_all_their_entries(host: Host, app: Load) -> None:
    with host.map(app.id, "numbers") as numbers:
        numbers[3] = -(1 << 63)
        assert list(numbers.items()) == [(0, 0), (1, 0), (2, 0), (3, -(1 << 63))]
        with pytest.raises(UsageError, match="takes -9223372036854775808 to 9223372036854775807"):
            numbers[0] = 1 << 63
        with pytest.raises(UsageError, match="its 4 entries cannot be deleted"):
            del numbers[0]
        with pytest.raises(KeyError):
            numbers[4]
    with host.map(app, "jumps") as jumps, pytest.raises(UsageError, match="the key takes 0 to 3, not 'x'"):
        jumps["x"]


def test_per_cpu_maps_have_a_value_for_each_cpu(host: Host, app: Load) -> None:
    cpus = bpf.possible_cpus()
    with host.map(app, "cpus") as each:
        each[0] = [{"packets": n, "bytes": 10 * n} for n in range(cpus)]
        assert each[0] == [{"packets": n, "bytes": 10 * n} for n in range(cpus)]
        assert each.total(0) == {"packets": sum(range(cpus)), "bytes": 10 * sum(range(cpus))}
        each[1] = {"packets": 2}
        assert each.total(1) == {"packets": 2 * cpus, "bytes": 0}
        with pytest.raises(UsageError, match=f"a value for each of {cpus} CPUs, not {cpus + 1}"):
            each[0] = [{}] * (cpus + 1)
    with host.map(app, "cpuhash") as hashed:
        hashed[1 << 40] = 3
        assert list(hashed.items()) == [(1 << 40, [3] * cpus)]
        assert hashed.total(1 << 40) == 3 * cpus


def test_keys_may_be_names_and_structs(host: Host, app: Load) -> None:
    with host.map(app, "recent") as recent, host.map(app, "routes") as routes:
        recent["BLUE"] = 1
        recent[0] = 2
        assert dict(recent.items()) == {"BLUE": 1, "RED": 2}
        routes[{"prefix": 24, "address": "10.0.0.0"}] = 5
        assert routes[{"prefix": 32, "address": [10, 0, 0, 9]}] == 5
        assert [key for key in routes] == [{"prefix": 24, "address": [10, 0, 0, 0]}]  # noqa: C416


def test_queues_and_stacks(host: Host, app: Load) -> None:
    with host.map(app, "line") as line, host.map(app, "pile") as pile:
        for number in (1, 2, 3):
            line.push({"packets": number})
            pile.push(number)
        with pytest.raises(KernelError, match="is full"):
            pile.push(4)
        assert line.peek() == {"packets": 1, "bytes": 0}
        assert [line.pop()["packets"] for _ in range(3)] == [1, 2, 3]
        assert pile.pop() == "hex:" + struct.pack("=I", 3).hex()
        with pytest.raises(KeyError, match="is empty"):
            line.pop()
    with host.map(app, "numbers") as numbers, pytest.raises(UsageError, match="expected a queue or a stack"):
        numbers.push(1)


def test_without_types_bytes_are_hex(host: Host, app: Load) -> None:
    with host.map(app, "raw") as raw:
        raw["hex:0102030405ff"] = "hex:aabbcc"
        raw[bytes(6)] = b"\1\2\3"
        assert dict(raw.items()) == {"hex:0102030405ff": "hex:aabbcc", "hex:000000000000": "hex:010203"}
        with pytest.raises(UsageError, match="expected hex: and 12 hex digits") as caught:
            raw[1]
        assert "no BTF" in caught.value.hint


def test_maps_of_programs_and_of_maps_take_ids(host: Host, app: Load) -> None:
    with host.map(app, "jumps") as jumps, host.map(app, "outside") as outside, host.map(app, "inside") as inside:
        jumps[2] = app.id
        assert jumps[2] == app.id
        outside[1] = inside.id
        assert dict(outside.items()) == {1: inside.id}
        del outside[1]


def test_globals_are_maps_of_one_value(host: Host, app: Load) -> None:
    with host.map(app, ".data") as data, host.map(app, ".rodata") as rodata, host.map(app, ".bss") as bss:
        assert data[0] == {"counter": 9}
        data[0] = {"counter": 10}
        assert data[0] == {"counter": 10}
        assert rodata[0]["limit"] == 5
        assert rodata[0]["settings"]["name"] == "before"
        assert bss[0] == {"grid": [[0, 0, 0], [0, 0, 0]]}
        with pytest.raises(KernelError, match=r"map '.rodata' \(id \d+\) is frozen: nobody can write it any more"):
            rodata[0] = {"limit": 6}


def test_globals_of_every_kind_are_set_before_the_load(host: Host) -> None:
    given = {
        "limit": "0x10",
        "settings": '{"colour": BLUE, "stats": [{}, {"bytes": 8}], "parts": [1], "three": 7}',
        "counter": "18446744073709551615",
        "grid": "[[1, 2], [-1]]",
    }
    app = loaded(host, every_kind(), globals=given)
    with host.map(app, ".rodata") as rodata, host.map(app, ".data") as data, host.map(app, ".bss") as bss:
        settings = rodata[0]["settings"]
        assert (rodata[0]["limit"], data[0]["counter"]) == (16, (1 << 64) - 1)
        assert (settings["name"], settings["low"], settings["colour"], settings["three"]) == ("before", -3, "BLUE", 7)
        assert settings["stats"][1] == {"packets": 0, "bytes": 8}
        assert bss[0]["grid"] == [[1, 2, 0], [-1, 0, 0]]
    assert app.record is not None
    assert app.record.globals == given
    assert app.record.global_types["settings"] == "struct odd"
    assert host.find("app").record == app.record


def test_what_cannot_be_read_says_why(host: Host, app: Load) -> None:
    with host.map(app, "events") as events:
        for read in (lambda: list(events.items()), lambda: len(events), lambda: events.get(0)):
            with pytest.raises(NotSupported, match=r"map 'events' \(id \d+\) cannot be read: a ring buffer has no ent"):
                read()


def test_names_that_are_not_there(host: Host, app: Load) -> None:
    with pytest.raises(UsageError, match="has no map 'number'") as caught:
        host.map(app, "number")
    assert caught.value.hint.startswith("it has: numbers, ")
    with pytest.raises(Error, match="bpfimg has loaded no program called 'nobody'"):
        host.map("nobody", "numbers")
    with pytest.raises(Error, match="there is no map 4294967295"):
        maps.by_id(4294967295)


def test_a_record_is_nobodys_to_write(host: Host, app: Load) -> None:
    with maps.by_pin(f"{app.path}/record") as record:
        assert record.name == "bpfimg_record"
        assert record[0].startswith("{")
        with pytest.raises(UsageError, match="is a record of bpfimg: nobody can write it"):
            record[0] = "mine"


def test_nothing_stays_open(host: Host, app: Load) -> None:
    with none_left():
        for _ in range(50):
            with host.map(app, "odds") as odds:
                odds[1] = {}
                assert next(odds.items())
            with pytest.raises(UsageError):
                host.map(app, "nothing")
            with pytest.raises(UsageError):
                maps.by_pin(app.program_pins()[0])
    with pytest.raises(ValueError, match="closed"):
        odds[1]


def test_threads_share_one_map(host: Host, app: Load) -> None:
    failures: list[Exception] = []
    with host.map(app, "odds") as odds:

        def work(first: int) -> None:
            try:
                for number in range(first, first + 50):
                    odds[number] = {"low": number}
                    assert odds[number]["low"] == number
                    assert number % 25 or first <= max(odds.keys())
                    if number % 2:
                        del odds[number]
            except (Error, KeyError, AssertionError) as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(50 * n,)) for n in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert failures == []
        assert sorted(odds) == list(range(0, 400, 2))
