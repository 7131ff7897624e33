"""What is not there: a bpffs, a namespace, an interface, a feature, a library. No root needed to be told."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import AttachError, KernelError, NotSupported
from bpfimg.kernel import bpffs, features, netlink, netns

if TYPE_CHECKING:
    from pathlib import Path


def test_not_a_bpffs(tmp_path: Path) -> None:
    with pytest.raises(NotSupported, match="is not a BPF filesystem") as caught:
        bpffs.require(str(tmp_path))
    assert caught.value.feature == "bpffs"
    assert caught.value.hint == f"mount -t bpf bpf {tmp_path}; in a container bind-mount the host's"


def test_a_mount_point_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match=r"is not a BPF filesystem: No such file or directory \(ENOENT\)"):
        bpffs.require(str(tmp_path / "none"))


def test_no_such_namespace() -> None:
    for ask in (netns.inode, lambda name: netns.call(name, os.getpid)):
        with pytest.raises(AttachError, match=r"no network namespace blue \(/var/run/netns/blue does not exist\)"):
            ask("blue")


def test_our_own_namespace_has_an_inode() -> None:
    assert netns.inode(None) == os.stat("/proc/self/ns/net").st_ino
    assert netns.inode("/proc/self/ns/net") == netns.inode(None)


def test_no_namespace_named_means_no_thread() -> None:
    import threading

    assert netns.call(None, threading.get_ident) == threading.get_ident()


def test_no_such_interface_and_those_that_are_there() -> None:
    with pytest.raises(AttachError, match="no interface 'nonesuch99'") as caught:
        netlink.interface_index("nonesuch99")
    assert "there is: " in caught.value.hint
    with pytest.raises(AttachError):
        netlink.interface_index("x" * 300)
    assert netlink.interface_name(0x7FFFFFFF) is None
    for name, index in netlink.interfaces().items():
        assert netlink.interface_index(name) == index
        assert netlink.interface_name(index) == name


def test_an_unknown_feature_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="expected one of"):
        features.has("teleport")


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_a_library_that_is_named_must_load(tmp_path: Path) -> None:
    (tmp_path / "libbpf.so").write_text("no library")
    said = run(
        "from bpfimg.kernel import libbpf\n"
        "from bpfimg.errors import KernelError\n"
        f"try: libbpf.use({str(tmp_path / 'libbpf.so')!r})\n"
        "except KernelError as error: print(error)"
    )
    assert said.startswith(f"cannot load libbpf from {tmp_path}/libbpf.so: ")


def test_a_library_that_is_not_installed() -> None:
    said = run(
        "from bpfimg.kernel import _library\n"
        "from bpfimg.errors import NotSupported\n"
        "_library.DEFAULT = 'libbpf.so.999'\n"
        "try: _library.library()\n"
        "except NotSupported as error: print(error, '|', error.hint, '|', error.feature)"
    )
    assert said == (
        "libbpf is not installed: no shared library libbpf.so.1 | "
        "install the package libbpf1 (Debian, Ubuntu) or libbpf (Fedora, Arch) | libbpf"
    )


def test_a_library_that_is_too_old() -> None:
    said = run(
        "from bpfimg.kernel import libbpf\n"
        "from bpfimg.errors import NotSupported\n"
        "try: libbpf.use('libc.so.6')\n"
        "except NotSupported as error: print(error, error.feature)"
    )
    assert said == "libc.so.6 has no function libbpf_version_string, expected libbpf 1.0 or newer libbpf"


HEAVY = (
    "typing enum pathlib logging subprocess tempfile datetime inspect socket re platform threading difflib dataclasses "
    "bpfimg.kernel._libbpf bpfimg.kernel._failure"
)


def test_listing_needs_neither_libbpf_nor_heavy_modules() -> None:
    said = run(
        "import sys\n"
        "from bpfimg.kernel import bpf, bpffs, netns, netlink, abi, Fd\n"
        f"print(sorted(set({HEAVY!r}.split()) & set(sys.modules)), 'libbpf' in open('/proc/self/maps').read())"
    )
    assert said == "[] False"


@pytest.mark.parametrize("place", ["/", "/etc/passwd", "/nowhere/at/all"])
def test_nobody_is_told_to_mount_over_what_is_no_mount_point(place: str) -> None:
    with pytest.raises(KernelError, match="is not a BPF filesystem") as caught:
        bpffs.require(place)
    assert "mount -t" not in caught.value.hint
    assert "/sys/fs/bpf" in caught.value.hint


def test_only_bpffs_is_ever_emptied(tmp_path: Path) -> None:
    """The sweeper runs as root: a directory of files is never its business, however it got there."""
    (tmp_path / "tmp-1-a" / "links").mkdir(parents=True)
    (tmp_path / "tmp-1-a" / "precious").write_text("x")
    with pytest.raises(KernelError, match="cannot remove"):
        bpffs.remove_tree(str(tmp_path / "tmp-1-a"))
    assert (tmp_path / "tmp-1-a" / "precious").read_text() == "x"
    assert (tmp_path / "tmp-1-a" / "links").is_dir()
    bpffs.remove_tree(str(tmp_path / "none"))


def test_a_pipe_in_the_place_of_a_namespace_keeps_nobody_waiting(tmp_path: Path) -> None:
    """/proc/PID/fd/N may lead to another file by the time it is opened."""
    os.mkfifo(tmp_path / "net")
    with pytest.raises((AttachError, KernelError)):  # not one; or not for us
        netns.call(str(tmp_path / "net"), os.getpid)
