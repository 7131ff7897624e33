"""What a pipeline and a person on call type: files that are wrong, names that are odd, answers that say which."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.support.objects import compile_source, example

if TYPE_CHECKING:
    from tests.support.cli import Cli
    from tests.support.registry import Server

SWITCH = 'const volatile _Bool verbose;\nSEC("xdp") int prog(void *ctx) { return verbose; }\n'


@pytest.mark.parametrize("words", [("inspect",), ("diff", "good.o"), ("build", "-t", "x/y:v1")])
@pytest.mark.parametrize(
    ("content", "said"), [(b"", "it is empty"), (b"MZ\0\0", "4d5a0000"), (b"\x7fELF\2\1", "cut off")]
)
def test_an_error_names_the_file(cli: Cli, words: tuple[str, ...], content: bytes, said: str) -> None:
    (cli.folder / "good.o").write_bytes(example("xdp_pass"))
    (cli.folder / "bad.o").write_bytes(content)
    message = cli.error(*words, "bad.o", expect=1)["message"]
    assert message.startswith("'bad.o': ")
    assert said in message


def test_a_wrong_byte_order_names_the_file(cli: Cli) -> None:
    (cli.folder / "le.o").write_bytes(example("xdp_pass"))
    words = ("linux/amd64=le.o", "linux/s390x=le.o")
    message = cli.error("build", "-t", "x/y:v1", *words, expect=1)["message"]
    assert message == "'le.o': the object is little-endian, linux/s390x is big-endian (BI-25)"


def test_check_looks_at_all_that_it_says_ok_about(cli: Cli) -> None:
    btf = "/sys/kernel/btf/vmlinux"
    (cli.folder / "one").mkdir()
    for name in ("a.o", "b.o"):
        (cli.folder / "one" / name).write_bytes(example("xdp_pass"))
    message = cli.error("check", "one", "--btf", btf, expect=2)["message"]
    assert message == "'one' is a folder of several objects, expected one object or image"
    error = cli.error("check", "--btf", btf, "one/a.o", expect=2)
    assert error["message"].startswith("no image or object is named")
    assert "`bpfimg check OBJ --btf FILE`" in error["hint"]


def test_a_source_is_no_object(cli: Cli) -> None:
    (cli.folder / "prog.bpf.c").write_text("int x;\n")
    assert "`bpfimg build` compiles it" in cli.error("inspect", "prog.bpf.c", expect=1)["hint"]


@pytest.mark.parametrize("words", [("inspect",), ("lint",), ("diff", "good.o")])
def test_a_misspelt_file_is_not_asked_of_a_registry(cli: Cli, words: tuple[str, ...]) -> None:
    (cli.folder / "good.o").write_bytes(example("xdp_pass"))
    (cli.folder / "dangling").symlink_to("nowhere")
    for name in ("god.o", "./god", "dangling"):
        message = cli.error(*words, name, expect=1)["message"]
        assert message == f"{name!r} cannot be read: No such file or directory"


def test_a_misspelt_tag_is_said_to_be_in_neither_place(cli: Cli, server: Server) -> None:
    for name in ("localhost:1/x:v1", f"{server.host}/operators/nothing:v1"):
        hint = cli.error("inspect", name, expect=1)["hint"]
        assert hint.startswith(f"the local store {cli.folder}/store does not have it either")


def test_what_is_no_plain_file_is_read_like_one(cli: Cli) -> None:
    done = cli("lint", "/dev/null", expect=1)
    assert done.stdout.startswith("/dev/null: error BL001 unreadable-object: not an ELF file: it is empty")


def test_one_file_that_cannot_be_read_does_not_end_the_lint_of_a_folder(cli: Cli) -> None:
    folder = cli.folder / "objects"
    folder.mkdir()
    (folder / "b.o").write_bytes(compile_source('SEC("xdp") int prog(void *ctx) { return 2; }\n'))
    (folder / "a.o").symlink_to("/proc/self/mem")  # opens, and cannot be read: for root, too
    document = json.loads(cli("lint", "-o", "json", "objects", expect=1).stdout)
    first, *rest = document["problems"]
    assert (first["subject"], first["rule"]) == ("objects/a.o", "BL001")
    assert "'objects/a.o' cannot be read" in first["message"]
    assert {problem["subject"] for problem in rest} == {"objects/b.o"}


def test_a_name_that_is_no_utf_8_is_sound_json(cli: Cli) -> None:
    name = os.fsdecode(b"odd\xff.o")
    (cli.folder / name).write_bytes(compile_source('SEC("xdp") int prog(void *ctx) { return 2; }\n'))
    for words in (("inspect", name), ("lint", name)):
        text = cli(*words, "-o", "json").stdout
        assert "udcff" not in text  # half a surrogate pair: strict readers refuse the whole document
        assert "odd\\\\xff.o" in text


def test_a_tag_in_a_layout_is_found_by_the_words_that_wrote_it(cli: Cli) -> None:
    (cli.folder / "le.o").write_bytes(example("xdp_pass"))
    cli("build", "-t", "x/y:v1", "le.o")
    for name in ("v1", "y:v1", "x/y:v1", "registry.example/x/y:v1"):
        place = f"oci:{cli.folder}/usb:{name}"
        cli("copy", "x/y:v1", place)
        assert cli.json("object", "inspect", place)["reference"] == place


def test_a_path_alone_takes_the_name_of_the_image_when_it_has_one(cli: Cli) -> None:
    (cli.folder / "le.o").write_bytes(example("xdp_pass"))
    cli("build", "-t", "x/y:v1", "le.o")
    (made,) = cli.json("images", "copy", "x/y:v1", f"oci:{cli.folder}/usb")["images"]
    assert made["reference"] == f"oci:{cli.folder}/usb:docker.io/x/y:v1"
    cli("copy", "x/y:v1", f"oci:{cli.folder}/bare:v1")
    error = cli.error("copy", f"oci:{cli.folder}/bare:v1", f"oci:{cli.folder}/other", expect=2)
    assert "says no name" in error["message"]


def test_another_platform_that_was_not_pulled(cli: Cli, server: Server) -> None:
    name = f"{server.host}/operators/multi:v1"
    (cli.folder / "le.o").write_bytes(example("xdp_pass"))
    (cli.folder / "be.o").write_bytes(example("xdp_pass", target="bpfeb"))
    cli("build", "--push", "-t", name, "linux/amd64=le.o", "linux/s390x=be.o")
    far = str(cli.folder / "far")
    cli("pull", name, BPFIMG_STORE=far)
    error = cli.error("inspect", name, "--platform", "linux/s390x", expect=1, BPFIMG_STORE=far)
    assert "has no content sha256:" in error["message"]
    assert "--all-platforms" in error["hint"]


def test_an_ordinary_build_says_nothing_but_its_name(cli: Cli) -> None:
    (cli.folder / "prog.bpf.c").write_text(
        '__attribute__((section("xdp"), used)) int prog(void *ctx) { return 2; }\n'
        'char LICENSE[] __attribute__((section("license"), used)) = "GPL";\n'
    )
    words = ("build", "-t", "x/y:v1", "--platform", "linux/amd64,linux/arm64", "prog.bpf.c")
    done = cli(*words)
    assert done.stderr == ""
    told = cli(*words, "-v").stderr.splitlines()
    assert len(told) == 2
    assert told[1].startswith("bpfimg: linux/arm64: prog.bpf.o, ")
    assert "-D__TARGET_ARCH_arm64" in told[1]


@pytest.mark.parametrize("path", ["no/d.txt", "folder"])
def test_a_digest_file_is_looked_at_before_anything_is_made(cli: Cli, path: str) -> None:
    (cli.folder / "le.o").write_bytes(example("xdp_pass"))
    (cli.folder / "folder").mkdir()
    error = cli.error("build", "-t", "x/y:v1", "--digest-file", path, "le.o", expect=2)
    assert f"{path!r} cannot be written" in error["message"]
    assert cli("images", "-q").stdout == ""


def test_a_glance_says_which_commit_and_spells_as_c_does(cli: Cli) -> None:
    (cli.folder / "le.o").write_bytes(compile_source(SWITCH))
    stated = ("--annotation", "org.opencontainers.image.revision=4f2c", "--label", "org.opencontainers.image.version=2")
    cli("build", "-t", "x/y:v1", *stated, "le.o")
    lines = [" ".join(line.split()) for line in cli("inspect", "x/y:v1").stdout.splitlines()]
    assert {"its revision: 4f2c", "its version: 2"} <= set(lines)
    assert "verbose _Bool false yes" in lines


def test_code_that_changed_is_said_in_words(cli: Cli) -> None:
    for name, code in (("a.o", 1), ("b.o", 2)):
        text = f'SEC("xdp") int prog(void *ctx) {{ return {code}; }}\n'
        (cli.folder / name).write_bytes(compile_source(text))
    assert "program prog: code changed. As many instructions" in cli("diff", "a.o", "b.o").stdout
