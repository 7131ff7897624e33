"""What the tests of evidence share: one private Sigstore, its root, and what we make of its bundles."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from bpfimg.oci import Digest
from bpfimg.sign._candidate import Candidate
from bpfimg.sign._evidence._certificate import Certificate
from bpfimg.sign._evidence._certified import certified
from bpfimg.sign._evidence._root import TrustedRoot
from bpfimg.sign._evidence._witness import Witnessed, witness
from bpfimg.sign._formats import _bundle
from bpfimg.sign._formats._envelope import pae
from bpfimg.sign._keys._public import PublicKey
from bpfimg.sign._material import NOTHING, Material
from bpfimg.sign._strict import Junk
from tests.support.sigstack import World

if TYPE_CHECKING:
    from collections.abc import Callable

DIGEST = Digest.parse(f"sha256:{'ab' * 32}")
STATEMENT = json.dumps(
    {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "registry.example/team/app", "digest": {"sha256": DIGEST.hex}}],
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "predicate": {},
    }
).encode()
AT = 1_750_000_000  # 2025-06-15


@functools.cache
def world() -> World:
    """The Sigstore that is trusted."""
    return World("evidence")


@functools.cache
def root() -> TrustedRoot:
    """Its root."""
    return TrustedRoot.parse(world().trusted_root())


def root_with(edit: Callable[[dict[str, Any]], object]) -> TrustedRoot:
    """Its root, changed."""
    document = world().root_document()
    edit(document)
    return TrustedRoot.parse(json.dumps(document).encode())


def bundle(**how: Any) -> bytes:
    """A keyless bundle of the statement, made at `AT`."""
    return world().bundle(STATEMENT, **{"at": AT, **how})


def parsed(data: bytes) -> Candidate:
    """The candidate in a bundle."""
    return _bundle.parse(data, DIGEST, None, "here")


def plain(message: bytes, signature: bytes, material: Material = NOTHING) -> Candidate:
    """A candidate that is no envelope: what a `.sig` is, and a signature of a blob."""
    return Candidate("legacy", None, "here", message, message, signature, (), material=material)


def enveloped(payload: bytes, signature: bytes, material: Material = NOTHING) -> Candidate:
    """A candidate in an envelope, whatever its payload says."""
    return Candidate("bundle", None, "here", pae(payload), payload, signature, (), material=material)


def seen(data: bytes, trusted: TrustedRoot | None = None, **words: bool) -> Witnessed:
    """The witnesses of a keyless bundle."""
    candidate = parsed(data)
    return witness(candidate, trusted or root(), Certificate.parse(candidate.material.certificate), **words)


def believed(data: bytes, trusted: TrustedRoot | None = None, source: str = "any", *, logged: bool = True) -> int:
    """When a keyless bundle was signed: everything that a keyless authority asks; raises `Junk`."""
    trusted = trusted or root()
    candidate = parsed(data)
    certificate = Certificate.parse(candidate.material.certificate)
    if not certificate.key.verify(candidate.message, candidate.signature):
        raise Junk("the signature is not the certificate's")
    found = witness(candidate, trusted, certificate)
    if logged and not found.logs:
        raise Junk("; ".join(found.failed) or "no log")
    return certified(certificate, candidate.material.chain, trusted, found.times(source))


def why_not(data: bytes, trusted: TrustedRoot | None = None, source: str = "any") -> str:
    """Why a keyless bundle is not believed."""
    try:
        time = believed(data, trusted, source)
    except Junk as error:
        return str(error)
    raise AssertionError(f"it is believed, signed at {time}")


def key_of(pem: bytes) -> PublicKey:
    """A public key."""
    return PublicKey.load(pem)
