"""Attacks on who a certificate says has signed, and on who says so."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from asn1crypto import core
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.attacks import naive
from tests.attacks.maker import Maker
from tests.attacks.scene import (
    NOW,
    ONE,
    Scene,
    by_identity,
    by_identity_sig,
    keyless,
    keyless_sig,
    trust_identity,
    trust_root,
    world,
)
from tests.attacks.table import attack
from tests.support.sigstack import ISSUER, SUBJECT, Authority, CtLog, Secret
from tests.support.sigstack._authority import fulcio
from tests.unit.sign.craft import REPOSITORY, payload, statement

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    Parts = list[tuple[x509.ExtensionType, bool]]

_ONE = ONE.descriptor.digest
_SAID = statement(_ONE, REPOSITORY)
_STRANGER = "https://evil.example/team/app/build.yml@refs/heads/main"


def _with(scene: Scene, **how: Any) -> None:
    """Everything in the scene is signed otherwise."""
    scene.bundles = [keyless(_SAID, **how)] if scene.bundles else []
    scene.sigs = [keyless_sig(payload(_ONE), **how)] if scene.sigs else []


def _edited(edit: Callable[[Parts], Parts]) -> dict[str, Any]:
    return {"issue": {"edit": edit}}


def _without(kind: type[x509.ExtensionType]) -> Callable[[Parts], Parts]:
    return lambda parts: [(each, critical) for each, critical in parts if not isinstance(each, kind)]


def _named(*names: x509.GeneralName) -> dict[str, Any]:
    """Certificates with these alternative names."""
    rest = _without(x509.SubjectAlternativeName)
    return _edited(lambda parts: [*rest(parts), (x509.SubjectAlternativeName(names), True)])


def _issuers(old: str, new: str) -> dict[str, Any]:
    """Certificates with one issuer in each of the two extensions."""

    def edit(parts: Parts) -> Parts:
        numbers = ("1.3.6.1.4.1.57264.1.1", "1.3.6.1.4.1.57264.1.8")
        rest = [(each, critical) for each, critical in parts if each.oid.dotted_string not in numbers]
        return [*rest, (fulcio(1, old.encode()), False), (fulcio(8, core.UTF8String(new).dump()), False)]

    return _edited(edit)


# -- the identity


def _asking(subject: str = "", pattern: str = "", **extensions: str) -> Callable[[Path], Scene]:
    """Signed in the pipeline; the policy asks for a text or a pattern, and for extensions."""

    def scene(folder: Path) -> Scene:
        identity: dict[str, Any] = {"issuer": ISSUER}
        identity |= {"subjectRegex": pattern} if pattern else {"subject": subject or SUBJECT}
        if extensions:
            identity["extensions"] = extensions
        policy = trust_identity(folder, identities=[identity])
        return Scene(folder, policy, bundles=[keyless(_SAID, extensions=extensions)])

    return scene


_PATTERN = _asking(pattern=r"https://ci\.example/team/[a-z]+/build\.yml@refs/heads/main")


@attack(
    "an identity that only begins alike",
    partial(naive.certified, fit=naive.fits_start),
    "whom the rule does not name",
    honest=by_identity,
)
def _(scene: Scene) -> None:
    _with(scene, subject=f"{SUBJECT}-evil")


@attack(
    "an identity that begins alike, .sig",
    partial(naive.certified, fit=naive.fits_start),
    "whom the rule does not name",
    honest=by_identity_sig,
)
def _(scene: Scene) -> None:
    _with(scene, subject=f"{SUBJECT}-evil")


@attack(
    "an identity inside another",
    partial(naive.certified, fit=naive.fits_search),
    "whom the rule does not name",
    honest=_PATTERN,
)
def _(scene: Scene) -> None:
    _with(scene, subject=f"https://evil.example/?as={SUBJECT}")


@attack(
    "an identity with a line end",
    partial(naive.certified, fit=naive.fits_match),
    "whom the rule does not name",
    honest=_PATTERN,
)
def _(scene: Scene) -> None:
    _with(scene, subject=f"{SUBJECT}\n")


@attack(
    "an identity with a NUL",
    partial(naive.certified, fit=naive.fits_in_c),
    "whom the rule does not name",
    honest=by_identity,
)
def _(scene: Scene) -> None:
    _with(scene, subject=f"{SUBJECT}\0.evil.example")


@attack(
    "the right identity of a wrong issuer",
    partial(naive.certified, issuer=None),
    "whom the rule does not name",
    honest=by_identity,
)
def _(scene: Scene) -> None:
    _with(scene, issuer="https://idp.evil.example")


@attack(
    "an issuer that begins alike",
    partial(naive.certified, issuer=naive.fits_start),
    "whom the rule does not name",
    honest=by_identity,
)
def _(scene: Scene) -> None:
    _with(scene, issuer=f"{ISSUER}.evil.net")


@attack(
    "an issuer in full-width letters",
    partial(naive.certified, issuer=naive.fits_unicode),
    "whom the rule does not name",
    honest=by_identity,
)
def _(scene: Scene) -> None:
    _with(scene, issuer="https://\uff49\uff44\uff50.example")


@attack("the issuer in the old extension only", naive.certified, "two issuers", honest=by_identity)
def _(scene: Scene) -> None:
    _with(scene, **_issuers(ISSUER, "https://idp.evil.example"))


@attack("the issuer in the new extension only", naive.certified, "two issuers", honest=by_identity)
def _(scene: Scene) -> None:
    _with(scene, **_issuers("https://idp.evil.example", ISSUER))


@attack("two identities in one certificate", naive.certified, "2 subject alternative names", honest=by_identity)
def _(scene: Scene) -> None:
    _with(scene, **_named(*(x509.UniformResourceIdentifier(each) for each in (_STRANGER, SUBJECT))))


@attack("the identity as a name of another kind", naive.certified, "named in an unknown way", honest=by_identity)
def _(scene: Scene) -> None:
    _with(scene, **_named(x509.DNSName(SUBJECT)))


@attack(
    "an identity without the extension that is asked for",
    naive.certified,
    "whom the rule does not name",
    honest=_asking(buildTrigger="push"),
)
def _(scene: Scene) -> None:
    _with(scene)


@attack(
    "an identity with another extension",
    naive.certified,
    "whom the rule does not name",
    honest=_asking(sourceRepositoryRef="refs/tags/v1"),
)
def _(scene: Scene) -> None:
    _with(scene, extensions={"sourceRepositoryRef": "refs/heads/wild"})


# -- who issued it


@attack(
    "an authority of the same name",
    partial(naive.certified, chain=naive.same_name),
    "not issued as it should be",
    honest=by_identity,
)
def _(scene: Scene) -> None:
    _with(scene, authority=Authority("impostor", world().authority.ct))


@attack(
    "an authority that came along",
    partial(naive.certified, chain=None),
    "not issued as it should be",
    honest=by_identity_sig,
)
def _(scene: Scene) -> None:
    _with(scene, authority=Authority("impostor", world().authority.ct))


@attack(
    "an authority that came along, old bundle",
    partial(naive.certified, chain=None),
    "not issued as it should be",
    honest=by_identity,
)
def _(scene: Scene) -> None:
    impostor = Authority("impostor", world().authority.ct)
    _with(scene, authority=impostor, version="0.2")


@attack(
    "a certificate that issues certificates",
    partial(naive.certified, chain=None),
    "not issued as it should be",
    honest=by_identity,
)
def _(scene: Scene) -> None:
    authority, own = world().authority, Secret.of("a leaf of one's own")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a stranger")])
    maker = Maker(authority._key, authority.intermediate, authority.chain, subject=name)
    leaf = maker.issue(own.public, _STRANGER, ISSUER, at=NOW)
    above = x509.load_der_x509_certificate(leaf.leaf)
    _with(scene, authority=Maker(own, above, (leaf.leaf, *leaf.chain)), version="0.2")


def _common(folder: Path) -> Scene:
    scene = by_identity(folder)
    identity = {"issuer": ISSUER, "subject": SUBJECT}
    scene.policy["authorities"]["ci"]["identities"] = [identity]
    return scene


@attack(
    "the identity as a common name",
    partial(naive.certified, who=naive.common_name),
    "cannot be read|no subject",
    honest=_common,
)
def _(scene: Scene) -> None:
    authority = world().authority
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SUBJECT)])
    maker = Maker(authority._key, authority.intermediate, authority.chain, subject=name, named=False)
    _with(scene, authority=maker)


@attack("a certificate for another use", naive.certified, "not for code signing", honest=by_identity)
def _(scene: Scene) -> None:
    _with(scene, issue={"usages": [ExtendedKeyUsageOID.SERVER_AUTH]})


@attack("a certificate for any use", naive.certified, "not for code signing", honest=by_identity)
def _(scene: Scene) -> None:
    _with(scene, issue={"usages": [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]})


@attack("a certificate for no use", naive.certified, "missing required extension", honest=by_identity)
def _(scene: Scene) -> None:
    _with(scene, **_edited(_without(x509.ExtendedKeyUsage)))


@attack("a certificate that is an authority's", naive.certified, "cA must not be asserted", honest=by_identity)
def _(scene: Scene) -> None:
    authority = (x509.BasicConstraints(ca=True, path_length=0), True)
    _with(scene, **_edited(lambda parts: [*parts, authority]))


@attack(
    "a certificate with a critical extension that nobody knows",
    naive.certified,
    "critical extension",
    honest=by_identity,
)
def _(scene: Scene) -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.57264.9.9"), b"\5\0")
    _with(scene, **_edited(lambda parts: [*parts, (unknown, True)]))


def _authority_until(scene: Scene, **valid: str) -> None:
    document = world().root_document()
    document["certificateAuthorities"][0]["validFor"] = {"start": "2020-01-01T00:00:00Z", **valid}
    scene.policy["trustedRoots"]["corp"] = trust_root(scene.folder, document)


@attack("an authority after its last day", naive.certified, "no certificate authority", honest=by_identity)
def _(scene: Scene) -> None:
    _authority_until(scene, end="2025-01-01T00:00:00Z")


@attack("an authority before its first day", naive.certified, "no certificate authority", honest=by_identity)
def _(scene: Scene) -> None:
    _authority_until(scene, start="2026-01-01T00:00:00Z")


# -- the promise of the certificates' log


@attack("no SCT", naive.certified, "SCT: expected one", honest=by_identity)
def _(scene: Scene) -> None:
    _with(scene, sct=False)


@attack("the SCT of another log", naive.certified, "SCT: it is of a log", honest=by_identity)
def _(scene: Scene) -> None:
    _with(scene, sct=CtLog("impostor"))


@attack("the SCT of another certificate", naive.certified, "SCT: it is not signed", honest=by_identity)
def _(scene: Scene) -> None:
    authority = world().authority
    other = authority.issue(Secret.new().public, _STRANGER, ISSUER, at=NOW, sct=False)
    said = authority.ct.promise(x509.load_der_x509_certificate(other.leaf), authority._key.spki, NOW)
    _with(scene, sct=said)


@attack("an SCT with the right log's name", naive.certified, "SCT: it is not signed", honest=by_identity)
def _(scene: Scene) -> None:
    class Forged(CtLog):
        @property
        def log_id(self) -> bytes:
            return world().authority.ct.log_id

    _with(scene, sct=Forged("impostor"))


@attack("an SCT list with nothing in it", naive.certified, "SCT", honest=by_identity)
def _(scene: Scene) -> None:
    _with(scene, sct=b"\0\0")


@attack("a certificates' log after its last day", naive.certified, "SCT: the key of", honest=by_identity)
def _(scene: Scene) -> None:
    document = world().root_document()
    document["ctlogs"][0]["publicKey"]["validFor"] = {"start": "2020-01-01T00:00:00Z", "end": "2025-01-01T00:00:00Z"}
    scene.policy["trustedRoots"]["corp"] = trust_root(scene.folder, document)
