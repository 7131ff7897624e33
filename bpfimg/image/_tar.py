"""A layer's regular files, out of an archive in memory. Nothing is ever written to a file system."""

from __future__ import annotations

from bpfimg import _tar
from bpfimg.errors import ImageError, quoted
from bpfimg.image._limits import DEFAULT, broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.image._limits import Limits

__all__ = ["regular_files"]

WORD = "layer"


def regular_files(archive: bytes | bytearray, *, limits: Limits = DEFAULT) -> dict[str, memoryview]:
    """The archive's regular files, in order: plain name (without `./`) to a view of the content.

    Raises ImageError: BI-11 when the bytes are no tar archive; BI-12 for entries that an image must not have
    (links, devices, names that leave the root, names that stand twice, whiteouts); BI-27 for too many entries.
    """
    view = memoryview(archive)
    bounds = _tar.Bounds(limits.tar_members, limits.tar_extensions, len(view))
    files: dict[str, memoryview] = {}
    names: set[str] = set()
    try:
        for entry in _tar.entries(lambda at, count: bytes(view[at : at + count]), len(view), bounds, WORD):
            name = _name(entry)
            if not name and entry.kind == _tar.FOLDER:
                continue  # "./": the root itself
            if name in names:
                raise broken("BI-12", f"the layer has two entries named {quoted(name)}")
            names.add(name)
            if entry.kind in _tar.FILE:
                files[name] = view[entry.start : entry.start + entry.size]
    except _tar.Fault as error:
        raise _broken(error) from None
    return files


def _name(entry: _tar.Entry) -> str:
    name = _tar.plain(entry, WORD)
    if any(part.startswith(".wh.") for part in name.split("/")):
        raise broken("BI-12", f"layer entry {quoted(name)} is a whiteout")
    if entry.kind in _tar.KINDS:
        raise broken("BI-12", f"layer entry {quoted(name)} is {_tar.KINDS[entry.kind]}, expected regular files only")
    if entry.kind not in (*_tar.FILE, _tar.FOLDER):
        raise broken("BI-12", f"layer entry {quoted(name)} has the unknown type {entry.kind!r}")
    return name


def _broken(error: _tar.Fault) -> ImageError:
    rule = "BI-27" if isinstance(error, _tar.TooMuch) else "BI-12" if error.entry else "BI-11"
    return broken(rule, str(error))
