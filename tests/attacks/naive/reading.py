"""What the naive verifiers read, with little care: `json.loads`, forgiving base64, no bounds."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bpfimg.errors import Error
from bpfimg.oci import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bpfimg.oci import Descriptor
    from tests.attacks.scene import Scene

SIGNATURE = "dev.cosignproject.cosign/signature"
_KIND = "application/vnd.in-toto+json"
Verdict = bool


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
