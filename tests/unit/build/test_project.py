"""`bpfimg.toml`: code and schema agree on every document, paths stay inside, nothing in it can run anything."""

from __future__ import annotations

import copy
import json
import os
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bpfimg.build import _project as project
from bpfimg.build._project_shape import check
from bpfimg.errors import UsageError
from tests.support.cli import SCHEMAS

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = json.loads((SCHEMAS / "project.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)

FULL: dict[str, Any] = {
    "schema": 1,
    "tags": ["registry.example/team/prog:v1"],
    "inputs": ["linux/amd64=a.o", "prog.bpf.c"],
    "platforms": ["linux/amd64", "linux/arm/v7"],
    "link": True,
    "strip": True,
    "variant": "artifact",
    "git": False,
    "sbom": "spdx",
    "provenance": True,
    "compile": {
        "compiler": "clang-19",
        "cpu": "v3",
        "includes": ["include"],
        "defines": {"A": 1, "B": "x y", "C": True, "_D": "", "E": -5},
    },
    "labels": {"org.example.team": "net", "empty": ""},
    "annotations": {"org.opencontainers.image.licenses": "GPL-2.0-only"},
}
WORDS = ["", "a", "v3", "v9", "clang", "clang-19", "clang-", "gcc", "/usr/bin/clang", "linux/amd64", "linux/", "linux"]
WORDS += ["linux/a/b/c", "spdx", "image", "a\nb", "a\n", "a\x7f", "x" * 4096, "x" * 4097, "é", "Linux/x", "linux/é"]
VALUES: list[Any] = [*WORDS, 0, 1, -1, 1.0, 1.5, 1 << 63, -(1 << 63), True, False, [], {}, ["a"], [1], [""], [[]]]
VALUES += [{"a": "b"}, {"a": 1}, {"": "b"}, {"A=B": 1}, {"1A": 1}, {"A": False}, {"A": 1.0}, {"A": [1]}, {"a\n": "b"}]
VALUES += [["linux/amd64", "linux/arm64"], ["x"] * 65, {str(i): "" for i in range(257)}]


def agrees(document: Any) -> bool:
    """Whether the document is good; fails when schema and code differ."""
    good = VALIDATOR.is_valid(document)
    refusal = ""
    try:
        check(document)
    except UsageError as error:
        refusal = str(error)
    assert good == (not refusal), f"{document}: the schema says {good}, the code {refusal!r}"
    assert refusal.isprintable()
    return good


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert agrees(FULL)
    assert agrees({"inputs": ["a.o"]})
    assert not agrees({})


@pytest.mark.parametrize(
    "key", [*FULL, "compile.compiler", "compile.cpu", "compile.includes", "compile.defines", "new"]
)
def test_code_and_schema_agree_on_each_key(key: str) -> None:
    outcomes = set()
    for wrong in VALUES:
        document = copy.deepcopy(FULL)
        where = document
        *way, last = key.split(".")
        for step in way:
            where = where[step]
        where[last] = wrong
        outcomes.add(agrees(document))
    assert False in outcomes
    assert (True in outcomes) == (key != "new")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*FULL, "inputz"]), JSON, max_size=4), JSON)
def test_code_and_schema_agree_on_anything(document: dict[str, Any], inner: Any) -> None:
    agrees({"inputs": ["a.o"], **document})
    agrees({"inputs": ["a.o"], "compile": {"defines": {"A": inner}}})


def written(folder: Path, text: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bpfimg.toml").write_text(text)
    return str(folder / "bpfimg.toml")


def test_a_project(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
inputs = ["linux/amd64,linux/arm64=src/prog.bpf.c"]
tags = ["x/y:v1"]
git = true
[compile]
compiler = "clang-19"
cpu = "v3"
includes = ["include"]
defines = { MAX = 1024, DEBUG = true, NAME = '"eth0"', ONE = 1.0 }
[labels]
a = "b"
""",
    )
    found = project.load(path)
    assert found.inputs == (f"linux/amd64,linux/arm64={tmp_path}/src/prog.bpf.c",)
    assert found.includes == (f"{tmp_path}/include",)
    assert found.defines == ("MAX=1024", "DEBUG", 'NAME="eth0"', "ONE=1")
    assert (found.compiler, found.cpu, found.git, found.strip, found.link) == ("clang-19", "v3", True, True, False)
    assert (found.labels, found.annotations, found.variant) == ({"a": "b"}, {}, None)


def test_from_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, 'inputs = ["src/prog.bpf.c"]')
    monkeypatch.chdir(tmp_path)
    assert project.load("bpfimg.toml").inputs == ("src/prog.bpf.c",)


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ('inputs = ["a.o"]\ncflags = "-fplugin=./evil.so"', "no key 'cflags'", "known are"),
        ('inputs = ["a.o"]\nplatform = ["linux/amd64"]', "no key 'platform'", "did you mean platforms"),
        ('inputs = ["a.o"]\n[compile]\nflags = ["-fplugin=x"]', "no key 'compile.flags'", "known are"),
        ('inputs = ["a.o"]\n[compile]\ncompiler = "./evil"', "'./evil'", ""),
        ('inputs = ["a.o"]\n[compile]\ncompiler = "clang -fplugin=x"', "expected clang", ""),
        ('inputs = ["a.o"]\n[compile.defines]\n"A=1 -fplugin=x" = 1', "the name of a macro", ""),
        ('inputs = ["a.o"]\n[compile.defines]\nA = "1\\n#include <x>"', "control characters", ""),
        ('inputs = ["../a.o"]', "names '../a.o', expected a path in the folder", "topmost folder"),
        ('inputs = ["linux/amd64=/etc/passwd"]', "names '/etc/passwd'", ""),
        ('inputs = ["a/../../b.o"]', "expected a path in the folder", ""),
        ('inputs = ["link/a.o"]', "expected a path in the folder", ""),
        ('inputs = ["a.o"]\n[compile]\nincludes = ["/usr/include"]', "compile.includes names '/usr/include'", ""),
        ("inputs = []", "array of 1 to 256", ""),
        ("tags = []", "'inputs' is missing", ""),
        ('inputs = ["a.o"]\nplatforms = ["linux/amd64", "linux/amd64"]', "stands twice", ""),
        ('inputs = ["a.o"]\nschema = 2', "'schema' is '2', expected 1", ""),
        ('inputs = ["a.o"', "is no TOML", ""),
        ('inputs = ["a.o"]\ninputs = ["b.o"]', "is no TOML", ""),
        ("x = " + "[" * 5000, "is no TOML", ""),
        ("#" * 300_000, "more than", ""),
    ],
)
def test_hostile_and_mistaken_files(tmp_path: Path, text: str, said: str, hint: str) -> None:
    os.symlink("/", tmp_path / "link")
    with pytest.raises(UsageError) as caught:
        project.load(written(tmp_path, text))
    assert said in str(caught.value)
    assert "bpfimg.toml" in str(caught.value)
    assert hint in caught.value.hint


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "bpfimg.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is no TOML"):
        project.load(str(tmp_path / "bpfimg.toml"))
    with pytest.raises(UsageError, match="cannot be read"):
        project.load(str(tmp_path / "none.toml"))


def test_dates_are_refused() -> None:
    with pytest.raises(UsageError, match="expected a string"):
        check(tomllib.loads('inputs = ["a.o"]\n[labels]\na = 2026-01-01'))
