"""Transparency logs as a trusted root names them: whose signatures on entries, tree heads and certificates count.

Sources: sigstore_trustroot.proto (TransparencyLogInstance), RFC 6962 section 3.2 (a log's id), C2SP's signed-note (the
id of an Ed25519 key in a checkpoint).
"""

from __future__ import annotations

import hashlib

from bpfimg._value import value
from bpfimg.errors import KeyFileError, quoted
from bpfimg.sign._evidence._protobuf import message, text, window
from bpfimg.sign._keys._public import PublicKey
from bpfimg.sign._strict import Junk, base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.sign._evidence._window import Window

_INSTANCE = ("baseUrl", "hashAlgorithm", "publicKey", "logId", "checkpointKeyId", "operator")
_RSA = "PKIX_RSA_PKCS1V15_{}_SHA256"
DETAILS = {
    "ecdsa-p256": ("PKIX_ECDSA_P256_SHA_256",),
    "ecdsa-p384": ("PKIX_ECDSA_P384_SHA_384",),
    "ecdsa-p521": ("PKIX_ECDSA_P521_SHA_512",),
    "ed25519": ("PKIX_ED25519",),
    "rsa-2048": (_RSA.format(2048), "PKIX_RSA_PKCS1V5"),
    "rsa-3072": (_RSA.format(3072), "PKIX_RSA_PKCS1V5"),
    "rsa-4096": (_RSA.format(4096), "PKIX_RSA_PKCS1V5"),
}
"""What a key of each kind is called in protobuf's PublicKeyDetails, when it signs as we verify."""
_KNOWN = frozenset(name for names in DETAILS.values() for name in names)


class Unsupported(Junk):
    """Part of a trusted root that is well-formed, and of a kind that this version does not believe."""


@value(frozen=True, slots=True, eq=False)
class Log:
    """A log: `name` is its URL (or the hex of its id), `ids` are all that entries may call it by (the id in the root,
    the hash of its key, the id of an Ed25519 key under the name `host`), `key` signs for it, and did so within
    `window`. `host` is what its checkpoints are named after ("": the root does not say)."""

    name: str
    host: str
    ids: frozenset[bytes]
    key: PublicKey
    window: Window

    def hints(self, name: str) -> frozenset[bytes]:
        """Returns the four bytes that a signature under `name` in a checkpoint may start with."""
        return frozenset(one[:4] for one in self.ids | _note_id(self.key, name))


def log(value: object, what: str) -> Log:
    """Returns the log in a TransparencyLogInstance; `Junk`, or `Unsupported` for kinds of keys that are not known."""
    found = message(value, what, _INSTANCE)
    if found.get("hashAlgorithm") != "SHA2_256":
        raise Unsupported(f"{what} hashes with {quoted(found.get('hashAlgorithm'))}, expected SHA2_256")
    key, at = _key(found.get("publicKey"), f"{what}'s publicKey")
    own = hashlib.sha256(key.der).digest()
    ids = {own, *(_id(found[name], f"{what}'s {name}") for name in ("logId", "checkpointKeyId") if name in found)}
    url = text(found, "baseUrl")
    host = _host(url, f"{what}'s baseUrl")
    return Log(name=url or own.hex(), host=host, ids=_note_id(key, host) | ids, key=key, window=at)


def _note_id(key: PublicKey, name: str) -> frozenset[bytes]:
    """The id of an Ed25519 key under a name, which cosign leaves out of the roots that it makes."""
    if key.kind != "ed25519" or not name:
        return frozenset()
    return frozenset((hashlib.sha256(b"%b\n\x01%b" % (name.encode(), key.der[-32:])).digest(),))


def _host(url: str, what: str) -> str:
    from urllib.parse import urlsplit

    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        raise Junk(f"{what} is {quoted(url)}, expected a URL") from None


def _key(value: object, what: str) -> tuple[PublicKey, Window]:
    found = message(value, what, ("rawBytes", "keyDetails", "validFor"))
    details = text(found, "keyDetails")
    if details not in _KNOWN:
        raise Unsupported(f"{what} is of the kind {quoted(details)}, which this version does not verify with")
    try:
        key = PublicKey.of(base64(found.get("rawBytes"), what))
    except KeyFileError as error:
        raise Junk(f"{what}: {error}") from error
    if details not in DETAILS[key.kind]:
        raise Junk(f"{what} is said to be {details}, and is {key.kind}")
    return key, window(found.get("validFor", {}), f"{what}'s validFor")


def _id(value: object, what: str) -> bytes:
    found = base64(message(value, what, ("keyId",)).get("keyId"), what)
    if not 4 <= len(found) <= 64:
        raise Junk(f"{what} has {len(found)} bytes, expected 32")
    return found
