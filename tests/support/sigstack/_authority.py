"""A certificate authority as Fulcio is one: short-lived leaves that name an identity, with an SCT inside.

Sources: sigstore/fulcio docs/certificate-specification.md and docs/oid-info.md; RFC 6962, section 3.2 (SCT).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.sigstack._secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FOUNDED = 1_577_836_800  # 2020-01-01: authorities and logs exist since then
ENDS = 2_208_988_800  # 2040-01-01
_FULCIO = "1.3.6.1.4.1.57264.1."
_SCTS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
#: names of extensions in a policy -> the last number of their OID
EXTENSIONS = {
    "buildSignerURI": 9,
    "runnerEnvironment": 11,
    "sourceRepositoryURI": 12,
    "sourceRepositoryRef": 14,
    "buildTrigger": 20,
}


@dataclass(frozen=True, slots=True)
class Issued:
    """A leaf certificate and what comes after it (intermediate, root), as DER."""

    leaf: bytes
    chain: tuple[bytes, ...]

    @property
    def pem(self) -> bytes:
        """The leaf as PEM."""
        return pem(self.leaf)

    @property
    def chain_pem(self) -> bytes:
        """Intermediate and root as PEM."""
        return b"".join(pem(each) for each in self.chain)


class CtLog:
    """A certificate transparency log that promises (SCT) to log what it is shown."""

    def __init__(self, seed: str = "ctlog") -> None:
        self.key = Secret.of(f"{seed} ct")

    @property
    def log_id(self) -> bytes:
        """The SHA-256 of the key."""
        return key_id(self.key.spki)

    def promise(self, certificate: x509.Certificate, issuer: bytes, at: float) -> bytes:
        """The list of one SCT for a certificate that has none, issued by the key of the SPKI `issuer`."""
        tbs = certificate.tbs_certificate_bytes
        when = int(at * 1000)
        entry = struct.pack("!BBQH", 0, 0, when, 1) + key_id(issuer) + len(tbs).to_bytes(3, "big") + tbs
        signature = self.key.sign(entry + b"\0\0")
        sct = struct.pack("!B32sQH", 0, self.log_id, when, 0) + struct.pack("!BBH", 4, 3, len(signature)) + signature
        return struct.pack("!HH", len(sct) + 2, len(sct)) + sct


class Authority:
    """A root, an intermediate, and the leaves that `issue` makes."""

    def __init__(self, seed: str = "fulcio", ct: CtLog | None = None, *, name: str = "sigstack") -> None:
        self.ct = ct or CtLog(seed)
        self._root, self._key = Secret.of(f"{seed} root", "ecdsa-p384"), Secret.of(f"{seed} issuer", "ecdsa-p384")
        root_name, own_name = distinguished(f"{name} root"), distinguished(f"{name} issuer")
        self.root = authority(root_name, self._root, root_name, self._root, path=1)
        self.intermediate = authority(own_name, self._key, root_name, self._root, path=0)

    @property
    def chain(self) -> tuple[bytes, ...]:
        """Intermediate and root, as DER."""
        return der(self.intermediate), der(self.root)

    def issue(
        self,
        public_key: Any,
        subject: str,
        issuer: str,
        *,
        at: float,
        minutes: float = 10,
        sct: bool | bytes | CtLog = True,
        extensions: Mapping[str, str] | None = None,
        usages: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.CODE_SIGNING,),
        edit: Any = None,
    ) -> Issued:
        """A leaf for a key. `sct`: False for none, bytes for those, another log for its promise; `edit` changes the
        list of (extension, critical) before the certificate is signed."""
        parts = self._extensions(public_key, subject, issuer, extensions or {}, usages)
        if edit is not None:
            parts = edit(parts)
        serial = x509.random_serial_number() >> 2
        start = datetime.fromtimestamp(int(at), UTC)

        def make(more: list[tuple[x509.ExtensionType, bool]]) -> x509.Certificate:
            builder = (
                x509.CertificateBuilder()
                .subject_name(x509.Name([]))
                .issuer_name(self.intermediate.subject)
                .public_key(public_key)
                .serial_number(serial)
                .not_valid_before(start)
                .not_valid_after(start + timedelta(minutes=minutes))
            )
            for extension, critical in more:
                builder = builder.add_extension(extension, critical)
            return builder.sign(self._key.raw, hashes.SHA384())

        if sct is False:
            return Issued(der(make(parts)), self.chain)
        log = sct if isinstance(sct, CtLog) else self.ct
        said = sct if isinstance(sct, bytes) else log.promise(make(parts), self._key.spki, at)
        listed = x509.UnrecognizedExtension(_SCTS, core.OctetString(said).dump())
        return Issued(der(make([*parts, (listed, False)])), self.chain)

    def _extensions(
        self,
        public_key: Any,
        subject: str,
        issuer: str,
        named: Mapping[str, str],
        usages: Sequence[x509.ObjectIdentifier],
    ) -> list[tuple[x509.ExtensionType, bool]]:
        who = x509.UniformResourceIdentifier(subject) if "://" in subject else x509.RFC822Name(subject)
        parts: list[tuple[x509.ExtensionType, bool]] = [
            (_usage(digital_signature=True), True),
            (x509.ExtendedKeyUsage(usages), False),
            (x509.SubjectKeyIdentifier.from_public_key(public_key), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public), False),
            (x509.SubjectAlternativeName([who]), True),
            (fulcio(1, issuer.encode()), False),
            (fulcio(8, core.UTF8String(issuer).dump()), False),
        ]
        for name, text in named.items():
            parts.append((fulcio(EXTENSIONS[name], core.UTF8String(text).dump()), False))
        return parts


def fulcio(number: int, content: bytes) -> x509.UnrecognizedExtension:
    """The extension 1.3.6.1.4.1.57264.1.NUMBER."""
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(f"{_FULCIO}{number}"), content)


def authority(
    subject: x509.Name, key: Secret, issuer: x509.Name, signer: Secret, *, path: int, usages: Sequence[Any] = ()
) -> x509.Certificate:
    """A certificate of an authority."""
    builder = _plain(subject, key, issuer, signer)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path), True)
    builder = builder.add_extension(_usage(key_cert_sign=True, crl_sign=True), True)
    usages = usages or ((ExtendedKeyUsageOID.CODE_SIGNING,) if path == 0 else ())
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
    return builder.sign(signer.raw, hashes.SHA384(), ecdsa_deterministic=True)


def stamping(subject: x509.Name, key: Secret, issuer: x509.Name, signer: Secret) -> x509.Certificate:
    """A certificate for timestamps."""
    builder = _plain(subject, key, issuer, signer)
    builder = builder.add_extension(_usage(digital_signature=True), True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), True)
    return builder.sign(signer.raw, hashes.SHA384(), ecdsa_deterministic=True)


def _plain(subject: x509.Name, key: Secret, issuer: x509.Name, signer: Secret) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public)
        .serial_number(int.from_bytes(key_id(key.spki)[:16], "big") >> 1 or 1)
        .not_valid_before(datetime.fromtimestamp(FOUNDED, UTC))
        .not_valid_after(datetime.fromtimestamp(ENDS, UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public), False)
    )


def distinguished(name: str) -> x509.Name:
    """O=sigstack.example, CN=name."""
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "sigstack.example")
    return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(**yes: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    names = (*names, "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: yes.get(name, False) for name in names})


def key_id(spki: bytes) -> bytes:
    """The SHA-256 of a key: what logs are called."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(spki)
    return digest.finalize()


def der(certificate: x509.Certificate) -> bytes:
    """A certificate as DER."""
    return certificate.public_bytes(serialization.Encoding.DER)


def pem(certificate: bytes) -> bytes:
    """A DER certificate as PEM."""
    return x509.load_der_x509_certificate(certificate).public_bytes(serialization.Encoding.PEM)
