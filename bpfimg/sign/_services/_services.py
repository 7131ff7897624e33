"""The services that stand behind a signature: what they say of it is gathered here, and checked before it is used."""

from __future__ import annotations

from bpfimg._value import replace
from bpfimg.errors import PolicyError, ServiceError, UsageError
from bpfimg.sign._formats._write import promised
from bpfimg.sign._services._log import logged_digest, logged_envelope
from bpfimg.sign._services._timestamp import stamped
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci import places
    from bpfimg.sign._candidate import Candidate
    from bpfimg.sign._evidence._certificate import Certificate
    from bpfimg.sign._evidence._root import TrustedRoot
    from bpfimg.sign._keys._public import PublicKey
    from bpfimg.sign._material import LogEntry, Material
    from bpfimg.sign._services._config import TrustConfig
    from bpfimg.sign._services._log import Verifier

_HINT = "nothing was written: tell those who run the service, or check that the trusted root is theirs"


class Services:
    """Logs and timestamp authorities (and, for signatures without a key, a certificate authority), and how to get to
    them; `connections` stay the caller's. UsageError when the trusted root cannot be used."""

    def __init__(self, config: TrustConfig, connections: places.Connections) -> None:
        self.config = config
        self.connections = connections
        try:
            self.root: TrustedRoot = config.root.trusted()
        except PolicyError as error:
            raise UsageError(str(error)) from error

    def envelope_entries(self, envelope: bytes, message: bytes, signature: bytes, by: Verifier) -> tuple[LogEntry, ...]:
        """Returns what every log has about an envelope now; raises `ServiceError`."""
        return tuple(
            logged_envelope(self.connections, log, envelope, message, signature=signature, by=by)
            for log in self.config.logs
        )

    def digest_entries(self, digest: bytes, signature: bytes, by: Verifier) -> tuple[LogEntry, ...]:
        """Returns what the logs that can prove it in a `.sig` (version 1) have about a payload now."""
        return tuple(
            logged_digest(self.connections, log, digest, signature=signature, by=by)
            for log in self.config.logs
            if log.version == 1
        )

    def stamps(self, signature: bytes) -> tuple[bytes, ...]:
        """Returns a timestamp of every authority; raises `ServiceError`: one that is asked for and does not come is
        never left out in silence."""
        return tuple(stamped(self.connections, authority, signature) for authority in self.config.timestamp_authorities)

    def attached(self, bundled: Candidate, blob: bytes, verifier: PublicKey | Certificate) -> Material:
        """Returns what stands beside an `.att` layer with the envelope of a bundle; raises `ServiceError`.

        Its timestamp is over the whole layer: cosign 2 writes it so, and no cosign verifies another.
        """
        material = replace(
            bundled.material, entries=promised(bundled.material), timestamps=self.stamps(blob)[:1], hint=b""
        )
        self.prove(replace(bundled, format="legacy", material=material, enclosed=blob), verifier)
        return material

    def prove(self, candidate: Candidate, verifier: PublicKey | Certificate, *, unlogged: bool = False) -> None:
        """Raises `ServiceError` unless a verifier with this trusted root believes all that stands beside a new
        signature. A service that answers wrongly must not leave something behind that nobody believes.

        `unlogged`: it has no log entry, and is to have none.
        """
        wrong = self._wrong(candidate, verifier, unlogged)
        if wrong:
            raise ServiceError(f"the services made a signature that cannot be believed: {wrong}", hint=_HINT)

    def believes(self, candidate: Candidate, verifier: PublicKey | Certificate, *, unlogged: bool = False) -> bool:
        """Says whether a signature that was there already has all the evidence that these services would give it."""
        return not self._wrong(candidate, verifier, unlogged)

    def _wrong(self, candidate: Candidate, verifier: PublicKey | Certificate, unlogged: bool) -> str:
        """Says what is wrong or lacking beside a signature, "" when all is well."""
        from bpfimg.sign._evidence._certificate import Certificate
        from bpfimg.sign._evidence._certified import certified
        from bpfimg.sign._evidence._witness import witness

        found = witness(candidate, self.root, verifier)
        if found.failed:
            return found.failed[0]
        logs, stamps = (0 if unlogged else len(self.config.logs)), len(self.config.timestamp_authorities)
        if candidate.format == "legacy":  # annotations have room for one of each, and for entries of version 1 alone
            logs = min(1, sum(log.version == 1 for log in self.config.logs[:logs]))
            stamps = min(1, stamps)
        material = candidate.material  # nothing of it has failed; two of one service count once in `found`
        for there, believed, expected, what in (
            (material.entries, found.logs, logs, "log entries"),
            (material.timestamps, found.stamps, stamps, "timestamps"),
        ):
            if len(there) < expected or (expected and not believed):
                return f"{candidate.where} has {len(there)} {what}, expected {expected}"
        if isinstance(verifier, Certificate):
            try:
                certified(verifier, candidate.material.chain, self.root, found.times("any"))
            except Junk as junk:
                return str(junk)
        return ""
