"""Many images written together: seen at once by each other, by the rest of the world when they are on disk."""

from __future__ import annotations

import errno
import json
import os
import threading
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import LockTimeout, NotFound, StoreError
from bpfimg.oci import Layout, Memory, Repository, copy, places
from tests.support.targets import Image, TargetContract, image, legacy_signature, referrer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bpfimg.oci import Target

REPOSITORY = Repository("registry.test", "acme/xdp")


@pytest.fixture
def batch(path: Path) -> Iterator[places.stores.Batch]:
    with places.stores.Batch(str(path)) as opened:
        yield opened


def within(batch: places.stores.Batch, repository: Repository = REPOSITORY) -> Layout:
    return Layout(batch.path, repository, short_names=False, batch=batch)


def outside(path: Path, repository: Repository = REPOSITORY) -> Layout:
    return Layout(str(path), repository, short_names=False, lock_timeout=0.0)


class TestInABatch(TargetContract):
    """All that a target promises holds for a layout in a batch, seen from another one of the batch."""

    @pytest.fixture
    def target(self, batch: places.stores.Batch) -> Target:
        return within(batch)

    @pytest.fixture
    def reopened(self, batch: places.stores.Batch) -> Target:
        return within(batch)


def test_it_is_there_for_others_after_a_flush(path: Path, batch: places.stores.Batch) -> None:
    one = image("one").push(within(batch), "v1")
    with pytest.raises(NotFound):
        outside(path).resolve("v1")
    assert not outside(path).exists(one), "content without a name waits, too"
    batch.flush()
    assert outside(path).resolve("v1") == one
    assert outside(path).fetch(one) == image("one").manifest.raw
    assert os.listdir(path / "ingest") == []


def test_the_end_flushes_after_an_error_as_well(path: Path) -> None:
    def fail(batch: places.stores.Batch) -> None:
        with batch:
            image("one").push(within(batch), "v1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail(places.stores.Batch(str(path)))
    assert outside(path).resolve("v1") == image("one").descriptor


def test_nothing_written_is_nothing_made(path: Path) -> None:
    with places.stores.Batch(str(path)) as batch:
        batch.flush()
    assert not path.exists()


def test_many_names_are_one_rename(batch: places.stores.Batch, steps: list[str]) -> None:
    """And all content is on disk before it gets its place, its folder before it gets its name."""
    image("first").push(within(batch), "v0")
    batch.flush()
    steps.clear()
    for number in range(10):
        one = image(f"x{number}").push(within(batch), f"v{number}")
        referrer(one).push(within(batch))
    assert steps == [], "nothing is waited for until then"
    batch.flush()
    blobs = 10 * 3 + 2  # layer, manifest, referrer; the referrers' blobs are shared
    assert steps == [
        *["fsync in ingest"] * blobs,
        *["rename to sha256"] * blobs,
        "fsync directory sha256",
        "fsync in ingest",
        "rename to store",
        "fsync directory store",
    ]


def test_it_writes_by_itself_before_it_grows(path: Path, batch: places.stores.Batch) -> None:
    for number in range(100):
        image(f"x{number}").push(within(batch), f"v{number}")
    assert len(list(Layout.images(str(path)))) >= 64


def test_large_content_does_not_wait(path: Path, batch: places.stores.Batch) -> None:
    from bpfimg.oci import Descriptor

    content = bytes(3 << 20)
    layer = Descriptor.of(content, "application/x")
    within(batch).push_stream(layer, lambda: iter([content]))
    assert outside(path).exists(layer)


def test_eight_threads_lose_nothing(path: Path) -> None:
    """Each with repositories of its own, legacy signatures merged under the lock, one tag fought for by all."""
    source = Memory(REPOSITORY)
    images: dict[str, Image] = {}
    for number in range(40):
        images[f"v{number}"] = one = image(f"x{number}")
        one.push(source, f"v{number}")
        referrer(one.descriptor, f"x{number}").push(source)
        legacy_signature(f"x{number}").push(source, one.descriptor.digest.tag + ".sig")
    failed: list[BaseException] = []

    def work(batch: places.stores.Batch, thread: int) -> None:
        try:
            for number in range(thread, 40, 8):
                for target in (within(batch), within(batch, Repository("registry.test", f"thread{thread}"))):
                    copy(source, f"v{number}", target, f"v{number}")
                    copy(source, f"v{number}", target, "latest")
        except BaseException as error:  # noqa: BLE001  # it is looked at below
            failed.append(error)

    with places.stores.Batch(str(path)) as batch:
        threads = [threading.Thread(target=work, args=(batch, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []
    assert len(list(Layout.images(str(path)))) == 40 + 1 + 40 + 8
    for tag, one in images.items():
        assert outside(path).resolve(tag) == one.descriptor
        assert len(outside(path).referrers(one.descriptor.digest)) == 1
        assert outside(path).resolve(one.descriptor.digest.tag + ".sig")
    assert places.stores.fsck(str(path)).problems == ()


def test_what_is_named_inside_the_lock_is_there_at_its_end(path: Path, batch: places.stores.Batch) -> None:
    inside = within(batch)
    with inside.lock():
        with pytest.raises(LockTimeout):
            image("theirs").push(outside(path), "v2")
        one = image("one").push(inside, "v1")
        with pytest.raises(NotFound):
            outside(path).resolve("v1")
    assert outside(path).resolve("v1") == one
    image("theirs").push(outside(path), "v2")
    assert inside.resolve("v2") == image("theirs").descriptor


def test_names_of_others_stay(path: Path, batch: places.stores.Batch) -> None:
    mine = image("mine").push(within(batch), "v1")
    theirs = image("theirs").push(outside(path), "v2")
    batch.flush()
    assert {str(name).rpartition(":")[2]: found for name, found in Layout.images(str(path))} == {
        "v1": mine,
        "v2": theirs,
    }


def test_a_full_disk_is_said_to_all(path: Path, batch: places.stores.Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    image("one").push(within(batch), "v1")
    batch.flush()
    before = (path / "index.json").read_bytes()
    broken = places.stores.Batch(str(path))
    image("two").push(within(broken), "v2")

    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(StoreError, match="No space left") as refused:
            broken.flush()
    assert "free space" in refused.value.hint
    assert (path / "index.json").read_bytes() == before
    assert os.listdir(path / "ingest") == []
    for again in (broken.flush, lambda: image("three").push(within(broken), "v3"), lambda: broken.__exit__(None)):
        with pytest.raises(StoreError, match="No space left"):
            again()
    assert os.listdir(path / "ingest") == []
    assert outside(path).resolve("v1") == image("one").descriptor


def test_content_that_was_pruned_meanwhile_gets_no_name(path: Path) -> None:
    batch = places.stores.Batch(str(path))
    image("one").push(within(batch), "v1")
    batch.flush()
    within(batch).tag(image("one").descriptor, "v2")
    image("two").push(within(batch), "v3")
    (path / "blobs/sha256" / image("one").blobs[1][0].digest.hex).unlink()
    with pytest.raises(NotFound, match="that the manifest names"):
        batch.flush()
    names = [each["annotations"]["org.opencontainers.image.ref.name"] for each in _manifests(path)]
    assert names == ["registry.test/acme/xdp:v1", "registry.test/acme/xdp:v3"]


def _manifests(path: Path) -> list[dict[str, dict[str, str]]]:
    found: list[dict[str, dict[str, str]]] = json.loads((path / "index.json").read_text())["manifests"]
    return found
