"""The config document of the artifact variant: written by `BytecodeImage.pack`, read with suspicion (BI-50, BI-53)."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import UsageError, quoted
from bpfimg.image._description import Description
from bpfimg.image._found import created_of, platform_of
from bpfimg.image._json import canonical, read_object
from bpfimg.image._limits import broken
from bpfimg.oci import Digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.image._image import BytecodeImage
    from bpfimg.image._limits import Limits
    from bpfimg.oci import Platform

__all__ = ["Document", "document_of", "read_document"]

VERSION = 1
#: members that are no parts of the description
HEAD = ("schemaVersion", "created", "architecture", "os", "variant", "object")


@value(frozen=True, slots=True)
class Document:
    """What a config document says: the object's file name and digest, the platform, and the description."""

    file_name: str
    digest: Digest
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


def read_document(raw: bytes, limits: Limits) -> Document:
    """The document in `raw`; ImageError (BI-53) when it is none, lacks what is needed, or is of a later version."""
    document = read_object(raw, "the config document", "BI-53", limits)
    version = document.get("schemaVersion")
    if version != VERSION or isinstance(version, bool):
        hint = "a newer bpfimg may read it" if isinstance(version, int) and version > VERSION else ""
        raise broken("BI-53", f"the config document has schemaVersion {quoted(version)}, expected {VERSION}", hint=hint)
    stated = document.get("object")
    if not isinstance(stated, dict):
        raise broken("BI-53", f"the config document has the object {quoted(stated)}, expected its name and digest")
    parts = {name: part for name, part in document.items() if name not in HEAD}
    byte_order = stated.get("byte_order")
    if parts and isinstance(byte_order, str):
        parts["byte-order"] = byte_order
    return Document(
        file_name=_file_name(stated.get("name")),
        digest=_digest(stated.get("digest")),
        platform=platform_of(document, "the config document", "BI-53"),
        created=created_of(document),
        description=Description.from_members(parts) if parts else Description(),
    )


def _file_name(name: object) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= 255 or not name.isprintable() or "/" in name:
        raise broken("BI-53", f"the config document names the object {quoted(name)}, expected a plain file name")
    return name


def _digest(text: object) -> Digest:
    try:
        return Digest.parse(text if isinstance(text, str) else "")
    except UsageError as error:
        raise broken("BI-53", f"the config document gives the object the digest {quoted(text)}: {error}") from error
