"""A signature or attestation on its way to be judged: parsed, about the digest that was asked for, not believed."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.sign._material import NOTHING, Material

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.oci import Descriptor


@value(frozen=True, slots=True, eq=False)
class Candidate:
    """What a signature or attestation says of itself, whatever format it came in.

    `message` are the exact bytes that `signature` is over (the payload of a `.sig`, the PAE of an envelope), `payload`
    what they carry (the same payload, or the statement). `names` are the repositories that it claims for the digest
    ("" for a claim without a name); `claims` are the signed annotations about it; `predicate_type` is "" for a `.sig`,
    which has none. `holder` is the manifest it was found in, `where` says so to people.

    `enclosed` is the whole blob around the signature where a timestamp may be over that instead: cosign 2 stamps the
    layers of an `.att` so. It is b"" elsewhere.
    """

    format: str
    holder: Descriptor
    where: str
    message: bytes
    payload: bytes
    signature: bytes
    names: tuple[str, ...]
    predicate_type: str = ""
    claims: Mapping[str, str] | None = None
    material: Material = NOTHING
    enclosed: bytes = b""

    @property
    def enveloped(self) -> bool:
        """Whether an envelope is signed (bundles and `.att`), and not the bare payload of a `.sig`."""
        return self.message != self.payload

    @property
    def tlog(self) -> bool:
        """Whether a log entry stands beside it."""
        return bool(self.material.entries)

    @property
    def timestamp(self) -> bool:
        """Whether an RFC 3161 timestamp stands beside it."""
        return bool(self.material.timestamps)

    @property
    def keyless(self) -> bool:
        """Whether a certificate says whose key it was."""
        return bool(self.material.certificate)
