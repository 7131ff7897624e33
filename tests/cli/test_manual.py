"""Man pages as man, mandoc and their indexers take them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

import bpfimg
from bpfimg.cli import _roff
from bpfimg.cli._main import VERBS
from tests.support.cli import Cli

PACKAGE = Path(bpfimg.__file__).parent
EPOCH = "1763769600"  # 2025-11-22
NAMES = ["bpfimg", *(f"bpfimg-{verb}" for verb in VERBS)]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of manuals, as MANPATH has them."""
    root = tmp_path_factory.mktemp("man")
    told = Cli(root)("manual", "--to", "man1", SOURCE_DATE_EPOCH=EPOCH).stdout.splitlines()
    assert sorted(told) == sorted(f"man1/{name}.1" for name in NAMES)
    return root


def said(*argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, "LC_ALL": "C.UTF-8", "MANPAGER": "cat", "MANWIDTH": "80", **environ}
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, env=settings)


def test_groff_shows_every_page_without_a_warning(pages: Path) -> None:
    for name in NAMES:
        shown = said("man", "--warnings", "-E", "UTF-8", "-l", str(pages / f"man1/{name}.1"))
        assert (shown.returncode, shown.stderr) == (0, ""), name
        wide = [line for line in shown.stdout.splitlines() if len(line) > 125]
        assert wide == [], name


def test_mandoc_has_nothing_against_any_page(pages: Path) -> None:
    files = [str(pages / f"man1/{name}.1") for name in NAMES]
    checked = said("mandoc", "-T", "lint", "-W", "warning", *files)
    assert checked.stdout + checked.stderr == ""


def test_man_finds_a_page_by_its_name(pages: Path) -> None:
    shown = said("man", "bpfimg-run", MANPATH=str(pages))
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("BPFIMG-RUN(1)")
    for heading in ("SYNOPSIS", "DESCRIPTION", "OPTIONS", "HOOKS", "EXAMPLES", "EXIT STATUS", "FILES", "SEE ALSO"):
        assert f"\n{heading}\n" in shown.stdout
    assert "2025-11-22" in shown.stdout


def test_every_page_has_one_line_for_whatis(pages: Path) -> None:
    for name in NAMES:
        found = said("lexgrog", str(pages / f"man1/{name}.1"))
        assert found.returncode == 0, found.stdout
        line = VERBS[name.removeprefix("bpfimg-")][1] if name != "bpfimg" else "ship eBPF programs as OCI images"
        assert f'"{name} - {line}' in found.stdout


def test_letters_that_roff_reads_as_its_own_are_shown_as_they_are(pages: Path) -> None:
    policy = said("man", "-l", str(pages / "man1/bpfimg-policy.1")).stdout
    assert r"'https://github\.com/acme/.+@refs/tags/v.*' \\"[:-1] in policy
    assert '{"prefix": 24, "address": "10.0.0.0"}' in said("man", "-l", str(pages / "man1/bpfimg-map.1")).stdout
    assert "hex:00FF…|@FILE" in said("man", "-l", str(pages / "man1/bpfimg-run.1")).stdout


def test_a_line_that_begins_with_a_point_is_no_request() -> None:
    assert _roff.filled(".so /etc/passwd") == "\\&.so /etc/passwd"
    assert _roff.kept(".so x\n'so y") == ".EX\n\\&.so x\n\\(aqso y\n.EE"
    assert _roff.entry("x", ".bss and `--dry-run`").endswith("\\&.bss and \\fB\\-\\-dry\\-run\\fR")


def test_the_same_version_writes_the_same_bytes(pages: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli("manual", "--to", "again", SOURCE_DATE_EPOCH=EPOCH, COLUMNS="40", LC_ALL="C")
    for name in NAMES:
        assert (tmp_path / f"again/{name}.1").read_bytes() == (pages / f"man1/{name}.1").read_bytes()
    undated = cli("manual", "list").stdout
    assert undated == cli("manual", "list").stdout
    assert undated.isascii()


def test_json_has_the_page_or_where_it_went(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    (page,) = cli.json("pages", "manual", "list")["pages"]
    assert page["id"] == "bpfimg-list.1"
    assert page["text"].startswith(".TH ")
    assert [each["path"] for each in cli.json("pages", "manual", "list", "--to", "m")["pages"]] == ["m/bpfimg-list.1"]


def test_every_variable_that_the_code_asks_for_is_in_the_manual(pages: Path) -> None:
    """Those of pipelines (BPFIMG_CI_...) are told where the recipe is."""
    asked = {
        name
        for path in PACKAGE.rglob("*.py")
        for name in re.findall(r'environ(?:\.get\(|\[)"(BPFIMG_[A-Z_]+)', path.read_text())
    }
    told = re.sub(r"\\f.|\\", "", (pages / "man1/bpfimg.1").read_text())
    assert len(asked) > 3
    assert [name for name in sorted(asked) if name not in told and not name.startswith("BPFIMG_CI_")] == []


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    assert "bpfimg list" in cli.error("manual", "lsit", expect=2)["hint"]
    assert "SOURCE_DATE_EPOCH" in cli.error("manual", "list", expect=2, SOURCE_DATE_EPOCH="today")["message"]
    (tmp_path / "file").write_text("")
    assert "cannot be written" in cli.error("manual", "--to", "file", expect=1)["message"]
