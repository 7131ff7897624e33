"""Kernels in Debian packages, as dpkg-deb makes them, and what is no such thing."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import UsageError
from bpfimg.guest import _deb
from tests.unit.guest.images import vmlinuz

if TYPE_CHECKING:
    from pathlib import Path

NAME = "linux-image-6.1.0-test-amd64"
IMAGE = vmlinuz("6.1.0-test-amd64")


def read(path: Path) -> tuple[bytes, bytes, str]:
    with path.open("rb") as file:
        return _deb.kernel(file, str(path))


@pytest.mark.parametrize("packed", ["xz", "gzip", "none", "zstd"])
@pytest.mark.parametrize("place", ["boot/vmlinuz-6.1.0-test-amd64", "usr/lib/modules/6.1.0-test-amd64/vmlinuz"])
def test_a_kernel_is_read_out_of_a_package(tmp_path: Path, packed: str, place: str) -> None:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg-deb")
    tree = tmp_path / "tree"
    (tree / place).parent.mkdir(parents=True)
    (tree / place).write_bytes(IMAGE)
    (tree / "boot").mkdir(exist_ok=True)
    (tree / "boot/config-6.1.0-test-amd64").write_bytes(b"CONFIG_BPF=y\n")
    (tree / "usr/share").mkdir(parents=True, exist_ok=True)
    (tree / "usr/share/noise").write_bytes(os.urandom(3 << 20))
    (tree / "boot/alink").symlink_to("vmlinuz")
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(
        f"Package: {NAME}\nVersion: 1:6.1~x-1\nArchitecture: amd64\nMaintainer: a <a@b>\nDescription: x\n"
    )
    deb = tmp_path / "k.deb"
    subprocess.run(["dpkg-deb", f"-Z{packed}", "--root-owner-group", "-b", tree, deb], check=True, capture_output=True)
    assert read(deb) == (IMAGE, b"CONFIG_BPF=y\n", f"{NAME} 1:6.1~x-1")


def member(name: str, content: bytes) -> bytes:
    return (
        f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content + b"\n" * (len(content) % 2)
    )


def tar(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


WHOLE = (
    _deb.MAGIC + member("debian-binary", b"2.0\n") + member("data.tar.xz", lzma.compress(tar("boot/vmlinuz-x", IMAGE)))
)


def test_a_package_without_control_has_no_title(tmp_path: Path) -> None:
    deb = tmp_path / "k.deb"
    deb.write_bytes(WHOLE)
    assert read(deb) == (IMAGE, b"", "")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_deb.MAGIC, "holds no kernel"),
        (_deb.MAGIC + b"x" * 60, "no member of an ar archive begins at byte 8"),
        (_deb.MAGIC + member("data.tar.xz", b"not xz"), "cannot be read"),
        (_deb.MAGIC + member("data.tar.lzma", b"x"), "it is packed as '.lzma'"),
        (_deb.MAGIC + member("data.tar", tar("etc/passwd", b"x")), "holds no kernel"),
        (_deb.MAGIC + member("data.tar.gz", b"\x1f\x8b\x08"), "holds no kernel|cannot be read"),
        (WHOLE[: len(WHOLE) // 2], "cannot be read"),
    ],
)
def test_what_is_no_package_with_a_kernel_is_said(tmp_path: Path, content: bytes, words: str) -> None:
    deb = tmp_path / "k.deb"
    deb.write_bytes(content)
    with pytest.raises(UsageError, match=words):
        read(deb)


def test_a_file_that_says_more_than_there_is_is_cut(tmp_path: Path) -> None:
    deb = tmp_path / "k.deb"
    deb.write_bytes(_deb.MAGIC + member("data.tar", tar("boot/vmlinuz-x", IMAGE)[: 512 + len(IMAGE) // 2]))
    with pytest.raises(UsageError, match="it is cut"):
        read(deb)


@pytest.mark.parametrize("kind", ["xz", "gz"])
def test_what_lies_behind_a_packed_archive_is_not_looked_at(tmp_path: Path, kind: str) -> None:
    """More than one piece of it: it was once fed to a decompressor that had ended."""
    deb = tmp_path / "k.deb"
    content = tar("./boot/nothing", b"x")
    packed = lzma.compress(content) if kind == "xz" else gzip.compress(content)
    deb.write_bytes(_deb.MAGIC + member(f"data.tar.{kind}", packed + bytes(3 << 20)))
    with pytest.raises(UsageError, match="holds no kernel"):
        read(deb)
