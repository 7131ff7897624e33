"""Containerfiles and build arguments: bpfman's names, the right values, and nothing in a name that means something.

What engines make of them: tests/integration/build.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from bpfimg import build
from bpfimg.build._containerfile import build_arguments, containerfile, labels_of, shell, slot
from bpfimg.errors import UsageError
from bpfimg.oci import Platform
from tests.support.objects import compile_source, example

if TYPE_CHECKING:
    from bpfimg.image import BytecodeImage

BIG = ("mips", "mips64", "ppc64", "s390x")
#: docs of bpfman: platform -> build argument
ARGUMENTS = {
    "386": "BC_386_EL",
    "amd64": "BC_AMD64_EL",
    "arm": "BC_ARM_EL",
    "arm64": "BC_ARM64_EL",
    "loong64": "BC_LOONG64_EL",
    "mips": "BC_MIPS_EB",
    "mips64": "BC_MIPS64_EB",
    "mips64le": "BC_MIPS64LE_EL",
    "mipsle": "BC_MIPSLE_EL",
    "ppc64": "BC_PPC64_EB",
    "ppc64le": "BC_PPC64LE_EL",
    "riscv64": "BC_RISCV64_EL",
    "s390x": "BC_S390X_EB",
}


def _image(arch: str = "amd64", *, name: str = "xdp_counter", bytecode: bytes = b"", **labels: str) -> BytecodeImage:
    return build.image(
        bytecode or example(name, target="bpfeb" if arch in BIG else "bpfel"),
        file_name=f"{name}.bpf.o",
        platform=Platform("linux", arch),
        labels=labels,
    )


def test_one_input_is_a_plain_containerfile() -> None:
    lines = containerfile([("out/xdp.o", _image())]).splitlines()
    words = [line.split()[0] for line in lines if line and not line.startswith((" ", "#"))]
    assert words[:2] == ["FROM", "ARG"]
    assert words[-2:] == ["COPY", "LABEL"]
    assert "FROM scratch" in lines
    assert 'ARG BYTECODE_FILE="out/xdp.o"' in lines
    assert 'COPY "${BYTECODE_FILE}" "/xdp_counter.bpf.o"' in lines
    assert 'ARG PROGRAMS="{\\"xdp_count\\":\\"xdp\\"}"' in lines


def test_every_platform_has_its_slot_and_each_copies_its_own() -> None:
    inputs = [(f"{arch}.o", _image(arch)) for arch in ARGUMENTS]
    text = containerfile(inputs)
    for arch, argument in ARGUMENTS.items():
        stage = text.partition(f"FROM scratch AS linux{arch}\n")[2].partition("\nFROM ")[0]
        assert f'ARG {argument}="{arch}.o"' in stage.splitlines()
        assert f'COPY "${{{argument}}}" "/xdp_counter.bpf.o"' in stage.splitlines()
        assert "BC_" not in stage.replace(argument, "")
    assert text.endswith("\nFROM ${TARGETOS}${TARGETARCH}\n")
    before = text.partition("FROM ")[0].splitlines()
    assert before[-3:-1] == ["ARG TARGETOS=$TARGETOS", "ARG TARGETARCH=$TARGETARCH"]
    assert [name for name in build_arguments(inputs) if name.startswith("BC_")] == list(ARGUMENTS.values())


def test_each_platform_has_the_labels_of_its_own_object() -> None:
    """bpfman#1200: not those of the first."""
    text = containerfile([("a.o", _image("amd64")), ("b.o", _image("arm64", name="tc_counter"))])
    first, second = text.split("FROM scratch AS linuxarm64\n")
    assert "xdp_count" in first
    assert "xdp_count" not in second
    assert '{\\"tc_count\\":\\"tc\\"}' in second


def test_arguments_for_platforms_that_differ_are_refused() -> None:
    inputs = [("a.o", _image("amd64")), ("b.o", _image("arm64", name="tc_counter"))]
    with pytest.raises(UsageError, match=r"'b.o' and 'a.o' have different programs or maps") as caught:
        build_arguments(inputs)
    assert "--print containerfile" in caught.value.hint


def test_arguments_of_one_object_are_those_of_bpfman_and_ours() -> None:
    image = _image()
    values = build_arguments([("./xdp.o", image)])
    assert list(values)[:3] == ["BYTECODE_FILE", "PROGRAMS", "MAPS"]
    assert (json.loads(values["PROGRAMS"]), json.loads(values["MAPS"])) == (
        {"xdp_count": "xdp"},
        {"counters": "array"},
    )
    ours = {name: text for name, text in labels_of(image).items() if name.startswith("dev.bpfimg.")}
    assert {name: text for name, text in values.items() if name.startswith("DEV_BPFIMG_")} == {
        name.upper().replace(".", "_").replace("-", "_"): text for name, text in ours.items()
    }


def test_an_image_without_maps_says_so() -> None:
    assert build_arguments([("xdp.o", _image(name="xdp_pass"))])["MAPS"] == "{}"


def test_two_inputs_for_one_slot_are_refused() -> None:
    other = build.image(example("xdp_pass"), file_name="b.o", platform=Platform("linux", "arm", "v6"))
    with pytest.raises(UsageError, match=r"'b.o' and 'a.o' are both for BC_ARM_EL"):
        containerfile([("a.o", _image("arm")), ("b.o", other)])


@pytest.mark.parametrize("arch", ARGUMENTS)
def test_slots(arch: str) -> None:
    assert f"BC_{slot(_image(arch))}" == ARGUMENTS[arch]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/etc/passwd", "is outside of the build context"),
        ("../secret.o", "is outside of the build context"),
        ("a/../../b.o", "is outside of the build context"),
        ("*.o", "cannot be copied by an engine"),
        ("a[1].o", "cannot be copied by an engine"),
        ("a\\b.o", "cannot be copied by an engine"),
        ("a\nRUN id.o", "expected no line break"),
        ("a\x1b[2J.o", "cannot be copied by an engine"),
        ("a\x07.o", "expected no line break"),
    ],
)
def test_paths_that_a_containerfile_cannot_say(path: str, said: str) -> None:
    for made in (containerfile, build_arguments):
        with pytest.raises(UsageError, match=said):
            made([(path, _image())])


@pytest.mark.parametrize("label", [{"a": "b\nRUN id"}, {"a\nRUN id": "b"}, {"a": "\r"}, {"a": "\0"}])
def test_a_label_with_a_line_break_is_refused(label: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="expected no line break"):
        containerfile([("xdp.o", _image(**label))])


#: names that a symbol can have, and that mean something to a shell, to a Containerfile, or to JSON
HOSTILE = ["$HOME", "${PATH:-x}", "$(id>&2)", "`id`", "a;id", "a'b", "#a", "a b", "&&id", "<<EOF", "\\\\n", "--x"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_shell_reads_the_values_letter_by_letter(name: str) -> None:
    image = _image(
        bytecode=compile_source(
            f'SEC("xdp") int f(void *c) __asm__("{name}"); SEC("xdp") int f(void *c) {{ return 2; }}'
        )
    )
    values = build_arguments([("a b$c'd.o", image)])
    assert json.loads(values["PROGRAMS"]) == {name.replace("\\\\", "\\"): "xdp"}
    script = shell(values) + "".join(f'printf "%s\\0" "${each}"\n' for each in values)
    done = subprocess.run(["sh", "-ec", script], capture_output=True, env={}, check=True)
    assert done.stdout.decode().split("\0")[:-1] == list(values.values())
    assert done.stderr == b""
    assert [shlex.split(line)[0] for line in shell(values).splitlines()] == [f"{n}={t}" for n, t in values.items()]


def test_lines_stay_short_and_are_cut_where_nothing_is_lost() -> None:
    """BuildKit's limit is 64 KiB; a line that goes on loses blanks in front, and is a comment when it begins with #."""
    text = "".join(f"{n:x}#\\ \"$'" for n in range(6_000))
    lines = containerfile([("xdp.o", _image(long=text))]).splitlines()
    assert max(map(len, lines)) < 8_000
    at = next(number for number, line in enumerate(lines) if '"long"=' in line)
    value = lines[at].partition('"long"="')[2]
    while value.endswith("\\") and not lines[at].endswith('" \\'):
        at += 1
        assert lines[at][0].isalnum()
        value = value[:-1] + lines[at]
    for code, letter in (("\\$", "$"), ('\\"', '"'), ("\\\\", "\\")):
        assert code in value, letter
    import re

    assert re.sub(r"\\(.)", r"\1", value.rpartition('"')[0]) == text
