"""`lint` and `diff` in the forms of CI systems: source lines are those of the repository, or nobody's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from tests.support.objects import compile_source

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import Cli

SOURCE = """#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int prog(struct xdp_md *ctx)
{
    bpf_printk("50%% of %d", 1);
    return XDP_PASS;
}

char LICENSE[] SEC("license") = "MIT";
"""
#: where the program's first instruction comes from (GPL-only), and where it calls (for debugging)
ERROR = WARNING = 7


@pytest.fixture
def checkout(cli: Cli) -> Cli:
    """A repository with the source in a folder, and built from there."""
    (cli.folder / ".git").mkdir()
    (cli.folder / "src").mkdir()
    (cli.folder / "src" / "prog.bpf.c").write_text(SOURCE)
    cli("build", "-t", "localhost/prog:v1", "src/prog.bpf.c")
    return cli


def remarks(cli: Cli, *words: str, expect: int = 1, **environ: str) -> list[str]:
    return cli("lint", "--format", "github", *words, expect=expect, **environ).stdout.splitlines()


def test_remarks_are_at_lines_of_the_repository(checkout: Cli) -> None:
    error, warning = remarks(checkout, "localhost/prog:v1")
    assert error.startswith(f"::error file=src/prog.bpf.c,line={ERROR},")
    assert ",title=BL012 gpl-only::program 'prog' uses the GPL-only helper function bpf_trace_printk" in error
    assert "%0Ahint: the kernel takes exactly these" in error
    assert warning.startswith(f"::warning file=src/prog.bpf.c,line={WARNING},col=5,title=BL025 trace-printk::")


@pytest.mark.parametrize("there", ["/builds/team/prog", "/tmp/nowhere", "../../other"])
def test_paths_that_were_mapped(checkout: Cli, there: str) -> None:
    source = checkout.folder / "src" / "prog.bpf.c"
    data = compile_source(source, flags=("-g", "-O2", f"-ffile-prefix-map={checkout.folder}={there}"))
    (checkout.folder / "prog.o").write_bytes(data)
    assert remarks(checkout, "prog.o")[0].startswith(f"::error file=src/prog.bpf.c,line={ERROR},")
    source.rename(checkout.folder / "prog.bpf.c")
    assert remarks(checkout, "prog.o")[0].startswith("::error title=")


def test_paths_of_another_machine(checkout: Cli, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compiled in a container, or by somebody else: the end of the path and the text of the line say which file."""
    there = tmp_path_factory.mktemp("elsewhere") / "prog.bpf.c"
    there.write_text(SOURCE)
    (checkout.folder / "prog.o").write_bytes(compile_source(there))
    assert remarks(checkout, "prog.o")[0].startswith("::error title="), "it is there, outside of the repository"
    there.unlink()
    assert remarks(checkout, "prog.o")[0].startswith(f"::error file=src/prog.bpf.c,line={ERROR},")


def test_no_place_is_made_up(checkout: Cli) -> None:
    source = checkout.folder / "src" / "prog.bpf.c"
    source.write_text("\n" + SOURCE)  # changed since
    error, warning = remarks(checkout, "localhost/prog:v1")
    assert error.startswith("::error title=BL012 gpl-only::localhost/prog:v1: program")
    assert warning.startswith("::warning title=BL025")
    source.write_text(SOURCE)
    (checkout.folder / "copy").mkdir()
    (checkout.folder / "copy" / "prog.bpf.c").write_text(SOURCE)  # which of them?
    assert remarks(checkout, "localhost/prog:v1")[0].startswith("::error title=")
    (checkout.folder / "copy" / "prog.bpf.c").write_text("")
    assert remarks(checkout, "localhost/prog:v1")[0].startswith("::error file=src/")
    source.unlink()
    assert remarks(checkout, "localhost/prog:v1")[0].startswith("::error title=")


def test_the_top_is_that_of_the_job(checkout: Cli) -> None:
    inner = checkout.folder / "src"
    line = f"::error file=prog.bpf.c,line={ERROR},"
    assert remarks(type(checkout)(inner, checkout.environ), "localhost/prog:v1", GITHUB_WORKSPACE=str(inner))[
        0
    ].startswith(line)
    assert remarks(type(checkout)(inner, checkout.environ), "localhost/prog:v1")[0].startswith("::error file=src/")


def test_gitlab(checkout: Cli) -> None:
    found = json.loads(checkout("lint", "--format", "gitlab", "localhost/prog:v1", expect=1).stdout)
    assert [(each["check_name"], each["severity"]) for each in found] == [("BL012", "critical"), ("BL025", "major")]
    assert found[0]["location"] == {"path": "src/prog.bpf.c", "lines": {"begin": ERROR}}
    ids = {
        each["id"]
        for each in json.loads(checkout("lint", "-o", "json", "localhost/prog:v1", expect=1).stdout)["problems"]
    }
    assert {each["fingerprint"] for each in found} == ids
    (checkout.folder / "src" / "prog.bpf.c").write_text(SOURCE.replace("\n\nSEC", "\n\n\n\nSEC"))
    checkout("build", "-t", "localhost/prog:v1", "src/prog.bpf.c")
    again = json.loads(checkout("lint", "--format", "gitlab", "localhost/prog:v1", expect=1).stdout)
    assert [each["fingerprint"] for each in again] == [each["fingerprint"] for each in found]
    assert again[0]["location"]["lines"]["begin"] == ERROR + 2


def test_what_the_compiler_says(checkout: Cli) -> None:
    source = checkout.folder / "src" / "prog.bpf.c"
    words = ("build", "-t", "localhost/prog:v2", "src/prog.bpf.c", "--report", "github=said")

    def said(text: str, expect: int) -> list[str]:
        source.write_text(text)
        checkout(*words, expect=expect)
        return (checkout.folder / "said").read_text().splitlines()

    at = "file=src/prog.bpf.c,line=8"
    (error,) = said(SOURCE.replace("XDP_PASS", "XDP_PAST"), 1)
    assert (
        error == f"::error {at},col=12,title=clang::use of undeclared identifier 'XDP_PAST'; did you mean 'XDP_PASS'?"
    )
    (warning,) = said(SOURCE.replace("return XDP_PASS", "return 1 / 0"), 0)
    assert warning.startswith(f"::warning {at},col=14,title=clang::division by zero is undefined")
    assert said(SOURCE, 0) == []
    assert "--report" in checkout.error(*words[:-1], "sarif=x", expect=2)["message"]


def suite(path: Path) -> ET.Element:
    (found,) = ET.parse(path).getroot()
    return found


def test_reports_beside_what_is_printed(checkout: Cli) -> None:
    words = [f"--report={form}={form}.out" for form in ("json", "sarif", "markdown", "github", "gitlab", "junit")]
    done = checkout("lint", *words, "localhost/prog:v1", expect=1)
    assert done.stdout.startswith("localhost/prog:v1 (linux/")
    for form in ("json", "sarif", "markdown", "github", "gitlab", "junit"):
        alone = checkout("lint", "--format", form, "localhost/prog:v1", expect=1).stdout
        assert (checkout.folder / f"{form}.out").read_text() == alone
    run = json.loads((checkout.folder / "sarif.out").read_text())["runs"][0]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "src/prog.bpf.c"}, "region": place["region"]}
    assert place["region"]["startLine"] == ERROR
    page = (checkout.folder / "markdown.out").read_text()
    assert page.startswith("### bpfimg lint\n\n`localhost/prog:v1`: **1 error, 1 warning**\n")
    assert f"`src/prog.bpf.c:{WARNING}` |" in page
    cases = suite(checkout.folder / "junit.out")
    assert (cases.get("tests"), cases.get("failures")) == (str(len(cases)), "1")
    failed = next(case for case in cases if case.find("failure") is not None)
    assert (failed.get("name"), failed.get("file"), failed.get("line")) == (
        "BL012 gpl-only",
        "src/prog.bpf.c",
        str(ERROR),
    )


def test_junit_fails_where_lint_does(checkout: Cli) -> None:
    def failures(*words: str) -> str | None:
        checkout("lint", *words, "--report", "junit=x.xml", "localhost/prog:v1", expect=0 if "never" in words else 1)
        return suite(checkout.folder / "x.xml").get("failures")

    assert failures("--fail-on", "warning") == "2"
    assert failures("--fail-on", "never") == "0"
    assert failures("--fail-on", "warning", "--disable", "BL012") == "1"


def test_a_breaking_change_at_its_program(checkout: Cli) -> None:
    source = checkout.folder / "src" / "prog.bpf.c"
    source.write_text(SOURCE.replace('SEC("xdp")', 'SEC("tc")').replace("xdp_md", "__sk_buff"))
    checkout("build", "-t", "localhost/prog:v2", "src/prog.bpf.c")
    words = ("diff", "localhost/prog:v1", "localhost/prog:v2", "--format", "github", "--report", "junit=x.xml")
    lines = checkout(*words, expect=10).stdout.splitlines()
    errors = [line for line in lines if line.startswith("::error ")]
    at = f"::error file=src/prog.bpf.c,line={ERROR},title=breaking change::program prog: "
    assert {line.startswith(at) for line in errors if "program prog" in line} == {True}
    assert errors[0].endswith("%0Asince localhost/prog:v1")
    assert suite(checkout.folder / "x.xml").get("failures") == str(len(errors))
    same = checkout("diff", "localhost/prog:v1", "localhost/prog:v1", "--format", "junit").stdout
    assert ET.fromstring(same)[0].get("failures") == "0"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--report", "sarif"], "expected FORMAT=FILE"),
        (["--report", "xml=a"], "expected FORMAT=FILE with one of text, json, sarif"),
        (["--report", "sarif=nowhere/a"], "expected a file in a folder that is there"),
        (["--report", "sarif=."], "expected a file in a folder that is there"),
    ],
)
def test_reports_that_cannot_be(cli: Cli, words: list[str], said: str) -> None:
    assert said in cli.error("lint", *words, "a.o", expect=2)["message"]
