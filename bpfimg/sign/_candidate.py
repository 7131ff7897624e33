"""A signature on its way to be judged: parsed, about the digest that was asked for, and not believed in any way."""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci import Descriptor


@value(frozen=True, slots=True, eq=False)
class Candidate:
    """What a signature says of itself, whatever format it came in.

    `message` are the exact bytes that `signature` (DER) is over; `names` are the repositories that it claims for
    the digest ("" for a claim without a name); `holder` is the manifest it was found in, `where` says so to people.
    """

    format: str
    holder: Descriptor
    where: str
    message: bytes
    signature: bytes
    names: tuple[str, ...]
    tlog: bool = False
    timestamp: bool = False
    keyless: bool = False
