"""How one document points at content: media type, digest, size, and for whom it is."""

from __future__ import annotations

import os
import re
import sys

from bpfimg._value import field, value
from bpfimg.errors import ImageError, UsageError, quoted
from bpfimg.oci import _media
from bpfimg.oci._digest import Digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# RFC 6838 4.2. A media type is sent in a header, so nothing else may pass but the one parameter that is in use: that of
# Sigstore bundles 0.1 and 0.2. Refusing it would refuse every list in which one of them stands.
_MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9][\w!#$&^.+-]{0,126}/[A-Za-z0-9][\w!#$&^.+-]{0,126}(?:;version=[0-9.]{1,8})?", re.ASCII
)
_WORD = re.compile(r"[\w.-]{1,64}", re.ASCII)
_MACHINES = {
    "x86_64": "amd64", "i386": "386", "i586": "386", "i686": "386", "aarch64": "arm64", "armv8l": "arm",
    "armv7l": "arm", "armv6l": "arm", "loongarch64": "loong64",
}  # fmt: skip
_VARIANTS = {"armv8l": "v7", "armv7l": "v7", "armv6l": "v6"}


@value(frozen=True, slots=True)
class Platform:
    """An operating system, a CPU architecture in Go's words, and perhaps a variant (`v7`)."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))

    @staticmethod
    def parse(text: str) -> Platform:
        """Returns the platform that `linux/ARCH` or `linux/ARCH/VARIANT` names; UsageError for anything else."""
        words = text.split("/")
        if len(words) not in (2, 3) or not all(_WORD.fullmatch(word) for word in words):
            raise UsageError(f"{quoted(text)} is not a platform, expected OS/ARCHITECTURE such as linux/amd64")
        return Platform(*words)

    @staticmethod
    def host() -> Platform:
        """Returns the platform of this machine."""
        machine = os.uname().machine
        if machine in ("mips", "mips64") and sys.byteorder == "little":
            machine += "le"  # uname has one word for both byte orders
        return Platform("linux", _MACHINES.get(machine, machine), _VARIANTS.get(machine, ""))


@value(frozen=True, slots=True)
class Descriptor:
    """Names content by digest and says its media type and size in bytes."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    platform: Platform | None = None
    artifact_type: str | None = None

    @staticmethod
    def of(content: bytes, media_type: str, *, annotations: Mapping[str, str] | None = None) -> Descriptor:
        """Returns the descriptor of `content`."""
        return Descriptor(media_type, Digest.of(content), len(content), annotations or {})

    @property
    def is_index(self) -> bool:
        return self.media_type in _media.INDEXES

    @property
    def is_document(self) -> bool:
        """Says whether the content is a manifest or an index; everything else is a blob."""
        return self.media_type in _media.DOCUMENTS

    def to_dict(self) -> dict[str, object]:
        """Returns the JSON form, in the key order of the specification."""
        found: dict[str, object] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.platform:
            found["platform"] = {"architecture": self.platform.architecture, "os": self.platform.os}
            if self.platform.variant:
                found["platform"]["variant"] = self.platform.variant  # type: ignore[index]
        if self.artifact_type:
            found["artifactType"] = self.artifact_type
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        return found

    @staticmethod
    def from_dict(value: object, what: str = "descriptor") -> Descriptor:
        """Returns the descriptor in parsed JSON; ImageError (starting with `what`) when a field is missing or wrong."""
        if not isinstance(value, dict):
            raise ImageError(f"{what} is {quoted(value)}, expected an object")
        size = value.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 63:
            raise ImageError(f"{what} has the size {quoted(size)}, expected a number of bytes")
        try:
            digest = Digest.parse(_text(value, "digest", what))
        except UsageError as error:
            raise ImageError(f"{what}: {error}") from error
        return Descriptor(
            media_type=check_media_type(value.get("mediaType"), what),
            digest=digest,
            size=size,
            annotations=read_annotations(value, what),
            platform=_read_platform(value.get("platform"), what),
            artifact_type=read_artifact_type(value, what),
        )


def check_media_type(value: object, what: str) -> str:
    """Returns `value` when it is a media type by RFC 6838; ImageError when not."""
    if not isinstance(value, str) or not _MEDIA_TYPE.fullmatch(value):
        raise ImageError(f"{what} has the media type {quoted(value)}, expected TYPE/SUBTYPE")
    return value


def read_artifact_type(value: Mapping[str, object], what: str) -> str | None:
    """Returns `artifactType`, None when it is absent or empty."""
    found = value.get("artifactType")
    return check_media_type(found, f"{what}.artifactType") if found not in (None, "") else None


def read_annotations(value: Mapping[str, object], what: str) -> dict[str, str]:
    """Returns `annotations`, {} when absent; ImageError unless it maps text to text."""
    found = value.get("annotations")
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise ImageError(f"{what} has annotations {quoted(found)}, expected an object of texts")
    return found


def _read_platform(value: object, what: str) -> Platform | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ImageError(f"{what} has the platform {quoted(value)}, expected an object")
    variant = _text(value, "variant", what) if value.get("variant") is not None else ""
    return Platform(_text(value, "os", what), _text(value, "architecture", what), variant)


def _text(value: Mapping[str, object], name: str, what: str) -> str:
    found = value.get(name)
    if not isinstance(found, str):
        raise ImageError(f"{what} has {name} {quoted(found)}, expected a text")
    return found
