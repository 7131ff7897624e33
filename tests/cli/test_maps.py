"""`bpfimg maps` and `bpfimg map`, and what `run` and `load` are asked about maps and globals."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cli import check
from tests.support.maps import every_kind, shared

if TYPE_CHECKING:
    from tests.support.cli import Cli

pytestmark = pytest.mark.kernel
BITS = ("three", "five")


def image(host: Cli, data: bytes, name: str = "kinds") -> str:
    """An image of an object, signed, in the store of the commands."""
    reference = f"registry.example/team/{name}:v1"
    (host.folder / f"{name}.o").write_bytes(data)
    if not (host.folder / "k.pub").exists():
        host("key", "generate", "k")
    host("build", "-t", reference, f"{name}.o")
    host("sign", "--key", "k.key", reference)
    return reference


def load(host: Cli, reference: str, *more: str) -> int:
    """Loads it; returns its id."""
    words = ("load", "--key", "k.pub", "--pull", "never", *more, reference, "-q")
    return int(host(*words).stdout.split()[0])


def unload(host: Cli) -> None:
    for each in json.loads(host("list", "-o", "json").stdout)["programs"]:
        host("unload", str(each["id"]))


@pytest.fixture
def kinds(host: Cli) -> Any:
    """An application with a map of every kind."""
    number = load(host, image(host, every_kind()))
    yield number
    unload(host)


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_the_list_of_maps(host: Cli, kinds: int) -> None:
    entries = {entry["name"]: entry for entry in host.json("maps", "maps")["maps"]}
    odds = entries["odds"]
    assert odds["type"] == "hash"
    assert odds["max_entries"] == 1000
    assert odds["loads"] == [{"id": kinds, "application": "kinds"}]
    assert odds["pin"].endswith(f"/bpfimg/{kinds}/map-odds")
    assert entries[".rodata"]["frozen"]
    text = host("maps", "--type", "percpu_array").stdout
    head, row = rows(text)
    assert head == ["ID", "NAME", "TYPE", "KEY", "VALUE", "ENTRIES", "MEMORY", "APPLICATION", "PROGRAMS"]
    assert row[:6] == [str(entries["cpus"]["id"]), "cpus", "percpu_array", "4", "16", "2"]
    assert host("maps", "-q", "--application", "nobody").stdout == ""
    assert str(odds["id"]) in host("maps", "-q", "--application", "kinds").stdout.split()
    everything = host.json("maps", "maps", "--all")["maps"]
    assert {entry["id"] for entry in entries.values()} < {entry["id"] for entry in everything}
    assert "expected one of the kernel's words" in host.error("maps", "--type", "tree", expect=2)["message"]


def test_entries_are_written_read_and_deleted(host: Cli, kinds: int) -> None:
    host("map", "set", "kinds", "odds", "7", '{"name": "eth0", "colour": GREEN, "stats": [{"packets": 3}], "low": -2}')
    (entry,) = host.json("map-entries", "map", "dump", "kinds", "odds")["entries"]
    assert (entry["id"], entry["key"]) == ("07000000", 7)
    assert entry["value"]["colour"] == "GREEN"
    assert entry["value"]["stats"][0] == {"packets": 3, "bytes": 0}
    host("map", "set", str(kinds), "odds", "0x7", "{low: 5}")
    (entry,) = host.json("map-entries", "map", "get", "kinds", "odds", "7")["entries"]
    assert (entry["value"]["low"], entry["value"]["name"]) == (5, "eth0")
    host("map", "delete", "kinds", "odds", "7")
    for words in (("get", "kinds", "odds", "7"), ("delete", "kinds", "odds", "7")):
        assert "has no key '7'" in host.error("map", *words, expect=1)["message"]
    assert host.json("map-entries", "map", "dump", "kinds", "odds") == {"entries": []}
    assert host("map", "dump", "kinds", "odds").stdout == ""


def test_bpftool_says_the_same(host: Cli, kinds: int) -> None:
    host("map", "set", "kinds", "odds", "7", '{"name": "eth0", "colour": GREEN, "on": true, "three": 5, "ratio": 0.5}')
    host("map", "set", "kinds", "routes", '{"prefix": 24, "address": "10.0.0.0"}', "9")
    numbers = {entry["name"]: entry["id"] for entry in host.json("maps", "maps")["maps"]}
    for name in ("odds", "numbers", "cpus", "cpuhash", "recent", "routes", ".data", ".bss", ".rodata"):
        done = subprocess.run(
            ["bpftool", "-j", "map", "dump", "id", str(numbers[name])], capture_output=True, text=True, check=True
        )
        theirs = json.loads(done.stdout.replace(',"ratio":(unsupported-kind', ""))  # no float in version 7.1
        ours = host.json("map-entries", "map", "dump", str(numbers[name]))["entries"]
        assert len(ours) == len(theirs)
        for entry, other in zip(ours, theirs, strict=True):
            formatted = other.get("formatted", other)
            if name.startswith("."):
                (variables,) = formatted["value"].values()
                assert plain(entry["value"]) == plain({k: v for one in variables for k, v in one.items()})
                continue
            assert entry["key"] == plain(formatted["key"])
            if entry["values"] is None:
                assert plain(entry["value"]) == plain(formatted["value"])
            else:
                cpus = {each["cpu"]: plain(each["value"]) for each in formatted["values"]}
                assert {each["id"]: each["value"] for each in entry["values"]} == cpus


def plain(value: Any) -> Any:
    """bpftool puts members of unnamed structs under "", and writes bit fields as text of hex digits."""
    if isinstance(value, dict):
        found = {}
        for name, each in value.items():
            found |= plain(each) if name == "" else {name: int(str(each), 0) if name in BITS else plain(each)}
        found.pop("ratio", None)
        return found
    return [plain(each) for each in value] if isinstance(value, list) else value


def test_per_cpu_values_one_by_one_and_as_a_sum(host: Cli, kinds: int) -> None:
    host("map", "set", "kinds", "cpus", "1", '{"packets": 2, "bytes": 5}')
    (_, entry) = host.json("map-entries", "map", "dump", "kinds", "cpus")["entries"]
    assert entry["value"] is None
    count = len(entry["values"])
    assert [each["value"] for each in entry["values"]] == [{"packets": 2, "bytes": 5}] * count
    (_, entry) = host.json("map-entries", "map", "dump", "--sum", "kinds", "cpus")["entries"]
    assert (entry["value"], entry["values"]) == ({"packets": 2 * count, "bytes": 5 * count}, None)
    head, first, *_ = rows(host("map", "dump", "kinds", "cpus").stdout)
    assert (head, first) == (["KEY", "CPU", "PACKETS", "BYTES"], ["0", "0", "0", "0"])
    assert rows(host("map", "dump", "--sum", "kinds", "cpus").stdout)[2] == ["1", str(2 * count), str(5 * count)]
    assert host("map", "get", "kinds", "cpuhash", "1", expect=1).stdout == ""
    assert host("map", "get", "kinds", "cpus", "1").stdout.splitlines()[0] == 'CPU 0: {"packets": 2, "bytes": 5}'


def test_queues_are_written_and_looked_at(host: Cli, kinds: int) -> None:
    for number in ("1", "2"):
        host("map", "set", "kinds", "line", "-", f'{{"packets": {number}}}')
    assert host("map", "get", "kinds", "line", "-").stdout == '{"packets": 1, "bytes": 0}\n'
    assert rows(host("map", "dump", "kinds", "line").stdout)[-1][-2:] == ["1", "0"]


def test_what_is_refused(host: Cli, kinds: int) -> None:
    for words, code, sentence in (
        (("set", "kinds", "numbers", "0", "x"), 2, "the value (__s64) takes a number, not 'x'"),
        (("set", "kinds", "odds", "0", '{"lwo": 1}'), 2, "has no member 'lwo'"),
        (("set", "kinds", ".rodata", "0", '{"limit": 1}'), 1, "is frozen: nobody can write it any more"),
        (("dump", "kinds", "events"), 4, "a ring buffer has no entries"),
        (("dump", "kinds", "event"), 2, "has no map 'event'"),
        (("dump", "kinds"), 2, "the map is 'kinds', expected its id, or a load and the name of one of its maps"),
        (("get", "kinds"), 2, "`map get` was given 1 words, expected MAP KEY"),
        (("burn", "1"), 2, "'burn' is nothing to do with a map"),
        (("dump", "--interval", "1", "1"), 2, "--interval and --count are for `map watch`"),
        (("dump", "4294967295"), 1, "there is no map 4294967295 in this kernel"),
    ):
        assert sentence in host.error("map", *words, expect=code)["message"]
    record = f"{host.environ['BPFIMG_BPFFS']}/bpfimg/{kinds}/record"
    assert "is a record of bpfimg" in host.error("map", "set", record, "0", "x", expect=2)["message"]


def test_changes_are_watched(host: Cli, kinds: int) -> None:
    with host.start("map", "watch", "kinds", "recent", "--interval", "0.05", "-o", "json") as watching:
        assert watching.stdout is not None
        for value, word in (("1", "new"), ("2", "changed"), (None, "gone")):
            host(
                "map",
                *(
                    ("delete", "kinds", "recent", "BLUE")
                    if value is None
                    else ("set", "kinds", "recent", "BLUE", value)
                ),
            )
            line = json.loads(watching.stdout.readline())
            check("map-entries", line)
            assert (line["change"], line["key"]) == (word, "BLUE")
        watching.terminate()
    host("map", "set", "kinds", "recent", "RED", "4")
    (line,) = host("map", "watch", "kinds", "recent", "--count", "1").stdout.splitlines()
    assert line.split()[1:] == ["new", "RED", "4"]


def test_a_large_map_in_one_piece(host: Cli) -> None:
    load(host, image(host, shared("struct { char text[56]; __u64 n; }", 20000), "large"))
    text = host("map", "dump", "large", "hits").stdout
    assert len(text.splitlines()) == 20001
    entries = host.json("map-entries", "map", "dump", "large", "hits")["entries"]
    assert [entry["key"] for entry in entries] == list(range(20000))
    unload(host)


def test_globals_of_every_kind_and_their_record(host: Cli) -> None:
    given = (
        "-g",
        "settings={name: after, stats: [{bytes: 7}]}",
        "-g",
        "grid=[[1],[2,3]]",
        "--global-be",
        "limit=10.0.0.1",
    )
    load(host, image(host, every_kind()), *given)
    (entry,) = host.json("map-entries", "map", "dump", "kinds", ".rodata")["entries"]
    assert entry["value"]["settings"]["name"] == "after"
    assert entry["value"]["settings"]["low"] == -3
    assert entry["value"]["limit"] == int.from_bytes(b"\x0a\0\0\1", "little")
    (program,) = json.loads(host("list", "-o", "json").stdout)["programs"]
    assert program["globals"]["limit"] == "be:10.0.0.1"
    assert program["global_types"] == {"settings": "struct odd", "grid": "int[2][3]", "limit": "__u32"}
    assert "grid=[[1],[2,3]] (int[2][3]), limit=be:10.0.0.1 (__u32)" in host("get", str(program["id"])).stdout
    unload(host)


def test_maps_are_shared_and_their_pins_are_given_away(host: Cli) -> None:
    first = load(host, image(host, shared(), "first"), "--map-group", "100")
    (hits,) = [entry for entry in host.json("maps", "maps")["maps"] if entry["name"] == "hits"]
    assert os.stat(hits["pin"]).st_gid == 100
    ready = image(host, shared(), "second")
    words = ("load", "--key", "k.pub", "--pull", "never", "--dry-run", "--map-owner", "first", ready)
    assert host.json("dry-run", *words)["maps"][0]["shared"] == f"load {first}"
    assert f"4 entries, shared (load {first})" in host(*words).stdout
    second = load(host, ready, "--map-owner", "first")
    third = load(host, image(host, shared(), "third"), "--map", f"hits={hits['id']}")
    (hits,) = [entry for entry in host.json("maps", "maps")["maps"] if entry["name"] == "hits"]
    assert sorted(load["id"] for load in hits["loads"]) == sorted((first, second, third))
    refused = host.error(
        "load",
        "--key",
        "k.pub",
        "--pull",
        "never",
        "--map-owner",
        "first",
        image(host, shared("__u32"), "other"),
        expect=1,
    )
    assert "its value size is 8, expected 4" in refused["message"]
    shown = host("get", str(second)).stdout
    assert f"shared maps: hits (load {first})" in re.sub(" +", " ", shown)
    (program,) = host.json("programs", "get", str(first))["programs"]
    assert program["map_access"] == {"group": 100, "mode": 0o640}
    said = host("unload", "first")
    users = f"load {second} (second), load {third} (third) use it"
    assert f"map hits (id {hits['id']}) stays: {users}" in said.stderr
    assert [entry["name"] for entry in host.json("maps", "maps")["maps"]] == ["hits"]
    unload(host)


def test_an_application_has_its_pinned_maps_for_itself(host: Cli) -> None:
    reference = image(host, shared(pinning=True), "pinned")
    one = load(host, reference, "--name", "edge")
    two = load(host, reference, "--name", "edge")
    load(host, reference, "--name", "core")
    found = [entry for entry in host.json("maps", "maps")["maps"] if entry["name"] == "hits"]
    loads = [sorted(load["id"] for load in entry["loads"]) for entry in found]
    assert sorted(map(len, loads)) == [1, 2]
    assert sorted((one, two)) in loads
    assert {entry["shared"] for entry in found} == {"application"}
    unload(host)
