"""Another program's view: skopeo reads our images as the ordinary images that they are."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from bpfimg import build
from bpfimg._value import replace
from bpfimg.image import BytecodeImage
from bpfimg.oci import Layout, Manifest, Platform, Reference
from tests.support.objects import example
from tests.support.strangers import AMD64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

if shutil.which("skopeo") is None:
    pytest.skip("needs skopeo to read images as others do", allow_module_level=True)

REFERENCE = Reference.parse("registry.example/bytecode/xdp_counter:v1")


def skopeo(*words: str) -> str:
    done = subprocess.run(["skopeo", *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def images(*architectures: str) -> list[BytecodeImage]:
    data = example("xdp_counter", target="bpfel")
    return [
        build.image(data, file_name="xdp_counter.bpf.o", platform=Platform("linux", name)) for name in architectures
    ]


def inspect(*words: str) -> Any:
    return json.loads(skopeo("inspect", *words))


def test_inspect_shows_labels_layer_and_digest(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path / "store"), REFERENCE.repository)
    top = build.store(images("amd64"), layout, "v1")
    seen = inspect(f"oci:{tmp_path}/store:{REFERENCE}")
    assert seen["Digest"] == str(top.digest)
    assert seen["Labels"] == {**images("amd64")[0].labels.to_dict(), **images("amd64")[0].description.to_labels()}
    assert json.loads(seen["Labels"]["io.ebpf.programs"]) == images("amd64")[0].labels.programs
    assert (seen["Os"], seen["Architecture"], seen["Created"]) == ("linux", "amd64", "1970-01-01T00:00:00Z")
    assert seen["Layers"] == [str(images("amd64")[0].pack().manifest.layers[0].digest)]


def test_inspect_of_an_index_shows_the_child_that_was_asked_for(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path / "store"), REFERENCE.repository)
    build.store(images("arm64", "amd64"), layout, "v1")
    for name in ("amd64", "arm64"):
        seen = json.loads(skopeo("--override-arch", name, "inspect", f"oci:{tmp_path}/store:{REFERENCE}"))
        assert seen["Architecture"] == name
        assert {"io.ebpf.maps", "io.ebpf.programs", "dev.bpfimg.programs"} <= set(seen["Labels"])


@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_what_skopeo_copies_is_read_here(tmp_path: Path, form: str) -> None:
    """Also as Docker's schema 2, which registries of the older kind and engines make of it."""
    layout = Layout(str(tmp_path / "store"), REFERENCE.repository)
    top = build.store(images("amd64"), layout, "v1")
    skopeo("copy", "-q", "--format", form, f"oci:{tmp_path}/store:{REFERENCE}", f"dir:{tmp_path}/dir")
    raw = (tmp_path / "dir" / "manifest.json").read_bytes()
    assert (raw == layout.fetch(top)) == (form == "oci")
    skopeo("copy", "-q", f"dir:{tmp_path}/dir", f"oci:{tmp_path}/back:v1")
    back = Layout(str(tmp_path / "back"), REFERENCE.repository)
    (image,) = images("amd64")
    fetched = BytecodeImage.fetch(back, back.resolve("v1"), AMD64)
    assert (fetched.bytecode, fetched.labels, fetched.created) == (image.bytecode, image.labels, image.created)
    if form == "oci":
        assert back.resolve("v1").digest == top.digest


def test_an_index_of_artifacts_that_skopeo_copied_is_read_here(tmp_path: Path) -> None:
    """Whatever it makes of `artifactType` in the index: the manifests say what they are (BI-52)."""
    layout = Layout(str(tmp_path / "store"), REFERENCE.repository)
    made = [replace(image, variant="artifact") for image in images("amd64", "arm64")]
    build.store(made, layout, "v1")
    skopeo("copy", "-q", "--all", f"oci:{tmp_path}/store:{REFERENCE}", f"oci:{tmp_path}/back:v1")
    back = Layout(str(tmp_path / "back"), REFERENCE.repository)
    for image in made:
        found = BytecodeImage.fetch(back, back.resolve("v1"), image.platform)
        assert replace(found, descriptor=None) == image
        assert found.descriptor is not None
        assert found.descriptor.digest == image.pack().manifest.descriptor.digest


@pytest.mark.parametrize("level", ["1", "3", "20"])
def test_an_image_that_skopeo_packed_in_zstd_is_read_here(tmp_path: Path, level: str) -> None:
    pytest.importorskip("zstandard", reason="needs the package zstandard, or Python 3.14")
    layout = Layout(str(tmp_path / "store"), REFERENCE.repository)
    build.store(images("amd64"), layout, "v1")
    words = ("--dest-compress-format", "zstd", "--dest-compress-level", level)
    skopeo("copy", "-q", *words, f"oci:{tmp_path}/store:{REFERENCE}", f"oci:{tmp_path}/back:v1")
    back = Layout(str(tmp_path / "back"), REFERENCE.repository)
    manifest = Manifest.parse(back.fetch(back.resolve("v1")))
    assert manifest.layers[0].media_type == "application/vnd.oci.image.layer.v1.tar+zstd"
    (image,) = images("amd64")
    fetched = BytecodeImage.fetch(back, back.resolve("v1"), AMD64)
    assert (fetched.bytecode, fetched.labels, fetched.created) == (image.bytecode, image.labels, image.created)
