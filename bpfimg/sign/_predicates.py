"""Words for the predicate types of attestations: cosign's, and our own."""

from __future__ import annotations

import re

from bpfimg.errors import UsageError, quoted
from bpfimg.sign._formats._envelope import SIGNATURE
from bpfimg.sign._policy._compatibility import COMPATIBILITY

PREDICATE_TYPES = {
    "slsaprovenance": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance02": "https://slsa.dev/provenance/v0.2",
    "slsaprovenance1": "https://slsa.dev/provenance/v1",
    "spdxjson": "https://spdx.dev/Document",
    "cyclonedx": "https://cyclonedx.org/bom",
    "vuln": "https://cosign.sigstore.dev/attestation/vuln/v1",
    "openvex": "https://openvex.dev/ns",
    "link": "https://in-toto.io/Link/v1",
    "custom": "https://cosign.sigstore.dev/attestation/v1",
    "compatibility": COMPATIBILITY,
}
"""What people write -> what stands in the statement."""

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]{1,2000}")


def predicate_type(text: str) -> str:
    """Returns the predicate type that a word or a URI names; UsageError for anything else, and for that of signatures:
    whoever may attest must not by that be able to sign."""
    found = PREDICATE_TYPES.get(text, text)
    if not _URI.fullmatch(found):
        raise UsageError(f"the predicate type is {quoted(text)}, expected a URI or {', '.join(PREDICATE_TYPES)}")
    if found == SIGNATURE:
        raise UsageError(f"the predicate type {found} is that of signatures", hint="`bpfimg sign` signs")
    return found
