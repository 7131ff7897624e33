"""Layouts as `cosign save` writes them: one image, its signatures without names, bundles that no entry names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import NotFound
from bpfimg.oci import Descriptor, Layout, Manifest, Reference
from tests.support.targets import Image, image

if TYPE_CHECKING:
    from pathlib import Path

KIND = "dev.cosignproject.cosign/"
CONFIG = "application/vnd.oci.image.config.v1+json"
NAME = Reference.parse("registry.example/team/app:v1")


def saved(folder: Path, *named: tuple[Image, str], blobs: tuple[Image, ...] = ()) -> Layout:
    """Writes a layout with an entry of a kind for each of `named`, and the content of `blobs` besides."""
    layout = Layout(str(folder), NAME.repository)
    for each in [*(one for one, _ in named), *blobs]:
        each.push(layout)
    entries = []
    for each, kind in named:
        entries.append({**each.descriptor.to_dict(), "annotations": {"kind": f"{KIND}{kind}"}})
    document = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}
    (folder / "index.json").write_text(json.dumps(document, indent=3))
    return Layout(str(folder), NAME.repository)


def about(subject: Image | None, word: str = "signature") -> Image:
    data = word.encode()
    parts = ((Descriptor.of(b"{}", CONFIG), b"{}"), (Descriptor.of(data, "text/plain"), data))
    manifest = Manifest.build(config=parts[0][0], layers=[parts[1][0]], subject=subject.descriptor if subject else None)
    return Image(manifest, parts)


ONE, TWO = image("one"), image("two")


def test_signatures_and_attestations_have_cosigns_tags(tmp_path: Path) -> None:
    layout = saved(tmp_path, (ONE, "image"), (about(None, "sig"), "sigs"), (about(None, "att"), "atts"))
    tag = ONE.descriptor.digest.tag
    assert layout.resolve(f"{tag}.sig") == about(None, "sig").descriptor
    assert layout.resolve(f"{tag}.att") == about(None, "att").descriptor
    assert layout.resolve(ONE.descriptor.digest).digest == ONE.descriptor.digest


def test_the_layout_holds_one_image(tmp_path: Path) -> None:
    saved(tmp_path, (ONE, "image"), (about(None), "sigs"))
    place, selector = Layout.named(str(tmp_path))
    assert place.resolve(selector).digest == ONE.descriptor.digest


def test_bundles_that_no_entry_names_are_found(tmp_path: Path) -> None:
    mine, other = about(ONE), about(TWO, "other")
    layout = saved(tmp_path, (ONE, "image"), blobs=(mine, other, TWO))
    assert [one.digest for one in layout.referrers(ONE.descriptor.digest)] == [mine.descriptor.digest]
    assert [one.digest for one in layout.referrers(TWO.descriptor.digest)] == [other.descriptor.digest]


def test_a_blob_that_is_not_what_it_is_called_is_passed_over(tmp_path: Path) -> None:
    mine, changed = about(ONE), about(ONE, "changed")
    layout = saved(tmp_path, (ONE, "image"), blobs=(mine, changed))
    (tmp_path / "blobs/sha256" / changed.descriptor.digest.hex).write_bytes(mine.manifest.raw)
    (tmp_path / "blobs/sha256" / "no digest").write_bytes(mine.manifest.raw)
    assert [one.digest for one in layout.referrers(ONE.descriptor.digest)] == [mine.descriptor.digest]


def test_blobs_of_other_layouts_are_not_looked_through(tmp_path: Path) -> None:
    layout = saved(tmp_path, (ONE, "image"), blobs=(about(ONE),))
    document = json.loads((tmp_path / "index.json").read_text())
    document["manifests"][0]["annotations"] = {}
    (tmp_path / "index.json").write_text(json.dumps(document))
    assert Layout(layout.path, NAME.repository).referrers(ONE.descriptor.digest) == ()


def test_signatures_of_two_images_are_nobodys(tmp_path: Path) -> None:
    layout = saved(tmp_path, (ONE, "image"), (TWO, "image"), (about(None), "sigs"))
    for each in (ONE, TWO):
        with pytest.raises(NotFound):
            layout.resolve(f"{each.descriptor.digest.tag}.sig")
    with pytest.raises(NotFound):
        Layout.named(str(tmp_path))


@pytest.mark.parametrize("annotations", [None, [], {"kind": 7}, {"kind": [f"{KIND}sigs"]}])
def test_strange_entries_are_kept_as_they_are(tmp_path: Path, annotations: object) -> None:
    layout = saved(tmp_path, (ONE, "image"))
    document = json.loads((tmp_path / "index.json").read_text())
    document["manifests"] += [{"annotations": annotations}, "text", 7]
    (tmp_path / "index.json").write_text(json.dumps(document))
    assert list(Layout(layout.path, NAME.repository).entries())[1:] == document["manifests"][1:]
