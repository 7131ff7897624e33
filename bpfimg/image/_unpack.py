"""From the bytes of a layer to the one eBPF object in it, in memory."""

from __future__ import annotations

from bpfimg._hash import sha256
from bpfimg.errors import quoted
from bpfimg.image import _media
from bpfimg.image._gunzip import gunzip
from bpfimg.image._limits import broken
from bpfimg.image._tar import regular_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.image._limits import Limits

__all__ = ["object_in"]

ELF = b"\x7fELF"
EM_BPF = 247
SHOWN = 5  # names in one message


def object_in(
    layer: bytes, *, media_type: str, diff_id: str, limits: Limits, object_name: str | None = None
) -> tuple[str, bytes]:
    """(file name, content) of the object in a layer; raises ImageError with the rule that the layer breaks.

    `object_name` chooses among several; without it several are an error (BI-15).
    """
    archive = _archive(layer, _media.compression(media_type), limits)
    if len(archive) > limits.unpacked:
        raise broken("BI-27", f"the layer has {len(archive)} bytes, expected at most {limits.unpacked}")
    _check_diff_id(archive, diff_id)
    files = regular_files(archive, limits=limits)
    path = _choose(files, object_name)
    if len(files[path]) > limits.object:
        raise broken("BI-27", f"object {quoted(path)} has {len(files[path])} bytes, expected at most {limits.object}")
    return path.rpartition("/")[2], bytes(files[path])


def _archive(layer: bytes, compression: str, limits: Limits) -> bytes | bytearray:
    if compression == "gzip":
        return gunzip(layer, limits=limits)
    if compression == "zstd":
        from bpfimg.image._unzstd import unpack_zstd

        return unpack_zstd(layer, limits=limits)
    return layer


def _check_diff_id(archive: bytes | bytearray, diff_id: str) -> None:
    got = f"sha256:{sha256(archive).hexdigest()}"
    if got != diff_id:
        raise broken("BI-8", f"the layer unpacks to {got}, the image config's diff_ids say {quoted(diff_id)}")


def _choose(files: Mapping[str, memoryview], object_name: str | None) -> str:
    objects = [path for path, content in files.items() if content[:4] == ELF]
    if object_name is not None:
        objects = [path for path in objects if object_name in (path, path.rpartition("/")[2])]
    elif len(objects) > 1:  # a helper program beside the object does not make the choice unclear
        objects = [path for path in objects if EM_BPF in _machines(files[path])]
    if len(objects) == 1:
        return objects[0]
    if not objects:
        wanted = f"an object named {quoted(object_name)}" if object_name else "an eBPF object (ELF)"
        raise broken("BI-15", f"the layer holds {_listed(list(files))}, expected {wanted}")
    raise broken("BI-15", f"the layer holds {len(objects)} eBPF objects ({_listed(objects)}), expected one")


def _machines(content: memoryview) -> tuple[int, int]:
    """e_machine read in both byte orders."""
    field = bytes(content[18:20])
    return int.from_bytes(field, "little"), int.from_bytes(field, "big")


def _listed(paths: list[str]) -> str:
    if not paths:
        return "no files"
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(quoted(path) for path in paths[:SHOWN]) + more
