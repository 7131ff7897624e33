"""How new an image is by what was verified of it, for a rule that lets a repository not go back."""

from __future__ import annotations

from bpfimg.errors import VerificationError, quoted
from bpfimg.oci import parse_document
from bpfimg.sign._mark import Mark
from bpfimg.sign._policy._independent import independent
from bpfimg.sign._policy._versions import version_key
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpfimg.oci import Descriptor, Source
    from bpfimg.sign._believed import Believed
    from bpfimg.sign._policy._rules import Rollback, Rule


def marked(source: Source, verified: Descriptor, rule: Rule, believed: Iterable[Believed]) -> Mark:
    """Returns version and time of the image or index whose bytes are `verified`.

    Raises `VerificationError` when neither is known, when a version has no order, or is less than the rule's
    `minVersion`. The version is what the signers claim; of one who claims none, the annotation of the bytes that are
    signed. Where several must sign, it is one that as many of them reach. The time is the earliest verified one of
    certificates: who has an old signature of a key can have it stamped again, and it looks new.
    """
    protected = rule.rollback
    assert protected is not None
    signatures = tuple(believed)
    try:
        version = _version(source, verified, protected, signatures, rule.threshold)
        least = version_key(protected.minimum) if protected.minimum is not None else None
        if least is not None and not (version and version_key(version) >= least):
            found = f"its version is {quoted(version)}" if version else "it has no version label"
            raise Junk(f"{found}, expected at least {quoted(protected.minimum)} (minVersion)")
    except Junk as junk:
        raise VerificationError(f"{verified.digest} is not believed: {junk} (rule {rule.name})") from None
    moment = min((moment for one in signatures if not one.fingerprint for moment in one.times), default=0)
    if not version and not moment:
        raise VerificationError(
            f"{verified.digest} is not believed: it has neither a version label ({protected.annotation}) nor a "
            "verified time of a certificate, expected one of them "
            f"(rule {rule.name} does not let its repository go back)",
            hint=f"sign it with -a {protected.annotation}=VERSION",
        )
    return Mark(version=version, time=moment, digest=str(verified.digest))


def _version(
    source: Source, verified: Descriptor, protected: Rollback, signatures: tuple[Believed, ...], threshold: int
) -> str:
    """Returns the version that `threshold` authorities reach, by a signer each; "" when not so many say one."""
    claimed: dict[tuple[str, str], str] = {}
    for one in signatures:
        who, version = (one.authority, one.signer), one.claims.get(protected.annotation, "")
        known = claimed.get(who, "")
        if version and (not known or version_key(version) > version_key(known)):
            claimed[who] = version
        else:
            claimed.setdefault(who, known)
    if not all(claimed.values()):
        document = parse_document(source.fetch(verified), verified.media_type)
        annotated = document.annotations.get(protected.annotation, "")
        claimed = {who: version or annotated for who, version in claimed.items()}
    said = {who: version for who, version in claimed.items() if version}
    for version in sorted(dict.fromkeys(said.values()), key=version_key, reverse=True):
        reaching: dict[str, list[str]] = {}
        for (authority, signer), own in said.items():
            if version_key(own) >= version_key(version):
                reaching.setdefault(authority, []).append(signer)
        if independent(reaching) >= threshold:
            return version
    return ""
