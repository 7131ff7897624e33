"""The config document of the artifact variant: written by `BytecodeImage.pack`, read with suspicion (BI-50, BI-53)."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import quoted
from bpfimg.image._description import Description
from bpfimg.image._found import created_of, platform_of
from bpfimg.image._json import canonical, read_object
from bpfimg.image._limits import broken
from bpfimg.oci import Digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.image._image import BytecodeImage
    from bpfimg.image._limits import Limits
    from bpfimg.oci import Descriptor, Platform

__all__ = ["Document", "document_of", "is_file_name", "read_document"]

VERSION = 1
#: members that are no parts of the description
HEAD = ("schemaVersion", "created", "architecture", "os", "variant", "object")


@value(frozen=True, slots=True)
class Document:
    """What a config document says: the object's file name, the platform, and the description."""

    file_name: str
    platform: Platform
    created: str
    description: Description


def document_of(image: BytecodeImage) -> bytes:
    """The document of an image, its keys in the order of the spec."""
    from bpfimg.bytecode import check_header

    platform = {"architecture": image.platform.architecture, "os": image.platform.os}
    if image.platform.variant:
        platform["variant"] = image.platform.variant
    parts = image.description.to_members()
    parts.pop("byte-order", None)
    return canonical(
        {
            "schemaVersion": VERSION,
            "created": image.created,
            **platform,
            "object": {
                "name": image.file_name,
                "digest": str(Digest.of(image.bytecode)),
                "size": len(image.bytecode),
                "byte_order": check_header(image.bytecode),
            },
            **{name: part for name, part in parts.items() if name not in HEAD},
        }
    )


def read_document(raw: bytes, layer: Descriptor, limits: Limits) -> Document:
    """The document in `raw`, about the object in `layer`.

    ImageError (BI-53) when it is none, lacks what is needed, is of a later version, or is about another object.
    """
    document = read_object(raw, "the config document", "BI-53", limits)
    version = document.get("schemaVersion")
    if version != VERSION or isinstance(version, bool):
        hint = "a newer bpfimg may read it" if isinstance(version, int) and version > VERSION else ""
        raise broken("BI-53", f"the config document has schemaVersion {quoted(version)}, expected {VERSION}", hint=hint)
    stated = document.get("object")
    if not isinstance(stated, dict):
        raise broken("BI-53", f"the config document has the object {quoted(stated)}, expected its name and digest")
    _about(stated, layer)
    parts = {name: part for name, part in document.items() if name not in HEAD}
    byte_order = stated.get("byte_order")
    if parts and isinstance(byte_order, str):
        parts["byte-order"] = byte_order
    return Document(
        file_name=_file_name(stated.get("name")),
        platform=platform_of(document, "the config document", "BI-53"),
        created=created_of(document),
        description=Description.from_members(parts) if parts else Description(),
    )


def is_file_name(name: str) -> bool:
    """Whether it can name a file in every folder, and says so on a terminal."""
    return 0 < len(name) <= 255 and name.isprintable() and "/" not in name and name not in (".", "..")


def _file_name(name: object) -> str:
    if not isinstance(name, str) or not is_file_name(name):
        raise broken("BI-53", f"the config document names the object {quoted(name)}, expected a plain file name")
    return name


def _about(stated: Mapping[str, object], layer: Descriptor) -> None:
    """ImageError unless digest and, where it is given, size are those of the layer."""
    digest, size = stated.get("digest"), stated.get("size", layer.size)
    if digest != str(layer.digest):
        what = f"the config document is about the object {quoted(digest)}, the layer is {layer.digest}"
        raise broken("BI-53", what)
    if size != layer.size or isinstance(size, bool):
        raise broken("BI-53", f"the config document gives the object {quoted(size)} bytes, its layer has {layer.size}")
