"""Engine builds and Containerfiles, with a real podman: what it makes is what bpfimg says it makes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg import build
from bpfimg.build import _engine
from bpfimg.build._containerfile import build_arguments, containerfile, labels_of
from bpfimg.errors import Error, ImageError
from bpfimg.oci import Platform, Reference
from tests.support.objects import compile_source, example
from tests.support.podman import Podman, podman

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bpfimg.image import BytecodeImage

REFERENCE = Reference.parse("registry.example/team/xdp_counter:v1")
HOSTILE = {"evil": "$(reboot) `id` ${HOME} \"quoted\" 'single' \\ back\\\\slash # no comment <<EOF", 'a $b"c': "# x"}
LONG = {"long": "".join(f"{n:x}#\\ \"$'" for n in range(6_000))}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    with podman(tmp_path_factory.mktemp("podman")) as running:
        yield running


def _image(arch: str = "amd64", bytecode: bytes | None = None, labels: dict[str, str] | None = None) -> BytecodeImage:
    return build.image(
        bytecode or example("xdp_counter"),
        file_name="xdp_counter.bpf.o",
        platform=Platform("linux", arch),
        labels=labels,
    )


def _open(engine: Podman) -> _engine.Engine:
    return _engine.Engine("podman", {"CONTAINER_HOST": f"unix://{engine.socket}"})


def _inspect(engine: Podman, name: str) -> Any:
    (found,) = json.loads(engine.run("image", "inspect", name))
    return found


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_the_engine_has_the_image_under_every_name(engine: Podman, arch: str) -> None:
    image, other = _image(arch), Reference.parse(f"registry.example/other:{arch}")
    with _open(engine) as opened:
        made = opened.build(image, [REFERENCE, other])
    seen = _inspect(engine, str(other))
    assert made.id == f"sha256:{seen['Id']}"
    assert made.digest == seen["Digest"]
    assert (seen["Os"], seen["Architecture"], made.platform) == ("linux", arch, f"linux/{arch}")
    assert {name: text for name, text in seen["Labels"].items() if name != "io.buildah.version"} == labels_of(image)
    assert set(seen["RepoTags"]) == {str(REFERENCE), str(other)}


@pytest.mark.parametrize("labels", [HOSTILE, LONG], ids=["hostile", "60 KB"])
def test_labels_reach_the_image_letter_by_letter(engine: Podman, labels: dict[str, str]) -> None:
    with _open(engine) as opened:
        opened.build(_image(labels=labels), [REFERENCE])
    seen = _inspect(engine, str(REFERENCE))["Labels"]
    assert {name: seen[name] for name in labels} == labels


def test_hostile_program_names_reach_the_image(engine: Podman) -> None:
    source = 'SEC("xdp") int evil(void *c) __asm__("$HOME\\\\`id`;#"); int evil(void *c) { return 2; }'
    image = _image(bytecode=compile_source(source))
    assert image.labels.programs == {"$HOME\\`id`;#": "xdp"}
    with _open(engine) as opened:
        opened.build(image, [REFERENCE])
    assert _inspect(engine, str(REFERENCE))["Labels"]["io.ebpf.programs"] == image.labels.to_dict()["io.ebpf.programs"]


def test_bpfimg_reads_what_the_engine_made(engine: Podman, tmp_path: Path) -> None:
    """By way of podman's own writer of image layouts, not of the archive that `build` checks."""
    from bpfimg.image import BytecodeImage
    from bpfimg.oci import Layout

    image = _image()
    with _open(engine) as opened:
        opened.build(image, [REFERENCE])
    engine.run(
        "push",
        "--signature-policy",
        str(engine.socket.parent / "policy.json"),
        str(REFERENCE),
        f"oci:{tmp_path}/out:v1",
    )
    place = Layout(f"{tmp_path}/out", REFERENCE.repository)
    found = BytecodeImage.fetch(place, place.resolve("v1"), image.platform)
    assert (found.bytecode, found.labels, found.file_name) == (image.bytecode, image.labels, image.file_name)
    assert found.check() == ()


def test_an_image_that_is_not_the_one_asked_for_is_refused(engine: Podman, monkeypatch: pytest.MonkeyPatch) -> None:
    other = _image(bytecode=example("xdp_pass"))
    monkeypatch.setattr(_engine, "_context", lambda _: _CONTEXT(other))
    with _open(engine) as opened, pytest.raises(ImageError, match="podman made an image with another object"):
        opened.build(_image(), [REFERENCE])
    monkeypatch.setattr(_engine, "_context", lambda _: _CONTEXT(_image(labels={"a": "1"})))
    with _open(engine) as opened, pytest.raises(ImageError, match="whose label 'a' is '1'"):
        opened.build(_image(labels={"a": "2"}), [REFERENCE])


_CONTEXT = _engine._context


def test_what_the_engine_says_of_a_failure_is_passed_on(engine: Podman, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_engine, "plain", lambda _: "FROM scratch\nCOPY nowhere.o /\n")
    with _open(engine) as opened, pytest.raises(Error, match=r"podman cannot build the image: .*nowhere.o"):
        opened.build(_image(), [REFERENCE])


def test_an_engine_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    for kind, name in (("podman", "CONTAINER_HOST"), ("docker", "DOCKER_HOST")):
        with pytest.raises(Error, match=f"{kind} does not answer: .*") as caught:
            _engine.Engine(kind, {name: f"unix://{tmp_path}/none.sock"})
        assert name in caught.value.hint


def _context(tmp_path: Path, inputs: list[tuple[str, BytecodeImage]], text: str) -> str:
    for path, image in inputs:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(image.bytecode)
    (tmp_path / "Containerfile").write_text(text)
    return str(tmp_path)


def test_a_containerfile_needs_no_arguments(engine: Podman, tmp_path: Path) -> None:
    inputs = [("a folder/x$y'z.o", _image(labels=HOSTILE))]
    context = _context(tmp_path, inputs, containerfile(inputs))
    engine.run("build", "-q", "--network=none", "--format=docker", "-t", "localhost/one:1", context)
    assert labels_of(inputs[0][1]).items() <= _inspect(engine, "localhost/one:1")["Labels"].items()


@pytest.mark.parametrize("arch", ["amd64", "arm64", "s390x", "ppc64"])
def test_each_platform_gets_its_own_object_and_labels(engine: Podman, tmp_path: Path, arch: str) -> None:
    inputs = [
        ("x86.o", _image("amd64")),
        ("arm.o", _image("arm64", example("tc_counter"))),
        ("s390.o", _image("s390x", example("xdp_pass", target="bpfeb"))),
        ("ppc.o", _image("ppc64", example("xdp_counter", target="bpfeb"))),
    ]
    context = _context(tmp_path, inputs, containerfile(inputs))
    engine.run("build", "-q", "--network=none", f"--platform=linux/{arch}", "-t", f"localhost/many:{arch}", context)
    (wanted,) = (image for _, image in inputs if image.platform.architecture == arch)
    seen = _inspect(engine, f"localhost/many:{arch}")
    assert seen["Architecture"] == arch
    assert labels_of(wanted).items() <= seen["Labels"].items()
    engine.run("save", "-q", "-o", str(tmp_path / "saved.tar"), f"localhost/many:{arch}")
    made = _engine._read_back((tmp_path / "saved.tar").read_bytes(), wanted, REFERENCE.repository, "podman")
    assert made.bytecode == wanted.bytecode


#: bpfman's own file for one object, as of its v0.6.0
BPFMAN = """\
FROM scratch
ARG PROGRAMS
ARG MAPS
ARG BYTECODE_FILE
COPY $BYTECODE_FILE /
LABEL "io.ebpf.programs"=$PROGRAMS
LABEL "io.ebpf.maps"=$MAPS
"""


def test_build_arguments_go_with_a_containerfile_of_bpfman(engine: Podman, tmp_path: Path) -> None:
    inputs = [("xdp_counter.bpf.o", _image())]
    context = _context(tmp_path, inputs, BPFMAN)
    words = [word for name, text in build_arguments(inputs).items() for word in ("--build-arg", f"{name}={text}")]
    engine.run("build", "-q", "--network=none", *words, "-t", "localhost/bpfman:1", context)
    labels = _inspect(engine, "localhost/bpfman:1")["Labels"]
    assert inputs[0][1].labels.to_dict().items() <= labels.items()
