"""Who signs: what `image` and `attest` ask of a signer, and the one that signs with a key."""

from __future__ import annotations

from typing import Protocol

from bpfimg._value import replace
from bpfimg.errors import KeyFileError
from bpfimg.oci import Descriptor
from bpfimg.sign._candidate import Candidate
from bpfimg.sign._formats import _write
from bpfimg.sign._formats._bundle import MEDIA_TYPE
from bpfimg.sign._formats._envelope import pae
from bpfimg.sign._material import Material

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.sign._keys._signing_key import SigningKey
    from bpfimg.sign._services._log import Verifier
    from bpfimg.sign._services._services import Services

_NEW = "the new signature"


class Signer(Protocol):
    """Signs payloads in both formats. What it returns it has verified: nothing that nobody would believe is written."""

    def bundle(self, statement: bytes) -> tuple[bytes, Candidate]:
        """Returns the whole bundle (JSON) of a statement, to be stored byte for byte, and what is in it."""

    def legacy(self, payload: bytes) -> Mapping[str, str]:
        """Returns the annotations of the `.sig` layer whose blob is `payload`."""

    def attachment(self, bundled: Candidate, kind: str) -> tuple[bytes, Mapping[str, str]]:
        """Returns blob and annotations of the `.att` layer with the same envelope as a bundle of this signer; `kind` is
        the predicate type."""

    def made(self, candidate: Candidate) -> bool:
        """Says whether this signer has made that already, with all the evidence that it would add today."""

    def lacking(self) -> str:
        """Says why a signature of the legacy format could not be believed, so that none is made; "" when it can."""

    def notice(self) -> str:
        """Says what a signature of the legacy format will be without; "" when nothing."""


class KeySigner:
    """Signs with a key; with `services`, logs and timestamps say when, and stand beside the signature."""

    def __init__(self, key: SigningKey, services: Services | None = None) -> None:
        self.key = key
        self.services = services

    def bundle(self, statement: bytes) -> tuple[bytes, Candidate]:
        message = pae(statement)
        signature = self._sign(message, "")
        material = Material(hint=bytes.fromhex(self.key.public.fingerprint.removeprefix("sha256:")))
        if self.services is not None:
            envelope = _write.envelope(statement, signature)
            entries = self.services.envelope_entries(envelope, message, signature, self._verifier())
            material = replace(material, entries=entries, timestamps=self.services.stamps(signature))
        data = _write.key_bundle(statement, signature, material)
        made = Candidate("bundle", Descriptor.of(data, MEDIA_TYPE), _NEW, message, statement, signature, ())
        made = replace(made, material=material)
        if self.services is not None:
            self.services.prove(made, self.key.public)
        return data, made

    def legacy(self, payload: bytes) -> Mapping[str, str]:
        from hashlib import sha256

        signature = self._sign(payload, "sha256")
        material = Material()
        if self.services is not None:
            digest, unlogged = sha256(payload).digest(), self._unlogged
            entries = () if unlogged else self.services.digest_entries(digest, signature, self._verifier())
            material = Material(entries=entries[:1], timestamps=self.services.stamps(signature)[:1])
            holder = Descriptor.of(payload, _write.CONFIG_TYPE)
            made = Candidate("legacy", holder, _NEW, payload, payload, signature, ())
            self.services.prove(replace(made, material=material), self.key.public, unlogged=unlogged)
        return _write.layer_annotations(signature, material)

    def attachment(self, bundled: Candidate, kind: str) -> tuple[bytes, Mapping[str, str]]:
        blob, material = _write.envelope(bundled.payload, bundled.signature), Material()
        if self.services is not None:
            material = self.services.attached(bundled, blob, self.key.public)
        return blob, _write.attachment_annotations(kind, material)

    def made(self, candidate: Candidate) -> bool:
        digest = "" if candidate.enveloped else "sha256"
        if candidate.keyless or not self.key.public.verify(candidate.message, candidate.signature, digest=digest):
            return False
        unlogged = self._unlogged and not candidate.enveloped
        return self.services is None or self.services.believes(candidate, self.key.public, unlogged=unlogged)

    def lacking(self) -> str:
        return ""  # a key needs nobody's word in either format

    def notice(self) -> str:
        if self.services is None or not self.services.config.logs:
            return ""
        if self._unlogged:
            return "a log takes no signature of a `.sig` by this kind of key, so that one has no log entry"
        if all(log.version != 1 for log in self.services.config.logs):
            return "a `.sig` or `.att` has no place for an entry of a Rekor of version 2, so that one has no log entry"
        return ""

    @property
    def _unlogged(self) -> bool:
        """A log knows a payload by its digest, and Ed25519 does not sign digests (Rekor: "ed25519ph" only)."""
        return self.key.public.kind == "ed25519"

    def _verifier(self) -> Verifier:
        from bpfimg.sign._services._log import Verifier

        public = self.key.public
        return Verifier(public.kind, public.der, public.pem.encode())

    def _sign(self, message: bytes, digest: str) -> bytes:
        signature = self.key.sign(message, digest=digest)
        if not self.key.public.verify(message, signature, digest=digest):
            raise KeyFileError(
                f"the key has made a signature that its public half {self.key.public.fingerprint} does not verify",
                hint="the two are not halves of one key",
            )
        return signature
