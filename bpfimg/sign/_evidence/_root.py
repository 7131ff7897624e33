"""The trusted root: which certificate authorities, logs and timestamp authorities are believed, and when they were.

Source: sigstore_trustroot.proto (TrustedRoot) as JSON: the file that sigstore publishes, that cosign's `trusted-root
create` writes and that stands in the sigstore wheel.
"""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import quoted
from bpfimg.sign._evidence._logs import Log, Unsupported, log
from bpfimg.sign._evidence._protobuf import entries, message
from bpfimg.sign._strict import Junk, document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from bpfimg.sign._evidence._authority import CertificateAuthority
    from bpfimg.sign._evidence._timestamp import TimestampAuthority

    Part = TypeVar("Part")

_LIMIT = 1024 * 1024
_MEDIA_TYPES = (
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "application/vnd.dev.sigstore.trustedroot.v0.1+json",
    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
)
_FIELDS = ("mediaType", "tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities")


@value(frozen=True, slots=True, eq=False)
class TrustedRoot:
    """What evidence is checked against. `unused` says which parts are of kinds that this version does not believe:
    what only they vouch for is not believed."""

    logs: tuple[Log, ...]
    certificate_logs: tuple[Log, ...]
    authorities: tuple[CertificateAuthority, ...]
    timestamp_authorities: tuple[TimestampAuthority, ...]
    unused: tuple[str, ...]

    @classmethod
    def parse(cls, data: bytes) -> TrustedRoot:
        """Returns the trusted root in a JSON document of at most 1 MiB; raises `Junk`. Nothing is left for later:
        keys and certificates are read, and the chains of authorities checked."""
        return cls.of(document(data, limit=_LIMIT, what="trusted root"))

    @classmethod
    def of(cls, value: object) -> TrustedRoot:
        """The same for JSON that is parsed already: the root inside a client trust configuration."""
        from bpfimg.sign._evidence._authority import authority
        from bpfimg.sign._evidence._timestamp import timestamp_authority

        found = message(value, "trusted root", _FIELDS)
        if found.get("mediaType") not in _MEDIA_TYPES:
            raise Junk(f"trusted root has the media type {quoted(found.get('mediaType'))}, expected {_MEDIA_TYPES[0]}")
        unused: list[str] = []
        return cls(
            logs=_parts(found, "tlogs", log, unused),
            certificate_logs=_parts(found, "ctlogs", log, unused),
            authorities=_parts(found, "certificateAuthorities", authority, unused),
            timestamp_authorities=_parts(found, "timestampAuthorities", timestamp_authority, unused),
            unused=tuple(unused),
        )


def _parts(
    found: Mapping[str, object], name: str, read: Callable[[object, str], Part], unused: list[str]
) -> tuple[Part, ...]:
    parts: list[Part] = []
    for number, one in enumerate(entries(found, name)):
        try:
            parts.append(read(one, f"{name}[{number}]"))
        except Unsupported as error:
            unused.append(str(error))
    return tuple(parts)
