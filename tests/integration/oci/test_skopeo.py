"""skopeo reads what we write, and we read what it writes: the same digests on both sides."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import Index, Layout, Registry, Repository, copy
from tests.support.registry import Server, registry
from tests.support.targets import image, index, legacy_signature, referrer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPOSITORY = Repository("registry.test", "acme/xdp")
SKOPEO = shutil.which("skopeo")
pytestmark = pytest.mark.skipif(SKOPEO is None, reason="needs the program skopeo (Debian package skopeo)")


def skopeo(*words: str) -> bytes:
    done = subprocess.run([str(SKOPEO), *words], capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "registry"
    folder.mkdir()
    with registry(folder) as running:
        yield running


@pytest.fixture
def ours(tmp_path: Path) -> Layout:
    layout = Layout(str(tmp_path / "ours"), REPOSITORY)
    one = image().push(layout, "v1")
    referrer(one).push(layout)
    legacy_signature("x").push(layout, one.digest.tag + ".sig")
    return layout


def test_skopeo_inspects_our_layout(ours: Layout) -> None:
    reference = f"oci:{ours.path}:registry.test/acme/xdp:v1"
    assert json.loads(skopeo("inspect", reference))["Digest"] == str(image().descriptor.digest)
    assert skopeo("inspect", "--raw", reference) == image().manifest.raw


def test_skopeo_copies_from_our_layout(ours: Layout, server: Server) -> None:
    skopeo(
        "copy", "-q", "--dest-tls-verify=false", "--preserve-digests",
        f"oci:{ours.path}:registry.test/acme/xdp:v1", f"docker://{server.host}/acme/xdp:v1",
    )  # fmt: skip
    with Registry(Repository(server.host, "acme/xdp")) as place:
        assert place.resolve("v1") == image().descriptor


def test_we_read_skopeos_layout(ours: Layout, tmp_path: Path) -> None:
    theirs = str(tmp_path / "theirs")
    source = f"oci:{ours.path}:registry.test/acme/xdp:v1"
    for name in ("v1", "registry.test/acme/xdp:v2"):
        skopeo("copy", "-q", "--preserve-digests", source, f"oci:{theirs}:{name}")
    layout = Layout(theirs, REPOSITORY)
    for tag in ("v1", "v2"):
        assert layout.resolve(tag) == image().descriptor
        assert layout.fetch(layout.resolve(tag)) == image().manifest.raw
    assert [str(name) for name, _ in Layout.images(theirs)] == ["v1", "registry.test/acme/xdp:v2"]
    image("two").push(layout, "v3")
    skopeo("inspect", f"oci:{theirs}:v1")
    skopeo("inspect", f"oci:{theirs}:registry.test/acme/xdp:v3")


def test_skopeo_writes_into_our_layout(ours: Layout, tmp_path: Path) -> None:
    other = Layout(str(tmp_path / "other"), REPOSITORY)
    image("two").push(other, "v2")
    skopeo("copy", "-q", "--preserve-digests", f"oci:{other.path}:registry.test/acme/xdp:v2", f"oci:{ours.path}:v2")
    assert ours.resolve("v2") == image("two").descriptor
    assert ours.resolve("v1") == image().descriptor
    assert len(ours.referrers(image().descriptor.digest)) == 1


def test_an_index_round_trip(server: Server, tmp_path: Path) -> None:
    images = image("one", "amd64"), image("two", "arm64")
    ours = Layout(str(tmp_path / "index"), Repository(server.host, "acme/multi"))
    for one in images:
        one.push(ours)
    both = index(*images)
    ours.push(both.descriptor, both.raw, tag="v1")
    with Registry(ours.repository) as place:
        copy(ours, "v1", place, "v1")
    theirs = str(tmp_path / "theirs")
    skopeo(
        "copy", "-q", "--all", "--preserve-digests", "--src-tls-verify=false",
        f"docker://{server.host}/acme/multi:v1", f"oci:{theirs}:v1",
    )  # fmt: skip
    layout = Layout(theirs, ours.repository)
    found = layout.resolve("v1")
    assert found == both.descriptor
    assert Index.parse(layout.fetch(found)) == both
    assert layout.resolve(images[1].descriptor.digest) == images[1].descriptor
