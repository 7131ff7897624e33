"""Who else saw a signature: transparency logs and timestamp authorities, each verified against the trusted root."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.sign._evidence._body import Signed
from bpfimg.sign._evidence._entry import Logged, logged
from bpfimg.sign._evidence._timestamp import Stamped, stamped
from bpfimg.sign._keys._public import PublicKey
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from bpfimg.sign._candidate import Candidate
    from bpfimg.sign._evidence._certificate import Certificate
    from bpfimg.sign._evidence._root import TrustedRoot

    Given = TypeVar("Given")
    Found = TypeVar("Found")

_MOST = 32
ANY, TSA, TLOG = "any", "tsa", "tlog"


@value(frozen=True, slots=True)
class Witnessed:
    """What verified: `logs` and `stamps`; `failed` says why each of the others does not count."""

    logs: tuple[Logged, ...] = ()
    stamps: tuple[Stamped, ...] = ()
    failed: tuple[str, ...] = ()

    def times(self, source: str) -> tuple[int, ...]:
        """Returns the verified times, earliest first: of timestamps ("tsa"), of logs ("tlog"), or of both ("any")."""
        told: set[int] = set()
        if source in (ANY, TSA):
            told |= {one.time for one in self.stamps}
        if source in (ANY, TLOG):
            told |= {one.time for one in self.logs if one.time}
        return tuple(sorted(told))


def witness(
    candidate: Candidate,
    root: TrustedRoot,
    verifier: PublicKey | Certificate,
    *,
    tlog: bool = True,
    timestamp: bool = True,
) -> Witnessed:
    """Returns what stands beside a signature of `verifier` and verifies; bad evidence is told, never raised.

    The signature itself is the caller's to verify. Without `tlog` or `timestamp` that evidence is not looked at.
    """
    failed: list[str] = []
    material = candidate.material
    stamps: tuple[Stamped, ...] = ()
    logs: tuple[Logged, ...] = ()
    if timestamp:
        stamps = _verified(material.timestamps, lambda one: _stamped(one, candidate, root), "timestamps", failed)
    if tlog:
        signed = _signed(candidate, verifier)
        times = frozenset(one.time for one in stamps)
        logs = _verified(material.entries, lambda one: logged(one, signed, root.logs, times), "log entries", failed)
    return Witnessed(logs=logs, stamps=stamps, failed=tuple(failed))


def _stamped(one: bytes, candidate: Candidate, root: TrustedRoot) -> Stamped:
    """Returns who stamped the signature, or the whole blob that it stands in: cosign verifies an `.att` so, and
    whoever saw that saw the signature (cosign 2.5, pkg/cosign/verify.go, VerifyRFC3161Timestamp)."""
    try:
        return stamped(one, candidate.signature, root.timestamp_authorities)
    except Junk:
        if not candidate.enclosed:
            raise
        return stamped(one, candidate.enclosed, root.timestamp_authorities)


def _verified(
    given: Sequence[Given], verify: Callable[[Given], Found], what: str, failed: list[str]
) -> tuple[Found, ...]:
    if len(given) > _MOST:
        failed.append(f"it has {len(given)} {what}, expected at most {_MOST}")
        return ()
    found: dict[Found, None] = {}
    for one in given:
        try:
            found[verify(one)] = None
        except Junk as error:
            failed.append(str(error))
    return tuple(found)


def _signed(candidate: Candidate, verifier: PublicKey | Certificate) -> Signed:
    key = verifier if isinstance(verifier, PublicKey) else verifier.key
    return Signed(
        message=candidate.message,
        payload=candidate.payload,
        signature=candidate.signature,
        enveloped=candidate.enveloped,
        label="PUBLIC KEY" if key is verifier else "CERTIFICATE",
        der=verifier.der,
        kind=key.kind,
    )
