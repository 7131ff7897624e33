"""Kernels in files and folders."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bpfimg import guest
from bpfimg.errors import NotSupported, UsageError
from bpfimg.guest import _kernel
from tests.unit.guest.images import vmlinuz

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="needs x86_64, as guests do")


def found(tmp_path: Path, *words: str) -> list[tuple[str, str]]:
    return [(each.name, each.release) for each in guest.find(words, str(tmp_path / "cache"))]


def put(path: Path, release: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(vmlinuz(release))
    return path


def test_a_folder_stands_for_all_kernels_in_it_each_once(tmp_path: Path) -> None:
    boot = tmp_path / "boot"
    put(boot / "vmlinuz-6.1.0-1-amd64", "6.1.0-1-amd64")
    put(boot / "vmlinuz-6.12.1", "6.12.1")
    (boot / "vmlinuz").symlink_to("vmlinuz-6.12.1")
    for name in ("vmlinuz-6.12.1.sig", "config-6.12.1", "initrd.img-6.12.1", "linux-image-amd64_1_amd64.deb"):
        (boot / name).write_text("x")
    assert found(tmp_path, str(boot)) == [
        ("vmlinuz-6.1.0-1-amd64", "6.1.0-1-amd64"),
        ("vmlinuz-6.12.1", "6.12.1"),
    ]
    assert found(tmp_path, f"{boot}/vmlinuz-6.12.1,{boot}") == [
        ("vmlinuz-6.12.1", "6.12.1"),
        ("vmlinuz-6.1.0-1-amd64", "6.1.0-1-amd64"),
    ]


def test_trees_of_unpacked_packages_have_names_that_tell_them_apart(tmp_path: Path) -> None:
    for tree, release in (("a", "7.2"), ("b", "7.2"), ("c", "6.12")):
        put(tmp_path / "k" / tree / "usr/lib/modules/x/vmlinuz", release)
        put(tmp_path / "k" / tree / "usr/lib/modules/x/kernel/vmlinuz", "not looked at")
    put(tmp_path / "k/d/boot/vmlinuz-6.9", "6.9")
    assert found(tmp_path, str(tmp_path / "k")) == [
        ("vmlinuz-6.9", "6.9"),
        ("6.12", "6.12"),
        ("a/usr/lib/modules/x/vmlinuz", "7.2"),
        ("b/usr/lib/modules/x/vmlinuz", "7.2"),
    ]


def test_what_a_kernel_was_configured_with_is_read_beside_it(tmp_path: Path) -> None:
    image = put(tmp_path / "vmlinuz-6.1", "6.1")
    assert _kernel.read(str(image)).config == b""
    (tmp_path / "config-6.1").write_bytes(b"CONFIG_HZ=250\n")
    assert _kernel.read(str(image)).config == b"CONFIG_HZ=250\n"


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (vmlinuz("6.1", magic=b"XXXX"), NotSupported, "no kernel that a PC boots"),
        (vmlinuz("6.1", flags=0), NotSupported, "no kernel that a PC boots"),
        (b"\x7fELF" + bytes(4096), NotSupported, "expected a vmlinuz"),
        (b"", NotSupported, "expected a vmlinuz"),
        (vmlinuz(""), UsageError, "does not say which kernel"),
        (vmlinuz("6.1\x1b[31m"), UsageError, "does not say which kernel"),
    ],
)
def test_what_is_no_kernel_of_this_architecture_is_said(
    tmp_path: Path, content: bytes, error: type[Exception], words: str
) -> None:
    (tmp_path / "vmlinuz").write_bytes(content)
    with pytest.raises(error, match=words):
        found(tmp_path, str(tmp_path / "vmlinuz"))


def test_a_kernel_of_arm_is_called_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "vmlinuz").write_bytes(bytes(56) + b"ARM\x64" + bytes(4096))
    with pytest.raises(NotSupported) as caught:
        found(tmp_path, str(tmp_path / "vmlinuz"))
    assert "other architectures" in caught.value.hint


def test_a_folder_without_one_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no kernel, expected files vmlinuz"):
        found(tmp_path, str(tmp_path))
