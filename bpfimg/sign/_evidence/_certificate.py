"""A signing certificate of a keyless signature: whose key, by whose word. Reading is not believing: see `certified`.

Sources: RFC 5280; fulcio's docs/certificate-specification.md and docs/oid-info.md (the OIDs 1.3.6.1.4.1.57264.1.x).
"""

from __future__ import annotations

from bpfimg.errors import quoted
from bpfimg.sign._evidence._identity import Identity
from bpfimg.sign._evidence._x509 import certificate, foreign, key_of
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.x509 import Extensions

    from bpfimg.sign._keys._public import PublicKey

_WHAT = "the signing certificate"
_FULCIO = "1.3.6.1.4.1.57264.1"
_ISSUER_RAW, _ISSUER = f"{_FULCIO}.1", f"{_FULCIO}.8"
_USER_NAME = f"{_FULCIO}.7"
_EXTENSIONS = {
    f"{_FULCIO}.9": "buildSignerURI",
    f"{_FULCIO}.11": "runnerEnvironment",
    f"{_FULCIO}.12": "sourceRepositoryURI",
    f"{_FULCIO}.14": "sourceRepositoryRef",
    f"{_FULCIO}.20": "buildTrigger",
}


class Certificate:
    """A certificate that says whose key has signed; `Certificate.parse(der)` is the way to get one.

    `key` is the key it is about, `identity` whom it names, `der` the bytes. Nothing of it is believed yet.
    """

    __slots__ = ("der", "found", "identity", "key")

    der: bytes
    found: x509.Certificate
    identity: Identity
    key: PublicKey

    def __init__(self, der: bytes) -> None:
        self.der = der
        self.found = certificate(der, _WHAT)
        self.key = key_of(self.found, _WHAT)
        with foreign(_WHAT):
            self.identity = _identity(self.found.extensions)

    @classmethod
    def parse(cls, der: bytes) -> Certificate:
        """Returns the certificate in `der`, or raises `Junk`: unreadable, a kind of key that is not believed, no
        issuer, or not exactly one name of its subject."""
        return cls(der)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and other.der == self.der

    def __hash__(self) -> int:
        return hash(self.der)

    def __repr__(self) -> str:
        return f"Certificate({quoted(self.identity.subject)} of {quoted(self.identity.issuer)})"


def _identity(extensions: Extensions) -> Identity:
    from cryptography.x509 import UnrecognizedExtension

    texts = {
        one.oid.dotted_string: one.value.value for one in extensions if isinstance(one.value, UnrecognizedExtension)
    }
    subject, kind = _subject(extensions)
    issuer = _utf8string(texts[_ISSUER], "its issuer") if _ISSUER in texts else ""
    if _ISSUER_RAW in texts:
        old = _text(texts[_ISSUER_RAW], "its issuer")
        if issuer and old != issuer:
            raise Junk(f"it names two issuers, {quoted(old)} and {quoted(issuer)}")
        issuer = old
    if not issuer:
        raise Junk("it names no issuer of the signer's identity, expected Fulcio's extension")
    found = {name: _utf8string(texts[oid], f"its {name}") for oid, name in _EXTENSIONS.items() if oid in texts}
    return Identity(subject=subject, subject_kind=kind, issuer=issuer, extensions=found)


def _subject(extensions: Extensions) -> tuple[str, str]:
    """Returns the one name of the subject and its kind."""
    from cryptography.x509 import OtherName, RFC822Name, SubjectAlternativeName, UniformResourceIdentifier

    names = list(extensions.get_extension_for_class(SubjectAlternativeName).value)
    if len(names) != 1:
        raise Junk(f"it has {len(names)} subject alternative names, expected exactly one")
    name = names[0]
    if isinstance(name, UniformResourceIdentifier):
        return _named(name.value), "uri"
    if isinstance(name, RFC822Name):
        return _named(name.value), "email"
    if isinstance(name, OtherName) and name.type_id.dotted_string == _USER_NAME:
        return _named(_utf8string(name.value, "its user name")), "other"
    raise Junk("its subject is named in an unknown way, expected a URI, an e-mail address or Fulcio's user name")


def _named(subject: str) -> str:
    if not subject:
        raise Junk("the name of its subject is empty")
    return subject


def _utf8string(der: bytes, what: str) -> str:
    """Returns the text in a DER UTF8String, and nothing after it (X.690, section 8.1)."""
    if len(der) < 2 or der[0] != 0x0C:
        raise Junk(f"{what} is not a DER UTF8String")
    size, start = der[1], 2
    if size > 0x80 and size - 0x80 <= 2:
        start = 2 + size - 0x80
        size = int.from_bytes(der[2:start], "big")
        if size < 0x80 or (start == 4 and size < 0x100):
            raise Junk(f"{what} is not DER: its length is spelled too long")
    elif size >= 0x80:
        raise Junk(f"{what} is not a DER UTF8String of a sane length")
    if len(der) != start + size:
        raise Junk(f"{what} is a DER UTF8String of {size} bytes, and has {len(der) - start}")
    return _text(der[start:], what)


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Junk(f"{what} is not UTF-8") from None
