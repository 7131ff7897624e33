"""Signatures made by hand, right ones and wrong ones: what a test does not ask for is as cosign would write it.

Written from the formats, not with `bpfimg.sign`: a mistake there must not agree with itself here.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bpfimg.oci import Descriptor, Digest, Manifest, Memory, Reference, Repository
from bpfimg.sign import Policy, PrivateKey
from tests.support.targets import Image, image

GOLDEN = Path(__file__).parent / "golden"
REPOSITORY = "registry.example/team/app"
SIG = "application/vnd.dev.cosign.simplesigning.v1+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
SIGN = "https://sigstore.dev/cosign/sign/v1"
IN_TOTO = "application/vnd.in-toto+json"


def key(name: str = "alice") -> PrivateKey:
    """The same key for the same name, within one run."""
    return _key(name)


@cache
def _key(name: str) -> PrivateKey:
    return PrivateKey(ec.generate_private_key(ec.SECP256R1()))


def raw_sign(signer: PrivateKey, message: bytes) -> bytes:
    return signer._key.sign(message, ec.ECDSA(hashes.SHA256()))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def dumps(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def place(name: str = REPOSITORY) -> Memory:
    return Memory(Repository.parse(name))


def pushed(target: Memory, word: str = "one", tag: str = "v1") -> Descriptor:
    return image(word).push(target, tag)


def reference(name: str = REPOSITORY, tag: str = "v1") -> Reference:
    return Reference.parse(f"{name}:{tag}")


def trusting(*names: str, **fields: Any) -> Policy:
    """A policy file's rule for everything below registry.example, with an authority for each key name."""
    return policy([{"scope": "registry.example/**", "requireAny": list(names or ("alice",)), **fields}])


def policy(rules: list[dict[str, Any]], default: str = "deny", **top: Any) -> Policy:
    names = {name for rule in rules for name in rule.get("requireAny", ())}
    authorities = {name: {"type": "key", "keyData": [key(name).public.pem]} for name in sorted(names)}
    document = {"version": 1, "default": default, "authorities": authorities, "rules": rules, **top}
    return Policy.parse(dumps(document), "policy.json")


# -- legacy -----------------------------------------------------------------------------------------------------------


def payload(digest: Digest | str, name: str = REPOSITORY, **changes: Any) -> bytes:
    """A simple signing payload; `changes` replace fields of `critical` (None removes one)."""
    critical: dict[str, Any] = {
        "identity": {"docker-reference": name},
        "image": {"docker-manifest-digest": str(digest)},
        "type": "cosign container image signature",
    }
    critical.update(changes)
    return dumps({"critical": {k: v for k, v in critical.items() if v is not None}, "optional": None})


Layer = tuple[bytes, dict[str, str], str]


def layer(data: bytes, signature: bytes, media_type: str = SIG, **annotations: str) -> Layer:
    return data, {"dev.cosignproject.cosign/signature": b64(signature), **annotations}, media_type


def signed_layer(digest: Digest | str, by: str = "alice", name: str = REPOSITORY, **changes: Any) -> Layer:
    data = payload(digest, name, **changes)
    return layer(data, raw_sign(key(by), data))


def put_legacy(target: Memory, digest: Digest, *layers: Layer, subject: Descriptor | None = None) -> Descriptor:
    """Stores layers as the `.sig` manifest of `digest`, or with a subject as cosign's experimental referrer."""
    config = b"{}"
    about = "application/vnd.dev.cosign.artifact.sig.v1+json" if subject else CONFIG
    parts = [(Descriptor.of(data, kind, annotations=notes), data) for data, notes, kind in layers]
    manifest = Manifest.build(config=Descriptor.of(config, about), layers=[one for one, _ in parts], subject=subject)
    made = Image(manifest, ((Descriptor.of(config, about), config), *parts))
    return made.push(target, None if subject else f"{digest.tag}.sig")


# -- bundle -----------------------------------------------------------------------------------------------------------


def statement(digest: Digest, name: str | None = None, **changes: Any) -> bytes:
    """cosign's statement of a signature, with a name if one is given; `changes` replace its fields."""
    subject: dict[str, Any] = {"digest": {digest.algorithm: digest.hex}, "annotations": {}}
    if name is not None:
        subject["name"] = name
    fields = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [subject],
        "predicateType": SIGN,
        "predicate": {},
        **changes,
    }
    return dumps({k: v for k, v in fields.items() if v is not None})


def pae(data: bytes, kind: str = IN_TOTO) -> bytes:
    return f"DSSEv1 {len(kind)} {kind} {len(data)} ".encode() + data


def bundle(data: bytes, by: str = "alice", **changes: Any) -> dict[str, Any]:
    """A bundle of a statement, signed; `changes` replace fields of the envelope after that."""
    envelope = {
        "payload": b64(data),
        "payloadType": IN_TOTO,
        "signatures": [{"sig": b64(raw_sign(key(by), pae(data)))}],
        **changes,
    }
    material = {"publicKey": {"hint": b64(bytes.fromhex(key(by).public.fingerprint[7:]))}}
    return {"mediaType": BUNDLE, "verificationMaterial": material, "dsseEnvelope": envelope}


def put_bundle(
    target: Memory, subject: Descriptor, content: dict[str, Any] | bytes, *, media_type: str = BUNDLE
) -> Descriptor:
    """Stores a bundle as a referrer of `subject`."""
    data = content if isinstance(content, bytes) else dumps(content)
    parts = ((Descriptor.of(b"{}", EMPTY), b"{}"), (Descriptor.of(data, media_type), data))
    manifest = Manifest.build(config=parts[0][0], layers=[parts[1][0]], subject=subject, artifact_type=media_type)
    return Image(manifest, parts).push(target)


# -- evidence that is well-formed, and no more ------------------------------------------------------------------------

LOG_ENTRY: dict[str, Any] = {
    "logIndex": "7",
    "logId": {"keyId": b64(b"i" * 32)},
    "kindVersion": {"kind": "dsse", "version": "0.0.1"},
    "integratedTime": "1700000000",
    "inclusionPromise": {"signedEntryTimestamp": b64(b"set")},
    "inclusionProof": {
        "logIndex": "5",
        "rootHash": b64(b"r" * 32),
        "treeSize": "9",
        "hashes": [b64(b"h" * 32)],
        "checkpoint": {"envelope": "log\n9\n"},
    },
    "canonicalizedBody": b64(b"{}"),
}
SET = dumps(
    {
        "SignedEntryTimestamp": b64(b"set"),
        "Payload": {"body": b64(b"{}"), "integratedTime": 1700000000, "logIndex": 7, "logID": "69" * 32},
    }
).decode()
STAMP = dumps({"SignedRFC3161Timestamp": b64(b"stamp")}).decode()
PEM = f"-----BEGIN CERTIFICATE-----\n{b64(b'leaf')}\n-----END CERTIFICATE-----\n"


# -- golden -----------------------------------------------------------------------------------------------------------


def golden(name: str) -> Memory:
    """What a cosign wrote into a registry, byte for byte."""
    found = json.loads((GOLDEN / f"{name}.json").read_text())
    target = place(found["repository"])
    for blob in found["blobs"].values():
        data = blob["text"].encode()
        target.push(Descriptor.of(data, blob["mediaType"]), data)
    for document in found["documents"].values():
        data = document["text"].encode()
        target.push(Descriptor.of(data, document["mediaType"]), data)
    for tag, digest in found["tags"].items():
        target.tag(target.resolve(Digest.parse(digest)), tag)
    return target
