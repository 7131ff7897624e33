"""The whole of lint: order, numbers, suppression, fingerprints, pages, and objects that mean no good."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpfimg.errors import UsageError
from bpfimg.inspect import Problem, lint
from tests.support import corpus_groups
from tests.support.cli import check
from tests.support.objects import compile_source, example

DOCS = Path(__file__).resolve().parents[3] / "docs" / "lint"
EXAMPLES = ("xdp_pass", "xdp_counter", "tc_counter", "tracepoint_counter")
MESSY = """
struct { __uint(type, 1); __type(key, __u32); __type(value, __u64); __uint(max_entries, 4000000); } big SEC(".maps");
static long (*bpf_trace_printk)(const char *format, __u32 size, ...) = (void *)6;
SEC("?sandwich") int one(void *c) { char f[] = "x"; return bpf_trace_printk(f, 2); }
SEC("xdp/old") int two(void *c) { return 2; }
const __u32 port = 80;
"""


def test_numbers_and_names_are_used_once_and_in_order() -> None:
    numbers = [rule.id for rule in lint.RULES]
    assert numbers == [f"BL{number:03}" for number in range(1, len(numbers) + 1)]
    assert len({rule.name for rule in lint.RULES}) == len(numbers)
    assert {rule.severity for rule in lint.RULES} <= set(lint.SEVERITIES)


@pytest.mark.parametrize("rule", lint.RULES, ids=lambda rule: rule.id)
def test_every_rule_has_a_page(rule: lint.Rule) -> None:
    page = (DOCS / f"{rule.id}.md").read_text()
    assert page.startswith(f"# {rule.id}: {rule.name}\n\n{rule.severity.capitalize()}: {rule.summary}.\n")
    for heading in ("## What", "## Why it matters", "## How to fix it", "## When to leave it out"):
        assert heading in page
    assert f"`bpfimg lint --disable {rule.id}`" in page
    assert f"| [{rule.id}]({rule.id}.md) | `{rule.name}` | {rule.severity} |" in (DOCS / "README.md").read_text()


def test_every_page_has_a_rule() -> None:
    pages = {path.stem for path in DOCS.glob("*.md")} - {"README"}
    assert pages == {rule.id for rule in lint.RULES}


@pytest.mark.parametrize("name", EXAMPLES)
def test_our_examples_are_clean(name: str) -> None:
    found = lint.problems(example(name), lint.Context(shipped=True))
    wanted = {"BL025"} if name == "xdp_pass" else set()  # it prints, so that one sees it run
    assert {problem.rule for problem in found if problem.severity != "note"} == wanted


def test_the_severest_come_first_and_then_the_numbers() -> None:
    found = lint.problems(compile_source(MESSY), lint.Context(shipped=True))
    order = [(lint.SEVERITIES.index(problem.severity), problem.rule) for problem in found]
    assert order == sorted(order)
    assert {"BL009", "BL010", "BL011", "BL012", "BL021", "BL025", "BL033", "BL034", "BL037"} <= {p.rule for p in found}
    assert found == lint.problems(compile_source(MESSY), lint.Context(shipped=True))


def test_a_rule_by_number_and_by_name() -> None:
    assert lint.rule("bl006") is lint.rule("dwarf-left-in") is lint.rule("BL006")
    with pytest.raises(UsageError, match="'dwarf-left'") as error:
        lint.rule("dwarf-left")
    assert "dwarf-left-in" in error.value.hint


def test_at_least() -> None:
    (warning,) = (p for p in lint.problems(compile_source(MESSY), lint.Context()) if p.rule == "BL011")
    assert [lint.at_least([warning], word) for word in ("error", "warning", "note", "never")] == [
        False,
        True,
        True,
        False,
    ]
    assert not lint.at_least([], "note")


def test_fingerprints_stay_when_lines_move_and_sizes_change() -> None:
    moved = compile_source("\n\n\nint more[100];" + MESSY.replace("4000000", "5000000"))
    old, new = (
        {lint.fingerprint(problem, "a.o") for problem in lint.problems(data, lint.Context())}
        for data in (compile_source(MESSY), moved)
    )
    assert old <= new
    problem = lint.problems(compile_source(MESSY), lint.Context())[0]
    assert lint.fingerprint(problem, "a.o") != lint.fingerprint(problem, "b.o")
    assert re.fullmatch("[0-9a-f]{16}", lint.fingerprint(problem))


def test_the_report_has_its_schema_and_ids_are_unique() -> None:
    found = [("a.o", problem) for problem in lint.problems(compile_source(MESSY), lint.Context())]
    document = json.loads(json.dumps(lint.report(found * 2)))
    check("lint", document)
    ids = [entry["id"] for entry in document["problems"]]
    assert len(ids) == len(set(ids)) == 2 * len(found)
    assert document["error"] + document["warning"] + document["note"] == len(ids)


def test_every_object_that_there_is_can_be_linted() -> None:
    """Of the corpus and of packages: no exception, sentences on one line, the same the second time."""
    seen: set[str] = set()
    for sample in corpus_groups.here():
        name, data = sample.name, sample.data
        found = lint.problems(data, lint.Context(name, ("linux/amd64", "linux/arm64"), shipped=True))
        assert found == lint.problems(data, lint.Context(name, ("linux/amd64", "linux/arm64"), shipped=True))
        for problem in found:
            assert_sound(problem)
            seen.add(problem.rule)
    assert len(seen) > 20


def assert_sound(problem: Problem) -> None:
    assert problem.severity in lint.SEVERITIES
    assert problem.message.isprintable()
    assert problem.message[0] != " "
    assert not problem.message.endswith(".")
    assert problem.hint.isprintable()


BASE = bytearray(example("tc_counter"))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(BASE) - 1), st.integers(0, 255)), min_size=1, max_size=12))
def test_a_damaged_object_is_a_finding_and_never_an_exception(changes: list[tuple[int, int]]) -> None:
    data = bytearray(BASE)
    for at, content in changes:
        data[at] = content
    for problem in lint.problems(bytes(data), lint.Context("x_bpfel.o", shipped=True)):
        assert_sound(problem)
