"""`bpfimg lint` as a user types it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from bpfimg import build
from bpfimg._value import replace
from bpfimg.image import BytecodeImage, Labels
from bpfimg.oci import Descriptor, Index, Layout, Platform, Reference
from tests.support.objects import compile_source, example

if TYPE_CHECKING:
    from tests.support.cli import Cli

LICENSE = 'char LICENSE[] SEC("license") = "GPL";\n'
CLEAN = 'SEC("xdp") int prog(void *ctx) { return 2; }\n' + LICENSE
WARNED = 'SEC("xdp") int prog(void *ctx) { return 2; }\n'
REFUSED = 'struct { __uint(type, 27); __type(key, int); __uint(max_entries, 4096); } r SEC(".maps");\n' + CLEAN
PROBE = 'struct r { long a, b; };\nSEC("kprobe/vfs_read") int probe(struct r *r) { return r->b; }\n' + LICENSE
NO_PATH = ("-g", "-O2", "-fdebug-compilation-dir=.")


def compiled(text: str, target: str = "bpfel") -> bytes:
    return compile_source(text, target=target, flags=NO_PATH)


def rules(document: dict[str, list[dict[str, str]]]) -> list[str]:
    return [problem["rule"] for problem in document["problems"]]


def test_a_clean_object_is_silent(cli: Cli) -> None:
    (cli.folder / "a.o").write_bytes(compiled(CLEAN))
    done = cli("lint", "--fail-on", "note", "a.o")
    assert (done.stdout, done.stderr) == ("", "")
    assert cli("lint", "-v", "a.o").stderr == "bpfimg: looked at: 1, problems: 0\n"


def test_text_names_file_rule_and_hint(cli: Cli) -> None:
    (cli.folder / "a.o").write_bytes(compiled(WARNED))
    lines = cli("lint", "a.o").stdout.splitlines()
    assert lines[0].startswith("a.o: warning BL011 no-license: the object states no licence")
    assert lines[1].startswith("    hint: char LICENSE[]")
    assert cli("lint", "-q", "a.o").stdout == "BL011\n"


@pytest.mark.parametrize(
    ("text", "fail_on", "code"),
    [(REFUSED, "error", 1), (WARNED, "error", 0), (WARNED, "warning", 1), (CLEAN, "note", 0), (REFUSED, "never", 0)],
)
def test_exit_codes(cli: Cli, text: str, fail_on: str, code: int) -> None:
    (cli.folder / "a.o").write_bytes(compiled(text))
    cli("lint", "--fail-on", fail_on, "a.o", expect=code)


def test_json_and_sarif(cli: Cli) -> None:
    (cli.folder / "a.o").write_bytes(compiled(WARNED))
    document = cli.json("lint", "lint", "a.o")
    assert rules(document) == ["BL011"]
    assert json.loads(cli("lint", "--format", "json", "a.o").stdout) == document
    log = json.loads(cli("lint", "--format", "sarif", "a.o").stdout)
    assert log["version"] == "2.1.0"
    assert [result["ruleId"] for result in log["runs"][0]["results"]] == ["BL011"]
    assert log["runs"][0]["artifacts"][0]["location"]["uri"] == "a.o"


def test_rules_can_be_left_out_by_number_and_name(cli: Cli) -> None:
    (cli.folder / "a.o").write_bytes(compiled(WARNED.replace('"xdp', '"?xdp')))
    assert rules(cli.json("lint", "lint", "a.o")) == ["BL011", "BL021"]
    assert rules(cli.json("lint", "lint", "--disable", "BL011,autoload-off", "a.o")) == []
    error = cli.error("lint", "--disable", "BL999", "a.o", expect=2)
    assert "BL001 to" in error["message"]


def test_a_folder_in_the_order_of_names(cli: Cli) -> None:
    for name in ("b/z.o", "b/a.o", "a.o"):
        path = cli.folder / "objects" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(compiled(WARNED))
    (cli.folder / "objects" / "host.o").write_bytes(b"\x7fELF" + bytes(14) + b"\x3e\0" + bytes(100))
    (cli.folder / "objects" / "notes.txt").write_text("x")
    found = cli.json("lint", "lint", "objects")["problems"]
    assert [problem["subject"] for problem in found] == ["objects/a.o", "objects/b/a.o", "objects/b/z.o"]
    (cli.folder / "empty").mkdir()
    assert "no eBPF object" in cli.error("lint", "empty", expect=2)["message"]


def test_what_cannot_be_read_is_a_finding_and_the_rest_goes_on(cli: Cli) -> None:
    (cli.folder / "a.o").write_bytes(b"\x7fELF")
    (cli.folder / "b.o").write_bytes(compiled(WARNED))
    done = cli("lint", "-o", "json", "a.o", "b.o", expect=1)
    assert rules(json.loads(done.stdout)) == ["BL001", "BL011"]


def test_the_slot_of_a_file(cli: Cli) -> None:
    (cli.folder / "prog_bpfel.o").write_bytes(compiled(CLEAN, "bpfeb"))
    assert "BL002" in cli("lint", "prog_bpfel.o", expect=1).stdout
    shutil.copy(cli.folder / "prog_bpfel.o", cli.folder / "x.o")
    cli("lint", "x.o")
    assert "linux/amd64 is little-endian" in cli("lint", "--platform", "linux/amd64", "x.o", expect=1).stdout
    (cli.folder / "probe.o").write_bytes(compiled(PROBE))
    assert cli("lint", "-q", "--platform", "linux/amd64", "probe.o").stdout == ""
    assert cli("lint", "-q", "--platform", "linux/amd64,linux/arm64", "probe.o").stdout == "BL027\n"


def test_every_platform_of_an_image(cli: Cli) -> None:
    (cli.folder / "probe.o").write_bytes(compiled(PROBE))
    (cli.folder / "big.o").write_bytes(compiled(WARNED, "bpfeb"))
    words = ("linux/amd64=probe.o", "linux/arm64=probe.o", "linux/s390x=big.o")
    cli("build", "-t", "x/multi:v1", *words)
    found = cli.json("lint", "lint", "x/multi:v1")["problems"]
    assert [(problem["rule"], problem["platforms"]) for problem in found] == [
        ("BL027", ["linux/amd64", "linux/arm64"]),
        ("BL011", ["linux/s390x"]),
    ]
    assert rules(cli.json("lint", "lint", "--platform", "linux/s390x", "x/multi:v1")) == ["BL011"]
    assert "linux/s390x" in cli("lint", "x/multi:v1").stdout


def stored(cli: Cli, name: str, *images: BytecodeImage, slots: tuple[str, ...] = ()) -> None:
    """The images under that name in the test's store; as an index with `slots` for their platforms, right or wrong."""
    reference = Reference.parse(name)
    layout = Layout(str(cli.folder / "store"), reference.repository, short_names=False)
    entries: list[Descriptor] = []
    for image, slot in zip(images, slots or ("",) * len(images), strict=True):
        packed = image.pack()
        for descriptor, content in packed.blobs:
            layout.push(descriptor, content)
        entries.append(replace(packed.manifest.descriptor, platform=Platform.parse(slot) if slot else None))
        layout.push(packed.manifest.descriptor, packed.manifest.raw)
    if slots:
        index = Index.build(entries)
        layout.push(index.descriptor, index.raw)
        layout.tag(index.descriptor, reference.tag or "")
    else:
        layout.tag(packed.manifest.descriptor, reference.tag or "")


def made(text: str, platform: str = "linux/amd64") -> BytecodeImage:
    target = "bpfeb" if platform == "linux/s390x" else "bpfel"
    return build.image(compiled(text, target), platform=Platform.parse(platform), file_name="x.o")


def test_an_image_whose_labels_lie(cli: Cli) -> None:
    lying = replace(made(CLEAN), labels=Labels({"prog": "tc"}, {}))
    stored(cli, "x/lying:v1", lying)
    (problem,) = cli.json("lint", "lint", "x/lying:v1")["problems"]
    assert (problem["rule"], problem["kind"], problem["platforms"]) == ("BL004", "label", ["linux/amd64"])
    assert "'prog'" in problem["message"]


def test_an_image_in_the_wrong_slot(cli: Cli) -> None:
    stored(cli, "x/slots:v1", made(CLEAN), made(CLEAN, "linux/s390x"), slots=("linux/s390x", "linux/amd64"))
    document = json.loads(cli("lint", "-o", "json", "x/slots:v1", expect=1).stdout)
    assert {problem["rule"] for problem in document["problems"]} <= {"BL002", "BL003"}
    assert [problem["platforms"] for problem in document["problems"]] == [["linux/s390x"], ["linux/amd64"]]


def test_an_image_of_another_byte_order_is_looked_at_all_the_same(cli: Cli) -> None:
    stored(cli, "x/big:v1", made(WARNED, "linux/s390x"))
    (problem,) = cli.json("lint", "lint", "x/big:v1")["problems"]
    assert (problem["rule"], problem["platforms"]) == ("BL011", ["linux/s390x"])


def test_our_own_image_has_nothing_to_be_said_about(cli: Cli) -> None:
    (cli.folder / "x.o").write_bytes(example("xdp_counter"))
    cli("build", "-t", "x/counter:v1", "x.o")
    cli("lint", "--fail-on", "warning", "x/counter:v1")


def test_names_drive_no_terminal(cli: Cli) -> None:
    folder = cli.folder / "a\x1b[2J"
    folder.mkdir()
    (folder / "a.o").write_bytes(compiled(WARNED))
    out = cli("lint", str(folder)).stdout
    assert "\x1b" not in out
    assert "\\x1b[2J" in out


def test_the_list_of_rules(cli: Cli) -> None:
    out = cli("lint", "--rules").stdout
    assert "BL006  dwarf-left-in" in out
    assert len(out.splitlines()) > 38
    rules = cli.json("lint-rules", "lint", "--rules")["rules"]
    assert [rule["id"] for rule in rules] == [line.split()[0] for line in out.splitlines()[1:]]
    assert cli.error("lint", "--rules", "--format", "sarif", expect=2)["message"].startswith("--rules has no form")
    assert cli.error("lint", "--disable", "bl0009", "a.o", expect=2)["hint"].startswith("did you mean BL0")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lint"], "expected REF, OBJ or DIR"),
        (["lint", "--format", "xml", "a.o"], "--format is 'xml'"),
        (["lint", "--fail-on", "fatal", "a.o"], "--fail-on is 'fatal'"),
        (["lint", "--map-memory", "much", "a.o"], "--map-memory is 'much'"),
    ],
)
def test_words_that_are_not_understood(cli: Cli, words: list[str], said: str) -> None:
    assert said in cli.error(*words, expect=2)["message"]
