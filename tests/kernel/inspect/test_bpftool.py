"""The inventory beside bpftool's, field by field. Where the two differ, the table DIFFERENCES says why."""

from __future__ import annotations

import calendar
import json
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg import inspect
from bpfimg.cli._entries import link_entry, program_entries
from bpfimg.kernel import abi
from bpfimg.load import Host
from tests.support.features import needs
from tests.support.zoo import zoo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.inspect import Inventory
    from tests.support.zoo import Zoo

pytestmark = [
    pytest.mark.kernel,
    needs("bpffs", "xdp", "cgroup", "uprobe"),
    pytest.mark.skipif(shutil.which("bpftool") is None, reason="needs bpftool"),
]

#: what bpftool says otherwise, or not at all: (command, field) -> why. Everything else has to be the same
DIFFERENCES = {
    ("prog", "type"): "a number where bpftool 7.1 does not know the type: netfilter",
    ("prog", "loaded_at"): "whole seconds from two clocks: one may be a second on",
    ("prog", "jited"): "the size says it: 0 is not jited",
    ("prog", "pids"): "a process's name and number in held_by, which pins are in, too",
    ("map", "frozen"): "a number there, true or false here",
    (
        "map",
        "btf_id",
    ): "in a list of all maps 7.1 says that of the map before, on kernels that read the info first (6.18)",
    ("link", "attach_type"): "bpftool has words of its own for some, libbpf's; the numbers are the same",
    ("link", "prog_type"): "that of the program, which the entry of the program says",
    ("link", "type"): "a number where bpftool 7.1 does not know the kind: netfilter, tcx, uprobe_multi, netkit",
    ("link", "tp_name"): "the name of the target",
    ("net", "tcx"): "not there in 7.1",
    ("net", "flow_dissector"): "no JSON: a program's braces are missing in 7.1",
    ("net", "mode"): "native where bpftool says driver",
    ("net", "kind"): "the hook's direction",
    ("cgroup", "attach_flags"): "in details, where there is no link",
    ("perf", "raw_tracepoint"): "a link",
}


@pytest.fixture(scope="module")
def animals() -> Iterator[Zoo]:
    with zoo() as found:
        yield found


@pytest.fixture(scope="module")
def seen(animals: Zoo) -> Inventory:
    return inspect.host(Host(animals.mount), all=True, maps=True, types=True)


def bpftool(*words: str) -> Any:
    done = subprocess.run(["bpftool", "-j", *words], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def seconds(text: str) -> int:
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def test_programs(animals: Zoo, seen: Inventory) -> None:
    ours = {entry["id"]: entry for entry in program_entries(seen)}
    theirs = {each["id"]: each for each in bpftool("prog", "show") if each["id"] in animals.programs}
    assert theirs.keys() == animals.programs
    for number, each in theirs.items():
        entry: Any = ours[number]
        kernel = entry["kernel"]
        known = isinstance(each["type"], str)
        assert entry["type"] == (each["type"] if known else abi.PROGRAM_TYPES[each["type"]])
        assert entry["name"] == each.get("name", "")
        assert abs(seconds(kernel["loaded_at"]) - each["loaded_at"]) <= 1
        pairs = [
            ("tag", "tag"),
            ("gpl", "gpl_compatible"),
            ("uid", "uid"),
            ("xlated_size", "bytes_xlated"),
            ("memlock", "bytes_memlock"),
        ]
        assert [kernel[name] for name, _ in pairs] == [each[name] for _, name in pairs], each
        assert kernel["jited_size"] == each.get("bytes_jited", 0)
        assert (kernel["jited_size"] > 0) == each["jited"]
        assert kernel["map_ids"] == each.get("map_ids", [])
        assert kernel["btf_id"] == each.get("btf_id", 0)
        assert set(each) <= {
            *("id", "type", "name", "tag", "gpl_compatible", "loaded_at", "uid", "bytes_xlated", "jited"),
            *("bytes_jited", "bytes_memlock", "map_ids", "btf_id", "pids", "run_time_ns", "run_cnt"),
            *("recursion_misses", "orphaned", "pinned"),
        }, "a field that nothing here compares"


def test_maps(animals: Zoo, seen: Inventory) -> None:
    ours = {view.id: view for view in seen.maps}
    theirs = {number: bpftool("map", "show", "id", str(number)) for number in animals.maps}
    for number, each in theirs.items():
        view = ours[number]
        assert (view.type, view.name, view.flags) == (each["type"], each.get("name", ""), each["flags"])
        assert (view.key_size, view.value_size) == (each["bytes_key"], each["bytes_value"])
        assert (view.max_entries, view.memlock) == (each["max_entries"], each["bytes_memlock"])
        assert view.frozen == bool(each.get("frozen", 0))
        assert view.btf_id == each.get("btf_id", 0)


def test_maps_of_programs_are_in_their_entries(animals: Zoo, seen: Inventory) -> None:
    used = [entry for entry in program_entries(seen) if entry["id"] in animals.programs and entry["maps"]]
    assert used
    for entry in used:
        maps: Any = entry["maps"]
        kernel: Any = entry["kernel"]
        assert [each["id"] for each in maps] == kernel["map_ids"]


def test_links(animals: Zoo, seen: Inventory) -> None:
    ours = {entry["kernel_id"]: entry for entry in map(link_entry, seen.links)}
    wanted = {animal.link for animal in animals.animals if animal.link is not None}
    theirs = {each["id"]: each for each in bpftool("link", "show") if each["id"] in wanted}
    assert theirs.keys() == wanted
    for number, each in theirs.items():
        entry: Any = ours[number]
        assert entry["program_id"] == each["prog_id"]
        if isinstance(each["type"], str):
            assert entry["type"] == each["type"], each
        if "tp_name" in each:
            assert entry["target"] == each["tp_name"]
        if "cgroup_id" in each:
            assert entry["details"]["cgroup_id"] == each["cgroup_id"]
        if "netns_ino" in each:
            assert entry["netns_inode"] == each["netns_ino"]
        if "target_name" in each:
            assert entry["target"].split()[0] == each["target_name"]
        if "target_obj_id" in each:
            assert entry["details"]["target_btf"] == each["target_obj_id"]
            assert entry["details"]["target_btf_id"] == each["target_btf_id"]
        if each["type"] in ("cgroup", "netns"):
            assert entry["attach_type"] == each["attach_type"]


def test_interfaces(animals: Zoo, seen: Inventory) -> None:
    """`bpftool net` looks into its own namespace only, so it is run in each."""
    for name in (animals.ns.name, animals.ns.peer):
        done = animals.ns.exec(["bpftool", "-j", "net", "show"], peer=name == animals.ns.peer)
        # 7.1 writes a dissector without its braces
        (theirs,) = json.loads(re.sub(r'\["id":(\d+)\]', r'[{"id":\1}]', done.stdout))
        ours = [view for view in seen.links if view.netns == f"/var/run/netns/{name}"]
        xdp = {
            (view.interface, view.ifindex, view.program_id, view.details["mode"]) for view in ours if view.hook == "xdp"
        }
        modes = {"driver": "native", "generic": "generic", "offload": "offload"}
        assert xdp == {(each["devname"], each["ifindex"], each["id"], modes[each["mode"]]) for each in theirs["xdp"]}
        filters = {
            (view.interface, view.ifindex, view.direction, view.program_id) for view in ours if view.hook == "tc"
        }
        assert filters == {
            (each["devname"], each["ifindex"], each["kind"].partition("/")[2], each["id"])
            for each in theirs["tc"]
            if each["kind"].startswith("clsact")
        }
        dissectors = [view.program_id for view in ours if view.hook == "flow_dissector"]
        assert dissectors == [each["id"] for each in theirs["flow_dissector"]]


def test_control_groups(animals: Zoo, seen: Inventory) -> None:
    theirs = {(each["attach_type"], each["id"]) for each in bpftool("cgroup", "show", animals.group.path)}
    ours = {
        (view.attach_type, view.program_id)
        for view in seen.links
        if view.hook == "cgroup" and view.target.startswith(f"{animals.group.path} ")
    }
    assert {program for _, program in ours} == {program for _, program in theirs}
    assert {word.removeprefix("cgroup_") for word, _ in ours} == {word.removeprefix("cgroup_") for word, _ in theirs}


def test_perf_events(animals: Zoo, seen: Inventory) -> None:
    names = ("tracepoint", "func", "filename")
    for each in bpftool("perf", "show"):
        if each["prog_id"] not in animals.programs or each["fd_type"] == "raw_tracepoint":
            continue
        (view,) = [view for view in seen.links if view.program_id == each["prog_id"]]
        assert view.hook == each["fd_type"], each
        where = next(each[name] for name in names if name in each)
        assert where in view.target
        if each.get("offset"):
            assert f"+{each['offset']:#x}" in view.target


def test_btf_objects(animals: Zoo, seen: Inventory) -> None:
    ours = {view.id: view for view in seen.btfs}
    used = {view.btf_id for view in seen.programs if view.id in animals.programs and view.btf_id}
    theirs = {each["id"]: each for each in bpftool("btf", "show") if each["id"] in used or each.get("kernel")}
    assert used
    assert used <= theirs.keys()
    for number, each in theirs.items():
        view = ours[number]
        assert (view.size, view.kernel) == (each["size"], each.get("kernel", False))
        assert (view.name or "") == each.get("name", "")
        if not each.get("kernel"):
            assert list(view.program_ids) == each["prog_ids"]
            assert list(view.map_ids) == each["map_ids"]


def test_the_table_of_differences_names_commands_that_are_compared() -> None:
    assert {command for command, _ in DIFFERENCES} <= {"prog", "map", "link", "net", "cgroup", "perf", "btf"}
    assert all(DIFFERENCES.values())
