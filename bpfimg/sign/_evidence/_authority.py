"""Certificate authorities of a trusted root, and whether one of them issued a signing certificate.

`cryptography`'s verifier walks the chain (RFC 5280 section 6, in the strict profile of the web: unknown critical
extensions, name constraints, path lengths, CA bits, key usages and kinds of keys are its business); the window of the
authority, and what makes a code-signing certificate, are ours.
"""

from __future__ import annotations

import hashlib

from bpfimg._value import value
from bpfimg.sign._evidence._chains import chain, may_issue
from bpfimg.sign._evidence._x509 import certificate, foreign
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography import x509
    from cryptography.x509.verification import ExtensionPolicy, Store

    from bpfimg.sign._evidence._window import Window

_MOST = 8


@value(frozen=True, slots=True, eq=False)
class CertificateAuthority:
    """An authority: its `anchor` is in the `store`, `intermediates` lead there; good within `window`."""

    name: str
    window: Window
    anchor: x509.Certificate
    store: Store
    intermediates: tuple[x509.Certificate, ...]
    policies: tuple[ExtensionPolicy, ExtensionPolicy]

    def issuer(self, leaf: x509.Certificate, sent: Iterable[x509.Certificate], time: int) -> bytes:
        """Returns the SHA-256 of the key (SPKI) that issued `leaf`, if that chains up to this authority at `time`.

        `sent` are intermediates that came along: they may stand between, and are never trusted. Raises `Junk`.
        """
        from datetime import UTC, datetime

        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        from cryptography.x509.verification import PolicyBuilder

        ca_policy, leaf_policy = self.policies
        with foreign("the signing certificate"):
            verifier = (
                PolicyBuilder()
                .store(self.store)
                .time(datetime.fromtimestamp(time, UTC))
                .max_chain_depth(_MOST)
                .extension_policies(ca_policy=ca_policy, ee_policy=leaf_policy)
                .build_client_verifier()
            )
            found = verifier.verify(leaf, [*self.intermediates, *self._below(sent)]).chain
            key = found[1].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(key).digest()

    def _below(self, sent: Iterable[x509.Certificate]) -> list[x509.Certificate]:
        """Returns those of `sent` that this authority has issued: strangers could send many that issue each other, and
        the verifier would walk every path between them."""
        known = [self.anchor, *self.intermediates]
        found: list[x509.Certificate] = []
        for one in reversed(tuple(sent)):  # a chain has the one above the leaf first, and its issuer after it
            if one not in known and one not in found and any(_issued(one, by) for by in (*known, *found)):
                found.append(one)
        return found


def _issued(found: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        with foreign("a certificate of the chain"):
            if found.issuer != by.subject:
                return False
            found.verify_directly_issued_by(by)
    except Junk:
        return False
    return True


def authority(value: object, what: str) -> CertificateAuthority:
    """Returns the authority in a trusted root's CertificateAuthority; raises `Junk`."""
    from cryptography.x509.oid import ExtendedKeyUsageOID
    from cryptography.x509.verification import Store

    found = chain(value, what)
    may_issue(found.certificates, ExtendedKeyUsageOID.CODE_SIGNING, what)
    with foreign(what):
        store = Store([found.certificates[-1]])
    return CertificateAuthority(
        name=found.name,
        window=found.window,
        anchor=found.certificates[-1],
        store=store,
        intermediates=found.certificates[:-1],
        policies=_policies(),
    )


def intermediates(chain: Iterable[bytes]) -> tuple[x509.Certificate, ...]:
    """Returns what can be read of the certificates that came along with a signature: it may help, it proves nothing."""
    found: list[x509.Certificate] = []
    for der in tuple(chain)[:_MOST]:
        try:
            found.append(certificate(der, "a certificate of the chain"))
        except Junk:
            continue
    return tuple(found)


def _policies() -> tuple[ExtensionPolicy, ExtensionPolicy]:
    """Returns what is asked of extensions in CAs and in leaves: what the web asks, but for other purposes."""
    from cryptography.x509 import ExtendedKeyUsage, KeyUsage
    from cryptography.x509.oid import ExtendedKeyUsageOID
    from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy

    signing = {ExtendedKeyUsageOID.CODE_SIGNING}

    def issues(_policy: Policy, _found: x509.Certificate, purposes: ExtendedKeyUsage | None) -> None:
        if purposes is not None and not (signing | {ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}) & set(purposes):
            raise ValueError("a certificate of the chain may not issue for code signing")

    def signs(_policy: Policy, _found: x509.Certificate, purposes: ExtendedKeyUsage) -> None:
        if not signing & set(purposes):
            raise ValueError("the leaf is not for code signing")

    def digitally(_policy: Policy, _found: x509.Certificate, usage: KeyUsage) -> None:
        if not usage.digital_signature or usage.key_cert_sign or usage.crl_sign:
            raise ValueError("the leaf is not for digital signatures alone")

    return (
        ExtensionPolicy.webpki_defaults_ca().may_be_present(ExtendedKeyUsage, Criticality.AGNOSTIC, issues),
        ExtensionPolicy.webpki_defaults_ee()
        .require_present(ExtendedKeyUsage, Criticality.AGNOSTIC, signs)
        .require_present(KeyUsage, Criticality.AGNOSTIC, digitally),
    )
