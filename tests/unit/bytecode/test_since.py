from __future__ import annotations

import re

import pytest

from bpfimg.bytecode import _since as tables
from bpfimg.bytecode._map_types import MAP_TYPES
from bpfimg.bytecode._requirements import _KINDS, _MAP_FLAGS
from bpfimg.bytecode._sections import ATTACH_TYPES, PROGRAM_TYPES
from bpfimg.bytecode._since import since


def version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)


@pytest.mark.parametrize(
    ("kind", "name", "wanted"),
    [
        ("program_type", "xdp", "4.8"),
        ("program_type", "netfilter", "6.4"),
        ("attach_type", "tcx_ingress", "6.6"),
        ("attach_type", "netkit_primary", "6.7"),
        ("attach_type", "trace_kprobe_multi", "5.18"),
        ("map_type", "ringbuf", "5.8"),
        ("map_type", "arena", "6.9"),
        ("map_flag", "mmapable", "5.5"),
        ("map_flag", "rdonly_prog", "5.2"),
        ("helper", "bpf_loop", "5.17"),
        ("kfunc", "bpf_task_acquire", "6.2"),
        ("isa", "jmp32", "5.1"),
        ("isa", "cpu-v4", "6.6"),
        ("feature", "global-data", "5.2"),
        ("feature", "bpf-to-bpf-calls", "4.16"),
        ("feature", "trampoline", "5.5"),
        ("btf", "struct sched_ext_ops", "6.12"),
    ],
)
def test_first_version(kind: str, name: str, wanted: str) -> None:
    assert since(kind, name) == wanted


@pytest.mark.parametrize("kind", [*_KINDS, "nonsense"])
def test_what_is_not_known_is_not_guessed(kind: str) -> None:
    assert since(kind, "something_of_mine") is None


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("program_type", PROGRAM_TYPES[1:]),
        ("attach_type", ATTACH_TYPES),
        ("map_type", MAP_TYPES[1:]),
        ("map_flag", _MAP_FLAGS),
    ],
)
def test_every_word_of_ours_has_a_version(kind: str, names: tuple[str, ...]) -> None:
    assert [name for name in names if since(kind, name) is None] == []


@pytest.mark.parametrize(
    ("kind", "names"), [("program_type", PROGRAM_TYPES[1:]), ("attach_type", ATTACH_TYPES), ("map_type", MAP_TYPES[1:])]
)
def test_versions_rise_with_the_numbers(kind: str, names: tuple[str, ...]) -> None:
    """The kernel only ever appended to these lists, so a version that falls is wrong."""
    versions = [version(since(kind, name) or "0.0") for name in names]
    assert [name for name, own, following in zip(names, versions, versions[1:], strict=False) if following < own] == []


@pytest.mark.parametrize("kind", list(tables._TEXTS))
def test_tables_are_well_formed(kind: str) -> None:
    """Versions rise, and no name is there twice."""
    words = tables._TEXTS[kind].split()
    versions = [version(word) for word in words if word[0].isdigit()]
    assert versions == sorted(set(versions))
    names = [word for word in words if not word[0].isdigit()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_:-]*", name) for name in names)
