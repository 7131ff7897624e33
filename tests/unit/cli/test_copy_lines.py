"""Lists of images to copy: every line is understood, or named, before anything moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.cli._copy_lines import Job, jobs, read_list
from bpfimg.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "sha256:" + "a" * 64


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No registries.conf of whoever runs the tests."""
    empty = tmp_path / "registries.conf"
    empty.write_text("")
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(empty))
    monkeypatch.setenv("HOME", str(tmp_path))


def test_two_words_a_line() -> None:
    text = """\
# everything for the ward
registry.test/a:v1   mirror.test/a:v1

oci:usb:registry.test/b:v1 store:registry.test/b:v1  # from the stick
"""
    assert jobs(text, None) == [
        Job(2, "registry.test/a:v1", "mirror.test/a:v1"),
        Job(4, "oci:usb:registry.test/b:v1", "store:registry.test/b:v1"),
    ]


@pytest.mark.parametrize(
    ("source", "everywhere", "there"),
    [
        ("registry.test/t/a:v1", "oci:usb", "oci:usb:registry.test/t/a:v1"),
        ("registry.test/t/a", "oci:usb", "oci:usb:registry.test/t/a:latest"),
        (f"registry.test/t/a@{DIGEST}", "oci:usb", f"oci:usb:registry.test/t/a@{DIGEST}"),
        (f"registry.test/t/a:v1@{DIGEST}", "oci:usb", "oci:usb:registry.test/t/a:v1"),
        ("busybox", "oci-archive:all.tar", "oci-archive:all.tar:docker.io/library/busybox:latest"),
        ("registry:registry.test/a:v1", "docker-archive:a.tar", "docker-archive:a.tar:registry.test/a:v1"),
        ("store:registry.test/a:v1", "store:", "store:registry.test/a:v1"),
        ("oci:usb:registry.test/a:v1", "store:", "store:registry.test/a:v1"),
        ("registry.test/a:v1", "docker-daemon:", "docker-daemon:registry.test/a:v1"),
        ("registry.test/t/a:v1", "registry:mirror.test/ebpf", "mirror.test/ebpf/t/a:v1"),
        ("registry.test/t/a:v1", "mirror.test:5000", "mirror.test:5000/t/a:v1"),
        ("registry.test/t/a:v1", "mirror.test/ebpf/", "mirror.test/ebpf/t/a:v1"),
        (f"registry.test/t/a@{DIGEST}", "mirror.test", f"mirror.test/t/a@{DIGEST}"),
        ("busybox:1", "registry:mirror.test/hub", "mirror.test/hub/library/busybox:1"),
    ],
)
def test_one_place_for_all(source: str, everywhere: str, there: str) -> None:
    assert jobs(f"{source}\n", everywhere) == [Job(1, source, there)]


def test_a_path_alone_takes_the_name_of_its_source() -> None:
    (job,) = jobs("registry.test/a:v1 oci:usb", None)
    assert job.destination == "oci:usb:registry.test/a:v1"


@pytest.mark.parametrize(
    ("line", "everywhere", "said"),
    [
        ("registry.test/a:v1", None, "1 word, expected SRC DST"),
        ("a b c", None, "3 words"),
        ("registry.test/a:v1 x:v1", "oci:usb", "expected SRC alone"),
        ("REGISTRY.test/a:v1 x:v1", None, "lower case|not an image"),
        ("docker://a/b x:v1", None, "transport 'docker'"),
        ("x:v1 containers-storage:b", None, "transport 'containers-storage'"),
        ("oci:usb", "store:", "does not say the image's name"),
        ("oci:usb:v1", "store:", "does not say the image's name"),
        (f"oci:usb:@{DIGEST}", "store:", "does not say the image's name"),
        ("registry.test/a:v1 registry.test/b:v1@sha256:xyz", None, "not an image reference"),
    ],
)
def test_a_line_that_cannot_be_meant_is_named(line: str, everywhere: str | None, said: str) -> None:
    good = "registry.test/z:v1" if everywhere else "registry.test/z:v1 mirror.test/z:v1"
    with pytest.raises(UsageError, match=f"^line 3 of the list: .*({said})"):
        jobs(f"{good}\n\n{line}\n", everywhere)


@pytest.mark.parametrize(
    "everywhere",
    ["oci:usb:v1", "store:a/b:v1", "docker-daemon:x", "mirror.test/a:v1", "registry:mirror.test/A", "oci:"],
)
def test_a_place_for_all_is_no_name_for_one(everywhere: str) -> None:
    with pytest.raises(UsageError):
        jobs("registry.test/a:v1\n", everywhere)


def test_the_same_line_twice_is_one_image() -> None:
    assert len(jobs("registry.test/a:v1\nregistry.test/a:v1\n", "oci:usb")) == 1


def test_two_images_for_one_name() -> None:
    with pytest.raises(UsageError, match=r"line 2 of the list: it goes to 'mirror.test/a:v1', as line 1 does"):
        jobs("registry.test/a:v1\nother.test/a:v1\n", "mirror.test")


def test_short_names_that_could_be_several(tmp_path: Path) -> None:
    (tmp_path / "registries.conf").write_text('unqualified-search-registries = ["one.test", "two.test"]\n')
    with pytest.raises(UsageError, match=r"line 1 .*one.test/a/b:latest, two.test/a/b:latest"):
        jobs("a/b\n", "oci:usb")


def test_the_key_says_which_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(1, "registry.test/a:v1", "oci:usb:registry.test/a:v1")
    monkeypatch.chdir(tmp_path)
    assert job.key == ("registry.test/a:v1", f"oci:{tmp_path}/usb:registry.test/a:v1")
    assert Job(7, job.source, "mirror.test/a:v1").key == (job.source, "mirror.test/a:v1")


def test_lists_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_list(str(tmp_path / "none"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="no UTF-8 text"):
        read_list(str(tmp_path / "binary"))
    with (tmp_path / "large").open("wb") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(UsageError, match="more than"):
        read_list(str(tmp_path / "large"))
