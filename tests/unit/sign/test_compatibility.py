"""What a rule asks of a compatibility report, and what reports say; see also tests/attacks/compatibility.py."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bpfimg.bytecode import dissect
from bpfimg.inspect import check
from bpfimg.load import trial
from bpfimg.sign._policy._compatibility import Compatible, TriedOn, compatible, tried_on
from bpfimg.sign._strict import Junk
from tests.attacks.compatibility import kernel, program, report
from tests.support import trials


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "its programs load on every kernel on which they were tried"),
        ({"kernels": ["6.1", "6.12"]}, "its programs load on kernel 6.1 and kernel 6.12"),
        ({"thisKernel": True}, "its programs load on the kernel that runs here"),
        ({"kernels": ["6.1"], "result": "unknown"}, "none of its programs fails on kernel 6.1"),
    ],
)
def test_a_demand_can_be_said(asked: dict[str, Any], words: str) -> None:
    assert str(compatible(asked, "rule")) == words


@pytest.mark.parametrize(
    ("release", "word", "fits"),
    [
        ("6.1", "6.1", True),
        ("6.1.0-49-amd64", "6.1", True),
        ("6.1-rc3", "6.1", True),
        ("6.1.0-49-amd64", "6.1.0-49-amd64", True),
        ("6.12", "6.1", False),
        ("6.1.0-49-amd64", "6.1.0-4", False),
        ("16.1", "6.1", False),
    ],
)
def test_a_kernel_is_meant_by_the_beginning_of_its_release(release: str, word: str, fits: bool) -> None:
    assert (Compatible((word,)).lacks(report(kernel(release)), "") == "") is fits


def test_without_kernels_all_that_were_tried_count() -> None:
    good, bad = kernel("6.1"), kernel("6.12", program("fails"))
    assert Compatible().lacks(report(good), "") == ""
    assert Compatible().lacks(report(good, bad), "") == "on 6.12 some of its programs do not load"
    assert Compatible().lacks(report(), "") == "its report says of no kernel that it was asked itself"


def test_what_is_not_known_passes_only_where_the_rule_says_so() -> None:
    doubtful = report(kernel("6.1", program(), program("unknown")))
    assert "not known of all" in Compatible().lacks(doubtful, "")
    assert Compatible(result="unknown").lacks(doubtful, "") == ""
    assert Compatible(result="unknown").lacks(report(kernel("6.1", program("fails"))), "")


def test_programs_that_are_not_loaded_unasked_do_not_count() -> None:
    assert tried_on(report(kernel("6.1", program(), program("fails", optional=True)))) == (TriedOn("6.1", "ok"),)


def test_where_no_program_counts_nothing_is_known() -> None:
    """Else whoever makes the image would only have to put a `?` before each section."""
    for result in ("fails", "ok"):
        assert tried_on(report(kernel("6.1", program(result, optional=True)))) == (TriedOn("6.1", "unknown"),)


@pytest.mark.parametrize(
    "predicate",
    [
        None,
        [],
        {},
        {"kernels": {}},
        {"kernels": ["6.1"]},
        report({"by": "verifier"}),
        report({**kernel("6.1"), "release": None}),
        report(kernel("6.1\x1b[2J")),
        report({**kernel("6.1"), "programs": None}),
        report(kernel("6.1", program("fine"))),
        report(kernel("6.1", program(optional=0))),
        report(kernel("6.1", program(reasons=None))),
        report(kernel("6.1", program(reasons=[{"effect": 1}]))),
        report(kernel("6.1", program(trial=True))),
        report(kernel("6.1", program(trial={"loaded": 1}))),
    ],
)
def test_what_is_no_report_is_junk(predicate: object) -> None:
    with pytest.raises(Junk):
        tried_on(predicate)


def test_what_check_says_is_a_report() -> None:
    programs = dissect(trials.good()).object.programs
    good = trial.Tried("good", "xdp", "xdp", optional=False, result="loaded", insns=11)
    bad = trial.Tried("good", "xdp", "xdp", optional=False, result="refused", kind="verifier", error="R0 !read_ok")
    asked = [check.Asked("6.1", "6.1.0-49-amd64", tried=(good,)), check.Asked("6.12", "6.12.9", tried=(bad,))]
    asked.append(check.Asked("6.18", "6.18.1", error="the kernel panicked"))
    document = json.loads(json.dumps(check.report(check.tried(programs, "little", asked, max_insns=20))))
    results = [(one.release, one.result) for one in tried_on(document)]
    assert results == [("6.1.0-49-amd64", "ok"), ("6.12.9", "fails"), ("6.18.1", "fails")]
    over = check.report(check.tried(programs, "little", asked[:1], max_insns=10))
    assert [one.result for one in tried_on(over)] == ["fails"]
