"""An initramfs: files, folders, symbolic links and devices as one cpio archive, which kernels unpack by themselves.

The format is in the kernel's Documentation/driver-api/early-userspace/buffer-format.rst. It is not packed any further:
the guest's emulated processor would take longer to unpack it than it takes to copy.
"""

from __future__ import annotations

import posixpath

__all__ = ["Tree"]

_FOLDER, _FILE, _LINK, _DEVICE = 0o040755, 0o100000, 0o120777, 0o020600


class Tree:
    """What a guest finds below its root. Not a value: it grows. Each name is taken once, what comes later is left."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[int, bytes, tuple[int, int]]] = {}

    def __contains__(self, path: str) -> bool:
        return _name(path) in self._entries

    def folder(self, path: str) -> None:
        """Adds a folder, and those above it."""
        self._add(path, _FOLDER)

    def file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Adds a file."""
        self._add(path, _FILE | mode, content)

    def link(self, path: str, target: str) -> None:
        """Adds a symbolic link."""
        self._add(path, _LINK, target.encode("utf-8", "surrogateescape"))

    def device(self, path: str, major: int, minor: int) -> None:
        """Adds a character device."""
        self._add(path, _DEVICE, b"", (major, minor))

    def archive(self) -> bytes:
        """The whole as bytes; the same entries in the same order give the same bytes."""
        parts: list[bytes] = []
        for number, (name, entry) in enumerate([*self._entries.items(), ("TRAILER!!!", (0, b"", (0, 0)))], 1):
            parts += _packed(number, name, *entry)
        return b"".join(parts)

    def _add(self, path: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        name = _name(path)
        above = posixpath.dirname(name)
        if above and above not in self._entries:
            self._add(above, _FOLDER)
        if name:
            self._entries.setdefault(name, (mode, content, device))


def _name(path: str) -> str:
    return posixpath.normpath(path).lstrip("/") if path.strip("/") else ""


def _packed(number: int, name: str, mode: int, content: bytes, device: tuple[int, int]) -> list[bytes]:
    path = name.encode("utf-8", "surrogateescape") + b"\0"
    # inode, mode, owner, group, links, time, size, device (two numbers), device that it is (two), length of the name,
    # checksum, which this form does not have
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(path), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
    return [head, bytes(-len(head) % 4), content, bytes(-len(content) % 4)]
