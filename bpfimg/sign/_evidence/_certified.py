"""Whether a signing certificate is believed: issued by an authority of the trusted root, at a time that is proven.

Source: sigstore's client specification, "Verification": certification path, SCT, validity at the time of signing.
"""

from __future__ import annotations

from bpfimg.sign._evidence._authority import intermediates
from bpfimg.sign._evidence._sct import seen_by
from bpfimg.sign._rfc3339 import rfc3339
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpfimg.sign._evidence._certificate import Certificate
    from bpfimg.sign._evidence._root import TrustedRoot

_TRIES = 4
_WHAT = "the signing certificate"


def certified(certificate: Certificate, chain: Sequence[bytes], root: TrustedRoot, times: Iterable[int]) -> int:
    """Returns the earliest of `times` (verified ones) at which the certificate was good; raises `Junk` if at none.

    One is enough: a signature that existed while the certificate was valid was made then, whatever else is said of
    it. `chain` are certificates that came along; they are never trusted.
    """
    moments = sorted(set(times))
    if not moments:
        raise Junk(f"{_WHAT} is good for minutes, and no verified time says when it signed")
    start = certificate.found.not_valid_before_utc.timestamp()
    end = certificate.found.not_valid_after_utc.timestamp()
    moments = [one for one in moments if start <= one <= end]
    if not moments:
        raise Junk(f"{_WHAT} was not valid at any verified time, expected one from {rfc3339(start)} to {rfc3339(end)}")
    sent = intermediates(chain)
    why = ""
    for authority in root.authorities:
        for time in [one for one in moments if authority.window.holds(one)][:_TRIES]:
            try:
                seen_by(certificate.found, authority.issuer(certificate.found, sent, time), root.certificate_logs)
            except Junk as error:
                why = why or str(error)
            else:
                return time
    raise Junk(why or f"no certificate authority of the trusted root was in use at {rfc3339(moments[0])}")
