"""On which kernels a believed image was tried: one line, from compatibility reports by those whom the policy trusts."""

from __future__ import annotations

import os

from bpfimg.errors import VerificationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.cli._options import Options
    from bpfimg.cli._places import Found
    from bpfimg.sign import Attestation, Policy

__all__ = ["sentence", "tell_tried"]

_SHOWN = 8
_WORSE = ("ok", "unknown", "fails")


def tell_tried(options: Options, found: Found, trust: Policy) -> None:
    """Says it on stderr; what nobody whom the policy trusts has signed is mentioned to those who ask for everything."""
    from bpfimg import sign
    from bpfimg.cli._elsewhere import elsewhere
    from bpfimg.cli._parser import note, tell
    from bpfimg.oci import Platform

    try:
        believed = sign.attestations(
            found.place,
            found.reference,
            found.descriptor,
            trust,
            sign.signers.predicate_type("compatibility"),
            platform=Platform.host(),
            elsewhere=elsewhere(options, found),
        )
    except VerificationError as error:
        for line in (str(error), *error.reasons):
            note(options, f"compatibility report: {line}")
        return
    said = sentence(believed, os.uname().release)
    if said:
        tell(options, said)


def sentence(believed: Sequence[Attestation], running: str) -> str:
    """Kernels with what came of them, whether the one that runs is among them, and who says so; "" for no kernel."""
    results: dict[str, str] = {}
    signers: dict[str, None] = {}
    for one in believed:
        for tried in one.tried_on:
            results[tried.release] = max(results.get(tried.release, "ok"), tried.result, key=_WORSE.index)
            signers[one.signer.authority] = None
    if not results:
        return ""
    others = [release for release in results if release != running]
    shown = [f"{release} {results[release]}" for release in others[:_SHOWN]]
    shown += [f"{len(others) - _SHOWN} more"] if len(others) > _SHOWN else []
    if running in results:
        shown.append(f"this kernel ({running}) {results[running]}")
    missing = "" if running in results else f"; not on this kernel ({running})"
    return f"tried on {', '.join(shown)}{missing}; signed by {', '.join(signers)}"
