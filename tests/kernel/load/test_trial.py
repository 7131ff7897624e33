"""Each program of an object, given to the verifier of the kernel that runs; and nothing of it stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import BytecodeError, UsageError
from bpfimg.kernel import libbpf, walk
from bpfimg.load import trial
from tests.refusals.collect import compiled
from tests.support import trials
from tests.support.descriptors import none_left
from tests.support.features import native
from tests.support.netns import skip_unless
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kernel


@pytest.fixture(autouse=True)
def _host() -> None:
    skip_unless("xdp")


def by_name(data: bytes, *programs: str) -> dict[str, trial.Tried]:
    return {each.program: each for each in trial.each(data, name="object", programs=programs)}


def test_one_refusal_does_not_hide_the_others() -> None:
    found = by_name(trials.mixed())
    assert {name: each.result for name, each in found.items()} == {
        "good": "loaded",
        "bad": "refused",
        "spare": "refused",
        "replacing": "unknown",
        "unbound": "unknown",
    }
    assert [name for name, each in found.items() if each.optional] == ["spare"]


def test_a_program_that_is_taken_comes_with_its_figures() -> None:
    good = by_name(trials.good())["good"]
    assert good.insns is not None
    assert good.states is not None
    assert good.peak_states is not None
    assert 5 < good.insns < 40
    assert good.stack is not None
    assert good.stack >= 4
    assert good.size > 0
    assert (good.kind, good.error, good.log, good.errno) == ("", "", "", 0)


def test_a_program_that_is_refused_says_why_and_where() -> None:
    bad = by_name(trials.mixed())["bad"]
    assert (bad.kind, bad.subject, bad.errno) == ("verifier", "null", 13)
    assert bad.error.startswith("R0 invalid mem access 'map_value_or_null'")
    assert "compare the pointer with NULL" in bad.hint
    assert bad.insns is not None
    assert "R0 invalid mem access" in bad.log


def test_what_cannot_be_tried_alone_says_so() -> None:
    found = by_name(trials.mixed())
    assert (found["replacing"].kind, found["unbound"].kind) == ("partner", "target")
    assert "--program tracing:unbound:TARGET" in found["unbound"].hint
    (bound,) = trial.each(trials.mixed(), name="object", programs=["tracing:unbound:bpfimg_no_such_function"])
    assert (bound.result, bound.kind) == ("refused", "not-supported")


def test_operations_need_the_table_that_libbpf_sees() -> None:
    (plain,) = trial.each(trials.operations(".struct_ops"), name="object")
    assert plain.kind != "partner"
    (link,) = trial.each(trials.operations(".struct_ops.link"), name="object")
    if tuple(map(int, libbpf.version().split(".")[:2])) < (1, 2):
        assert (link.result, link.kind) == ("unknown", "partner")
        assert "finds no table of operations" in link.error
    else:
        assert link.result == plain.result


def test_programs_come_with_those_that_they_jump_to() -> None:
    found = by_name(trials.jumps())
    assert {name: (each.result, each.kind) for name, each in found.items()} == {
        "first": ("loaded", ""),
        "second": ("refused", "tail-call"),
        "last": ("loaded", ""),
        "wrong": ("refused", "verifier"),
    }
    assert found["second"].subject == "wrong"


@native("a million instructions are too many for it")
def test_a_million_instructions_are_counted() -> None:
    found = by_name(compiled("programs"), "unbounded_loop")["unbounded_loop"]
    assert (found.result, found.subject) == ("refused", "complexity")
    assert found.insns is not None
    assert found.insns > 1_000_000
    assert len(found.log) <= trial.LOG_END


def test_a_map_that_the_kernel_does_not_make_is_said_for_each_program() -> None:
    source = (
        'struct { __uint(type, 250); __uint(max_entries, 1); } odd SEC(".maps"); SEC("xdp") int p(void *c){return 0;}'
    )
    (found,) = trial.each(compile_source(source), name="object")
    assert (found.result, found.kind) == ("refused", "not-supported")
    assert "odd" in found.error


def there() -> set[tuple[str, int]]:
    """What is in the kernel under names of the objects, whosever it is."""
    names = {"good", "bad", "first", "second", "last", "counts", "fine", "broken"}
    return {(each.name, each.id) for each in (*walk.programs(), *walk.maps()) if each.name in names}


def test_nothing_stays() -> None:
    objects = [trials.mixed(), trials.jumps(), trials.good()]
    before = there()
    with none_left():
        for data in objects * 3:
            trial.each(data, name="object")
    deadline = time.monotonic() + 60
    while True:
        # the kernel empties a map of programs some time after its last user has gone, and keeps it for ever when
        # somebody opens and closes it before that (prog_array_map_clear): we do not look too early, or too often
        time.sleep(1)
        if not there() - before:
            return
        assert time.monotonic() < deadline, there() - before
    assert not [name for name in os.listdir("/sys/fs/bpf") if "counts" in name]


def test_what_is_no_object_is_an_error() -> None:
    with pytest.raises(BytecodeError):
        trial.each(b"\x7fELF", name="object")
    with pytest.raises(UsageError, match="nobody"):
        trial.each(trials.good(), name="object", programs=["nobody"])


def test_who_may_not_load_is_told_so() -> None:
    script = (
        "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "from bpfimg.load import trial\n"
        "from bpfimg.errors import KernelError\n"
        "try: trial.each(sys.stdin.buffer.read(), name='object')\n"
        "except KernelError as error: print(error, '|', error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], input=trials.good(), capture_output=True, check=True)
    assert b"CAP_BPF" in done.stdout


def test_the_agent_answers_in_json(tmp_path: Path) -> None:
    document = json.loads(trials.agent(tmp_path, trials.mixed()))
    assert document["release"] == os.uname().release
    assert document["byte_order"] == sys.byteorder
    assert document["error"] is None
    assert [each["result"] for each in document["programs"]] == ["loaded", "refused", "refused", "unknown", "unknown"]
    assert document["programs"][0].keys() == set(trial.Tried.__slots__)
    broken = json.loads(trials.agent(tmp_path, b"\x7fELF"))
    assert broken["error"]["kind"] == "object"
    assert broken["programs"] == []


def test_the_agent_needs_nothing_that_pip_installs(tmp_path: Path) -> None:
    (tmp_path / "object").write_bytes(trials.good())
    script = (
        "import sys, runpy; sys.argv = ['agent', 'object']\n"
        "runpy.run_module('bpfimg.load._trial_agent', run_name='__main__')\n"
        "files = {name: getattr(module, '__file__', None) or '' for name, module in sys.modules.items()}\n"
        "print([name for name, file in files.items() if 'site-packages' in file and name[0] != '_'])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
