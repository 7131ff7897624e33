"""`bpfimg check` as a user types it: no root, no kernel."""

from __future__ import annotations

import gzip
import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.cli import check
from tests.support.core import compiled, kernel_of
from tests.unit.inspect.test_check import LOCAL, NEW, OLD

if TYPE_CHECKING:
    from tests.support.cli import Cli

SOURCE = (
    LOCAL
    + """
PROGRAM(safe) { return field_exists(T->__state) ? T->__state : O->state; }
PROGRAM(newer) { return T->__state; }
"""
)


@pytest.fixture
def folder(cli: Cli) -> Cli:
    """A folder with an object and two kernels."""
    (cli.folder / "trace.o").write_bytes(compiled(SOURCE, target="bpfel"))
    (cli.folder / "kernels" / "a").mkdir(parents=True)
    (cli.folder / "kernels" / "a" / "old.btf").write_bytes(kernel_of(OLD))
    (cli.folder / "kernels" / "new.btf.gz").write_bytes(gzip.compress(kernel_of(NEW)))
    (cli.folder / "kernels" / "notes.txt").write_text("no kernel")
    return cli


def test_a_table_and_the_reasons(folder: Cli) -> None:
    done = folder("check", "trace.o", "--btf", "kernels", expect=4)
    assert done.stdout.splitlines() == [
        "KERNEL      safe  newer",
        "new.btf.gz  ok    ok",
        "old.btf     ok    fails",
        "",
        "old.btf: newer",
        "  fails     core task_struct.__state: struct task_struct has no field '__state'; nearest: state (<stdin>:36)",
    ]
    assert folder("check", "trace.o", "--btf", "kernels/new.btf.gz").returncode == 0
    assert folder("check", "trace.o", "--btf", "kernels", "--program", "safe").returncode == 0
    assert folder("check", "trace.o", "-q", "--btf", "kernels", expect=4).stdout == "fails\n"


def test_what_does_no_harm_is_said_with_v(folder: Cli) -> None:
    done = folder("check", "trace.o", "-v", "--fields", "--btf", "kernels/a/old.btf", "kernels/new.btf.gz", expect=4)
    assert "  guarded   core task_struct.__state" in done.stdout
    assert "  answered  core task_struct.__state" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["task_struct.__state", "field_byte_offset", "unresolved", "0"] in rows
    assert ["task_struct.state", "field_byte_offset", "0", "unresolved"] in rows


def test_json_follows_its_schema(folder: Cli) -> None:
    document = json.loads(folder("check", "trace.o", "--btf", "kernels", "-o", "json", expect=4).stdout)
    check("check", document)
    assert (document["id"], document["result"]) == ("trace.o", "fails")
    results = {kernel["id"]: {p["id"]: p["result"] for p in kernel["programs"]} for kernel in document["kernels"]}
    assert results == {"old.btf": {"safe": "ok", "newer": "fails"}, "new.btf.gz": {"safe": "ok", "newer": "ok"}}
    (offset,) = (each for each in document["relocations"] if each["id"] == "field_byte_offset task_struct.state")
    assert offset["kernels"]["old.btf"] == {"outcome": "resolved", "value": 0}
    assert offset["programs"] == ["safe"]
    assert {each["kind"] for each in document["requirements"]} >= {"program_type", "feature"}


def test_markdown(folder: Cli) -> None:
    page = folder("check", "trace.o", "--btf", "kernels", "--format", "markdown", expect=4).stdout
    assert "| `old.btf` | ok | **fails** |" in page
    assert page.startswith("### bpfimg check\n\n`trace.o`: **some programs cannot be loaded**\n")


def test_a_folder_with_vmlinux_is_one_kernel_with_its_modules(folder: Cli) -> None:
    (folder.folder / "trace.o").write_bytes(compiled(LOCAL + 'SEC("fentry/traced") int p(void *c) { return 0; }'))
    shutil.copy(folder.folder / "kernels" / "a" / "old.btf", folder.folder / "kernels" / "vmlinux")
    shutil.rmtree(folder.folder / "kernels" / "a")
    (folder.folder / "kernels" / "new.btf.gz").unlink()
    document = json.loads(folder("check", "trace.o", "--btf", "kernels", "-o", "json").stdout)
    assert [kernel["id"] for kernel in document["kernels"]] == ["vmlinux"]
    (folder.folder / "trace.o").write_bytes(compiled(LOCAL + 'SEC("fentry/other") int p(void *c) { return 0; }'))
    folder("check", "trace.o", "--btf", "kernels")
    folder("check", "trace.o", "--strict", "--btf", "kernels", expect=4)
    (folder.folder / "kernels" / "mod").write_bytes(kernel_of("int other(int a) { return a; }"))
    folder("check", "trace.o", "--strict", "--btf", "kernels")


def test_kernels_of_one_name_are_told_apart(folder: Cli) -> None:
    (folder.folder / "kernels" / "b").mkdir()
    shutil.copy(folder.folder / "kernels" / "a" / "old.btf", folder.folder / "kernels" / "b" / "old.btf")
    done = folder("check", "trace.o", "--btf", "kernels/a", "kernels/b", expect=4)
    assert [line.split()[0] for line in done.stdout.splitlines()[1:3]] == ["a/old.btf", "b/old.btf"]


def test_an_image_is_checked_as_its_object_is(folder: Cli) -> None:
    folder("build", "-t", "x/trace:v1", "trace.o")
    done = folder("check", "x/trace:v1", "--platform", "linux/amd64", "--btf", "kernels", expect=4)
    assert "old.btf     ok    fails" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ((), 2, "no image or object is named"),
        (("trace.o", "--policy", "none.json"), 3, "none.json does not exist"),
        (("trace.o", "--btf", "kernels", "--max-insns", "9"), 2, "types have no verifier"),
        (("trace.o", "--max-insns", "many"), 2, "--max-insns is 'many', expected a number"),
        (("trace.o", "--btf", "kernels", "--key", "a.pub"), 2, "whom to believe is given"),
        (("trace.o", "--btf", "kernels", "--identity-token", "t"), 2, "--identity-token is given without --attest"),
        (("trace.o", "--btf", "kernels", "--attest", "--key", "a.key"), 2, "'trace.o' is a file, expected an image"),
        (("x:v1", "--btf", "kernels", "--attest", "--key", "a.key", "--program", "p"), 2, "is given with --attest"),
        (("trace.o", "--btf", "gone"), 1, "file 'gone' cannot be read"),
        (("trace.o", "--btf", "trace.o", "--format", "sarif"), 2, "expected text, json, markdown"),
        (("trace.o", "--btf", "kernels/notes.txt"), 1, "file 'kernels/notes.txt' holds no types"),
        (("trace.o", "--btf", "empty"), 2, "the folder 'empty' holds no kernel"),
        (("trace.o", "--btf", "kernels", "--program", "nope"), 1, "nope"),
        (("kernels/notes.txt", "--btf", "kernels"), 1, "ELF"),
    ],
)
def test_what_is_wrong_gets_one_sentence(folder: Cli, words: tuple[str, ...], code: int, sentence: str) -> None:
    (folder.folder / "empty").mkdir()
    assert sentence in folder.error("check", *words, expect=code)["message"]
