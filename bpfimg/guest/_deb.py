"""The kernel in a Debian package, read without Debian's tools: an `ar` archive of two packed tar archives."""

from __future__ import annotations

import lzma
import re
import zlib

from bpfimg import _tar
from bpfimg._value import value
from bpfimg._zstd import Bounds, NoZstd, unzstd
from bpfimg.errors import NotSupported, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

__all__ = ["MAGIC", "kernel"]

MAGIC = b"!<arch>\n"
_MEMBERS_MAX = 16
_PIECE = 1 << 20
_UNPACKED_MAX = 4 << 30
_CONTROL_MAX = 1 << 20
_KERNEL_MAX = 256 << 20
_XZ_MEMORY = 512 << 20
# how long the archive is will be known at its end
_BOUNDS = _tar.Bounds(headers=100_000, extensions=1 << 20, trailer=_UNPACKED_MAX)
#: since 7.0 Debian has the kernel beside its modules
_KERNEL = re.compile(rb"(\./)?(boot/vmlinuz-[^/]+|(usr/)?lib/modules/[^/]+/vmlinuz)")
_CONFIG = re.compile(rb"(\./)?(boot/config-[^/]+|(usr/)?lib/modules/[^/]+/config)")
_WORD = re.compile(r"[A-Za-z0-9.+:~-]{1,128}")


@value(frozen=True, slots=True)
class _Member:
    """A member of the `ar` archive: its name, place and size."""

    name: str
    at: int
    size: int


def kernel(file: BinaryIO, path: str) -> tuple[bytes, bytes, str]:
    """The kernel in an open package, its configuration (b"" for none), and "PACKAGE VERSION".

    Raises UsageError for what is no sound package with a kernel.
    """
    title = ""
    try:
        for member in _members(file):
            if member.name.startswith("control.tar"):
                title = _title(_control(file, member))
            elif member.name.startswith("data.tar"):
                image, config = _image(file, member)
                if image:
                    return image, config, title
    except NoZstd as error:
        raise NotSupported(
            f"the package {quoted(path)} is packed with zstd, which this Python cannot unpack",
            feature="zstd",
            hint="install the package zstandard beside bpfimg, or unpack it: dpkg-deb -x PACKAGE FOLDER",
        ) from error
    except (OSError, ValueError, lzma.LZMAError, zlib.error) as error:
        raise UsageError(f"the package {quoted(path)} cannot be read: {error}") from error
    raise UsageError(
        f"the package {quoted(path)} holds no kernel, expected one as linux-image-6.1.0-50-amd64",
        hint="linux-image-amd64 only names the package that does",
    )


def _control(file: BinaryIO, member: _Member) -> bytes:
    for entry, content in _files(file, member):
        if entry.removeprefix(b"./") == b"control":
            return content(_CONTROL_MAX)
    return b""


def _title(control: bytes) -> str:
    fields = dict(re.findall(r"^(Package|Version): *(\S+)$", control.decode("utf-8", "replace"), re.M))
    words = [fields.get(name, "") for name in ("Package", "Version")]
    return " ".join(words) if all(map(_WORD.fullmatch, words)) else ""


def _image(file: BinaryIO, member: _Member) -> tuple[bytes, bytes]:
    """Kernel and configuration, which stands before it in a package as dpkg-deb writes it; modules stand behind."""
    config = b""
    for entry, content in _files(file, member):
        if _CONFIG.fullmatch(entry):
            config = content(_CONTROL_MAX)
        elif _KERNEL.fullmatch(entry):
            return content(_KERNEL_MAX), config
    return b"", b""


def _members(file: BinaryIO) -> Iterator[_Member]:
    at = len(MAGIC)
    for _ in range(_MEMBERS_MAX):
        file.seek(at)
        head = file.read(60)
        if not head:
            return
        if len(head) < 60 or head[58:] != b"`\n" or not head[48:58].strip().isdigit():
            raise ValueError(f"no member of an ar archive begins at byte {at}")
        size = int(head[48:58])
        yield _Member(head[:16].decode("ascii", "replace").rstrip(" /"), at + 60, size)
        at += 60 + size + size % 2


def _files(file: BinaryIO, member: _Member) -> Iterator[tuple[bytes, _Content]]:
    """Yields the regular files of a packed tar archive, and how to read each as long as it is its turn."""
    forward = _Forward(_unpacked(file, member))
    for entry in _tar.entries(forward.read, _UNPACKED_MAX, _BOUNDS, "package"):
        if entry.kind in _tar.FILE:
            yield entry.name, _Content(forward, entry)


class _Content:
    """What a file of the archive holds."""

    def __init__(self, forward: _Forward, entry: _tar.Entry) -> None:
        self._forward, self._entry = forward, entry

    def __call__(self, limit: int) -> bytes:
        """Returns it; ValueError when it is longer than `limit`."""
        if self._entry.size > limit:
            raise ValueError(f"{quoted(self._entry.name)} in it has {self._entry.size} bytes, expected at most {limit}")
        found = self._forward.read(self._entry.start, self._entry.size)
        if len(found) < self._entry.size:
            raise ValueError("it is cut")
        return found


class _Forward:
    """A stream that is read at growing positions, and never has to go back."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._at = 0
        self._held = b""

    def read(self, position: int, count: int) -> bytes:
        """Returns `count` bytes from `position` on, fewer at the end; keeps them for the next call."""
        if position < self._at:
            raise ValueError("its tar archive goes back")
        while position >= self._at + len(self._held):
            self._at += len(self._held)
            self._held = next(self._pieces, b"")
            if not self._held:
                return b""
        parts, lacking = [self._held[position - self._at :]], count - (self._at + len(self._held) - position)
        while lacking > 0 and (piece := next(self._pieces, b"")):
            parts.append(piece)
            lacking -= len(piece)
        self._at, self._held = position, b"".join(parts)
        return self._held[:count]


def _unpacked(file: BinaryIO, member: _Member) -> Iterator[bytes]:
    """Yields pieces of a member's content, none longer than a mebibyte, none empty."""
    kind = member.name.rpartition(".tar")[2]
    pieces = _packed(file, member)
    if kind == ".zst":
        return (content for content, _ in unzstd(pieces, Bounds(window_log=27, blocks=_UNPACKED_MAX >> 17)) if content)
    if kind == ".xz":
        xz = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        return _decompressed(pieces, xz.decompress, lambda: not xz.needs_input and not xz.eof, lambda: xz.eof)
    if kind == ".gz":
        gz = zlib.decompressobj(31)
        return _decompressed(
            pieces,
            lambda data, most: gz.decompress(gz.unconsumed_tail + data, most),
            lambda: bool(gz.unconsumed_tail) and not gz.eof,
            lambda: gz.eof,
        )
    if kind:
        raise ValueError(f"it is packed as {quoted(kind)}, expected .xz, .zst or .gz")
    return pieces


def _decompressed(
    pieces: Iterator[bytes],
    decompress: Callable[[bytes, int], bytes],
    more: Callable[[], bool],
    ended: Callable[[], bool],
) -> Iterator[bytes]:
    """Yields what comes out until the stream ends; what lies behind its end is not looked at, as dpkg has it."""
    for piece in pieces:
        if ended():
            return
        if content := decompress(piece, _PIECE):
            yield content
        while more():
            if content := decompress(b"", _PIECE):
                yield content


def _packed(file: BinaryIO, member: _Member) -> Iterator[bytes]:
    at, end = member.at, member.at + member.size
    while at < end:
        file.seek(at)
        piece = file.read(min(_PIECE, end - at))
        if not piece:
            raise ValueError("it is cut")
        at += len(piece)
        yield piece
