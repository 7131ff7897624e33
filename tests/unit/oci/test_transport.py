"""Locations: what may stand where an image is named, and what other tools' words are answered with."""

from __future__ import annotations

import pytest

from bpfimg.errors import UsageError
from bpfimg.oci import places

Location = places.Location


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("quay.io/a:v1", ("", "", "quay.io/a:v1")),
        ("localhost:5000/a", ("", "", "localhost:5000/a")),
        ("busybox", ("", "", "busybox")),
        ("docker:dind", ("", "", "docker:dind")),
        ("dir:v1", ("", "", "dir:v1")),
        ("registry:quay.io/a", ("registry", "", "quay.io/a")),
        ("store:a:v1", ("store", "", "a:v1")),
        ("docker-daemon:a:v1", ("docker-daemon", "", "a:v1")),
        ("oci:/tmp/x", ("oci", "/tmp/x", "")),
        ("oci:/tmp/x:v1", ("oci", "/tmp/x", "v1")),
        ("oci:x:quay.io:443/a:v1@sha256:ff", ("oci", "x", "quay.io:443/a:v1@sha256:ff")),
        ("oci-archive:x.tar:quay.io/a:v1", ("oci-archive", "x.tar", "quay.io/a:v1")),
        ("docker-archive:x.tar", ("docker-archive", "x.tar", "")),
    ],
)
def test_words_and_names(text: str, parts: tuple[str, str, str]) -> None:
    found = Location.parse(text)
    assert (found.transport, found.path, found.reference) == parts
    assert str(found) == text


@pytest.mark.parametrize(
    "text",
    ["oci:", "store:", "registry:", "docker-daemon:", "oci-archive:", "oci::v1", "oci:dir:", "docker-archive:x:"],
)
def test_half_a_location(text: str) -> None:
    with pytest.raises(UsageError, match="expected"):
        Location.parse(text)


@pytest.mark.parametrize(
    ("text", "here"),
    [
        ("docker://a/b", "registry:NAME"),
        ("docker-image://a/b", "registry:NAME"),
        ("https://registry.example/a", "NAME without https://"),
        ("http://registry.example/a", "NAME without http://"),
        ("ocidir://x", "oci:DIR"),
        ("ocidir:x", "oci:DIR"),
        ("oci-layout:x", "oci:DIR"),
        ("dir://x", "skopeo copy"),
        ("containers-storage:a/b", "podman save"),
        ("tarball://x", "docker-archive:FILE"),
        ("sif://x", "a name without a transport"),
    ],
)
def test_other_tools_words_are_answered_with_ours(text: str, here: str) -> None:
    with pytest.raises(UsageError, match=r"expected|is not one of") as caught:
        Location.parse(text)
    assert here in caught.value.hint
