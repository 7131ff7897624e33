"""A manifest where it was found and for whom, and what every kind of config says: platform and time."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import quoted
from bpfimg.image._image import check_byte_order
from bpfimg.image._limits import broken
from bpfimg.oci import Platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.image._limits import Limits
    from bpfimg.oci import Descriptor, Manifest, Source

__all__ = ["Found", "created_of", "fetch_within", "platform_of"]

TIME = frozenset("0123456789-:.TZ+")  # of RFC 3339


@value(frozen=True, slots=True, eq=False)
class Found:
    """A manifest in `source` that is wanted for `platform`, None for whichever it is for; `slot` is the platform under
    which an index lists it."""

    source: Source
    manifest: Manifest
    slot: Platform | None
    platform: Platform | None
    limits: Limits

    def fetch(self, descriptor: Descriptor, limit: int, what: str) -> bytes:
        """The content; see `fetch_within`."""
        return fetch_within(self.source, descriptor, limit, what)

    def check_byte_order(self, bytecode: bytes) -> None:
        """ImageError (BI-25) unless the machine that it is wanted for can load it; see `check_byte_order`.

        That its own platform can is checked when the image is made.
        """
        if self.platform is not None:
            check_byte_order(bytecode, self.platform)

    def check_slot(self, own: Platform) -> None:
        """ImageError (BI-30) when the index lists the image under another platform than its own."""
        if self.slot is not None and (own.os, own.architecture) != (self.slot.os, self.slot.architecture):
            raise broken("BI-30", f"the index calls this image {self.slot}, its config says {own}")


def fetch_within(source: Source, descriptor: Descriptor, limit: int, what: str) -> bytes:
    """The content; ImageError (BI-27), before a byte is fetched, for one that promises more than `limit` bytes."""
    if descriptor.size > limit:
        raise broken("BI-27", f"the {what} has {descriptor.size} bytes, expected at most {limit}")
    return source.fetch(descriptor, limit=limit)


def platform_of(config: Mapping[str, object], what: str, rule: str) -> Platform:
    """`os`, `architecture` and `variant`; ImageError with `rule` and starting with `what` unless they are words."""
    words = [config.get("os"), config.get("architecture"), config.get("variant") or ""]
    for word in words:
        if not isinstance(word, str) or len(word) > 64 or not word.isprintable():
            raise broken(rule, f"{what} has the platform {quoted(words)}, expected os and architecture")
    found = Platform(str(words[0]), str(words[1]), str(words[2]))
    if not found.os or not found.architecture:
        raise broken(rule, f"{what} has the platform {quoted(found)}, expected os and architecture")
    return found


def created_of(config: Mapping[str, object]) -> str:
    """The time as the config has it; "" when it has none, or something that does not look like one."""
    found = config.get("created")
    if not isinstance(found, str) or not 20 <= len(found) <= 35 or found[10] != "T" or not TIME.issuperset(found):
        return ""
    return found
