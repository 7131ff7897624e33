"""What is carried from place to place in tests of faults, and whether it arrived: the right bytes, all or nothing."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from bpfimg.oci import Descriptor, Manifest
from tests.support.faulty.messages import matches
from tests.support.targets import LAYER, Image, image, index, legacy_signature, referrer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.fake_registry import FakeRegistry

NAME = "acme/xdp"
TAG = "v1"
_REF = "org.opencontainers.image.ref.name"


@dataclass(slots=True)
class Goods:
    """An image with everything that belongs to it."""

    top: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    documents: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Media type and bytes of manifests and indexes."""
    tags: dict[str, str] = field(default_factory=dict)
    """Digests by tag, the image's own left out."""
    referrers: dict[str, str] = field(default_factory=dict)
    """The subject of each referrer."""

    def add(self, one: Image) -> str:
        """Takes an image or artifact along; returns its digest."""
        self.blobs |= {str(descriptor.digest): content for descriptor, content in one.blobs}
        digest = str(one.descriptor.digest)
        self.documents[digest] = one.descriptor.media_type, one.manifest.raw
        if one.manifest.subject:
            self.referrers[digest] = str(one.manifest.subject.digest)
        return digest

    @property
    def subjects(self) -> list[str]:
        """The digests of images, of which evidence may be asked."""
        return [digest for digest in self.documents if digest not in {*self.referrers, *self.tags.values()}]

    def put_into(self, fake: FakeRegistry, name: str = NAME, tag: str = TAG) -> None:
        """Has a registry hold it."""
        fake.blobs |= self.blobs
        fake.links |= {(name, digest) for digest in self.blobs}
        fake.manifests |= {(name, digest): document for digest, document in self.documents.items()}
        for word, digest in {**self.tags, tag: self.top}.items():
            fake.manifests[name, word] = self.documents[digest]


def plain(word: str = "new", architecture: str = "amd64") -> Goods:
    """One image of two blobs."""
    goods = Goods()
    goods.top = goods.add(image(word, architecture))
    return goods


def large() -> Goods:
    """One image with a layer that is streamed."""
    layer = sha256(b"large").digest() * (130 << 10)
    (config, content), _ = image("large").blobs
    blobs = ((config, content), (Descriptor.of(layer, LAYER), layer))
    goods = Goods()
    goods.top = goods.add(Image(Manifest.build(config=config, layers=[blobs[1][0]]), blobs))
    return goods


def signed(word: str = "new") -> Goods:
    """An index of two images, both kinds of signature at one of them."""
    goods = Goods()
    images = image(word, "amd64"), image(f"{word} too", "arm64")
    for one in images:
        goods.add(one)
    both = index(*images)
    goods.top = str(both.descriptor.digest)
    goods.documents[goods.top] = both.media_type, both.raw
    goods.add(referrer(both.descriptor))
    tag = images[0].descriptor.digest.tag + ".sig"
    goods.tags[tag] = goods.add(legacy_signature("cosign's"))
    return goods


def check_registry(fake: FakeRegistry, old: Goods, new: Goods, name: str = NAME) -> str:
    """Returns the digest that the tag names: the old or the new one, and of the new everything is there and right."""
    for digest, content in fake.blobs.items():
        assert matches(content, digest), f"wrong bytes in the registry under {digest}"
    for (_, key), (_, raw) in fake.manifests.items():
        assert ":" not in key or matches(raw, key), f"a wrong manifest in the registry under {key}"
    found = fake.manifests[name, TAG]
    if found == old.documents[old.top]:
        return old.top
    assert found == new.documents[new.top], "the tag names neither the old image nor the new one"
    assert {digest for digest in new.blobs if (name, digest) not in fake.links} == set(), "blobs are missing"
    assert {digest for digest in new.documents if (name, digest) not in fake.manifests} == set(), (
        "manifests are missing"
    )
    for tag, digest in new.tags.items():
        assert fake.manifests[name, tag] == new.documents[digest], f"{tag} is missing"
    if not fake.referrers_api:
        for digest, subject in new.referrers.items():
            assert digest in fake.manifests[name, subject.replace(":", "-")][1].decode()
    return new.top


def check_store(store: Path, host: str, old: Goods, new: Goods, name: str = NAME) -> str:
    """As `check_registry`, of an image layout on disk."""
    check_clean(store)
    entries = json.loads((store / "index.json").read_bytes())["manifests"]
    names = {entry.get("annotations", {}).get(_REF): entry["digest"] for entry in entries}
    found: str = names[f"{host}/{name}:{TAG}"]
    if found == old.top:
        return found
    assert found == new.top, "the tag names neither the old image nor the new one"
    there = {f"{path.parent.name}:{path.name}" for path in store.glob("blobs/*/*")}
    assert {*new.blobs, *new.documents} - there == set(), "content is missing"
    for tag, digest in new.tags.items():
        assert names[f"{host}/{name}:{tag}"] == digest, f"{tag} is missing"
    assert set(new.referrers) <= {entry["digest"] for entry in entries}
    return found


def check_clean(store: Path) -> None:
    """Fails unless a layout holds nothing but what it should, every blob under its own digest."""
    known = {"oci-layout", "index.json", "blobs", "ingest", ".lock"}
    assert set(os.listdir(store)) <= known, "something foreign lies in the store"
    assert os.listdir(store / "ingest") == [], "drafts are left"
    for path in store.glob("blobs/*/*"):
        assert matches(path.read_bytes(), f"{path.parent.name}:{path.name}"), f"wrong bytes in {path}"
