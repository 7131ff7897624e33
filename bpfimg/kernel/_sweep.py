"""Removing a directory of pins: links first, then all else, then the directories from the leaves up."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from bpfimg.kernel._abi import BPFFS_MAGIC
from bpfimg.kernel._bpffs import unlink_link
from bpfimg.kernel._syscall import filesystem_magic

LINK_NAME = "link"


def remove(path: str) -> None:
    """See `_bpffs.remove_tree`; OSError as the kernel says."""
    directories: list[str] = []
    links: list[str] = []
    others: list[str] = []
    if os.path.islink(path):  # it may lead anywhere: only the link itself is ours to remove
        with suppress(FileNotFoundError):
            os.unlink(path)
        return
    _collect(path, directories, links, others)
    for pin in links:
        unlink_link(pin)
    for pin in others:
        with suppress(FileNotFoundError):
            os.unlink(pin)
    for directory in reversed(directories):
        with suppress(FileNotFoundError):
            os.rmdir(directory)


def _collect(path: str, directories: list[str], links: list[str], others: list[str]) -> None:
    try:
        if filesystem_magic(path) != BPFFS_MAGIC:  # whatever leads here, root never empties a directory of files
            raise OSError(errno.EXDEV, "it is not in a BPF filesystem", path)
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    directories.append(path)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            _collect(entry.path, directories, links, others)
        elif not entry.is_symlink() and (entry.name == LINK_NAME or _is_link(entry.path)):
            links.append(entry.path)
        else:
            others.append(entry.path)


def _is_link(path: str) -> bool:
    from bpfimg.errors import KernelError
    from bpfimg.kernel import _bpf_info, _bpf_links

    try:
        with _bpf_links.get(path) as fd:
            return _bpf_info.kind(fd) == "link"
    except KernelError:
        return False
