"""`bpfimg diff` as a user types it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.objects import EXAMPLES, compile_source

if TYPE_CHECKING:
    from tests.support.cli import Cli

LICENSE = 'char LICENSE[] SEC("license") = "GPL";\n'
ONE = 'SEC("xdp") int prog(void *ctx) { return 2; }\n' + LICENSE
TWO = ONE + 'SEC("xdp") int other(void *ctx) { return 1; }\n'
CODE = ONE.replace("return 2", "return 1")


@pytest.fixture
def objects(cli: Cli) -> Cli:
    """With one.o, two.o (a program more), code.o (other instructions) and one_be.o."""
    for name, text in (("one", ONE), ("two", TWO), ("code", CODE)):
        (cli.folder / f"{name}.o").write_bytes(compile_source(text, target="bpfel"))
    (cli.folder / "one_be.o").write_bytes(compile_source(ONE, target="bpfeb"))
    return cli


@pytest.mark.parametrize(
    ("before", "after", "strict", "code"),
    [
        ("one", "one", False, 0),
        ("one", "one", True, 0),
        ("two", "one", False, 10),
        ("two", "one", True, 10),
        ("one", "two", False, 0),
        ("one", "two", True, 11),
        ("one", "code", False, 0),
        ("one", "code", True, 11),
    ],
)
def test_exit_codes(objects: Cli, before: str, after: str, strict: bool, code: int) -> None:
    objects("diff", f"{before}.o", f"{after}.o", *(["--strict"] if strict else []), expect=code)


def test_text(objects: Cli) -> None:
    lines = objects("diff", "two.o", "one.o", expect=10).stdout.splitlines()
    assert lines[0] == "two.o -> one.o: 1 breaking"
    assert lines[1].startswith("breaking       program other: removed (xdp). Whoever loads or attaches it")
    assert objects("diff", "one.o", "one.o").stdout == "one.o -> one.o: no change\n"
    assert objects("diff", "-q", "one.o", "two.o").stdout == "compatible\n"


def test_json_and_markdown(objects: Cli) -> None:
    document = objects.json("diff", "diff", "one.o", "two.o")
    assert (document["result"], document["compatible"]) == ("compatible", 1)
    assert document["changes"][0]["id"] == "program/other"
    page = objects("diff", "two.o", "one.o", "--format", "markdown", expect=10).stdout
    assert page.startswith("### bpfimg diff\n\n`two.o` → `one.o`: **breaking changes**\n")


def test_images_by_platform(objects: Cli) -> None:
    objects("build", "-t", "x/y:v1", "linux/amd64=two.o", "linux/arm64=two.o", "linux/s390x=one_be.o")
    objects("build", "-t", "x/y:v2", "linux/amd64=two.o", "linux/arm64=one.o")
    assert objects("diff", "x/y:v1", "x/y:v1").stdout.endswith("no change\n")
    changes = objects("diff", "x/y:v1", "x/y:v2", expect=10).stdout.splitlines()
    assert changes[0] == "x/y:v1 -> x/y:v2: 2 breaking"
    assert changes[1].startswith("breaking       platform linux/s390x: removed")
    assert changes[2].startswith("breaking       program other (linux/arm64): removed")
    assert objects("diff", "--platform", "linux/amd64", "x/y:v1", "x/y:v2").stdout.endswith("no change\n")


def test_a_source_is_compared_with_one_platform_of_an_image(objects: Cli) -> None:
    source = str(EXAMPLES / "xdp_pass.bpf.c")
    objects("build", "-t", "x/s:v1", "--platform", "linux/amd64,linux/arm64", source)
    assert objects("diff", "x/s:v1", source).stdout.endswith("no change\n")
    assert objects("diff", source, "x/s:v1").stdout.endswith("no change\n")


def test_an_object_and_an_image(objects: Cli) -> None:
    objects("build", "-t", "x/y:v1", "linux/amd64=two.o", "linux/arm64=one.o", "linux/s390x=one_be.o")
    objects("diff", "x/y:v1", "two.o", "--platform", "linux/amd64", "--strict")
    objects("diff", "x/y:v1", "two.o", "--platform", "linux/arm64", "--strict", expect=11)
    objects("diff", "one_be.o", "x/y:v1", "--platform", "linux/s390x", "--strict")
    error = objects.error("diff", "x/y:v1", "two.o", "--platform", "linux/riscv64", expect=1)
    assert "linux/riscv64" in error["message"]


def test_what_cannot_be_compared(objects: Cli) -> None:
    (objects.folder / "broken.o").write_bytes(b"\x7fELF")
    assert objects.error("diff", "one.o", "broken.o", expect=1)["kind"] == "BytecodeError"
    assert "several objects" in objects.error("diff", ".", "one.o", expect=2)["message"]
    assert "--format is 'html'" in objects.error("diff", "one.o", "two.o", "--format", "html", expect=2)["message"]
