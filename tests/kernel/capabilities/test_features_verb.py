"""`bpfimg features` beside `bpftool feature probe`: where they differ the table says why."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.kernel import features
from bpfimg.load import hooks
from tests.support.cli import Cli
from tests.support.features import kernel
from tests.support.netns import bpffs, skip_unless, tracefs

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kernel

#: what bpftool answers otherwise, and why that is not so
DIFFERENCES = {
    "program_type:tracing": "bpftool tries fentry, which a machine may refuse; tp_btf is of that type, too",
    "program_type:ext": "bpftool says no wherever a trivial one lacks its target",
    "program_type:lsm": "as ext",
    "program_type:struct_ops": "as ext",
    "map_type:struct_ops": "bpftool tries none",
}


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    skip_unless()
    return Cli(tmp_path)


def answers(document: Any, kind: str) -> dict[str, str]:
    return {entry["id"]: entry["answer"] for entry in document["features"] if entry["kind"] == kind}


def test_every_word_has_an_answer_and_every_no_a_reason(cli: Cli) -> None:
    with bpffs(), tracefs():
        document = cli.json("features", "features")
    found = answers(document, "hook")
    assert list(found) == [f"hook:{word}" for word in (*hooks.WORDS, "iter", "syscall")]
    assert [
        e["id"] for e in document["features"] if e["kind"] == "hook" and (e["answer"] == "yes") == bool(e["reason"])
    ] == []
    assert "unknown" not in found.values()
    assert document["host"]["mounts"]["bpf"]
    assert document["host"]["capabilities"]["CAP_SYS_ADMIN"] is True


def test_text_and_ids(cli: Cli) -> None:
    text = cli("features").stdout
    assert text.startswith("Host\n")
    assert "\nHOOK " in text
    assert "hook:xdp\n" in cli("features", "-q").stdout
    assert max(len(line) for line in text.splitlines() if " at: " not in line) < 140


def test_functions_of_a_type_and_a_type_that_is_none(cli: Cli) -> None:
    document = cli.json("features", "features", "--helpers", "xdp", "--helpers", "socket_filter")
    found = answers(document, "helper")
    assert found["helper:xdp:bpf_map_lookup_elem"] == found["helper:xdp:bpf_xdp_adjust_head"] == "yes"
    assert found["helper:socket_filter:bpf_map_lookup_elem"] == "yes"
    assert found["helper:socket_filter:bpf_xdp_adjust_head"] == "no"
    assert len(found) >= 2 * 190
    error = cli.error("features", "--helpers", "xpd", expect=2)
    assert "expected a program type" in error["message"]


def test_bpftool_says_the_same(cli: Cli) -> None:
    if shutil.which("bpftool") is None:
        pytest.skip("needs bpftool")
    types = ("xdp", "sched_cls", "socket_filter", "cgroup_skb")
    words = [word for each in types for word in ("--helpers", each)]
    ours = cli.json("features", "features", *words)
    theirs = json.loads(subprocess.run(["bpftool", "-j", "feature", "probe"], capture_output=True, check=True).stdout)
    for kind, section, ending in (
        ("program_type", "program_types", "_prog_type"),
        ("map_type", "map_types", "_map_type"),
    ):
        mine = answers(ours, kind)
        for name, there in theirs[section].items():
            word = f"{kind}:{name.removeprefix('have_').removesuffix(ending)}"
            if mine[word] != ("yes" if there else "no"):
                assert word in DIFFERENCES, f"{word}: {mine[word]}, bpftool says {there}"
    if kernel() == "6.1":  # the words of newer kernels are not known to bpftool 7.1: it takes each for a yes
        mine = answers(ours, "helper")
        for word in types:
            yes = {name.rpartition(":")[2] for name, answer in mine.items() if answer == "yes" and f":{word}:" in name}
            there = set(theirs["helpers"][f"{word}_available_helpers"])
            # bpftool leaves out those that write to the kernel's log when they are tried, unless it is asked for them
            assert yes - there <= {"bpf_trace_printk", "bpf_trace_vprintk", "bpf_probe_write_user"}, word
            assert there - yes == set(), word


def test_the_table_of_hooks_is_whole() -> None:
    from bpfimg.kernel._features_hooks import HOOKS

    assert set(HOOKS) == {*hooks.WORDS, "iter", "syscall"}
    for _, wanted, _ in HOOKS.values():
        assert set(wanted) <= set(features.FEATURES)
