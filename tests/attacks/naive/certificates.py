"""Identities, and who vouches for them."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from tests.attacks.naive.reading import Seen, Verdict, decoded, good, seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.attacks.scene import Scene


def identities(scene: Scene) -> list[dict[str, str]]:
    return [each for some in scene.policy["authorities"].values() for each in some.get("identities", ())]


def roots(scene: Scene) -> list[x509.Certificate]:
    """The certificates of the authorities in the trusted roots, all of them."""
    found = []
    for root in scene.policy["trustedRoots"].values():
        with open(root["path"], "rb") as file:
            document = json.load(file)
        for authority in document["certificateAuthorities"]:
            for each in authority["certChain"]["certificates"]:
                found.append(x509.load_der_x509_certificate(decoded(each["rawBytes"])))
    return found


def issued(leaf: x509.Certificate, above: Iterable[x509.Certificate]) -> bool:
    """Whether one of these issued it: name and signature are right, and nothing else is looked at."""
    for each in above:
        try:
            leaf.verify_directly_issued_by(each)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return True
    return False


def same_name(leaf: x509.Certificate, above: Iterable[x509.Certificate]) -> bool:
    """Whether one of these has the name of the issuer."""
    return any(leaf.issuer == each.subject for each in above)


def brought_chain(one: Seen, trusted: Iterable[x509.Certificate]) -> bool:
    """Whether what came along leads up to a certificate whose name is trusted, or to a trusted one."""
    leaf = one.certificate
    assert leaf is not None
    pool = [*one.chain, *trusted]
    for _ in range(4):
        above = next((each for each in pool if issued(leaf, [each])), None)
        if above is None:
            return False
        if any(above.subject == each.subject for each in trusted):
            return True
        leaf = above
    return False


def subjects(certificate: x509.Certificate) -> list[str]:
    """Every alternative name, of whatever kind."""
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(each.value) for each in found]


def issuers(certificate: x509.Certificate) -> list[str]:
    """Who vouched for the identity, by either extension."""
    texts = []
    for extension in certificate.extensions:
        if extension.oid.dotted_string in ("1.3.6.1.4.1.57264.1.1", "1.3.6.1.4.1.57264.1.8"):
            raw = extension.value.public_bytes() if hasattr(extension.value, "public_bytes") else b""
            text = raw.decode("utf-8", "replace")
            texts.append(text if extension.oid.dotted_string.endswith(".1.1") else text[2:])
    return texts


def fits(wanted: str, found: str) -> bool:
    return wanted == found


def fits_start(wanted: str, found: str) -> bool:
    return found.startswith(wanted)


def fits_search(wanted: str, found: str) -> bool:
    return re.search(wanted, found) is not None


def fits_match(wanted: str, found: str) -> bool:
    return re.match(f"(?:{wanted})$", found) is not None


def fits_unicode(wanted: str, found: str) -> bool:
    return unicodedata.normalize("NFKC", found) == wanted


def fits_in_c(wanted: str, found: str) -> bool:
    return found.split("\0", maxsplit=1)[0] == wanted


def certified(
    scene: Scene,
    *,
    fit: Callable[[str, str], bool] = fits,
    issuer: Callable[[str, str], bool] | None = fits,
    chain: Callable[[x509.Certificate, Iterable[x509.Certificate]], bool] | None = issued,
    who: Callable[[x509.Certificate], list[str]] = subjects,
    digest: bool = True,
) -> Verdict:
    """A certificate of a trusted authority names a wanted identity, and its key signed the right digest. When, and what
    any log says: not looked at."""
    for one in seen(scene):
        leaf = one.certificate
        if leaf is None or not good(leaf.public_key(), one.signatures[0], one.message):
            continue
        if digest and str(scene.digest) not in one.digests:
            continue
        if not (brought_chain(one, roots(scene)) if chain is None else chain(leaf, roots(scene))):
            continue
        for wanted in identities(scene):
            subject = wanted.get("subject") or wanted["subjectRegex"]
            said = wanted.get("issuer") or wanted["issuerRegex"]
            by = issuer is None or any(issuer(said, each) for each in issuers(leaf))
            if by and any(fit(subject, each) for each in who(leaf)):
                return True
    return False


def witnessed(scene: Scene) -> Verdict:
    """... and a log entry or a timestamp stands beside it: what is in it, and who signed that, is not looked at."""
    for one in seen(scene):
        material = one.bundle.get("verificationMaterial", {})
        if one.bundle and not (material.get("tlogEntries") or material.get("timestampVerificationData")):
            return False
    return certified(scene)


def common_name(certificate: x509.Certificate) -> list[str]:
    """Alternative names, else the common name."""
    try:
        return subjects(certificate)
    except x509.ExtensionNotFound:
        return [str(each.value) for each in certificate.subject]


def first_certificate(scene: Scene) -> Verdict:
    """The first certificate decides."""
    leaf = next((one.certificate for one in seen(scene)), None)
    return leaf is not None and any(each["subject"] in subjects(leaf) for each in identities(scene))


def all_witnessed(scene: Scene) -> Verdict:
    """Every bundle must have a witness: anybody may add one that has none."""
    return witnessed(scene)
