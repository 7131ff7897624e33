"""What `verify` believes, in words and as JSON: who signed, when, by which log or timestamp, in which format, by which
rule of the policy."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.cli._places import Found
    from bpfimg.sign import Attestation, Believed, VerifiedImage

__all__ = ["document", "text"]


def document(found: Found, verified: VerifiedImage, attested: Sequence[Attestation]) -> dict[str, object]:
    """One believed image as JSON; `attestations` are those that the rule asks for, and those that were asked for."""
    digest = str(found.descriptor.digest)
    every = dict.fromkeys((*verified.attestations, *attested))
    return {
        "id": digest,
        "reference": found.name,
        "digest": digest,
        "verified": str(verified.descriptor.digest),
        "believed": True,
        "unsigned_allowed": verified.unsafe,
        "policy": verified.policy,
        "policy_digest": verified.policy_digest,
        "rule": verified.rule,
        "version": verified.version or None,
        "signers": [_signer(signer) for signer in verified.signers],
        "attestations": [_attestation(one) for one in every],
        "notes": list(verified.notes),
    }


def _attestation(one: Attestation) -> dict[str, object]:
    return {
        "type": one.predicate_type,
        "digest": one.digest,
        "signer": _signer(one.signer),
        "statement": one.document,
    }


def _signer(believed: Believed) -> dict[str, object]:
    return {
        "authority": believed.authority,
        "key": believed.fingerprint or None,
        "identity": believed.identity or None,
        "issuer": believed.issuer or None,
        "format": believed.format,
        "where": believed.where,
        "signed_at": believed.when or None,
        "logs": list(believed.logs),
        "timestamps": list(believed.stamps),
        "rule": believed.rule,
        "claims": dict(believed.claims),
    }


def text(found: Found, verified: VerifiedImage, attested: Sequence[Attestation]) -> str:
    """The same for people."""
    from bpfimg.cli._render import block

    pairs = [("digest", str(found.descriptor.digest))]
    if verified.descriptor.digest != found.descriptor.digest:
        pairs.append(("image", f"{verified.descriptor.digest}, for this machine"))
    pairs += [("policy", verified.policy), ("rule", verified.rule)]
    if verified.version:
        pairs.append(("version", verified.version))
    for signer in verified.signers:
        pairs += _lines("signed by", signer, "signature")
    for one in dict.fromkeys((*verified.attestations, *attested)):
        pairs.append(("attestation", one.predicate_type))
        pairs += _lines("  signed by", one.signer, "attestation")
    if verified.unsafe:
        pairs.append(("warning", "the policy allows unsigned images here"))
    return block(f"{found.name} is {'believed' if verified.signers else 'let in UNSIGNED'}", pairs)


def _lines(title: str, signer: Believed, what: str) -> Iterator[tuple[str, str]]:
    who = f"key {signer.fingerprint}" if signer.fingerprint else f"{signer.identity} of {signer.issuer}"
    yield title, f"{signer.authority}, {who}, {signer.format} {what}"
    if signer.when:
        yield "  when", signer.when
    for log in signer.logs:
        yield "  log", log
    for stamp in signer.stamps:
        yield "  timestamp", stamp
