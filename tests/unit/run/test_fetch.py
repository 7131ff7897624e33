"""The pull policies: when the registry is asked, and what is believed to be there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import DigestMismatch, NotFound, RegistryError
from bpfimg.oci import Descriptor, Layout, Memory, Platform, Reference
from bpfimg.run import PULL_POLICIES, fetch
from tests.support.targets import image, index, legacy_signature, referrer

if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.oci import Digest

NAME = Reference.parse("registry.test/acme/xdp:v1")
HOST = Platform("linux", "amd64")


class Remote(Memory):
    """A registry that counts what it is asked for, and may be down."""

    def __init__(self) -> None:
        super().__init__(NAME.repository)
        self.blobs: list[str] = []
        self.asked = 0
        self.down = False

    def _answer(self) -> None:
        self.asked += 1
        if self.down:
            raise RegistryError("cannot reach registry.test")

    def resolve(self, selector: str | Digest) -> Descriptor:
        self._answer()
        return super().resolve(selector)

    def fetch(self, descriptor: Descriptor, *, limit: int = 1 << 26) -> bytes:
        self._answer()
        if not descriptor.is_document:
            self.blobs.append(str(descriptor.digest))
        return super().fetch(descriptor, limit=limit)

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        self._answer()
        return super().referrers(digest)


@pytest.fixture
def remote() -> Remote:
    made = Remote()
    image().push(made, "v1")
    referrer(image().descriptor).push(made)
    legacy_signature("one").push(made, image().descriptor.digest.tag + ".sig")
    return made


@pytest.fixture
def store(tmp_path: Path) -> Layout:
    return Layout(str(tmp_path / "store"), NAME.repository, short_names=False)


@pytest.fixture
def filled(remote: Remote, store: Layout) -> Layout:
    fetch(store, lambda: remote, NAME)
    remote.asked = 0
    remote.blobs.clear()
    return store


def get(store: Layout, remote: Remote, pull: str, name: Reference = NAME, **more: object) -> Descriptor:
    return fetch(store, lambda: remote, name, pull=pull, platforms=(HOST,), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("pull", [word for word in PULL_POLICIES if word != "never"])
def test_what_is_not_there_is_fetched(pull: str, store: Layout, remote: Remote) -> None:
    assert get(store, remote, pull) == image().descriptor == store.resolve("v1")
    assert len(store.referrers(image().descriptor.digest)) == 1
    assert store.resolve(image().descriptor.digest.tag + ".sig")


def test_never_means_never(store: Layout, remote: Remote) -> None:
    with pytest.raises(NotFound, match="expected it there with --pull never"):
        get(store, remote, "never")
    assert remote.asked == 0


@pytest.mark.parametrize("pull", ["missing", "never"])
def test_what_is_there_needs_no_network(pull: str, filled: Layout, remote: Remote) -> None:
    image("newer").push(remote, "v1")
    assert get(filled, remote, pull) == image().descriptor
    assert remote.asked == 0


@pytest.mark.parametrize("pull", ["always", "newer"])
def test_unchanged_moves_no_blob(pull: str, filled: Layout, remote: Remote) -> None:
    assert get(filled, remote, pull) == image().descriptor
    assert remote.asked > 0
    assert remote.blobs == []


@pytest.mark.parametrize("pull", ["always", "newer"])
def test_a_tag_that_moved_is_followed(pull: str, filled: Layout, remote: Remote) -> None:
    image("newer").push(remote, "v1")
    assert get(filled, remote, pull) == image("newer").descriptor == filled.resolve("v1")
    # the config is the same, so only the layer moved; it was looked at for the platform that was asked for
    config, layer = (str(descriptor.digest) for descriptor, _ in image("newer").blobs)
    assert remote.blobs == [config, layer]


@pytest.mark.parametrize("pull", ["always", "newer"])
def test_new_signatures_are_found(pull: str, filled: Layout, remote: Remote) -> None:
    referrer(image().descriptor, "a second one").push(remote)
    get(filled, remote, pull)
    assert len(filled.referrers(image().descriptor.digest)) == 2


@pytest.mark.parametrize("pull", ["always", "newer"])
def test_by_digest_only_signatures_are_asked_for(pull: str, filled: Layout, remote: Remote) -> None:
    fixed = NAME.with_digest(image().descriptor.digest)
    image("newer").push(remote, "v1")
    referrer(image().descriptor, "a second one").push(remote)
    assert get(filled, remote, pull, fixed) == image().descriptor == filled.resolve("v1")
    assert len(filled.referrers(image().descriptor.digest)) == 2


def test_a_digest_that_is_there_needs_no_network(filled: Layout, remote: Remote) -> None:
    remote.down = True
    fixed = Reference(NAME.repository, None, image().descriptor.digest)
    for pull in ("missing", "never"):
        assert get(filled, remote, pull, fixed) == image().descriptor
    assert remote.asked == 0


def test_a_registry_that_is_down(filled: Layout, remote: Remote) -> None:
    remote.down = True
    said: list[str] = []
    assert get(filled, remote, "newer", warn=said.append) == image().descriptor
    assert len(said) == 1
    assert "cannot reach registry.test" in said[0]
    assert str(image().descriptor.digest) in said[0]
    with pytest.raises(RegistryError, match="cannot reach"):
        get(filled, remote, "always")


def test_down_and_nothing_there(store: Layout, remote: Remote) -> None:
    remote.down = True
    for pull in ("always", "missing", "newer"):
        with pytest.raises(RegistryError, match="cannot reach"):
            get(store, remote, pull)


@pytest.mark.parametrize("pull", ["always", "newer"])
def test_gone_from_the_registry_is_an_answer(pull: str, filled: Layout) -> None:
    with pytest.raises(NotFound):
        get(filled, Remote(), pull)


PARTS = ["manifest", "config", "layer", "bundle", "bundle layer", "signature", "signature layer"]


def file_of(store: Layout, part: str) -> Path:
    from pathlib import Path

    bundle, tagged = referrer(image().descriptor), legacy_signature("one")
    digest = {
        "manifest": image().descriptor,
        "config": image().blobs[0][0],
        "layer": image().blobs[1][0],
        "bundle": bundle.descriptor,
        "bundle layer": bundle.blobs[1][0],
        "signature": tagged.descriptor,
        "signature layer": tagged.blobs[1][0],
    }[part].digest
    return Path(store.path) / "blobs/sha256" / digest.hex


@pytest.mark.parametrize("harm", ["gone", "altered"])
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("pull", PULL_POLICIES)
def test_what_is_harmed_heals(pull: str, part: str, harm: str, filled: Layout, remote: Remote) -> None:
    file = file_of(filled, part)
    whole = file.read_bytes()
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes(whole[:-1] + b"?")
    if pull == "never":
        if part in PARTS[:3]:
            with pytest.raises(NotFound, match="not whole"):
                get(filled, remote, pull)
        else:  # another signature may be enough: whoever verifies says so
            assert get(filled, remote, pull) == image().descriptor
        assert remote.asked == 0
        return
    assert get(filled, remote, pull) == image().descriptor
    assert file.read_bytes() == whole
    remote.asked = 0
    get(filled, remote, "missing")
    assert remote.asked == 0


def test_a_registry_that_harms_is_no_newer(filled: Layout, remote: Remote) -> None:
    image("newer").push(remote, "v1")
    layer = image("newer").blobs[1][0]
    remote._content[layer.digest] = b"?" * layer.size
    for pull in ("always", "newer"):
        with pytest.raises(DigestMismatch):
            get(filled, remote, pull)
    assert filled.resolve("v1") == image().descriptor


class TestPlatforms:
    @pytest.fixture
    def remote(self) -> Remote:
        made = Remote()
        images = image("one", "amd64"), image("two", "arm64")
        for each in images:
            each.push(made)
        both = index(*images)
        made.push(both.descriptor, both.raw, tag="v1")
        return made

    def test_those_that_are_asked_for(self, store: Layout, remote: Remote) -> None:
        get(store, remote, "missing")
        assert store.exists(image("one", "amd64").blobs[1][0])
        assert not store.exists(image("two", "arm64").blobs[1][0])
        assert get(store, remote, "never")
        with pytest.raises(NotFound):
            fetch(store, lambda: remote, NAME, pull="never", platforms=())
        fetch(store, lambda: remote, NAME, platforms=())
        assert store.exists(image("two", "arm64").blobs[1][0])
        assert fetch(store, lambda: remote, NAME, pull="never", platforms=())

    def test_one_that_there_is_not(self, store: Layout, remote: Remote) -> None:
        strange = (Platform("linux", "s390x"),)
        with pytest.raises(NotFound, match="only for 'linux/amd64, linux/arm64'"):
            fetch(store, lambda: remote, NAME, platforms=strange)
        fetch(store, lambda: remote, NAME, platforms=strange, lenient=True)
        assert store.exists(image("two", "arm64").blobs[1][0])
