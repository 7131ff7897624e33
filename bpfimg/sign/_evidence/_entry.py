"""One log entry: in a log of the trusted root, by its signed promise, by proof and checkpoint, or by both.

Sources: sigstore's client specification, "Transparency log entry"; rekor's openapi (the payload of a signed entry
timestamp); RFC 8785.
"""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import quoted
from bpfimg.sign._evidence._body import Signed, about
from bpfimg.sign._evidence._checkpoint import checkpoint
from bpfimg.sign._evidence._merkle import leaf_hash, root_hash
from bpfimg.sign._strict import Junk, to_base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from bpfimg.sign._evidence._logs import Log
    from bpfimg.sign._material import InclusionProof, LogEntry

_LARGEST = 1 << 53  # beyond it, readers of JSON see different numbers (RFC 8785, section 3.2.2.3)


@value(frozen=True, slots=True)
class Logged:
    """That log `by` has the signature as entry `index`, since `time` (seconds since 1970; 0: it did not say)."""

    by: str
    index: int
    time: int


def logged(entry: LogEntry, signed: Signed, logs: Iterable[Log], stamps: Collection[int]) -> Logged:
    """Returns which of `logs` has `signed`, by `entry`; raises `Junk`.

    What is present must verify: a version 1 entry needs a promise or a proof with its checkpoint, a version 2 entry
    the latter. Its time is the promise's. `stamps` are verified times from elsewhere: they say whether the key of a
    log was in use when the log itself says no time.
    """
    major = about(entry.body, entry.kind, entry.version, signed)
    if not (entry.promise or (entry.proof is not None and entry.proof.checkpoint)):
        raise Junk("the log entry has neither a promise nor an inclusion proof with a checkpoint")
    if major == 2:
        _version_2(entry)
    why = ""
    for log in logs:
        if entry.log not in log.ids:
            continue
        try:
            return _in(log, entry, stamps)
        except Junk as error:
            why = why or str(error)
    raise Junk(why or f"the log entry is of a log that the trusted root does not name, {entry.log.hex()[:16]}")


def _version_2(entry: LogEntry) -> None:
    if entry.promise:
        raise Junk("the log entry has a promise, which logs of its version do not give")
    if entry.proof is None or entry.proof.index != entry.index:
        raise Junk(f"the log entry is said to be number {entry.index}, and its proof is for another")


def _in(log: Log, entry: LogEntry, stamps: Collection[int]) -> Logged:
    if entry.promise:
        _promised(log, entry)
    if entry.proof is not None:
        _included(log, entry.body, entry.proof, promised=bool(entry.promise))
    time = entry.time if entry.promise else 0
    if not (log.window.holds(time) if time else log.window.open or any(map(log.window.holds, stamps))):
        raise Junk(f"the key of {quoted(log.name)} was not in use at the time of the log entry")
    index = entry.index if entry.promise or entry.proof is None else entry.proof.index
    return Logged(by=log.name, index=index, time=time)


def _promised(log: Log, entry: LogEntry) -> None:
    """Raises `Junk` unless the log signed time, index and body: RFC 8785 of an object with four sorted names."""
    if not (0 < entry.time < _LARGEST and 0 <= entry.index < _LARGEST):
        raise Junk(f"the log entry has the time {entry.time} and the index {entry.index}, which no log promises")
    said = '{"body":"%s","integratedTime":%d,"logID":"%s","logIndex":%d}'
    data = said % (to_base64(entry.body), entry.time, entry.log.hex(), entry.index)
    if not log.key.verify(data.encode("ascii"), entry.promise):
        raise Junk(f"the log entry's promise is not signed by {quoted(log.name)}")


def _included(log: Log, body: bytes, proof: InclusionProof, *, promised: bool) -> None:
    if root_hash(leaf_hash(body), proof.index, proof.size, proof.hashes) != proof.root:
        raise Junk("the inclusion proof does not lead from the log entry to its root")
    if promised and not proof.checkpoint:
        return  # bundles of version 0.1 may lack it; then the promise alone counts
    head = checkpoint(proof.checkpoint)
    if (head.size, head.root) != (proof.size, proof.root):
        raise Junk("the checkpoint is of another tree than the inclusion proof")
    if not head.signed_by(log):
        raise Junk(f"the checkpoint is not signed by {quoted(log.name)}")
