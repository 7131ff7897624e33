"""Who signed one candidate: for which authorities it counts, and in one sentence each why not for others.

Pure, and careful in this order: the signature first (whoever it is by), then the name that it claims, then the evidence
that an authority asks for. Nothing of certificates is imported unless one has signed and the rule names identities.
"""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import quoted
from bpfimg.sign._believed import Believed
from bpfimg.sign._policy._names import claimed
from bpfimg.sign._policy._rules import IDENTITIES, IGNORE, REQUIRE
from bpfimg.sign._rfc3339 import rfc3339
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.sign._candidate import Candidate
    from bpfimg.sign._evidence._certificate import Certificate
    from bpfimg.sign._evidence._witness import Witnessed
    from bpfimg.sign._keys._public import PublicKey
    from bpfimg.sign._policy._rules import Authority, Rule

    Counted = tuple[Believed, tuple[str, ...]]  # and why some of the evidence beside it does not count

_SHOWN = 3


@value(frozen=True, slots=True, eq=False)
class Question:
    """What is asked of every candidate: `rule` on an image in `repository` (canonical). A signature may be `oldest`
    (seconds since 1970; None: of any age). `kernel` is the release of the one that it is for."""

    rule: Rule
    repository: str
    oldest: int | None = None
    kernel: str = ""


def signers(
    candidate: Candidate, authorities: Sequence[Authority], asked: Question
) -> tuple[list[Believed], list[str]]:
    """Returns for which authorities a candidate counts, and why it does not count for others."""
    key = _key_of(candidate, authorities)
    certificate, reason = None, f"{candidate.where} holds a signature, not by a key that the rule names"
    if candidate.keyless and any(authority.keyless for authority in authorities):
        try:
            certificate = _certificate_of(candidate)
        except Junk as junk:
            reason = f"{candidate.where} holds no keyless signature: {junk}"
    elif candidate.keyless:
        reason = f"{candidate.where} holds a keyless signature, not by a key that the rule names"
    if key is None and certificate is None:
        return [], [reason]
    wrong = _wrong_name(candidate, asked)
    if wrong:
        return [], [f"{candidate.where} is signed by {_signer(key, certificate)}, but {wrong}"]
    found: list[Believed] = []
    reasons: list[str] = []
    for authority in authorities:
        try:
            if key is not None and key in authority.keys:
                one, failed = _by_key(candidate, authority, key, asked)
            elif certificate is not None and _named(certificate, authority):
                one, failed = _by_identity(candidate, authority, certificate, asked, also=key)
            else:
                continue
        except Junk as junk:
            reasons.append(f"{candidate.where} is signed by {authority.name}, but {junk}")
        else:
            found.append(one)
            reasons += (
                f"{candidate.where} is signed by {authority.name}; not all beside it counts: {why}" for why in failed
            )
    if not (found or reasons):
        reasons = [f"{candidate.where} is signed by {_signer(key, certificate)}, whom the rule does not name"]
    return found, reasons


def _signed_by(key: PublicKey, candidate: Candidate) -> bool:
    """By the key's own digest or SHA-256, in every format: cosign 3 uses that, cosign 2 this (ADR 0029)."""
    return key.verify(candidate.message, candidate.signature, digest="either")


def _key_of(candidate: Candidate, authorities: Sequence[Authority]) -> PublicKey | None:
    """Returns the key of the authorities that signed; the hint only says which to try first."""
    keys = {key.fingerprint: key for authority in authorities for key in authority.keys}
    hinted = keys.get(f"sha256:{candidate.material.hint.hex()}")
    if hinted is not None and _signed_by(hinted, candidate):
        return hinted
    return next((key for key in keys.values() if key is not hinted and _signed_by(key, candidate)), None)


def _certificate_of(candidate: Candidate) -> Certificate:
    """Returns the certificate whose key signed, or raises `Junk`; nothing that it says is believed yet."""
    from bpfimg.sign._evidence._certificate import Certificate

    certificate = Certificate.parse(candidate.material.certificate)
    if not _signed_by(certificate.key, candidate):
        raise Junk("its certificate is for another key than the one that signed")
    return certificate


def _named(certificate: Certificate, authority: Authority) -> bool:
    return any(pattern.matches(certificate.identity) for pattern in authority.identities)


def _signer(key: PublicKey | None, certificate: Certificate | None) -> str:
    """Whoever signed, in words: what a certificate says is only a claim here."""
    if key is not None:
        return key.fingerprint
    assert certificate is not None
    identity = certificate.identity
    return f"the certificate of {quoted(identity.subject, 256)} by {quoted(identity.issuer, 256)}"


def _wrong_name(candidate: Candidate, asked: Question) -> str:
    """Says what is wrong with the repository that a signature names; "" when nothing is."""
    rule = asked.rule
    if rule.identity == IDENTITIES[2]:
        return ""
    wanted = rule.signed_name(asked.repository)
    wrong = ""
    for name in candidate.names:
        if not name:
            if rule.identity != IDENTITIES[0]:
                return ""
            wrong = "it names no repository, which the rule asks for"
            continue
        try:
            if claimed(name) == wanted:
                return ""
            wrong = f"for another repository, {quoted(name)}, expected {wanted}"
        except Junk as junk:
            wrong = str(junk)
    return wrong


def _by_key(candidate: Candidate, authority: Authority, key: PublicKey, asked: Question) -> Counted:
    """Returns the believed signature of a key, or raises `Junk` for what the authority asks for beside it."""
    seen = None
    tlog = candidate.tlog and authority.tlog != IGNORE
    timestamp = candidate.timestamp and authority.timestamp != IGNORE
    if authority.root is None:
        _refuse_unchecked(tlog=tlog, timestamp=timestamp)
    elif tlog or timestamp:
        seen = _witness(candidate, authority, key, tlog=tlog, timestamp=timestamp)
    if (tlog or authority.tlog == REQUIRE) and not (seen and seen.logs):
        raise Junk(_lacking("a transparency log entry", seen, there=tlog))
    if (timestamp or authority.timestamp == REQUIRE) and not (seen and seen.stamps):
        raise Junk(_lacking("a timestamp", seen, there=timestamp))
    times = seen.times("any") if seen else ()
    _check_window(authority, times)
    return _believed(candidate, authority, asked, times, seen, fingerprint=key.fingerprint)


def _by_identity(
    candidate: Candidate, authority: Authority, certificate: Certificate, asked: Question, *, also: PublicKey | None
) -> Counted:
    """Returns the believed signature of an identity that the authority names, or raises `Junk`.

    In the log, because that is what makes a stolen identity visible; at a time that somebody else verified, because
    the certificate was for minutes.
    """
    from bpfimg.sign._evidence._certified import certified

    if authority.root is None:  # the policy's language asks for one
        raise Junk("no trusted root says which certificates are believed")
    seen = _witness(candidate, authority, certificate, tlog=True, timestamp=True)
    if not seen.logs:
        raise Junk(_lacking("a transparency log entry", seen, there=candidate.tlog))
    times = seen.times(authority.timestamp)
    if not times:
        source = {"tsa": "a timestamp", "tlog": "the time of a log entry"}.get(authority.timestamp, "a time")
        raise Junk(_lacking(f"{source} that says when", seen, there=candidate.timestamp))
    certified(certificate, candidate.material.chain, authority.root.trusted(), times)
    _check_window(authority, times)
    identity = certificate.identity
    shared = also.fingerprint if also is not None else ""
    who = {"identity": identity.subject, "issuer": identity.issuer, "shared": shared}
    return _believed(candidate, authority, asked, times, seen, **who)


def _believed(
    candidate: Candidate,
    authority: Authority,
    asked: Question,
    times: tuple[int, ...],
    seen: Witnessed | None,
    **who: str,
) -> Counted:
    if asked.oldest is not None:
        _check_age(times, asked.oldest)
    believed = Believed(
        authority=authority.name,
        fingerprint=who.get("fingerprint", ""),
        format=candidate.format,
        where=candidate.where,
        identity=who.get("identity", ""),
        issuer=who.get("issuer", ""),
        shared=who.get("shared", ""),
        times=tuple(sorted(times)),
        logs=tuple(f"{log.by} entry {log.index}" for log in seen.logs) if seen else (),
        stamps=tuple(stamp.by for stamp in seen.stamps) if seen else (),
        rule=asked.rule.name,
        claims=candidate.claims or {},
    )
    return believed, (seen.failed[:_SHOWN] if seen else ())


def _witness(
    candidate: Candidate, authority: Authority, verifier: PublicKey | Certificate, *, tlog: bool, timestamp: bool
) -> Witnessed:
    from bpfimg.sign._evidence._witness import witness

    assert authority.root is not None
    return witness(candidate, authority.root.trusted(), verifier, tlog=tlog, timestamp=timestamp)


def _refuse_unchecked(*, tlog: bool, timestamp: bool) -> None:
    """Raises `Junk` when there is evidence that nothing here can check and that is not to be ignored."""
    for there, field, what in ((tlog, "tlog", "a transparency log entry"), (timestamp, "timestamp", "a timestamp")):
        if there:
            either = f'(or set "{field}": "ignore")'
            raise Junk(f"it carries {what}, which cannot be verified without a trusted root {either}")


def _lacking(what: str, seen: Witnessed | None, *, there: bool) -> str:
    if not there:
        return f"it lacks {what}"
    failed = "; ".join(seen.failed[:_SHOWN]) if seen else ""
    return f"it has not {what} that verifies{f' ({failed})' if failed else ''}"


def _check_window(authority: Authority, times: tuple[int, ...]) -> None:
    """Raises `Junk` unless the earliest verified time lies where the authority's keys are believed."""
    if authority.not_before is None and authority.not_after is None:
        return
    if not times:
        raise Junk("nobody verified says when, which its notBefore and notAfter ask for")
    signed = min(times)
    if authority.not_before is not None and signed < authority.not_before:
        raise Junk(f"it was signed at {rfc3339(signed)}, expected not before {rfc3339(authority.not_before)}")
    if authority.not_after is not None and signed > authority.not_after:
        raise Junk(f"it was signed at {rfc3339(signed)}, expected not after {rfc3339(authority.not_after)}")


def _check_age(times: tuple[int, ...], oldest: int) -> None:
    if not times:
        raise Junk("nobody verified says when, which the rule's maxSignatureAge asks for")
    if min(times) < oldest:
        raise Junk(f"it was signed at {rfc3339(min(times))}, expected not before {rfc3339(oldest)} (maxSignatureAge)")
