"""The store and what a disk, a signal or another user does to it: writes are whole, and stay inside."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import StoreError
from bpfimg.oci import Layout, Repository
from tests.support.targets import image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPOSITORY = Repository("registry.test", "acme/xdp")
NAME = "org.opencontainers.image.ref.name"


@pytest.fixture
def layout(path: Path) -> Layout:
    return Layout(str(path), REPOSITORY)


def test_content_is_on_disk_before_its_name(layout: Layout, steps: list[str]) -> None:
    """The order of fsync and rename is all that a power cut leaves to rely on."""
    image("one").push(layout, "v1")
    steps.clear()
    image("two").push(layout, "v2")
    assert steps == [
        *("fsync in ingest", "rename to sha256") * 2,  # layer and manifest; the config is there from the first image
        "fsync directory sha256",
        "fsync in ingest",
        "rename to store",
        "fsync directory store",
    ]


def test_ctrl_c_right_behind_a_rename(layout: Layout, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image("one").push(layout, "v1")
    replace = os.replace

    def interrupted(*names: str, **folders: int) -> None:
        replace(*names, **folders)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            image("two").push(layout, "v2")
    assert os.listdir(path / "ingest") == []
    image("two").push(layout, "v2")


class TestFullDisk:
    """Every write that fails leaves the index as it was, and no scraps."""

    @pytest.fixture(params=["write", "fsync", "replace", "open"])
    def broken(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        name: str = request.param
        real = getattr(os, name)

        def refuse(*arguments: object, **more: object) -> object:
            writes = name != "open" or bool(arguments[1] & os.O_CREAT)  # type: ignore[operator]
            if writes and self.armed:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **more)

        monkeypatch.setattr(os, name, refuse)
        yield name
        self.__class__.armed = False

    armed = False

    def test_it_is_said_with_a_hint(self, layout: Layout, path: Path, broken: str) -> None:
        image("one").push(layout, "v1")
        image("two").push(layout)
        before = (path / "index.json").read_bytes()
        self.__class__.armed = True
        with pytest.raises(StoreError, match="No space left on device") as refused:
            image("three").push(layout, "v3")
        assert "free space" in refused.value.hint
        with pytest.raises(StoreError):
            layout.tag(image("two").descriptor, "v2")
        self.__class__.armed = False
        assert (path / "index.json").read_bytes() == before
        assert os.listdir(path / "ingest") == []
        image("three").push(layout, "v3")


def test_a_store_of_somebody_else(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "makedirs", refuse)  # root, who runs these tests too, may write everywhere
    with pytest.raises(StoreError, match="Permission denied") as refused:
        image().push(layout, "v1")
    assert "--store" in refused.value.hint


@pytest.mark.parametrize("name", ["ingest", "blobs", "blobs/sha256"])
def test_a_link_does_not_lead_writes_out_of_the_store(layout: Layout, path: Path, tmp_path: Path, name: str) -> None:
    """Whoever may write to a store could have root write, and sweep, where they may not."""
    image().push(layout, "v1")
    outside = tmp_path / "outside"
    (path / name).rename(outside)
    (path / name).symlink_to(outside)
    precious = [outside / "17-00aa00aa00aa", outside / "sha256" / "x"][name == "blobs"]
    precious.write_text("kept")
    os.utime(precious, (1, 1))
    before = sorted(outside.rglob("*"))
    with pytest.raises(StoreError, match="Not a directory") as refused:
        image("two").push(layout, "v2")
    assert "no links" in refused.value.hint
    assert sorted(outside.rglob("*")) == before
    assert layout.fetch(layout.resolve("v1")) == image().manifest.raw  # reading is no danger: every byte is hashed


def test_a_link_does_not_lead_new_folders_out_of_the_store(layout: Layout, path: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    path.mkdir()
    (path / "blobs").symlink_to(tmp_path / "outside")
    with pytest.raises(StoreError, match="Not a directory"):
        image().push(layout, "v1")
    assert list((tmp_path / "outside").iterdir()) == []


def test_the_store_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "real")
    layout = Layout(str(tmp_path / "store"), REPOSITORY)
    image().push(layout, "v1")
    assert layout.resolve("v1") == image().descriptor


def test_a_file_where_the_store_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file/store"):
        with pytest.raises(StoreError, match="cannot write the image layout"):
            image().push(Layout(str(path), REPOSITORY), "v1")


def test_what_is_put_back_does_not_replace_what_a_writer_placed(tmp_path: Path) -> None:
    from bpfimg.oci._store._files import put_back, set_aside

    store = tmp_path / "store"
    found = image().push(Layout(str(store), Repository("registry.test", "acme/xdp")), "v1")
    name = f"blobs/sha256/{found.digest.hex}"
    right = (store / name).read_bytes()
    draft = set_aside(str(store), name)
    put_back(str(store), draft, name)
    assert (store / name).read_bytes() == right
    (store / name).write_bytes(b"damaged")
    draft = set_aside(str(store), name)
    (store / name).write_bytes(right)  # a writer, in between
    put_back(str(store), draft, name)
    assert (store / name).read_bytes() == right
    assert list((store / "ingest").iterdir()) == []
