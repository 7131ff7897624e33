"""Every number, word and offset of `abi`, against the types of the running kernel."""

from __future__ import annotations

import pytest

from bpfimg.kernel import abi
from tests.kernel.kernel.vmlinux import vmlinux

pytestmark = pytest.mark.kernel

ANONYMOUS = [
    "ATTR_MAP_CREATE",
    "ATTR_ELEM",
    "ATTR_PROG_LOAD",
    "ATTR_OBJ",
    "ATTR_ID",
    "ATTR_BTF_LOAD",
    "ATTR_PROG_ATTACH",
]
NAMED = {
    "ATTR_BATCH": "batch",
    "ATTR_INFO": "info",
    "ATTR_TEST": "test",
    "ATTR_QUERY": "query",
    "ATTR_RAW_TRACEPOINT": "raw_tracepoint",
    "ATTR_TASK_FD_QUERY": "task_fd_query",
    "ATTR_ENABLE_STATS": "enable_stats",
    "ATTR_LINK_CREATE": "link_create",
    "ATTR_LINK_UPDATE": "link_update",
    "ATTR_LINK_DETACH": "link_detach",
    "ATTR_ITER_CREATE": "iter_create",
    "ATTR_BIND_MAP": "prog_bind_map",
}
#: what kernels before 6.6 do not have (they say prog_cnt for count); any other field that is not there is our mistake
LATER = {"count", "link_ids", "revision", "tracing.cookie", "raw_tracepoint.cookie"}
LATER_PARTS = (
    *("iter.", "kprobe_multi.", "netfilter.", "netkit.", "perf_event.", "sockmap.", "struct_ops.", "tcx."),
    "uprobe_multi.",
)
STRUCTURES = {
    "PROG_INFO": "bpf_prog_info",
    "MAP_INFO": "bpf_map_info",
    "LINK_INFO": "bpf_link_info",
    "BTF_INFO": "bpf_btf_info",
}


def compare(layout: abi.Layout, kernel: dict[str, tuple[int, int]]) -> None:
    ours = {name: place for name, place in layout.items() if name in kernel}
    assert ours == {name: kernel[name] for name in ours}
    lacking = set(layout) - set(ours)
    assert {name for name in lacking if not name.startswith(LATER_PARTS)} <= LATER, "fields that no kernel has"
    if lacking:
        pytest.skip(f"this kernel has no {', '.join(sorted(lacking))}; the other fields agree")


def flattened(name: str) -> dict[str, tuple[int, int]]:
    return vmlinux().structures(name)[-1]


def test_every_layout_is_compared() -> None:
    layouts = {name for name in vars(abi) if name.startswith("ATTR_") or name in (*STRUCTURES, "PERF_ATTR")}
    assert layouts == {*ANONYMOUS, *NAMED, *STRUCTURES, "PERF_ATTR"}


@pytest.mark.parametrize("name", ANONYMOUS)
def test_anonymous_parts_of_bpf_attr(name: str) -> None:
    layout = getattr(abi, name)
    parts = [part for part in vmlinux().structures("bpf_attr")[:-1] if set(layout) <= set(part)]
    assert len(parts) == 1
    compare(layout, parts[0])


@pytest.mark.parametrize("name", NAMED)
def test_named_parts_of_bpf_attr(name: str) -> None:
    compare(getattr(abi, name), vmlinux().part("bpf_attr", NAMED[name]))


def test_where_the_union_of_link_create_begins() -> None:
    assert vmlinux().part("bpf_attr", "link_create")["target_btf_id"][0] == abi.LINK_CREATE_UNION


@pytest.mark.parametrize("name", STRUCTURES)
def test_infos(name: str) -> None:
    compare(getattr(abi, name), flattened(STRUCTURES[name]))


def test_perf_event_attr() -> None:
    compare(abi.PERF_ATTR, flattened("perf_event_attr"))


@pytest.mark.parametrize(
    ("words", "enumeration", "prefix"),
    [
        (abi.PROGRAM_TYPES, "bpf_prog_type", "BPF_PROG_TYPE_"),
        (abi.MAP_TYPES, "bpf_map_type", "BPF_MAP_TYPE_"),
        (abi.LINK_TYPES, "bpf_link_type", "BPF_LINK_TYPE_"),
        (abi.ATTACH_TYPES, "bpf_attach_type", "BPF_"),
    ],
)
def test_words(words: list[str], enumeration: str, prefix: str) -> None:
    kernel = {name.removeprefix(prefix).lower(): number for name, number in vmlinux().enumeration(enumeration).items()}
    known = {word: number for number, word in enumerate(words) if word in kernel}
    assert known == {word: kernel[word] for word in known}
    assert len(known) >= min(len(words), max(number for word, number in kernel.items() if "max" not in word))


def test_commands() -> None:
    commands = vmlinux().enumeration("bpf_cmd")
    ours = {name: value for name, value in vars(abi).items() if f"BPF_{name}" in commands}
    assert {f"BPF_{name}": value for name, value in ours.items()} == {
        f"BPF_{name}": commands[f"BPF_{name}"] for name in ours
    }
    assert len(ours) >= 26


def test_types_that_have_a_name_of_their_own() -> None:
    for name, value in vars(abi).items():
        if name.startswith("PROG_TYPE_"):
            assert abi.PROGRAM_TYPES[value] == name.removeprefix("PROG_TYPE_").lower()
        if name.startswith("ATTACH_") and isinstance(value, int):
            word = name.removeprefix("ATTACH_").lower()
            assert abi.ATTACH_TYPES[value] == word
    assert abi.MAP_TYPES[abi.MAP_TYPE_ARRAY] == "array"
    for name, value in vars(abi).items():
        word = name.removeprefix("LINK_").lower()
        if name.startswith("LINK_") and word in abi.LINK_TYPES:
            assert abi.LINK_TYPES[value] == word


def test_numbers_of_other_enumerations() -> None:
    kinds = {name: number for name, number in vars(abi).items() if name.startswith("PERF_TYPE_")}
    assert kinds == {name: vmlinux().enumeration("perf_type_id")[name] for name in kinds}
    if b"\0bpf_perf_event_type\0" not in vmlinux().data:
        pytest.skip("this kernel's perf links do not tell their target")
    assert vmlinux().enumeration("bpf_perf_event_type")["BPF_PERF_EVENT_TRACEPOINT"] == abi.PERF_EVENT_TRACEPOINT
