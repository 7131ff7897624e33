"""What kernels in guests answer, and what comes of it: read strictly, put into one table, said to CI systems."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.btf import KernelFile
from bpfimg.bytecode import dissect
from bpfimg.inspect import check, forms
from bpfimg.load import trial
from tests.support import trials
from tests.support.cli import check as follows
from tests.support.core import kernel_of

if TYPE_CHECKING:
    from collections.abc import Callable

MIXED = dissect(trials.mixed())
PROGRAMS = MIXED.object.programs


def said(name: str, result: str = "loaded", **changes: Any) -> dict[str, Any]:
    """What an answer has of a program."""
    kind, error = ("", "") if result == "loaded" else ("verifier", "R0 !read_ok")
    found = trial.Tried(name, "xdp", "xdp", optional=False, result=result, kind=kind, error=error, insns=11)
    return {**{key: getattr(found, key) for key in trial.Tried.__slots__}, **changes}


def answer(*programs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "release": "6.1.0-49-amd64",
        "machine": "x86_64",
        "byte_order": "little",
        "libbpf": "1.1",
        "error": None,
        "programs": list(programs) or [said(each.name) for each in PROGRAMS],
        **changes,
    }


def asked(document: object) -> check.Asked:
    return check.answered(json.dumps(document).encode(), PROGRAMS, "6.1")


def test_an_answer_becomes_a_column() -> None:
    found = asked(answer())
    assert (found.name, found.release, found.error) == ("6.1", "6.1.0-49-amd64", "")
    (column,) = check.tried(PROGRAMS, "little", [found]).kernels
    assert column.by == "verifier"
    assert {cell.result for cell in column.cells} == {"ok"}
    assert [cell.program for cell in column.cells if cell.optional] == ["spare"]


def _with(**changes: Any) -> dict[str, Any]:
    return answer(said("good", **changes), *(said(each.name) for each in PROGRAMS[1:]))


def _left_out(key: str) -> dict[str, Any]:
    document = _with()
    del document["programs"][0][key]
    return document


NO_ANSWERS: dict[str, Any] = {
    "text": "fine",
    "a list": [],
    "nothing": {},
    "more": answer(more=1),
    "another version": answer(version=2),
    "a version that is true": answer(version=True),
    "a release with an escape": answer(release="6.1\x1b[31m"),
    "a long release": answer(release="6" * 200),
    "no programs": answer(programs=[]),
    "programs as object": answer(programs={}),
    "a program less": answer(*(said(each.name) for each in PROGRAMS[1:])),
    "another program": answer(said("other"), *(said(each.name) for each in PROGRAMS[1:])),
    "a program twice": answer(*(said("good") for _ in PROGRAMS)),
    "a program more": answer(*(said(each.name) for each in PROGRAMS), said("more")),
    "a program as text": answer("good", *(said(each.name) for each in PROGRAMS[1:])),
    "a result that is none": _with(result="fine"),
    "a result as list": _with(result=[]),
    "a kind that is none": _with(result="refused", kind="magic", error="x"),
    "loaded with an error": _with(error="no"),
    "refused without one": _with(result="refused", error=""),
    "a field more": _with(more=1),
    "a field less": _left_out("insns"),
    "insns as text": _with(insns="11"),
    "insns below zero": _with(insns=-1),
    "insns as true": _with(insns=True),
    "insns as a fraction": _with(insns=1.5),
    "insns beyond reason": _with(insns=1 << 60),
    "no errno": _with(errno=None),
    "a long log": _with(result="refused", kind="verifier", error="x", log="x" * 4001),
    "a long error": _with(result="refused", kind="verifier", error="x" * 1001),
    "an error of another kind": answer(error={"kind": "magic", "words": "x", "hint": ""}),
    "an error as text": answer(error="no"),
}


@pytest.mark.parametrize("document", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_no_answer_counts_for_no_program(document: object) -> None:
    found = asked(document)
    assert found.error.startswith("what the guest said is no answer: ")
    assert found.error.isprintable()
    table = check.tried(PROGRAMS, "little", [found])
    assert {(cell.result, cell.reasons[0].kind) for cell in table.kernels[0].cells} == {("fails", "guest")}
    assert table.worst() == "fails"


NO_DOCUMENTS = (b"", b"\xff\xfe", b"{" * 100, b'{"version": 1, "version": 1}', b"[" * (1 << 20), b"{}" * 9)


@pytest.mark.parametrize("data", NO_DOCUMENTS, ids=range(len(NO_DOCUMENTS)))
def test_bytes_that_are_no_document_are_no_answer(data: bytes) -> None:
    assert "is no answer" in check.answered(data, PROGRAMS, "6.1").error


def test_a_long_answer_is_not_read() -> None:
    data = json.dumps(answer()).encode()
    assert "expected at most 4194304" in check.answered(data + b" " * (4 << 20), PROGRAMS, "6.1").error


def test_an_object_that_cannot_be_opened_there_fails_with_its_reason() -> None:
    found = asked(answer(error={"kind": "object", "words": "libbpf cannot open it", "hint": "newer"}))
    (column,) = check.tried(PROGRAMS, "little", [found]).kernels
    assert {(cell.reasons[0].kind, cell.reasons[0].words) for cell in column.cells} == {
        ("object", "libbpf cannot open it")
    }


def table(*, most: int | None = None) -> check.Check:
    """What types say of one kernel, and two others that were asked; one of them died."""
    types = KernelFile.find("old.btf", *_reading(kernel_of("struct task_struct { int pid; };"))).kernel("old.btf")
    bad = answer(
        said("good"),
        said("bad", "refused", source="trace.bpf.c:7", hint="compare it", log="0: exit\nR0 !read_ok\n", subject="null"),
        said("spare", "refused"),
        said("replacing", "unknown", kind="partner", error="it replaces another"),
        said("unbound"),
    )
    kernels = [asked(bad), check.Asked("6.12", "6.12.9", "Debian linux 6.12.9-1", error="6.12 panicked", hint="trying")]
    return check.together(
        check.against(MIXED, [types], [each.name for each in PROGRAMS]),
        check.tried(PROGRAMS, "little", kernels, max_insns=most),
    )


def _reading(data: bytes) -> tuple[Callable[[int, int], bytes], int]:
    return lambda start, length: data[start : start + length], len(data)


def test_types_and_kernels_stand_in_one_table_that_follows_its_schema() -> None:
    found = table(most=5)
    document = {"id": "trace.o", **check.report(found)}
    follows("check", json.loads(json.dumps(document)))
    assert [(each.name, each.by) for each in found.kernels] == [
        ("old.btf", "types"),
        ("6.1", "verifier"),
        ("6.12", "verifier"),
    ]
    good = found.kernels[1].cells[0]
    assert (good.result, good.reasons[0].kind) == ("fails", "budget")
    assert document["max_insns"] == 5


def test_kernels_of_one_name_are_told_apart() -> None:
    one = check.tried(PROGRAMS, "little", [asked(answer())])
    assert [each.name for each in check.together(one, one, one).kernels] == ["6.1", "6.1 (verifier)", "6.1 (3)"]


def test_a_budget_that_nobody_counted_is_not_known() -> None:
    found = asked(answer(*(said(each.name, insns=None) for each in PROGRAMS)))
    cells = check.tried(PROGRAMS, "little", [found], max_insns=5).kernels[0].cells
    assert {(cell.result, cell.reasons[0].kind) for cell in cells} == {("unknown", "budget")}
    within = check.tried(PROGRAMS, "little", [asked(answer())], max_insns=11).kernels[0]
    assert {cell.result for cell in within.cells} == {"ok"}


def test_junit_has_a_case_for_each_program_on_each_kernel() -> None:
    cases = check.cases("trace.o", table(), lambda file, line: f"src/{file}" if line == 7 else "")
    suite = ET.fromstring(forms.junit("check", cases))[0]  # our own
    found = {case.get("name"): case for case in suite}
    assert len(found) == 3 * len(PROGRAMS)
    bad = found["bad on 6.1.0-49-amd64"]
    assert (bad.get("file"), bad.get("line")) == ("src/trace.bpf.c", "7")
    failure = bad.find("failure")
    assert failure is not None
    assert failure.get("type") == "verifier"
    assert failure.get("message") == "verifier null: R0 !read_ok"
    assert "compare it" in str(failure.text)
    assert "0: exit" in str(failure.text)
    assert found["spare on 6.1.0-49-amd64"].find("skipped") is not None
    assert found["replacing on 6.1.0-49-amd64"].find("skipped") is not None
    assert found["good on 6.12.9"].find("failure") is not None


def test_remarks_are_made_once_for_all_kernels() -> None:
    twice = check.together(table(), check.tried(PROGRAMS, "little", [asked(answer(*_refused()))]))
    found = [each for each in check.remarks(twice, lambda file, line: file) if each.message.startswith("bad on 6")]
    (one, guest) = found
    assert one.message == "bad on 6.1.0-49-amd64, 6.1.0-49-amd64: verifier null: R0 !read_ok"
    assert (one.level, one.file, one.line) == ("error", "trace.bpf.c", 7)
    assert guest.message == "bad on 6.12.9: guest 6.12.9: 6.12 panicked"
    of_asked = [each for each in check.remarks(twice, lambda file, line: "") if " on 6.1.0" in each.message]
    levels = {each.message.partition(" on ")[0]: each.level for each in of_asked}
    assert levels == {"bad": "error", "spare": "warning", "replacing": "notice"}


def _refused() -> list[dict[str, Any]]:
    bad = said("bad", "refused", source="trace.bpf.c:7", subject="null")
    return [bad if each.name == "bad" else said(each.name) for each in PROGRAMS]


def test_markdown_shows_what_it_cost() -> None:
    page = check.markdown("trace.o", table())
    assert "| `6.1` (`6.1.0-49-amd64`) | ok, 11 insns | **fails** | **fails** | ? | ok, 11 insns |" in page
    assert "| `6.1` | `bad` | **fails** verifier `null` | `R0 !read_ok` (`trace.bpf.c:7`) |" in page
    assert "all programs load" in check.markdown("x", check.tried(PROGRAMS, "little", [asked(answer())]))
