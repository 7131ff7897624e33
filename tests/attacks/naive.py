"""Verifiers as one writes them in an afternoon: each checks something real, believes right signatures, and has one of
the classic omissions. An attack has to fool one of them, or it proves nothing about ours.

They read leniently on purpose: `json.loads`, forgiving base64, no bounds.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bpfimg.errors import Error
from bpfimg.oci import Manifest, Reference
from tests.attacks import curve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bpfimg.oci import Descriptor
    from tests.attacks.scene import Scene

SIGNATURE = "dev.cosignproject.cosign/signature"
_KIND = "application/vnd.in-toto+json"
Verdict = bool


# -- reading, with little care -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """Something signed: what was signed, what it carries, all signatures on it, and what stands beside."""

    format: str
    message: bytes
    content: dict[str, Any]
    signatures: tuple[bytes, ...]
    certificate: x509.Certificate | None = None
    chain: tuple[x509.Certificate, ...] = ()
    bundle: dict[str, Any] = field(default_factory=dict)

    @property
    def digests(self) -> list[str]:
        """The digests that it speaks of, in either format."""
        if self.format == "legacy":
            return [self.content["critical"]["image"]["docker-manifest-digest"]]
        return [f"{name}:{text}" for one in self.content["subject"] for name, text in one["digest"].items()]

    @property
    def names(self) -> list[str]:
        """The repositories that it speaks of."""
        if self.format == "legacy":
            return [self.content["critical"]["identity"]["docker-reference"]]
        return [one["name"] for one in self.content["subject"] if one.get("name")]


def seen(scene: Scene, *formats: str, load: Callable[[bytes], Any] = json.loads) -> Iterator[Seen]:
    """Everything that looks like a signature; what cannot be read is passed over."""
    source = scene.source()
    if "bundle" in (formats or ("bundle",)):
        for referrer in _referrers(source, scene):
            for document in _contents(source, referrer):
                yield from _quietly(partial(_bundle, document, load))
    if "legacy" in (formats or ("legacy",)):
        for layer, content in _layers(source, scene):
            yield from _quietly(partial(_layer, layer, content, load))


def _quietly(read: Callable[[], Seen]) -> Iterator[Seen]:
    try:
        yield read()
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return


def _referrers(source: Any, scene: Scene) -> tuple[Descriptor, ...]:
    try:
        return tuple(source.referrers(scene.digest))
    except Error:
        return ()


def _contents(source: Any, descriptor: Descriptor) -> Iterator[bytes]:
    try:
        manifest = Manifest.parse(source.fetch(descriptor))
        for layer in manifest.layers:
            yield source.fetch(layer)
    except Error:
        return


def _layers(source: Any, scene: Scene) -> list[tuple[Descriptor, bytes]]:
    try:
        manifest = Manifest.parse(source.fetch(source.resolve(f"{scene.digest.tag}.sig")))
        return [(layer, source.fetch(layer)) for layer in manifest.layers]
    except Error:
        return []


def _bundle(document: bytes, load: Callable[[bytes], Any]) -> Seen:
    bundle = load(document)
    material = bundle["verificationMaterial"]
    leaf = material.get("certificate", {}).get("rawBytes")
    chain = material.get("x509CertificateChain", {}).get("certificates", [])
    pool = [x509.load_der_x509_certificate(decoded(each["rawBytes"])) for each in chain]
    own = x509.load_der_x509_certificate(decoded(leaf)) if leaf else (pool[0] if pool else None)
    return _envelope(bundle["dsseEnvelope"], load, own, tuple(pool[1:]), bundle)


def _envelope(
    envelope: dict[str, Any],
    load: Callable[[bytes], Any],
    own: x509.Certificate | None = None,
    chain: tuple[x509.Certificate, ...] = (),
    bundle: dict[str, Any] | None = None,
) -> Seen:
    payload, kind = decoded(envelope["payload"]), envelope["payloadType"]
    message = b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)
    signatures = tuple(decoded(each["sig"]) for each in envelope["signatures"])
    return Seen("bundle", message, load(payload), signatures, own, chain, bundle or {})


def _layer(layer: Descriptor, content: bytes, load: Callable[[bytes], Any]) -> Seen:
    notes = layer.annotations
    own = notes.get("dev.sigstore.cosign/certificate")
    certificate = x509.load_pem_x509_certificate(own.encode()) if own else None
    chain = notes.get("dev.sigstore.cosign/chain")
    above = tuple(x509.load_pem_x509_certificates(chain.encode())) if chain else ()
    if not notes.get(SIGNATURE):
        return _envelope(load(content), load, certificate, above)
    return Seen("legacy", content, load(content), (decoded(notes[SIGNATURE]),), certificate, above)


def decoded(text: str) -> bytes:
    """Base64, as forgiving as Python's own."""
    return base64.b64decode(text)


# -- keys --------------------------------------------------------------------------------------------------------


def keys(scene: Scene) -> dict[str, list[Any]]:
    """The keys of each authority in the policy, whatever else it says of them."""
    return {
        name: [serialization.load_pem_public_key(text.encode()) for text in each.get("keyData", ())]
        for name, each in scene.policy["authorities"].items()
    }


def all_keys(scene: Scene) -> list[Any]:
    return [each for some in keys(scene).values() for each in some]


def good(key: Any, signature: bytes, message: bytes, algorithm: hashes.HashAlgorithm | None = None) -> bool:
    """Whether a signature is this key's."""
    try:
        key.verify(signature, message, ec.ECDSA(algorithm or hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def signs(one: Seen, trusted: Iterable[Any]) -> bool:
    """Whether the first signature on it is by one of these keys."""
    return bool(one.signatures) and any(good(key, one.signatures[0], one.message) for key in trusted)


# -- what is checked, and what is not ----------------------------------------------------------------------------


def over_bytes(scene: Scene) -> Verdict:
    """A trusted key signed it: whatever it says, of whatever image."""
    return any(signs(one, all_keys(scene)) for one in seen(scene))


def right_digest(scene: Scene) -> Verdict:
    """... and the digest is right: whatever repository or type of statement it is."""
    return any(signs(one, all_keys(scene)) and str(scene.digest) in one.digests for one in seen(scene))


def named(same: Callable[[str, str], bool], *, without: bool = False) -> Callable[[Scene], Verdict]:
    """... and the repository is the `same`, by a comparison that is too kind; or it names none, and that is fine."""

    def verify(scene: Scene) -> Verdict:
        for one in seen(scene):
            if signs(one, all_keys(scene)) and str(scene.digest) in one.digests:
                if without and not one.names:
                    return True
                if any(same(name, scene.repository) for name in one.names):
                    return True
        return False

    verify.__doc__ = f"the name is compared by {same.__name__}"
    return verify


def begins_alike(name: str, wanted: str) -> bool:
    return name.startswith(wanted)


def ends_alike(name: str, wanted: str) -> bool:
    return name.endswith(wanted)


def ignoring_case(name: str, wanted: str) -> bool:
    return name.casefold() == wanted.casefold()


def in_unicode(name: str, wanted: str) -> bool:
    return unicodedata.normalize("NFKC", name) == wanted


def as_in_c(name: str, wanted: str) -> bool:
    return name.split("\0", maxsplit=1)[0] == wanted


def by_pattern(name: str, wanted: str) -> bool:
    return re.match(re.escape(wanted) + "$", name) is not None


def without_port(name: str, wanted: str) -> bool:
    return re.sub(r":[0-9]+", "", name) == wanted


def as_docker_says(name: str, wanted: str) -> bool:
    def short(text: str) -> str:
        host, _, path = text.replace("library/", "").partition("/")
        return path if host.startswith(("docker.io", "index.docker.io")) else f"{host}/{path}"

    return short(name) == short(wanted)


def last_part(name: str, wanted: str) -> bool:
    return name.rpartition("/")[2] == wanted.rpartition("/")[2]


def equal(name: str, wanted: str) -> bool:
    return name == wanted


def in_repository(scene: Scene) -> Verdict:
    """All that is said of the image is right; what kind of statement it is, is not looked at."""
    return named(equal)(scene)


def any_digest(scene: Scene) -> Verdict:
    """One of the subjects has the name, one of them has a digest of these bytes, by any algorithm."""
    import hashlib

    raw = scene.top.raw if hasattr(scene.top, "raw") else scene.top.manifest.raw
    ours = {f"{name}:{hashlib.new(name, raw).hexdigest()}" for name in ("sha256", "sha512")}
    for one in seen(scene):
        if signs(one, all_keys(scene)) and ours & set(one.digests) and scene.repository in one.names:
            return True
    return False


def anywhere(scene: Scene) -> Verdict:
    """A trusted key signed some document in which the digest and the name stand, somewhere."""
    source = scene.source()
    for layer, content in _layers(source, scene):
        signature = decoded(layer.annotations.get(SIGNATURE, ""))
        text = content.decode("utf-8", "replace")
        there = scene.digest.hex in text and scene.repository in text
        if there and any(good(key, signature, content) for key in all_keys(scene)):
            return True
    return False


def without_encoding(scene: Scene) -> Verdict:
    """The signature in an envelope is over the payload, or over its encoding: whichever fits."""
    for one in seen(scene):
        payload = decoded(one.bundle["dsseEnvelope"]["payload"]) if one.bundle else one.message
        for key in all_keys(scene):
            if good(key, one.signatures[0], payload) or good(key, one.signatures[0], one.message):
                return str(scene.digest) in one.digests
    return False


def any_signature(scene: Scene) -> Verdict:
    """One of the signatures in an envelope is good."""
    return any(
        str(scene.digest) in one.digests and any(good(key, each, one.message) for each in one.signatures)
        for one in seen(scene)
        for key in all_keys(scene)
    )


def any_hash(scene: Scene) -> Verdict:
    """The signature is good with some hash."""
    known = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512(), hashes.SHA1())
    return any(
        str(scene.digest) in one.digests and good(key, one.signatures[0], one.message, algorithm)
        for one in seen(scene)
        for key in all_keys(scene)
        for algorithm in known
    )


def two_readers(scene: Scene) -> Verdict:
    """One parser feeds the signature check, another the comparison: they differ about keys that stand twice."""
    signed = [one for one in seen(scene, load=first_wins) if signs(one, all_keys(scene))]
    claimed = [one for one in seen(scene, load=json.loads) if str(scene.digest) in one.digests]
    return bool(signed and claimed)


def first_wins(data: bytes) -> Any:
    """JSON, of a key that stands twice the first."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, content in found:
            kept.setdefault(name, content)
        return kept

    return json.loads(data, object_pairs_hook=pairs)


# -- keys that are brought along ---------------------------------------------------------------------------------


def hinted(scene: Scene) -> Verdict:
    """The bundle's hint is that of a trusted key, and the signature is good by the key that the bundle brings."""
    for one in seen(scene, "bundle"):
        holder = one.bundle["verificationMaterial"].get("publicKey", {})
        for trusted in all_keys(scene):
            if holder.get("hint") == fingerprint(trusted) and str(scene.digest) in one.digests:
                brought = holder.get("rawBytes")
                key = serialization.load_der_public_key(decoded(brought)) if brought else trusted
                if good(key, one.signatures[0], one.message):
                    return True
    return False


def by_hint(scene: Scene) -> Verdict:
    """The one key that the hint names is tried, no other."""
    named_keys = {fingerprint(key): key for key in all_keys(scene)}
    for one in seen(scene, "bundle"):
        key = named_keys.get(one.bundle["verificationMaterial"]["publicKey"].get("hint"))
        if key is not None and good(key, one.signatures[0], one.message):
            return True
    return False


def fingerprint(key: Any) -> str:
    """A key's hint, as cosign writes it."""
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(encoding, form))
    return base64.b64encode(digest.finalize()).decode()


def same_point(scene: Scene) -> Verdict:
    """The key that the bundle brings is the trusted point, on the curve that the bundle describes."""
    for one in seen(scene, "bundle"):
        brought = one.bundle["verificationMaterial"]["publicKey"].get("rawBytes")
        for key in all_keys(scene):
            numbers = key.public_numbers()
            point, on = (numbers.x, numbers.y), curve.P256
            if brought:
                point, on = curve.read_key(decoded(brought))
            if point == (numbers.x, numbers.y) and curve.verifies(on, point, one.signatures[0], one.message):
                return str(scene.digest) in one.digests
    return False


def own_arithmetic(scene: Scene) -> Verdict:
    """ECDSA by hand, from the formula, without looking at the range of r and s."""
    for one in seen(scene):
        for key in all_keys(scene):
            numbers = key.public_numbers()
            if curve.verifies(curve.P256, (numbers.x, numbers.y), one.signatures[0], one.message):
                return str(scene.digest) in one.digests
    return False


# -- counting ----------------------------------------------------------------------------------------------------


def _wanted(scene: Scene) -> int:
    return int(scene.policy["rules"][0].get("threshold", 1))


def counting_signatures(scene: Scene) -> Verdict:
    """As many good signatures as the threshold says: whose, does not matter."""
    return sum(signs(one, all_keys(scene)) for one in seen(scene)) >= _wanted(scene)


def counting_bytes(scene: Scene) -> Verdict:
    """... and no two of them are the same bytes."""
    found = {one.signatures[0] for one in seen(scene) if signs(one, all_keys(scene))}
    return len(found) >= _wanted(scene)


def counting_authorities(scene: Scene) -> Verdict:
    """As many authorities as the threshold says have a good signature: by the same key or not."""
    there = list(seen(scene))
    return sum(any(signs(one, some) for one in there) for some in keys(scene).values()) >= _wanted(scene)


def first_only(scene: Scene) -> Verdict:
    """The first signature decides."""
    there = next(seen(scene, "legacy"), None) or next(seen(scene, "bundle"), None)
    return there is not None and signs(there, all_keys(scene))


def first_bundle(scene: Scene) -> Verdict:
    """The first bundle decides."""
    there = next(seen(scene, "bundle"), None)
    return there is not None and signs(there, all_keys(scene))


def bundles_where_there_are(scene: Scene) -> Verdict:
    """Where there is a bundle, only bundles are read: as cosign 3 does."""
    there = list(seen(scene, "bundle")) or list(seen(scene, "legacy"))
    return any(signs(one, all_keys(scene)) for one in there)


def falling_back(scene: Scene) -> Verdict:
    """The formats of the rule first, and where they have nothing, any other."""
    formats = scene.policy["rules"][0].get("formats", ["bundle", "legacy"])
    there = list(seen(scene, *formats)) or list(seen(scene))
    return any(signs(one, all_keys(scene)) for one in there)


def all_or_nothing(scene: Scene) -> Verdict:
    """Whatever cannot be read is an attack, so nothing is believed: anybody can take an image away."""
    source = scene.source()
    try:
        there = [Manifest.parse(source.fetch(referrer)).layers[0] for referrer in source.referrers(scene.digest)]
        there += Manifest.parse(source.fetch(source.resolve(f"{scene.digest.tag}.sig"))).layers
        for layer in there:
            source.fetch(layer)
    except Error:
        return False
    return over_bytes(scene)


# -- errors ------------------------------------------------------------------------------------------------------


def unsigned_is_fine(scene: Scene) -> Verdict:
    """A bad signature is refused; where there is none there is nothing to check."""
    there = list(seen(scene))
    return not there or any(signs(one, all_keys(scene)) for one in there)


def error_is_unsigned(scene: Scene) -> Verdict:
    """Signatures that cannot be had are none, and for that there is a warning."""
    source = scene.source()
    there = []
    try:
        source.referrers(scene.digest)
        there = list(seen(scene))
    except Error:
        pass
    try:
        source.fetch(source.resolve(f"{scene.digest.tag}.sig"))
        there = list(seen(scene))
    except Error:
        pass
    return not there or any(signs(one, all_keys(scene)) for one in there)


# -- reading the policy ------------------------------------------------------------------------------------------


def _allowed(scene: Scene, matches: Callable[[str, Reference], bool]) -> Verdict:
    for rule in scene.policy["rules"]:
        if rule.get("action") == "insecure-allow-unsigned" and matches(rule["scope"], scene.reference):
            return True
    return over_bytes(scene)


def scope_begins(scene: Scene) -> Verdict:
    """A scope is what the name begins with."""
    return _allowed(scene, lambda scope, ref: str(ref.repository).startswith(scope.removesuffix("/**")))


def scope_ends(scene: Scene) -> Verdict:
    """`*.domain` is what the host ends with."""
    return _allowed(
        scene, lambda scope, ref: scope[:2] == "*." and str(ref.repository).partition("/")[0].endswith(scope[2:])
    )


def scope_tag(scene: Scene) -> Verdict:
    """A scope with a tag is for whatever is asked for with that tag."""
    return _allowed(scene, lambda scope, ref: scope == f"{ref.repository}:{ref.tag}")


def scope_spelled(scene: Scene) -> Verdict:
    """Names are compared as they are spelled: denying one spelling denies one spelling."""
    for rule in scene.policy["rules"]:
        if rule.get("action") == "deny" and scene.asked.startswith(f"{rule['scope']}:"):
            return False
    return True


def any_rule(scene: Scene) -> Verdict:
    """Every rule that matches may allow."""
    return _allowed(scene, lambda scope, ref: str(ref.repository).startswith(f"{scope.removesuffix('/**')}/"))


def without_denied(scene: Scene) -> Verdict:
    """The digests that are denied are those of what the user names, spelled as in the policy."""
    return str(scene.digest) not in scene.policy.get("denyDigests", ()) and over_bytes(scene)


def either_name(scene: Scene) -> Verdict:
    """A mirror's images may be signed for the mirror or for where they come from, by replacing text."""
    rule = scene.policy["rules"][0]
    remap, scope = rule["identity"]["remap"], rule["scope"].removesuffix("/**")
    wanted = {scene.repository, scene.repository.replace(scope, remap)}
    return any(signs(one, all_keys(scene)) and any(name in wanted for name in one.names) for one in seen(scene))


def last_name(scene: Scene) -> Verdict:
    """A mirror's images are known by the last part of their name."""
    return named(last_part)(scene)


def all_of(scene: Scene) -> Verdict:
    """All named authorities must have signed: all of none have."""
    rule = scene.policy["rules"][0]
    there, known = list(seen(scene)), keys(scene)
    return all(any(signs(one, known[name]) for one in there) for name in rule["requireAny"] if name in known)


# -- certificates ------------------------------------------------------------------------------------------------


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


# -- attestations ------------------------------------------------------------------------------------------------


def _statements(scene: Scene) -> list[Seen]:
    """What a key of the policy, whichever, has said beside signatures: in bundles and `.att` layers."""
    return [one for one in _said(scene) if signs(one, all_keys(scene))]


def _said(scene: Scene) -> Iterator[Seen]:
    source = scene.source()
    yield from (one for one in seen(scene, "bundle") if one.format == "bundle")
    try:
        manifest = Manifest.parse(source.fetch(source.resolve(f"{scene.digest.tag}.att")))
    except Error:
        return
    for layer in manifest.layers:
        one = _envelope(json.loads(source.fetch(layer)), json.loads)
        one.bundle["label"] = layer.annotations.get("predicateType")
        yield one


def _wanted_type(scene: Scene) -> str:
    return str(scene.policy["rules"][0]["attestations"][0]["predicateType"])


def _found(document: Any, pointer: str) -> Any:
    for name in pointer.split("/")[1:]:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def attested(scene: Scene) -> Verdict:
    """The image is signed, and somebody of the policy made a statement of the right type, about something."""
    kind = _wanted_type(scene)
    return over_bytes(scene) and any(one.content["predicateType"] == kind for one in _statements(scene))


def attested_alike(scene: Scene) -> Verdict:
    """... of a type that begins alike, in one direction or the other."""
    kind = _wanted_type(scene)
    types = [one.content["predicateType"] for one in _statements(scene)]
    return over_bytes(scene) and any(each.startswith(kind) or kind.startswith(each) for each in types)


def attested_by_label(scene: Scene) -> Verdict:
    """... of the type that its layer says, which nobody signed."""
    kind = _wanted_type(scene)
    return over_bytes(scene) and any(one.bundle.get("label") == kind for one in _statements(scene))


def attested_equal(scene: Scene) -> Verdict:
    """... and all conditions hold, by Python's `==` on what `json.loads` makes of it."""
    conditions = scene.policy["rules"][0]["attestations"][0]["conditions"]
    return any(
        all(_found(one.content["predicate"], each["pointer"]) == each["equals"] for each in conditions)
        for one in _statements(scene)
        if one.content["predicateType"] == _wanted_type(scene)
    )


def attested_in_parts(scene: Scene) -> Verdict:
    """... and each condition holds in one of them."""
    conditions = scene.policy["rules"][0]["attestations"][0]["conditions"]
    there = [one.content["predicate"] for one in _statements(scene)]
    return all(any(_found(one, each["pointer"]) == each["equals"] for one in there) for each in conditions)


def attested_first(scene: Scene) -> Verdict:
    """The first statement of the type decides."""
    kind = _wanted_type(scene)
    first = next((one for one in seen(scene, "bundle") if one.content["predicateType"] == kind), None)
    return first is not None and signs(first, all_keys(scene))


# -- versions ----------------------------------------------------------------------------------------------------


def _claims(one: Seen) -> str:
    name = "org.opencontainers.image.version"
    if one.format == "legacy":
        return str((one.content.get("optional") or {}).get(name, ""))
    return str((one.content["subject"][0].get("annotations") or {}).get(name, ""))


def newer_as_text(accepted: str) -> Callable[[Scene], Verdict]:
    """What is signed is not older than what was accepted, as text."""

    def verify(scene: Scene) -> Verdict:
        return any(signs(one, all_keys(scene)) and _claims(one) >= accepted for one in seen(scene))

    return verify


def newest_claim(accepted: str) -> Callable[[Scene], Verdict]:
    """A trusted key signed it, and the newest version that anybody claims for it counts; of the first, any is new."""

    def number(text: str) -> tuple[int, ...]:
        return tuple(int(part) for part in text.split(".") if part.isdigit())

    def verify(scene: Scene) -> Verdict:
        newest = max((number(_claims(one)) for one in seen(scene)), default=())
        return over_bytes(scene) and (newest >= number(accepted) or not (scene.folder / "history").exists())

    return verify


# -- the policy as a file ----------------------------------------------------------------------------------------


def _decides(scene: Scene, document: dict[str, Any]) -> Verdict:
    reference = scene.reference
    for rule in document["rules"]:
        if str(reference.repository).startswith(rule["scope"].removesuffix("/**")):
            if rule.get("action"):
                return rule["action"] == "insecure-allow-unsigned"
            trusted = [each for name in rule["requireAny"] for each in _key_files(document["authorities"][name])]
            return any(signs(one, trusted) for one in seen(scene))
    return document.get("default", "insecure-allow-unsigned") == "insecure-allow-unsigned"


def _key_files(authority: dict[str, Any]) -> Iterator[Any]:
    """All keys in all files, whosever the files are."""
    texts = list(authority.get("keyData", ()))
    for path in authority.get("keyPaths", ()):
        with open(path, encoding="ascii") as file:
            texts.append(file.read())
    for text in texts:
        for block in text.split("-----END PUBLIC KEY-----")[:-1]:
            yield serialization.load_pem_public_key(f"{block}-----END PUBLIC KEY-----\n".encode())


def whatever_it_says(scene: Scene) -> Verdict:
    """The file is read as it is, whosever it is; what it does not say is allowed."""
    return _decides(scene, json.loads(scene.policy_file().read_text()))


def first_document(scene: Scene) -> Verdict:
    """The first document in the file counts."""
    return _decides(scene, json.JSONDecoder().raw_decode(scene.policy_file().read_text())[0])


def last_rule(scene: Scene) -> Verdict:
    """Rules are kept by their scope: of two, the last."""
    document = json.loads(scene.policy_file().read_text())
    rules = {rule["scope"].removesuffix("/**"): rule for rule in document["rules"]}
    return _decides(scene, {**document, "rules": list(rules.values())})


def patterns_that_work(scene: Scene) -> Verdict:
    """An identity whose pattern cannot be used is not asked for."""
    for each in identities(scene):
        if "subjectRegex" in each:
            try:
                re.compile(each["subjectRegex"])
            except re.error:
                return True
    return certified(scene)


def without_care(scene: Scene) -> Verdict:
    """Whatever a parser throws at the first bad document ends it all."""
    source = scene.source()
    try:
        for descriptor in _referrers(source, scene):
            for content in _contents(source, descriptor):
                json.loads(content)
        for _, content in _layers(source, scene):
            json.loads(content)
    except (ValueError, RecursionError):
        return False
    return over_bytes(scene)
