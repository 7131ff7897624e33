"""A private Sigstore: an authority, its CT log, two Rekors, a timestamp authority; and what they make of a signature.

Nothing here asks a network or a clock but for `at=None`, which means now. Every time, and every lie, is the test's
choice: see `How`.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.sigstack import _bodies, _documents
from tests.support.sigstack._authority import Authority, Issued
from tests.support.sigstack._rekor import Entry, Rekor, b64
from tests.support.sigstack._secrets import Secret
from tests.support.sigstack._signing import Hand, digest, hand, pae
from tests.support.sigstack._tsa import Tsa

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SUBJECT = "https://ci.example/team/app/build.yml@refs/heads/main"
ISSUER = "https://idp.example"
PAYLOAD = "application/vnd.in-toto+json"
BUNDLES = {
    "v0.3": "application/vnd.dev.sigstore.bundle.v0.3+json",
    "0.3": "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "0.2": "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "0.1": "application/vnd.dev.sigstore.bundle+json;version=0.1",
}


@dataclass(frozen=True, slots=True)
class How:
    """How something is signed: who, when, with which evidence, and with which lies.

    key          None: a new key and a certificate for it; else bpfimg's PrivateKey, a `Secret`, cryptography's P-256
    subject, issuer, extensions, minutes   what the certificate says, for how long (subject with ://: a URI, else email)
    rekor        1, 2, None, a `Rekor` of the test's own, or a tuple of them: which logs have an entry
    tsa          True, False, a `Tsa` of the test's own, or a tuple of them: who gives timestamps
    at           seconds since 1970 of everything (None: now); issued_at, logged_at, stamped_at: of each alone
    sct          False: none; bytes: those; a `CtLog`: that log's promise
    authority    another CA that issues the certificate; `issue` are further words for `Authority.issue`
    about        bytes: the log entries are about this statement or payload, signed by the same key, instead
    stamped      bytes: the timestamps are over this instead of the signature; "envelope": over the whole envelope, as
                 cosign 2.5 has it in an `.att`
    kind         of version 1's entry for an envelope: "dsse", "intoto" (0.0.2), or "intoto/0.0.1" (cosign 2.5's)
    version      of the bundle: v0.3, 0.3, 0.2, 0.1 (the older ones carry a chain of certificates)
    edit         changes the finished JSON document: the bundle, or the annotations of a `.sig` (whose JSON is parsed)
    """

    key: Any = None
    subject: str = SUBJECT
    issuer: str = ISSUER
    extensions: Mapping[str, str] = field(default_factory=dict)
    minutes: float = 10
    rekor: Any = 1
    tsa: Any = True
    at: float | None = None
    issued_at: float | None = None
    logged_at: float | None = None
    stamped_at: float | None = None
    sct: Any = True
    authority: Authority | None = None
    issue: Mapping[str, Any] = field(default_factory=dict)
    about: bytes | None = None
    stamped: bytes | str | None = None
    kind: str = "dsse"
    version: str = "v0.3"
    edit: Callable[[dict[str, Any]], None] | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A signature and what stands beside it. `issued` is None where a plain key signed."""

    hand: Hand
    issued: Issued | None
    signature: bytes
    entries: tuple[Entry, ...]
    stamps: tuple[bytes, ...]


class World:
    """All of it with one seed of keys: two worlds of one seed trust each other's signatures, others do not."""

    def __init__(self, seed: str = "world", *, rekor2_kind: str = "ecdsa-p256") -> None:
        self.authority = Authority(seed)
        self.rekors = {1: Rekor(1, seed), 2: Rekor(2, seed, kind=rekor2_kind)}
        self.tsa = Tsa(seed)

    # What clients are told

    def root_document(self, urls: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The trusted root as a document, for tests that change it."""
        return _documents.trusted_root(self.authority, list(self.rekors.values()), self.tsa, urls or {})

    def trusted_root(self, urls: Mapping[str, str] | None = None) -> bytes:
        """The trusted root as JSON."""
        return json.dumps(self.root_document(urls)).encode()

    def signing_config(self, urls: Mapping[str, str], *, rekor: int = 2, tsa: bool = True) -> bytes:
        """The signing config (v0.2) with one log; `urls` has the keys oidc, fulcio, rekor1, rekor2, tsa."""
        return json.dumps(_documents.signing_config(urls, rekor, tsa=tsa)).encode()

    def client_trust_config(self, urls: Mapping[str, str], *, rekor: int = 2, tsa: bool = True) -> bytes:
        """Both in one, as sigstore-python reads it."""
        config = _documents.signing_config(urls, rekor, tsa=tsa)
        return json.dumps(_documents.client_trust_config(self.root_document(urls), config)).encode()

    # What signers make

    def bundle(self, statement: bytes, **how: Any) -> bytes:
        """The bundle (JSON) of an in-toto statement; the words are those of `How`."""
        asked = How(**how)
        made, envelope = self._envelope(statement, asked)
        document = {
            "mediaType": BUNDLES[asked.version],
            "verificationMaterial": _documents.material(made, chain=asked.version in ("0.1", "0.2")),
            "dsseEnvelope": envelope,
        }
        if asked.edit is not None:
            asked.edit(document)
        return json.dumps(document).encode()

    def legacy(self, payload: bytes, **how: Any) -> dict[str, str]:
        """The annotations of the `.sig` layer whose blob is this payload."""
        asked = How(**how)
        made = self._sign(payload, asked, legacy=True)
        return _annotations(made, {"dev.cosignproject.cosign/signature": b64(made.signature)}, asked)

    def attested(self, statement: bytes, **how: Any) -> tuple[bytes, dict[str, str]]:
        """The blob of an `.att` layer (an envelope) and its annotations."""
        asked = How(**how)
        made, envelope = self._envelope(statement, asked)
        kind = str(json.loads(statement).get("predicateType", ""))
        annotations = {"dev.cosignproject.cosign/signature": "", "predicateType": kind}
        return json.dumps(envelope).encode(), _annotations(made, annotations, asked)

    def _envelope(self, statement: bytes, how: How) -> tuple[Made, dict[str, Any]]:
        made = self._sign(statement, how)
        return made, envelope(statement, made.signature)

    def _sign(self, payload: bytes, how: How, *, legacy: bool = False) -> Made:
        """Signs a payload (of a `.sig`) or the PAE of a statement, and gathers the evidence."""
        at = time.time() if how.at is None else how.at
        signer = hand(how.key or Secret.new())
        issued = None
        if how.key is None or how.authority is not None:
            issuing_at = at if how.issued_at is None else how.issued_at
            words = {"minutes": how.minutes, "sct": how.sct, "extensions": how.extensions, **how.issue}
            by = how.authority or self.authority
            issued = by.issue(signer.public, how.subject, how.issuer, at=issuing_at, **words)
        sign = _legacy_signature if legacy else _bundle_signature
        signature = sign(signer, payload)
        logged = payload if how.about is None else how.about
        logged_signature = signature if how.about is None else sign(signer, logged)
        logged_at = at if how.logged_at is None else how.logged_at
        entries = []
        for each in _several(how.rekor):
            log = self.rekors[each] if isinstance(each, int) else each
            body, kind, version = _body(log, logged, logged_signature, signer, issued, kind=how.kind, legacy=legacy)
            entries.append(log.add(body, at=logged_at, kind=kind, version=version))
        stamped_at = at if how.stamped_at is None else how.stamped_at
        message = signature if how.stamped is None else how.stamped
        if isinstance(message, str):
            message = json.dumps(envelope(payload, signature)).encode()
        stampers = [self.tsa if each is True else each for each in _several(how.tsa)]
        return Made(signer, issued, signature, tuple(entries), tuple(t.stamp(message, at=stamped_at) for t in stampers))


def envelope(statement: bytes, signature: bytes) -> dict[str, Any]:
    """The DSSE envelope of a statement."""
    return {"payload": b64(statement), "payloadType": PAYLOAD, "signatures": [{"sig": b64(signature)}]}


def _several(one_or_more: Any) -> tuple[Any, ...]:
    if isinstance(one_or_more, tuple | list):
        return tuple(one_or_more)
    return () if one_or_more in (None, False) else (one_or_more,)


def _bundle_signature(signer: Hand, statement: bytes) -> bytes:
    return signer.sign(pae(statement), "")


def _legacy_signature(signer: Hand, payload: bytes) -> bytes:
    return signer.sign(payload, "sha256")


def _body(
    log: Rekor, payload: bytes, signature: bytes, signer: Hand, issued: Issued | None, *, kind: str, legacy: bool
) -> tuple[bytes, str, str]:
    """The body of a log's entry, its kind and version."""
    verifier = issued.pem if issued else signer.pem
    prehash = "sha256" if legacy else signer.prehash()
    message = payload if legacy else pae(payload)
    if log.version == 2:
        who = _bodies.verifier_v2(signer.kind, issued.leaf if issued else b"", signer.spki)
        body = _bodies.hashedrekord_v2(prehash, digest(prehash, message), signature, who)
        return body, "hashedrekord", "0.0.2"
    if legacy:
        return _bodies.hashedrekord(prehash, digest(prehash, message), signature, verifier), "hashedrekord", "0.0.1"
    wrapped = json.dumps(envelope(payload, signature)).encode()
    if kind == "intoto/0.0.1":
        return _bodies.intoto_v1(wrapped, payload, verifier), "intoto", "0.0.1"
    if kind == "intoto":
        return _bodies.intoto(wrapped, payload, signature, verifier), "intoto", "0.0.2"
    return _bodies.dsse(wrapped, payload, signature, verifier), "dsse", "0.0.1"


def _annotations(made: Made, found: dict[str, str], how: How) -> dict[str, str]:
    """cosign's annotations for the evidence; a `.sig` has room for one entry and one timestamp only."""
    parsed: dict[str, Any] = dict(found)
    if made.issued is not None:
        parsed["dev.sigstore.cosign/certificate"] = made.issued.pem.decode()
        parsed["dev.sigstore.cosign/chain"] = made.issued.chain_pem.decode()
    if made.entries:
        parsed["dev.sigstore.cosign/bundle"] = made.entries[0].annotation()
    if made.stamps:
        parsed["dev.sigstore.cosign/rfc3161timestamp"] = {
            "SignedRFC3161Timestamp": b64encode(made.stamps[0]).decode(),
        }
    if how.edit is not None:
        how.edit(parsed)
    return {name: text if isinstance(text, str) else json.dumps(text) for name, text in parsed.items()}
