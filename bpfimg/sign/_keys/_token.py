"""Keys in tokens, through PKCS #11: hardware modules, smart cards, YubiKeys, SoftHSM.

python-pkcs11 is asked directly: it is what securesystemslib's `HSMSigner` (the same extra) stands on, which takes the
library from the environment, knows keys by small numbers alone, and hashes only as the curve would (ADR 0029). Each
signature has a session and a login of its own: some keys ask for the PIN every time (PIV slot 9c).
"""

from __future__ import annotations

import hashlib

from bpfimg.errors import KeyFileError, UsageError, quoted
from bpfimg.sign._keys._kinds import ED25519_SPKI
from bpfimg.sign._keys._public import PublicKey
from bpfimg.sign._keys._remote import RemoteKey, Translated

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pkcs11

    from bpfimg.sign._keys._remote import Secret
    from bpfimg.sign._keys._uri import TokenUri

_ED25519 = (bytes.fromhex("130c") + b"edwards25519", bytes.fromhex("06032b6570"))  # EC_PARAMS: a name or RFC 8410's OID
_PIN_LIMIT = 256


def token_key(uri: TokenUri, secret: Secret, module: str) -> RemoteKey:
    """Returns the one key that `uri` means; raises `KeyFileError` when there is none, or more than one."""
    return _Token(uri, secret, uri.module or module).key()


class _Token:
    """One token, and the objects in it that a URI means."""

    def __init__(self, uri: TokenUri, secret: Secret, module: str) -> None:
        self._uri = uri
        self._secret = secret
        self._pin = ""
        if not module:
            raise UsageError(
                "no PKCS #11 library is named, expected ?module-path=/PATH.so in the key's URI",
                hint="or the variable PYKCS11LIB, as for other programs",
            )
        with Translated(f"PKCS #11 library {quoted(module)}"):
            self._token = _token(uri, module)
        label = quoted(self._token.label)
        named = f" {quoted(uri.object)}" if uri.object else f" with the id {uri.id.hex()}" if uri.id else ""
        self._name = f"key{named} in the token {label}"

    def key(self) -> RemoteKey:
        """The key, with its public half as the token has it."""
        with Translated(self._name):
            public = self._public()
        return RemoteKey(self._name, public, lambda data, digest: self._sign(public.kind, data, digest))

    def _public(self) -> PublicKey:
        """Public objects are to be seen without the PIN in most tokens, in some not."""
        from pkcs11 import ObjectClass
        from pkcs11 import PublicKey as PublicObject

        for login in (False, True):
            with self._session(login=login) as session:
                found = self._objects(session, ObjectClass.PUBLIC_KEY)
                if found:
                    key = self._only(found)
                    assert isinstance(key, PublicObject)  # it was asked for by its class
                    return PublicKey.of(_spki(key))
        raise KeyFileError(f"{self._name} is not there: there is no public key of that name")

    def _sign(self, kind: str, data: bytes, digest: str) -> bytes:
        from pkcs11 import Mechanism, ObjectClass, SignMixin

        with self._session(login=True) as session:
            key = self._only(self._objects(session, ObjectClass.PRIVATE_KEY))
            if not isinstance(key, SignMixin):
                raise KeyFileError(f"{self._name} is not for signing")
            if kind == "ed25519":
                return bytes(key.sign(data, mechanism=Mechanism.EDDSA))
            if kind.startswith("rsa-"):
                return bytes(key.sign(data, mechanism=Mechanism[f"{digest.upper()}_RSA_PKCS"]))
            return _der(key.sign(hashlib.new(digest, data).digest(), mechanism=Mechanism.ECDSA))

    def _session(self, *, login: bool) -> pkcs11.Session:
        from pkcs11 import exceptions

        if not login:
            return self._token.open()
        label = quoted(self._token.label)
        if not self._pin:
            self._pin = _read(self._uri.pin_source) if self._uri.pin_source else self._secret(f"the token {label}")
        try:
            return self._token.open(user_pin=self._pin)
        except (exceptions.PinIncorrect, exceptions.PinInvalid, exceptions.PinLenRange):
            raise KeyFileError(
                f"the PIN of the token {label} is wrong", hint="most tokens lock themselves after a few wrong ones"
            ) from None
        except exceptions.PinLocked:
            raise KeyFileError(f"the PIN of the token {label} is locked after too many wrong ones") from None

    def _objects(self, session: pkcs11.Session, kind: pkcs11.ObjectClass) -> list[pkcs11.Object]:
        from pkcs11 import Attribute

        wanted: dict[pkcs11.Attribute, object] = {Attribute.CLASS: kind}
        if self._uri.id is not None:
            wanted[Attribute.ID] = self._uri.id
        if self._uri.object:
            wanted[Attribute.LABEL] = self._uri.object
        return list(session.get_objects(wanted))

    def _only(self, found: list[pkcs11.Object]) -> pkcs11.Object:
        if len(found) != 1:
            raise KeyFileError(
                f"{self._name} means {len(found)} keys, expected one", hint="say which by object=LABEL or id=%NN"
            )
        return found[0]


def _token(uri: TokenUri, module: str) -> pkcs11.Token:
    """Returns the one token that a URI means."""
    try:
        import pkcs11
    except ImportError as error:
        raise KeyFileError(
            "keys in tokens need python-pkcs11, which is not installed", hint="pip install 'bpfimg[hsm]'"
        ) from error
    there = [each for each in pkcs11.lib(module).get_tokens() if each.flags & pkcs11.TokenFlag.TOKEN_INITIALIZED]
    meant = [each for each in there if _means(uri, each)]
    if len(meant) != 1:
        labels = ", ".join(quoted(each.label) for each in there) or "none at all"
        raise KeyFileError(
            f"key URI means {len(meant)} tokens, expected one of those that are there: {labels}",
            hint="say which by token=LABEL, or serial=NUMBER where two have one label",
        )
    return meant[0]


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(_PIN_LIMIT).removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise KeyFileError(f"PIN file {quoted(path)} cannot be read: it is not text") from None
    except OSError as error:
        raise KeyFileError(f"PIN file {quoted(path)} cannot be read: {error.strerror}") from error


def _means(uri: TokenUri, token: pkcs11.Token) -> bool:
    serial = token.serial.decode("utf-8", "replace").strip()
    pairs = (
        (uri.token, token.label),
        (uri.serial, serial),
        (uri.model, token.model),
        (uri.manufacturer, token.manufacturer_id),
    )
    return all(wanted in ("", found) for wanted, found in pairs)


def _spki(key: pkcs11.PublicKey) -> bytes:
    """Returns a public key object as DER SubjectPublicKeyInfo."""
    from pkcs11 import Attribute, KeyType
    from pkcs11.util.ec import encode_ec_public_key

    kind = key[Attribute.KEY_TYPE]
    if kind == KeyType.RSA:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

        exponent, modulus = key[Attribute.PUBLIC_EXPONENT], key[Attribute.MODULUS]
        numbers = RSAPublicNumbers(int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big"))
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return numbers.public_key().public_bytes(serialization.Encoding.DER, form)
    if kind == KeyType.EC_EDWARDS and key[Attribute.EC_PARAMS] in _ED25519:
        return ED25519_SPKI + bytes(key[Attribute.EC_POINT])[-32:]  # an OCTET STRING, in old modules bare
    if kind == KeyType.EC:
        return bytes(encode_ec_public_key(key))
    raise KeyFileError(f"key in the token is of an unknown kind ({quoted(kind)}), expected EC, RSA or Ed25519")


def _der(raw: bytes) -> bytes:
    """Returns an ECDSA signature as ASN.1 DER: PKCS #11 has r and s side by side."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    half = len(raw) // 2
    return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))
