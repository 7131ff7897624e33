"""A private Sigstore, what honest signers made in it, what liars made, and the policy that tells them apart.

The keys are the same in every process, the signatures are not: an input that was kept is judged by what it says, since
nobody here has signed it.

Kinds of inputs, and their parts: `sig` (payload, annotations), `att` (envelope, annotations), `bundle`; `resigned`
and `resigned-sig` (a statement, a payload; the honest key signs it whatever it says); `statement`, `body`,
`checkpoint`, `certificate`, `stamp`, `root`, `policy`, `containers`, `config`, `key`, `keyfile`, `pattern`
(and a text).
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bpfimg.oci import Reference
from bpfimg.sign import Policy, PublicKey
from bpfimg.sign._evidence._body import Signed
from bpfimg.sign._formats import _bundle, _envelope
from bpfimg.sign._keys._keyfile import seal
from bpfimg.sign._policy._rules import Authority, IdentityPattern, Root, Rule
from tests.fuzz.trust.book import Book
from tests.fuzz.trust.mutate import Seed
from tests.support.sigstack import ISSUER, SUBJECT, Secret, World
from tests.support.sigstack._bodies import intoto_v1
from tests.support.targets import image
from tests.unit.sign import policy_documents

if TYPE_CHECKING:
    from bpfimg.sign._candidate import Candidate
    from tests.fuzz.trust.book import Record

AT = 1_750_000_000
STAMPED = AT + 2
NOW = AT + 3600.0
REPOSITORY = "registry.example/team/app"
SIGN = "https://sigstore.dev/cosign/sign/v1"
SLSA = "https://slsa.dev/provenance/v1"
PASSWORD = b"password"
WEIGHTS = {"bundle": 22, "sig": 12, "att": 9, "resigned": 6, "resigned-sig": 4, "statement": 2, "body": 5}
WEIGHTS |= {
    "checkpoint": 4,
    "certificate": 8,
    "stamp": 5,
    "root": 5,
    "policy": 8,
    "containers": 5,
    "config": 2,
    "key": 4,
}
WEIGHTS |= {"keyfile": 2, "pattern": 4}
WORLD, MALLORY = World("fuzz"), World("fuzz mallory")
KEYS = {
    "alice": Secret.of("fuzz alice"),
    "bob": Secret.of("fuzz bob", "ed25519"),
    "carol": Secret.of("fuzz carol", "ecdsa-p384"),
}
IMAGE, OTHER = image("one"), image("other")
DIGEST = str(IMAGE.descriptor.digest)
REFERENCE = Reference.parse(f"{REPOSITORY}:v1")
ROOT_DATA = WORLD.trusted_root()
ROOT = Root("corp", "root.json", f"sha256:{hashlib.sha256(ROOT_DATA).hexdigest()}", ROOT_DATA)


@functools.cache
def policy() -> Policy:
    """One rule with an authority for each way in which evidence can be asked for."""
    me = (IdentityPattern(ISSUER, SUBJECT),)
    alice, bob, carol = (PublicKey.of(key.spki) for key in KEYS.values())
    authorities = (
        Authority("any", root=ROOT, timestamp="any", identities=me),
        Authority("tsa", root=ROOT, timestamp="tsa", identities=me),
        Authority("tlog", root=ROOT, timestamp="tlog", identities=me),
        Authority("strict", (alice,), ROOT, "require", "require", not_before=AT - 60, not_after=AT + 60),
        Authority("present", (alice, bob), ROOT),
        Authority("plain", (alice, bob, carol), tlog="ignore", timestamp="ignore"),
    )
    return Policy("policy.json", "sha256:x", (), Rule(None, "verify", authorities, identity="repository"))


def payload(digest: str = DIGEST, name: str = REPOSITORY, optional: Any = None) -> bytes:
    """What a `.sig` signs."""
    identity, about = {"docker-reference": name}, {"docker-manifest-digest": digest}
    critical = {"identity": identity, "image": about, "type": "cosign container image signature"}
    return json.dumps({"critical": critical, "optional": optional}).encode()


def statement(digest: str = DIGEST, name: str = REPOSITORY, kind: str = SIGN, **more: Any) -> bytes:
    """What a bundle signs."""
    subject = {"name": name, "digest": {"sha256": digest.partition(":")[2]}, **more}
    predicate = {"runDetails": {"builder": {"id": "https://builder.example"}}} if kind == SLSA else {}
    top = {"_type": "https://in-toto.io/Statement/v1", "subject": [subject], "predicateType": kind}
    return json.dumps({**top, "predicate": predicate}).encode()


#: how honest signers sign
HONEST: tuple[dict[str, Any], ...] = (
    {"rekor": 1},
    {"rekor": 2},
    {"rekor": (1, 2)},
    {"rekor": 1, "tsa": False},
    {"rekor": 1, "version": "0.1"},
    {"rekor": 1, "version": "0.2", "kind": "intoto"},
    {"rekor": 1, "extensions": {"buildTrigger": "push", "runnerEnvironment": "self-hosted"}},
    {"key": KEYS["alice"], "rekor": 1},
    {"key": KEYS["alice"], "rekor": 2},
    {"key": KEYS["alice"], "rekor": None, "tsa": False},
    {"key": KEYS["bob"], "rekor": None, "tsa": True},
    {"key": KEYS["carol"], "rekor": 1, "tsa": False},
    {"key": KEYS["carol"], "rekor": None, "tsa": False},
)


#: how others do, or the same people without enough beside it; none of it is believed by any authority
LIES: tuple[dict[str, Any], ...] = (
    {"rekor": 1, "subject": "me@example.com"},
    {"rekor": None},
    {"rekor": 2, "tsa": False},
    {"rekor": 1, "issued_at": AT - 7200},
    {"rekor": 1, "sct": False},
    {"rekor": 1, "about": statement(str(OTHER.descriptor.digest))},
    {"rekor": 2, "stamped": b"another signature"},
    {"rekor": 1, "authority": MALLORY.authority},
    {"key": Secret.of("fuzz mallory"), "rekor": 1},
)


@dataclass(frozen=True, slots=True)
class Made:
    """Everything to start from, and the book of what was honestly signed.

    `sound` is a bundle by a key alone, `forged` one by somebody whom no policy names; `signed` are what log entries can
    be about, with the entries that are; `candidates` are two keyless signatures as bpfimg reads them.
    """

    seeds: tuple[Seed, ...]
    book: Book
    sound: bytes
    forged: bytes
    signed: list[tuple[Signed, list[bytes]]]
    candidates: tuple[Candidate, ...]
    fingerprints: frozenset[str]


@functools.cache
def made() -> Made:
    """The seeds and the book: made once for a process."""
    book = Book()
    seeds: list[Seed] = []
    for how in HONEST:
        seeds += _signatures(book, how, trusted=True)
    seeds += [_half_a_minute_later(seed) for seed in seeds[:2]]
    for how in LIES:
        seeds += _signatures(None, how)
    seeds.append(_oldest())
    book.enter("bundle", list(seeds[-1].parts), fingerprint=PublicKey.of(KEYS["alice"].spki).fingerprint)
    elsewhere = {"digest": str(OTHER.descriptor.digest)}, {"name": "registry.example/team/other"}
    for about in elsewhere:  # the same signers about other images: their evidence is good, and not for this one
        for how in (HONEST[0], HONEST[7]):
            seeds += _signatures(None, how, **about)
    seeds += _signatures(None, {"rekor": 1}, world=MALLORY)
    seeds = [*seeds, *_pieces(book), *_written_by_root(), *_keys(), *_patterns()]
    bundles = [one.parts[0] for one in seeds if one.kind == "bundle"]
    return Made(
        tuple(seeds),
        book,
        sound=WORLD.bundle(statement(), key=KEYS["bob"], rekor=None, tsa=False, at=AT),
        forged=MALLORY.bundle(statement(), key=Secret.of("fuzz mallory"), rekor=None, tsa=False, at=AT),
        signed=[_logged(record) for record in book.records if record.entries],
        candidates=tuple(_bundle.parse(one, IMAGE.descriptor.digest, None, "here") for one in (bundles[0], bundles[2])),
        fingerprints=frozenset(PublicKey.of(key.spki).fingerprint for key in KEYS.values()),
    )


def _logged(record: Record) -> tuple[Signed, list[bytes]]:
    """What the entries of a signature must be about."""
    enveloped = b"critical" not in record.payload
    key = next((key for key in KEYS.values() if PublicKey.of(key.spki).fingerprint == record.fingerprint), None)
    signed = Signed(
        message=_envelope.pae(record.payload) if enveloped else record.payload,
        payload=record.payload,
        signature=record.signature,
        enveloped=enveloped,
        label="PUBLIC KEY" if key else "CERTIFICATE",
        der=key.spki if key else record.certificate,
        kind=key.kind if key else "ecdsa-p256",
    )
    return signed, [one.body for one in record.entries]


def _signatures(
    book: Book | None, how: dict[str, Any], *, trusted: bool = False, world: World = WORLD, **about: str
) -> list[Seed]:
    how = {"at": AT, "stamped_at": STAMPED, **how}
    old = {name: one for name, one in how.items() if name not in ("version", "kind")}
    seeds = []
    for kind in (SIGN, SLSA):
        more = {"annotations": {"org.opencontainers.image.version": "1.2.3"}} if kind == SIGN else {}
        seeds.append(Seed("bundle", world.bundle(statement(kind=kind, **about, **more), **how), honest=trusted))
    if how.get("rekor") in (1, None):
        data = payload(**about, optional={"org.opencontainers.image.version": "1.2.3", "timestamp": 1})
        seeds.append(Seed("sig", data, json.dumps(world.legacy(data, **old)).encode(), honest=trusted))
        stamped = {**how, "stamped": "envelope"} if how.get("tsa", True) else how
        envelope, notes = world.attested(statement(kind=SLSA, **about), **stamped)
        seeds.append(Seed("att", envelope, json.dumps(notes).encode(), honest=trusted))
    if book is not None and trusted:
        who = "" if "key" not in how else PublicKey.of(how["key"].spki).fingerprint
        for seed in seeds:
            book.enter(seed.kind, list(seed.parts), fingerprint=who)
    return seeds


def _oldest() -> Seed:
    """A bundle whose log entry has the hash of an envelope as Go spelled it, and no signature (intoto/0.0.1)."""
    data, key = statement(), KEYS["alice"]
    bundle = json.loads(WORLD.bundle(data, key=key, rekor=None, at=AT, stamped_at=STAMPED))
    envelope = bundle["dsseEnvelope"]
    spelled = '{"payloadType":"%s","payload":"%s","signatures":[{"keyid":"","sig":"%s"}]}'
    spelled %= (envelope["payloadType"], envelope["payload"], envelope["signatures"][0]["sig"])
    entry = WORLD.rekors[1].add(intoto_v1(spelled.encode(), data, key.pem), at=AT, kind="intoto", version="0.0.1")
    bundle["verificationMaterial"]["tlogEntries"] = [entry.tlog()]
    return Seed("bundle", json.dumps(bundle).encode(), honest=True)


def _half_a_minute_later(seed: Seed) -> Seed:
    """The same bundle, with another time than the log promised. The signature is as honest as it was: without the
    promise the time says nothing, and the rest is believed."""
    found = json.loads(seed.parts[0])
    entry = found["verificationMaterial"]["tlogEntries"][0]
    entry["integratedTime"] = str(int(entry["integratedTime"]) + 30)
    return Seed("bundle", json.dumps(found).encode())


def _pieces(book: Book) -> list[Seed]:
    """Statements for the honest key to sign, and the evidence of honest signatures, each piece alone."""
    seeds = [Seed("resigned", statement(annotations={"a": "b"})), Seed("resigned", statement(kind=SLSA))]
    seeds += [Seed("resigned-sig", payload(optional={"a": "b"})), Seed("statement", statement())]
    for record in book.records:
        seeds += [Seed("body", entry.body) for entry in record.entries]
        seeds += [Seed("checkpoint", entry.checkpoint.encode()) for entry in record.entries if entry.checkpoint]
        seeds += [Seed("stamp", stamp) for stamp in record.stamps]
        seeds += [Seed("certificate", record.certificate)] if record.certificate else []
    for chain in (WORLD.authority.chain, WORLD.tsa.chain):
        seeds += [Seed("certificate", one) for one in chain]
    return seeds


# --- what root writes


class Given:
    """The files that the policies here name: nothing is read from the disk."""

    def key(self, path: str) -> bytes:
        from bpfimg.errors import PolicyError

        if path != "/keys/release.pub":
            raise PolicyError("public key does not exist")
        return KEYS["alice"].pem

    def root(self, path: str) -> bytes:
        from bpfimg.errors import PolicyError

        if path != "/root.json":
            raise PolicyError("trusted root does not exist")
        return ROOT_DATA

    def builtin(self) -> bytes:
        return ROOT_DATA


def _written_by_root() -> list[Seed]:
    known = json.dumps(policy_documents.ACCEPTED)
    known = known.replace(policy_documents.PIN, ROOT.digest[7:])
    known = known.replace(json.dumps(policy_documents.KEY)[1:-1], json.dumps(KEYS["alice"].pem.decode())[1:-1])
    seeds = [Seed("policy", json.dumps(one).encode()) for one in json.loads(known).values()]
    urls = {name: f"http://127.0.0.1/{name}" for name in ("oidc", "fulcio", "rekor1", "rekor2", "tsa")}
    seeds += [Seed("config", WORLD.client_trust_config(urls, rekor=rekor)) for rekor in (1, 2)]
    seeds += [Seed("root", ROOT_DATA), Seed("root", World("fuzz", rekor2_kind="ed25519").trusted_root())]
    return [*seeds, *(Seed("containers", json.dumps(one).encode()) for one in _containers())]


def _containers() -> list[dict[str, Any]]:
    accept, reject = {"type": "insecureAcceptAnything"}, {"type": "reject"}
    key = base64.b64encode(KEYS["alice"].pem).decode()
    rekor = base64.b64encode(WORLD.rekors[1].key.pem).decode()
    anchor = json.loads(ROOT_DATA)["certificateAuthorities"][0]["certChain"]["certificates"][-1]["rawBytes"]
    ca = f"-----BEGIN CERTIFICATE-----\n{anchor}\n-----END CERTIFICATE-----\n".encode()
    fulcio = {"caData": base64.b64encode(ca).decode(), "oidcIssuer": ISSUER, "subjectEmail": "me@example.com"}
    exact = {"type": "exactRepository", "dockerRepository": "a.example/b"}
    moved = {"type": "remapIdentity", "prefix": "registry.example", "signedPrefix": "other.example"}
    anywhere = {"type": "matchRepository"}
    ways: tuple[dict[str, Any], ...] = (
        {"keyData": key, "signedIdentity": anywhere},
        {"keyDatas": [key], "rekorPublicKeyData": rekor},
        {"keyData": key, "signedIdentity": exact},
        {"keyData": key, "signedIdentity": moved},
        {"fulcio": fulcio, "rekorPublicKeyData": rekor, "signedIdentity": anywhere},
    )
    signed = [{"type": "sigstoreSigned", **way} for way in ways]
    signed.append({"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/x"})
    others = {name: {"": [accept]} for name in ("docker-archive", "docker-daemon", "oci", "oci-archive")}
    scopes = ("registry.example/team", "registry.example/team/app:v1", "*.example", "registry.example")
    dockers = [{scope: [one]} for one in signed for scope in scopes]
    dockers += [{"": [accept], "registry.example/team": [reject]}, {scope: [reject] for scope in scopes}]
    return [
        {"default": [accept]},
        {"default": [accept], "transports": {"docker-daemon": {"": [accept]}}},
        {"default": [reject], "transports": {"docker": {"": [accept], "registry.example/team": [reject]}}},
        *({"default": [reject], "transports": {**others, "docker": docker}} for docker in dockers),
    ]


def _keys() -> list[Seed]:
    private, form = serialization.PrivateFormat, serialization.Encoding.DER
    big = rsa.generate_private_key(65537, 2048)
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    spkis = [*(key.spki for key in KEYS.values()), big.public_key().public_bytes(form, public)]
    plain = [key.raw.private_bytes(form, private.PKCS8, serialization.NoEncryption()) for key in KEYS.values()]
    sealed = [seal(plain[0], PASSWORD, n=1024), seal(plain[1], PASSWORD, n=1024)]
    pem = big.private_bytes(serialization.Encoding.PEM, private.TraditionalOpenSSL, serialization.NoEncryption())
    keyfiles = [*sealed, pem, *(_pem("PRIVATE KEY", one) for one in plain)]
    seeds = [Seed("key", one) for one in spkis] + [Seed("key", _pem("PUBLIC KEY", one)) for one in spkis]
    return seeds + [Seed("keyfile", one) for one in keyfiles]


def _pem(label: str, data: bytes) -> bytes:
    content = base64.b64encode(data).decode()
    rows = [content[i : i + 64] for i in range(0, len(content), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *rows, f"-----END {label}-----", ""]).encode()


def _patterns() -> list[Seed]:
    texts = (
        (r"https://ci\.example/.*", "https://c"), ("(a|b)*?c{2,3}", "abcc"), (r"[^a-c\]]+\d", "x1"), ("^a|b$", "b"),
        (r"(?:a{1,2}){2}", "aaa"), (r"\w+@\S+", "a@b"), ("[]-]?x{0}", "]"), (".{,3}é", "é"),
    )  # fmt: skip
    return [Seed("pattern", pattern.encode(), text.encode()) for pattern, text in texts]
