"""A signature that counts, and all that is known of it."""

from __future__ import annotations

from bpfimg._value import field, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


@value(frozen=True, slots=True)
class Believed:
    """Who signed, by what was verified: for which authority of the policy, in which format, and where that was found.

    `fingerprint` is the key's; a certificate's signature has `identity` and `issuer` instead. `times` (seconds since
    1970) are when logs and timestamp authorities saw it, `signed_at` the earliest of them (0: nobody says); `logs` and
    `stamps` name them. `shared` is the fingerprint of a key that the policy names and that the certificate is for, too:
    then one signature must not count as two. `rule` is the scope of the rule by which it counts, `claims` are the
    annotations that it signs.
    """

    authority: str
    fingerprint: str
    format: str
    where: str
    identity: str = ""
    issuer: str = ""
    shared: str = ""
    times: tuple[int, ...] = ()
    logs: tuple[str, ...] = ()
    stamps: tuple[str, ...] = ()
    rule: str = ""
    claims: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def signed_at(self) -> int:
        """The earliest verified time, in seconds since 1970; 0 when there is none."""
        return min(self.times, default=0)

    @property
    def when(self) -> str:
        """The same in RFC 3339; "" when there is none."""
        from bpfimg.sign._rfc3339 import rfc3339

        return rfc3339(self.signed_at) if self.signed_at else ""

    @property
    def signer(self) -> str:
        """One text for whoever it is: two signatures with the same one have one signer."""
        return self.fingerprint or self.shared or f"{self.issuer} {self.identity}"
