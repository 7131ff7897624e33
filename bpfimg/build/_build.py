"""An object and a platform to a `BytecodeImage`."""

from __future__ import annotations

import re

from bpfimg.image import BytecodeImage, Description, Labels, Limits, check_file_name, rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.bytecode import Dissection
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
    toolchain: Mapping[str, str] | None = None,
    variant: str = "image",
    limits: Limits | None = None,
    dissection: Dissection | None = None,
) -> BytecodeImage:
    """The image of one object, its labels and its description made from that object (BI-17 to BI-19, BI-38).

    `platform` is this machine's when not given; `created` is SOURCE_DATE_EPOCH, seconds since 1970. `labels` and
    `annotations` go into config and manifest as they are; `io.ebpf.` and `dev.bpfimg.` labels cannot be given.
    `toolchain` is what made the object (`{"compiler": "..."}`); `variant` "image" or "artifact". A `dissection` of the
    same object, with its DWARF or without, saves another look.

    Raises BytecodeError when the bytes are no eBPF object, ImageError when its byte order does not fit the platform
    (BI-25) or it is too large (BI-27), UsageError for a file name that no image may have (BI-14).
    """
    from bpfimg.bytecode import dissect
    from bpfimg.errors import BytecodeError, ImageError
    from bpfimg.oci import Platform

    bound = limits or Limits()
    if len(bytecode) > bound.object:
        message = f"the object has {len(bytecode)} bytes, expected at most {bound.object} (BI-27)"
        raise ImageError(message, rules=("BI-27",))
    looked = dissection or dissect(bytecode)
    if any(item.legacy for item in looked.object.maps):
        raise BytecodeError(
            "section 'maps' holds map definitions of the old kind, which libbpf 1.0 and newer refuse",
            hint='declare maps with __uint() and __type() in SEC(".maps") and compile with clang -g',
        )
    return BytecodeImage(
        bytecode=bytecode,
        labels=Labels.of(looked.object),
        platform=platform or Platform.host(),
        file_name=check_file_name(file_name),
        created=rfc3339(created),
        extra_labels=dict(labels or {}),
        annotations=dict(annotations or {}),
        description=Description.of(looked, toolchain=toolchain),
        variant=variant,
    )


def object_name(path: str) -> str:
    """The name in the image for an input file: `src/xdp pass.bpf.c` gives `xdp_pass.bpf.o` (BI-14)."""
    stem = re.sub(r"\.[co]$", "", path.rpartition("/")[2])
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", stem)[:96]
    return check_file_name((plain if plain[:1].isalnum() or plain[:1] == "_" else f"_{plain}"[:96]) + ".o")
