"""An object and a platform to a `BytecodeImage`."""

from __future__ import annotations

import re

from bpfimg.image import BytecodeImage, Labels, Limits, check_file_name, rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.oci import Platform

__all__ = ["image", "object_name"]


def image(
    bytecode: bytes,
    *,
    file_name: str,
    platform: Platform | None = None,
    created: int = 0,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> BytecodeImage:
    """The image of one object, its two labels made from that object (BI-17 to BI-19).

    `platform` is this machine's when not given; `created` is SOURCE_DATE_EPOCH, seconds since 1970. `labels` and
    `annotations` go into config and manifest as they are; `io.ebpf.` labels cannot be given.

    Raises BytecodeError when the bytes are no eBPF object, ImageError when its byte order does not fit the platform
    (BI-25) or it is too large (BI-27), UsageError for a file name that no image may have (BI-14).
    """
    from bpfimg.bytecode import parse
    from bpfimg.errors import ImageError
    from bpfimg.oci import Platform

    bound = limits or Limits()
    if len(bytecode) > bound.object:
        message = f"the object has {len(bytecode)} bytes, expected at most {bound.object} (BI-27)"
        raise ImageError(message, rules=("BI-27",))
    return BytecodeImage(
        bytecode=bytecode,
        labels=Labels.of(parse(bytecode)),
        platform=platform or Platform.host(),
        file_name=check_file_name(file_name),
        created=rfc3339(created),
        extra_labels=dict(labels or {}),
        annotations=dict(annotations or {}),
    )


def object_name(path: str) -> str:
    """The name in the image for an input file: `src/xdp pass.bpf.c` gives `xdp_pass.bpf.o` (BI-14)."""
    stem = re.sub(r"\.[co]$", "", path.rpartition("/")[2])
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", stem)[:96]
    return check_file_name((plain if plain[:1].isalnum() or plain[:1] == "_" else f"_{plain}"[:96]) + ".o")
