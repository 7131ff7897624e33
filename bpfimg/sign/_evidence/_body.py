"""The body of a log entry: that it is about this signature, by this key or certificate, of this artifact.

An entry of anything else proves nothing (CVE-2022-36056). Sources: rekor's schemas hashedrekord/0.0.1, dsse/0.0.1,
intoto/0.0.1 and intoto/0.0.2, and rekor-tiles' hashedrekord/0.0.2, as the logs canonicalise them. A dsse/0.0.2 is
written by no client any more, and is not believed.
"""

from __future__ import annotations

import hashlib

from bpfimg._json import json_kind
from bpfimg._value import value
from bpfimg.errors import quoted
from bpfimg.sign._evidence._logs import DETAILS
from bpfimg.sign._strict import Junk, base64, document, fields, pem, string, to_base64

_LIMIT = 128 * 1024
_HASHES = {"sha256": "sha256", "sha384": "sha384", "sha512": "sha512"}
_PROTO_HASHES = {"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}


@value(frozen=True, slots=True)
class Signed:
    """What an entry must be about: a signature over `message`, which carries `payload`.

    `enveloped` says that `message` is the PAE of a DSSE envelope. The signer is a `PUBLIC KEY` or a `CERTIFICATE`
    (`label`), `der`, with a key of `kind`.
    """

    message: bytes
    payload: bytes
    signature: bytes
    enveloped: bool
    label: str
    der: bytes
    kind: str


def about(body: bytes, kind: str, version: str, signed: Signed) -> int:
    """Returns the major version of the log whose entry `body` is; raises `Junk` unless it is about `signed`.

    `kind` and `version` are what was said beside it ("" where nothing was).
    """
    top = fields(document(body, limit=_LIMIT, what="the log entry"), "the log entry", ("apiVersion", "kind", "spec"))
    found = (string(top["kind"], "the log entry's kind"), string(top["apiVersion"], "the log entry's apiVersion"))
    if (kind, version) not in (found, ("", "")):
        raise Junk(f"the log entry is {quoted('/'.join(found))}, and is said to be {quoted(f'{kind}/{version}')}")
    if found not in _KINDS:
        raise Junk(f"the log entry is of the kind {quoted('/'.join(found))}, which does not say what was signed")
    _KINDS[found](top["spec"], signed)
    return 2 if found == ("hashedrekord", "0.0.2") else 1


def _hashedrekord(spec: object, signed: Signed) -> None:
    if signed.enveloped:
        raise Junk("the log entry is a hashedrekord/0.0.1, expected dsse/0.0.1 for an envelope")
    found = fields(spec, "the log entry's spec", ("data", "signature"))
    _hashed(fields(found["data"], "the log entry's data", ("hash",))["hash"], signed.message, "artifact")
    signature = fields(found["signature"], "the log entry's signature", ("content", "publicKey"))
    _same_signature(signature["content"], signed)
    _same_pem(fields(signature["publicKey"], "the log entry's publicKey", ("content",))["content"], signed)


def _dsse(spec: object, signed: Signed) -> None:
    _of_envelope(signed)
    found = fields(spec, "the log entry's spec", ("envelopeHash", "payloadHash", "signatures"))
    _hash(
        found["envelopeHash"], "the log entry's envelopeHash"
    )  # of the JSON as it was sent; payload and signature say more
    _hashed(found["payloadHash"], signed.payload, "payload")
    signature = fields(_only(found["signatures"]), "the log entry's signature", ("signature", "verifier"))
    _same_signature(signature["signature"], signed)
    _same_pem(signature["verifier"], signed)


def _intoto(spec: object, signed: Signed) -> None:
    _of_envelope(signed)
    content = fields(
        fields(spec, "the log entry's spec", ("content",))["content"],
        "the log entry's content",
        ("envelope", "payloadHash"),
        ("hash",),
    )
    _hashed(content["payloadHash"], signed.payload, "payload")
    envelope = fields(content["envelope"], "the log entry's envelope", ("payloadType", "signatures"))
    if envelope["payloadType"] != "application/vnd.in-toto+json":
        raise Junk(f"the log entry is of a payload of the type {quoted(envelope['payloadType'])}")
    signature = fields(_only(envelope["signatures"]), "the log entry's signature", ("publicKey", "sig"), ("keyid",))
    # base64 twice: rekor encodes the text that the envelope has
    _same_signature(base64(signature["sig"], "the log entry's signature").decode("ascii", "replace"), signed)
    _same_pem(signature["publicKey"], signed)


def _intoto_1(spec: object, signed: Signed) -> None:
    """It names no signature but the hash of the whole envelope, as the clients of its time spelled it (in Go)."""
    _of_envelope(signed)
    found = fields(spec, "the log entry's spec", ("content", "publicKey"))
    content = fields(found["content"], "the log entry's content", ("hash", "payloadHash"))
    _hashed(content["payloadHash"], signed.payload, "payload")
    envelope = b'{"payloadType":"application/vnd.in-toto+json","payload":"%b","signatures":[{"keyid":"","sig":"%b"}]}'
    data = envelope % (to_base64(signed.payload).encode(), to_base64(signed.signature).encode())
    _hashed(content["hash"], data, "envelope")
    _same_pem(found["publicKey"], signed)


def _hashedrekord_2(spec: object, signed: Signed) -> None:
    inner = fields(spec, "the log entry's spec", ("hashedRekordV002",))["hashedRekordV002"]
    found = fields(inner, "the log entry's hashedRekordV002", ("data", "signature"))
    data = fields(found["data"], "the log entry's data", ("algorithm", "digest"))
    algorithm = _PROTO_HASHES.get(string(data["algorithm"], "the log entry's algorithm"))
    if algorithm is None:
        raise Junk(f"the log entry is hashed with {quoted(data['algorithm'])}, expected SHA-2")
    if base64(data["digest"], "the log entry's digest") != hashlib.new(algorithm, signed.message).digest():
        raise Junk("the log entry is about another artifact")
    signature = fields(found["signature"], "the log entry's signature", ("content", "verifier"))
    _same_signature(signature["content"], signed)
    holder = "x509Certificate" if signed.label == "CERTIFICATE" else "publicKey"
    verifier = fields(signature["verifier"], "the log entry's verifier", (holder, "keyDetails"))
    if (
        base64(
            fields(verifier[holder], f"the log entry's {holder}", ("rawBytes",))["rawBytes"],
            f"the log entry's {holder}",
        )
        != signed.der
    ):
        raise Junk("the log entry is by another signer")
    if verifier["keyDetails"] not in _V2_DETAILS.get(signed.kind, ()):
        raise Junk(f"the log entry is by a key of the kind {quoted(verifier['keyDetails'])}, and it is {signed.kind}")


_KINDS = {
    ("hashedrekord", "0.0.1"): _hashedrekord,
    ("dsse", "0.0.1"): _dsse,
    ("intoto", "0.0.1"): _intoto_1,
    ("intoto", "0.0.2"): _intoto,
    ("hashedrekord", "0.0.2"): _hashedrekord_2,
}
# a `.sig` is hashed with SHA-256 whatever its key; a log of hashes cannot verify (pure) Ed25519
_V2_DETAILS = {
    **{kind: names for kind, names in DETAILS.items() if kind != "ed25519"},
    "ecdsa-p384": (*DETAILS["ecdsa-p384"], "PKIX_ECDSA_P384_SHA_256"),
    "ecdsa-p521": (*DETAILS["ecdsa-p521"], "PKIX_ECDSA_P521_SHA_256"),
}


def _of_envelope(signed: Signed) -> None:
    if not signed.enveloped:
        raise Junk("the log entry is of an envelope, and the signature is not in one")


def _only(value: object) -> object:
    if type(value) is not list or len(value) != 1:
        count = len(value) if type(value) is list else json_kind(value)
        raise Junk(f"the log entry has {count} signatures, expected exactly one")
    return value[0]


def _hash(value: object, what: str) -> tuple[str, str]:
    found = fields(value, what, ("algorithm", "value"))
    algorithm = _HASHES.get(string(found["algorithm"], what))
    if algorithm is None:
        raise Junk(f"{what} is made with {quoted(found['algorithm'])}, expected SHA-2")
    return algorithm, string(found["value"], what)


def _hashed(value: object, data: bytes, what: str) -> None:
    algorithm, text = _hash(value, f"the log entry's hash of the {what}")
    if text != hashlib.new(algorithm, data).hexdigest():
        raise Junk(f"the log entry is about another {what}")


def _same_signature(value: object, signed: Signed) -> None:
    if base64(value, "the log entry's signature") != signed.signature:
        raise Junk("the log entry is about another signature")


def _same_pem(value: object, signed: Signed) -> None:
    if pem(base64(value, "the log entry's signer"), "the log entry's signer") != (signed.label, signed.der):
        raise Junk("the log entry is by another signer")
