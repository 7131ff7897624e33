"""The pull policies: when the registry is asked, and what is believed to be there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import DigestMismatch, NotFound, RegistryError
from bpfimg.oci import Descriptor, Layout, Memory, Platform, Reference, places
from bpfimg.run import Apart
from bpfimg.run._fetch import PULL_POLICIES, fetch
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


# -- signatures that are kept apart ------------------------------------------------------------------------------------


ELSEWHERE = Reference.parse("registry.test/signatures/all:x").repository


class Signatures(Remote):
    """The repository that only has signatures."""

    def __init__(self) -> None:
        super().__init__()
        self.repository = ELSEWHERE


@pytest.fixture
def signatures() -> Signatures:
    made = Signatures()
    referrer(image().descriptor, "kept apart").push(made)
    legacy_signature("apart").push(made, image().descriptor.digest.tag + ".sig")
    return made


def apart(store: Layout, signatures: Signatures) -> Apart:
    return Apart(lambda: signatures, Layout(store.path, ELSEWHERE, short_names=False))


@pytest.mark.parametrize("pull", ["always", "missing", "newer"])
def test_signatures_kept_apart_come_with_the_image(
    pull: str, store: Layout, remote: Remote, signatures: Signatures
) -> None:
    kept = apart(store, signatures)
    get(store, remote, pull, apart=kept)
    digest = image().descriptor.digest
    assert [one.digest for one in kept.store.referrers(digest)] == [
        referrer(image().descriptor, "kept apart").descriptor.digest
    ]
    assert kept.store.resolve(digest.tag + ".sig") == legacy_signature("apart").descriptor
    # those beside the image are others
    assert [one.digest for one in store.referrers(digest)] == [referrer(image().descriptor).descriptor.digest]
    assert store.resolve(digest.tag + ".sig") == legacy_signature("one").descriptor


def test_signatures_kept_apart_need_no_network_once_they_are_here(
    store: Layout, remote: Remote, signatures: Signatures
) -> None:
    kept = apart(store, signatures)
    get(store, remote, "missing", apart=kept)
    remote.asked = signatures.asked = 0
    for pull in ("missing", "never"):
        get(store, remote, pull, apart=kept)
    assert (remote.asked, signatures.asked) == (0, 0)
    get(store, remote, "always", apart=kept)
    assert signatures.asked > 0


def test_a_policy_that_names_another_place_later_asks_there(
    filled: Layout, remote: Remote, signatures: Signatures
) -> None:
    kept = apart(filled, signatures)
    get(filled, remote, "missing", apart=kept)
    assert kept.store.referrers(image().descriptor.digest)
    assert remote.asked == 0


def test_a_place_that_cannot_be_asked_is_an_error(filled: Layout, remote: Remote, signatures: Signatures) -> None:
    signatures.down = True
    for pull in ("missing", "always"):
        with pytest.raises(RegistryError, match="cannot reach"):
            get(filled, remote, pull, apart=apart(filled, signatures))
    said: list[str] = []
    get(filled, remote, "newer", apart=apart(filled, signatures), warn=said.append)
    assert len(said) == 1
    assert "signatures in the local store" in said[0]
    get(filled, remote, "never", apart=apart(filled, signatures))


def test_what_is_damaged_there_is_fetched_again(filled: Layout, remote: Remote, signatures: Signatures) -> None:
    from pathlib import Path

    kept = apart(filled, signatures)
    get(filled, remote, "missing", apart=kept)
    layer = referrer(image().descriptor, "kept apart").blobs[1][0]
    path = Path(filled.path) / "blobs" / "sha256" / layer.digest.hex
    path.write_bytes(b"x" * layer.size)
    signatures.asked = 0
    get(filled, remote, "missing", apart=kept)
    assert signatures.asked > 0
    assert kept.store.fetch(layer) == b"kept apart"


def test_signatures_of_a_child_come_too(store: Layout, remote: Remote, signatures: Signatures) -> None:
    top = index(image("first"), image("second", "arm64"))
    for each in (image("first"), image("second", "arm64")):
        each.push(remote)
    remote.push(top.descriptor, top.raw, tag="v1")
    referrer(image("first").descriptor, "a child's").push(signatures)
    kept = apart(store, signatures)
    get(store, remote, "missing", apart=kept)
    assert kept.store.referrers(image("first").descriptor.digest)


def test_signatures_kept_apart_stay_as_long_as_their_image(
    filled: Layout, remote: Remote, signatures: Signatures
) -> None:
    kept = apart(filled, signatures)
    get(filled, remote, "missing", apart=kept)
    places.stores.prune(filled.path, older=0)
    signatures.asked = 0
    get(filled, remote, "missing", apart=kept)
    assert signatures.asked == 0
    filled.remove("v1")
    places.stores.prune(filled.path, older=0)
    assert kept.store.referrers(image().descriptor.digest) == ()
