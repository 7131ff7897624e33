"""Between "verified" and "loaded" others may change what they like: the bytes that were verified are loaded."""

from __future__ import annotations

import errno
import json
import os
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg import run
from bpfimg.errors import DigestMismatch, NotFound, VerificationError
from bpfimg.image import BytecodeImage, Labels
from bpfimg.oci import Descriptor, Index, Layout, Memory, Platform, Reference
from bpfimg.sign import History, Policy, PrivateKey, verify
from bpfimg.sign import image as sign_image
from tests.support import believed, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpfimg.load import Host
    from bpfimg.oci import Target

pytestmark = pytest.mark.kernel
NAME = Reference.parse("registry.example/team/app:v1")


def trusting(**fields: Any) -> Policy:
    key = believed.key().public
    document = {
        "version": 1,
        "default": "deny",
        "authorities": {"release": {"type": "key", "keyData": [key.pem]}},
        "rules": [{"scope": "registry.example", "requireAny": ["release"], **fields}],
    }
    return Policy.parse(json.dumps(document).encode(), "policy.json")


def push(place: Target, data: bytes, tag: str | None = None, key: PrivateKey | None = None, **more: Any) -> Descriptor:
    made = BytecodeImage(data, Labels({}, {}), Platform.host(), "object.o", **more)
    made = BytecodeImage(data, Labels.of(made.object), made.platform, made.file_name, **more)
    packed = made.pack()
    for descriptor, content in packed.blobs:
        place.push(descriptor, content)
    found = packed.manifest.descriptor
    place.push(found, packed.manifest.raw, tag=tag)
    if key is not None:
        sign_image(place, found, key)
    return found


@pytest.fixture
def store(tmp_path: Path) -> Layout:
    return Layout(str(tmp_path / "store"), NAME.repository, short_names=False)


def blobs(store: Layout, found: Descriptor) -> dict[str, Path]:
    """The files of an image: its manifest, config and layer."""
    manifest = json.loads(store.fetch(found))
    folder = Path(store.path) / "blobs" / "sha256"
    names = {
        "manifest": str(found.digest),
        "config": manifest["config"]["digest"],
        "layer": manifest["layers"][0]["digest"],
    }
    return {what: folder / digest.removeprefix("sha256:") for what, digest in names.items()}


def test_a_tag_that_moves_between_changes_nothing(host: Host, store: Layout) -> None:
    good, evil = loads.xdp("good"), loads.xdp("evil")
    found = push(store, good, "v1", believed.key())
    verified = verify(store, NAME, store.resolve("v1"), trusting())
    push(store, evil, "v1")
    assert store.resolve("v1") != found
    done = run.load(host, store, verified)
    assert [info.name for info in done.kernel] == [f"{loads.TAG}good"]
    assert done.load.record is not None
    assert done.load.record.image is not None
    assert done.load.record.image.digest == str(found.digest)


@pytest.mark.parametrize("what", ["manifest", "config", "layer"])
@pytest.mark.parametrize("how", ["another", "flipped", "gone"])
def test_content_that_changes_between_is_never_loaded(what: str, how: str, host: Host, store: Layout) -> None:
    """Another image's part of the same kind under the verified digest's name; one bit; nothing."""
    good, evil = push(store, loads.xdp("good"), "v1", believed.key()), push(store, loads.xdp("evil"), "v2")
    verified = verify(store, NAME, good, trusting())
    path = blobs(store, good)[what]
    if how == "another":
        path.write_bytes(blobs(store, evil)[what].read_bytes() if what != "config" else b'{"architecture":"amd64"}')
    elif how == "flipped":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    else:
        path.unlink()
    with loads.nothing_left(host), pytest.raises((DigestMismatch, NotFound)):
        run.load(host, store, verified)


def test_a_signature_that_goes_between_was_there(host: Host, store: Layout) -> None:
    """The decision was made with what was there; the next load makes its own."""
    found = push(store, loads.xdp("good"), "v1", believed.key())
    verified = verify(store, NAME, found, trusting())
    for referrer in store.referrers(found.digest):
        Path(store._blob(referrer.digest)).unlink()
    Path(store._blob(store.resolve(f"{found.digest.tag}.sig").digest)).unlink()
    run.load(host, store, verified)
    with pytest.raises(VerificationError):
        verify(store, NAME, found, trusting())


class Watched(Memory):
    """Counts what is read, and does something at the first look at some content."""

    def __init__(self) -> None:
        super().__init__(NAME.repository)
        self.read: Counter[str] = Counter()
        self.resolved: Counter[str] = Counter()
        self.when: dict[str, Callable[[], object]] = {}

    def fetch(self, descriptor: Descriptor, *, limit: int = 1 << 30) -> bytes:
        self.read[str(descriptor.digest)] += 1
        self.when.pop(str(descriptor.digest), lambda: None)()
        return super().fetch(descriptor, limit=limit)

    def resolve(self, selector: Any) -> Descriptor:
        self.resolved[str(selector)] += 1
        return super().resolve(selector)


def test_content_is_read_once_and_the_tag_never_again(host: Host) -> None:
    """There is no second read that could bring other bytes than the first."""
    place = Watched()
    found = push(place, loads.xdp("good"), "v1", believed.key())
    top = place.resolve("v1")
    place.read.clear()
    place.resolved.clear()
    run.load(host, place, verify(place, NAME, top, trusting()))
    manifest = json.loads(Memory.fetch(place, found))
    assert place.read[manifest["layers"][0]["digest"]] == 1
    assert place.read[manifest["config"]["digest"]] == 1
    assert place.read[str(found.digest)] == 1
    assert "v1" not in place.resolved


def test_the_tag_moves_while_the_image_is_read(host: Host) -> None:
    place = Watched()
    found = push(place, loads.xdp("good"), "v1", believed.key())
    layer = json.loads(place.fetch(found))["layers"][0]["digest"]
    evil = loads.xdp("evil")
    place.when[layer] = lambda: push(place, evil, "v1")
    done = run.load(host, place, verify(place, NAME, place.resolve("v1"), trusting()))
    assert [info.name for info in done.kernel] == [f"{loads.TAG}good"]


def indexed(place: Target, *children: tuple[str, Descriptor], tag: str = "v1") -> Descriptor:
    entries = [
        Descriptor(one.media_type, one.digest, one.size, platform=Platform("linux", architecture))
        for architecture, one in children
    ]
    index = Index.build(entries)
    place.push(index.descriptor, index.raw, tag=tag)
    return index.descriptor


def test_a_child_that_is_signed_for_itself_is_loaded_out_of_an_unsigned_index(host: Host) -> None:
    place = Memory(NAME.repository)
    mine = Platform.host()
    child = push(place, loads.xdp("good"), key=believed.key())
    other = push(place, loads.xdp("other"))
    top = indexed(place, (mine.architecture, child), ("s390x" if mine.architecture != "s390x" else "amd64", other))
    verified = verify(place, NAME, top, trusting(), platform=mine)
    assert verified.descriptor.digest == child.digest
    done = run.load(host, place, verified)
    assert [info.name for info in done.kernel] == [f"{loads.TAG}good"]
    assert done.load.record is not None
    assert done.load.record.image is not None
    assert done.load.record.image.digest == str(child.digest)
    with pytest.raises(VerificationError):
        verify(place, NAME, top, trusting())
    with pytest.raises(VerificationError):
        verify(place, NAME, top, trusting(), platform=Platform("linux", "riscv64"))


def test_an_index_whose_child_is_swapped_has_another_digest(host: Host, store: Layout) -> None:
    mine = Platform.host().architecture
    good, evil = push(store, loads.xdp("good")), push(store, loads.xdp("evil"))
    top = indexed(store, (mine, good))
    sign_image(store, top, believed.key())
    verified = verify(store, NAME, top, trusting())
    swapped = indexed(store, (mine, evil))
    with pytest.raises(VerificationError):
        verify(store, NAME, swapped, trusting(), platform=Platform.host())
    Path(store._blob(top.digest)).write_bytes(store.fetch(swapped))
    with loads.nothing_left(host), pytest.raises(DigestMismatch):
        run.load(host, store, verified)


# -- the history ------------------------------------------------------------------------------------------------------


def versioned(place: Target, version: str) -> Descriptor:
    annotations = {"org.opencontainers.image.version": version}
    return push(place, loads.xdp("good"), f"v{version}", believed.key(), annotations=annotations)


def test_a_newer_one_that_is_loaded_between_refuses_the_older(host: Host, tmp_path: Path) -> None:
    """Verified side by side, loaded one after the other: the lock decides, not who verified first."""
    place, history = Memory(NAME.repository), History(str(tmp_path / "history"))
    policy = trusting(rollback={"mode": "monotonic"})
    older, newer = (
        verify(place, NAME, versioned(place, version), policy, history=history) for version in ("1.0.0", "2.0.0")
    )
    run.load(host, place, newer)
    with loads.nothing_left(host), pytest.raises(VerificationError, match=r"is older than '2\.0\.0'"):
        run.load(host, place, older)
    with pytest.raises(VerificationError, match="is older than"):
        verify(place, NAME, older.descriptor, policy, history=history)
    highest = history.highest("registry.example/team/app")
    assert highest is not None
    assert highest.version == "2.0.0"


class Full(History):
    """A disk that fills up just when the program was loaded."""

    @contextmanager
    def accepting(self, repository: str, mark: Any) -> Iterator[Callable[[], None]]:
        def accept() -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        yield accept


def test_a_history_that_fails_after_the_load_is_a_warning(host: Host, tmp_path: Path) -> None:
    """The program runs by then: an error would tell a person to try again."""
    place, history = Memory(NAME.repository), Full(str(tmp_path / "history"))
    policy = trusting(rollback={"mode": "monotonic"})
    verified = verify(place, NAME, versioned(place, "1.0.0"), policy, history=history)
    said: list[str] = []
    assert run.load(host, place, verified, warn=said.append).kernel
    assert said == ["app is loaded, but the history could not note that: No space left on device"]


def test_without_a_history_a_rule_against_going_back_refuses(host: Host) -> None:
    place = Memory(NAME.repository)
    with pytest.raises(VerificationError, match="remembers"):
        verify(place, NAME, versioned(place, "1.0.0"), trusting(rollback={"mode": "monotonic"}))
