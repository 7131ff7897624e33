"""What is read from an engine without believing it. A real one: tests/integration/build."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest

from bpfimg import build
from bpfimg.build import _engine
from bpfimg.errors import Error, ImageError, UsageError
from bpfimg.oci import Platform, Repository
from tests.support.objects import example

REPOSITORY = Repository.parse("registry.example/team/xdp_counter")
IMAGE = build.image(example("xdp_counter"), file_name="xdp.o", platform=Platform("linux", "amd64"))


def _archive(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def _saved(**changes: Any) -> bytes:
    """What `docker save` gives back for `IMAGE`, layer as in a registry: packed."""
    packed = IMAGE.pack()
    (config, layer) = (content for _, content in packed.blobs)
    manifest = [{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l/layer.tar"]}]
    files = {"manifest.json": json.dumps(manifest).encode(), "c.json": config, "l/layer.tar": layer}
    return _archive({**files, **changes})


def test_a_sound_archive_is_the_image() -> None:
    _engine._check(IMAGE, _saved(), REPOSITORY, "docker")


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (b"", "docker gives back what cannot be read"),
        (b"\0" * 4096, "docker gives back what cannot be read"),
        (_archive({"repositories": b"{}"}), "docker gives back what cannot be read"),
        (_archive({"manifest.json": b"[]"}), "docker gives back what cannot be read"),
        (_archive({"manifest.json": b"[1]"}), "docker gives back what cannot be read"),
        (_archive({"manifest.json": b"{"}), "docker gives back what cannot be read"),
        (_saved(**{"c.json": b"{}"}), "BI-"),
        (_saved(**{"l/layer.tar": b"x"}), "BI-"),
    ],
)
def test_archives_that_are_none(archive: bytes, said: str) -> None:
    with pytest.raises(ImageError) as caught:
        _engine._check(IMAGE, archive, REPOSITORY, "docker")
    assert said in str(caught.value) + " ".join(caught.value.rules)


def test_an_archive_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_engine, "_ARCHIVE_LIMIT", 100)
    assert _engine._bounded([b"x" * 50, b"y" * 50], "docker") == b"x" * 50 + b"y" * 50
    given = iter([b"x" * 60, b"y" * 60, b"never asked for"])
    with pytest.raises(ImageError, match="more than 100 bytes"):
        _engine._bounded(given, "docker")
    assert next(given) == b"never asked for"


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([{"stream": "Step 1/2"}, {"error": "no such\x1b[2J file"}], r"docker cannot build the image: 'no such\\x1b"),
        ([{"stream": "Successfully built 0123"}], "docker says no id of what it built"),
        ([{"aux": "sha256:0"}, {"aux": {"ID": 5}}], "docker says no id of what it built"),
    ],
)
def test_builds_that_fail(steps: list[dict[str, object]], said: str) -> None:
    with pytest.raises(Error, match=said):
        _engine._built(steps, "docker")


def test_a_builder_that_knows_one_platform_gets_a_hint() -> None:
    said = "image with reference sha256:0 was found but does not match the specified platform: wanted linux/arm64"
    with pytest.raises(Error) as caught:
        _engine._built([{"error": said}], "docker")
    assert "its own platform only" in caught.value.hint


def test_the_context_holds_two_files_of_nobody() -> None:
    with tarfile.open(fileobj=io.BytesIO(_engine._context(IMAGE))) as archive:
        assert [(m.name, m.uid, m.uname, m.mtime, m.mode) for m in archive] == [
            ("Containerfile", 0, "", 0, 0o644),
            ("xdp.o", 0, "", 0, 0o644),
        ]


def test_other_engines_are_unknown() -> None:
    with pytest.raises(UsageError, match="there is no engine 'lxc', expected docker or podman"):
        _engine.Engine("lxc", {})
