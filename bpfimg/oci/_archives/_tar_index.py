"""The files in a tar archive on disk, by name: found once by reading headers alone, never extracted.

Nothing in an archive is believed but its shape. Names that leave the root, devices, two files of one name and sizes
beyond the end are refused; links lead to other files of the same archive or to nothing.
"""

from __future__ import annotations

import os
import stat

from bpfimg import _tar
from bpfimg._value import value
from bpfimg.errors import NotFound, StoreError, quoted
from bpfimg.oci._archives._inflate import HEAD, compression, inflated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.oci._limits import Limits

_PIECE = 1 << 20
_TRAILER = 1 << 20  # bytes of zeros after the end marker: writers round up to 10 KiB
_NAME_BYTES = 64  # of extension headers, for each entry
_HOPS = 8
_LINKS = (b"1", b"2")
_HINT = "expected a tar archive of images, as docker, podman and skopeo write them"


@value(frozen=True, slots=True)
class Member:
    """Where the content of a file in the archive is."""

    start: int
    size: int


class TarIndex:
    """The open archive at `path`: a snapshot, whoever replaces the file later. To be closed; safe for many threads.

    An archive that is compressed is unpacked into a file without a name first. NotFound when there is no file,
    StoreError when it is no archive that can be read, ImageError when it unpacks to too much.
    """

    def __init__(self, path: str, limits: Limits) -> None:
        import weakref

        self.path = path
        self._descriptor, self._size, self.compression = _open(path, limits)
        self.close = weakref.finalize(self, os.close, self._descriptor)
        """Lets the file go; whoever forgets does it when the object goes."""
        self.files: dict[str, Member] = {}
        self._links: dict[str, str | None] = {}
        self._left = limits.blob  # bytes of repeated files that are compared
        complete = False
        try:
            self._walk(limits)
            complete = True
        except _tar.Fault as error:
            raise StoreError(f"{path} cannot be read: {error}", hint=_HINT) from error
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror}") from error
        finally:
            if not complete:
                self.close()

    def find(self, name: str) -> Member | None:
        """Returns the file of that name, through links inside the archive; None when there is none."""
        for _ in range(_HOPS):
            if name not in self._links:
                return self.files.get(name)
            target = self._links[name]
            if target is None:
                return None
            name = target
        return None

    def read(self, member: Member, most: int) -> bytes:
        """Returns the content of a file; StoreError when it has more than `most` bytes."""
        if member.size > most:
            raise StoreError(f"{self.path} holds a document of {member.size} bytes, expected at most {most}")
        return b"".join(self.pieces(member))

    def head(self, member: Member, count: int) -> bytes:
        """Returns the first bytes of a file."""
        return self._read(member.start, min(count, member.size))

    def pieces(self, member: Member) -> Iterator[bytes]:
        """Yields the content of a file, at most 1 MiB at once; less than its size when the archive was cut since."""
        at, end = member.start, member.start + member.size
        while at < end:
            piece = self._read(at, min(_PIECE, end - at))
            if not piece:
                return
            yield piece
            at += len(piece)

    def _walk(self, limits: Limits) -> None:
        most = limits.archive_entries
        bounds = _tar.Bounds(2 * most, _NAME_BYTES * most, _TRAILER)
        names: set[str] = set()
        for entry in _tar.entries(self._read, self._size, bounds, "file"):
            name = _tar.plain(entry, "file")
            if entry.kind == _tar.FOLDER:
                continue
            if name in names and not self._is_again(name, entry):
                raise _tar.Fault(f"the file has two entries named {quoted(name)}")
            names.add(name)
            if len(names) > most:
                raise _tar.TooMuch(f"the file has over {most} entries, the limit")
            if entry.kind in _tar.FILE:
                self.files.setdefault(name, Member(entry.start, entry.size))
            elif entry.kind in _LINKS:
                self._links[name] = _led(name, entry)
            else:
                kind = _tar.KINDS.get(entry.kind, "of an unknown type")
                raise _tar.Fault(f"file entry {quoted(name)} is {kind}, expected regular files")

    def _is_again(self, name: str, entry: _tar.Entry) -> bool:
        """Says whether a file comes once more with the same bytes: crane writes a config that two images share so."""
        first = self.files.get(name)
        if first is None or entry.kind not in _tar.FILE or entry.size != first.size or entry.size > self._left:
            return False
        self._left -= entry.size
        pairs = zip(self.pieces(first), self.pieces(Member(entry.start, entry.size)), strict=True)
        return all(one == other for one, other in pairs)

    def _read(self, at: int, count: int) -> bytes:
        parts = []
        try:
            while count and (part := os.pread(self._descriptor, min(count, _PIECE), at)):
                parts.append(part)
                at += len(part)
                count -= len(part)
        except OSError as error:
            raise StoreError(f"cannot read {self.path}: {error.strerror}") from error
        return b"".join(parts)


def _led(name: str, entry: _tar.Entry) -> str | None:
    """Where a link leads: a name inside the archive, None for anything else."""
    target = entry.link.decode("utf-8", "replace")
    if target.startswith("/"):
        return None
    parts = name.split("/")[:-1] if entry.kind == b"2" else []
    for part in target.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _open(path: str, limits: Limits) -> tuple[int, int, str]:
    """A descriptor of the archive, unpacked where it is compressed, its size, and how it was compressed."""
    try:
        # O_NONBLOCK: a FIFO that somebody left there must not hang the reader
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}") from error
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error
    kept = False
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            hint = f"an image layout in a directory is oci:{path}" if stat.S_ISDIR(status.st_mode) else _HINT
            raise StoreError(f"{path} is not a regular file, expected one", hint=hint)
        kind = compression(os.pread(descriptor, HEAD, 0))
        if kind:
            return _unpacked(path, descriptor, kind, limits)
        kept = True
        return descriptor, status.st_size, ""
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error
    finally:
        if not kept:
            os.close(descriptor)


def _unpacked(path: str, descriptor: int, kind: str, limits: Limits) -> tuple[int, int, str]:
    import tempfile

    def pieces() -> Iterator[bytes]:
        at = 0
        while piece := os.pread(descriptor, _PIECE, at):
            yield piece
            at += len(piece)

    with tempfile.TemporaryFile(buffering=0) as file:
        size = 0
        for content in inflated(pieces(), kind, path, limits.archive):
            left = memoryview(content)
            while left:
                left = left[file.write(left) :]
            size += len(content)
        return os.dup(file.fileno()), size, kind
