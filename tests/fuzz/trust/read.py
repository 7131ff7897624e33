"""What is done with one input of the room of trust, and what must hold.

Whatever is in it, it is read, or it is the room's own exception with one printable sentence; and nothing is believed
but what `book` has. What root writes must be read strictly or not at all: it never comes to allow more than it says.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import warnings
import zlib
from typing import TYPE_CHECKING, Any

from bpfimg.errors import Error, KeyFileError, NotFound, PolicyError, UsageError, VerificationError
from bpfimg.oci import Descriptor, Digest, Reference
from bpfimg.sign import Policy, PrivateKey, PublicKey, attestations, policies, signers, verify
from bpfimg.sign._evidence._body import Signed, about
from bpfimg.sign._evidence._certificate import Certificate
from bpfimg.sign._evidence._certified import certified
from bpfimg.sign._evidence._checkpoint import checkpoint
from bpfimg.sign._evidence._root import TrustedRoot
from bpfimg.sign._evidence._timestamp import stamped
from bpfimg.sign._evidence._witness import witness
from bpfimg.sign._formats import _bundle, _envelope, _simplesigning
from bpfimg.sign._policy import _language
from bpfimg.sign._policy._names import claimed
from bpfimg.sign._policy._patterns import Pattern
from bpfimg.sign._policy._versions import version_key
from bpfimg.sign._strict import Junk
from tests.fuzz.trust import book, world
from tests.fuzz.trust.mutate import split

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.sign import Believed

_MESSAGE_MAX = 900
_SIG, _ATT = _simplesigning.MEDIA_TYPE, "application/vnd.dsse.envelope.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_EMPTY = "application/vnd.oci.empty.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_ALLOW = "insecure-allow-unsigned"
_NAME = re.compile(r"registry\.example(:443)?/team/app(:[\w.-]+)?(@[\w:]+)?")
_ME = (world.SUBJECT, world.ISSUER)
_NOW = world.AT + 3600.0


class BrokenError(AssertionError):
    """Something that must hold does not: as bad as a crash."""


def exercise(data: bytes) -> bool:
    """Does with the input what bpfimg does with such documents; whether it could be read, or was believed."""
    kind, parts = split(data)
    read = KINDS.get(kind)
    if read is None:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what a library warns of, strangers could print
        return read(parts)


def _sentence(error: Exception) -> None:
    message = str(error)
    if not message.isprintable() or len(message) > _MESSAGE_MAX:
        raise BrokenError(f"a message of {len(message)} characters, or with unprintable ones: {message[:200]!r}")


def _tried(read: Callable[[], object], *errors: type[Exception]) -> object:
    """What `read` returns; None when it raises what it may."""
    try:
        return read()
    except errors as error:
        _sentence(error)
        return None


# --- whole signatures


class Shelf:
    """A registry that holds what it was given, whether that makes sense or not."""

    at_once = 1

    def __init__(self) -> None:
        self._content: dict[Digest, bytes] = {}
        self._tags: dict[str, Descriptor] = {}
        self._referrers: list[Descriptor] = []
        self.repository = world.REFERENCE.repository

    def put(self, data: bytes, media_type: str) -> Descriptor:
        found = Descriptor.of(data, media_type)
        self._content[found.digest] = data
        return found

    def layered(self, data: bytes, media_type: str, annotations: bytes, tag: str) -> None:
        """A blob as the one layer under a tag; the annotations stand in the manifest as they are."""
        layer, config = self.put(data, media_type), self.put(b"{}", _CONFIG)
        manifest = b'{"schemaVersion":2,"mediaType":"%b","config":%b,"layers":[%b,"annotations":%b}]}' % (
            _MANIFEST.encode(),
            json.dumps(config.to_dict()).encode(),
            json.dumps(layer.to_dict()).encode()[:-1],
            annotations,
        )
        self._tags[tag] = self.put(manifest, _MANIFEST)

    def referring(self, data: bytes) -> None:
        """A bundle as a referrer of the image."""
        layer, config = self.put(data, _bundle.MEDIA_TYPE), self.put(b"{}", _EMPTY)
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "artifactType": _bundle.MEDIA_TYPE,
            "config": config.to_dict(),
            "layers": [layer.to_dict()],
            "subject": world.IMAGE.descriptor.to_dict(),
        }
        self._referrers.append(self.put(json.dumps(manifest).encode(), _MANIFEST))

    def resolve(self, selector: str | Digest) -> Descriptor:
        found = self._tags.get(str(selector))
        if found is None:
            raise NotFound("there is no such tag")
        return found

    def fetch(self, descriptor: Descriptor, *, limit: int = 1 << 30) -> bytes:
        if descriptor.digest not in self._content:
            raise NotFound("there is no such blob")
        return self._content[descriptor.digest]

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        return tuple(self._referrers) if digest == world.IMAGE.descriptor.digest else ()


def _shelf(kind: str, parts: list[bytes]) -> Shelf:
    shelf = Shelf()
    tag = world.DIGEST.replace(":", "-")
    if kind == "bundle":
        shelf.referring(parts[0])
    elif kind == "sig":
        shelf.layered(parts[0], _SIG, parts[1], f"{tag}.sig")
    else:
        shelf.layered(parts[0], _ATT, parts[1], f"{tag}.att")
    return shelf


def _believed(shelf: Shelf) -> tuple[Believed, ...]:
    """Who is believed to have signed the image."""
    try:
        found = verify(shelf, world.REFERENCE, world.IMAGE.descriptor, world.policy(), thorough=True, now=_NOW)
    except VerificationError as error:
        _sentences(error, error.reasons)
        return ()
    for note in found.notes:
        _line(note)
    return found.signers


def _attested(shelf: Shelf) -> tuple[Any, ...]:
    try:
        return attestations(shelf, world.REFERENCE, world.IMAGE.descriptor, world.policy(), world.SLSA, now=_NOW)
    except VerificationError as error:
        _sentences(error, error.reasons)
        return ()


def _sentences(error: Exception, reasons: tuple[str, ...]) -> None:
    _sentence(error)
    for reason in reasons:
        _line(reason)


def _line(text: str) -> None:
    if not text.isprintable() or len(text) > 3 * _MESSAGE_MAX:
        raise BrokenError(f"a reason of {len(text)} characters, or with unprintable ones: {text[:200]!r}")


def _signature(kind: str, parts: list[bytes]) -> bool:
    """Nothing is believed but what was signed; and what it is does not hide an honest signature beside it."""
    parts = [*parts, b"{}"][: 1 if kind == "bundle" else 2]
    shelf = _shelf(kind, parts)
    signed, attested = _believed(shelf), _attested(shelf)
    if attested and signed:
        raise BrokenError("a signature counts as an attestation, or the other way round")
    for one in (*signed, *(attestation.signer for attestation in attested)):
        record = world.made().book.check(kind, parts, one, _ME)
        _about_this(record.payload, legacy=kind == "sig", wanted=world.SIGN if signed else world.SLSA)
    for attestation in attested:
        if json.loads(attestation.statement) != attestation.document or attestation.digest != world.DIGEST:
            raise BrokenError("an attestation does not say what was signed")
    if zlib.crc32(parts[0]) % 4 == 0:
        shelf.referring(_sound())
        if not any(one.authority == "plain" for one in _believed(shelf)):
            raise BrokenError("an honest signature is not believed because of what lies beside it")
    return bool(signed or attested)


def _sound() -> bytes:
    """A bundle that is believed: without log and timestamp, so that it is found cheaply."""
    return world.made().sound


def _about_this(payload: bytes, *, legacy: bool, wanted: str) -> None:
    """Raises unless a payload, read without bpfimg, is about our image in our repository."""
    found = json.loads(payload)
    if legacy:
        names = [found["critical"]["identity"]["docker-reference"]]
        good = found["critical"]["image"] == {"docker-manifest-digest": world.DIGEST}
    else:
        mine = [one for one in found["subject"] if one["digest"].get("sha256") == world.DIGEST[7:]]
        names = [one.get("name", "") for one in mine]
        good = bool(mine) and found["predicateType"] == wanted
    if not good or not any(_NAME.fullmatch(name) for name in names):
        raise BrokenError("believed, and about another image, repository or kind of statement")


def _resigned(parts: list[bytes]) -> bool:
    """The honest key has signed this statement, whatever it says."""
    signature = world.KEYS["alice"].sign(_envelope.pae(parts[0]))
    envelope = {"payload": base64.b64encode(parts[0]).decode(), "payloadType": _envelope.PAYLOAD}
    envelope["signatures"] = [{"sig": base64.b64encode(signature).decode()}]  # type: ignore[assignment]
    material: dict[str, Any] = {"publicKey": {}}
    top = {"mediaType": _bundle.MEDIA_TYPE, "verificationMaterial": material, "dsseEnvelope": envelope}
    shelf = _shelf("bundle", [json.dumps(top).encode()])
    signed, attested = _believed(shelf), _attested(shelf)
    for found, wanted in ((signed, world.SIGN), (attested, world.SLSA)):
        if found:
            _once(parts[0])
            _about_this(parts[0], legacy=False, wanted=wanted)
    return bool(signed or attested)


def _resigned_sig(parts: list[bytes]) -> bool:
    notes = {_simplesigning.SIGNATURE: base64.b64encode(world.KEYS["alice"].sign(parts[0])).decode()}
    signed = _believed(_shelf("sig", [parts[0], json.dumps(notes).encode()]))
    if signed:
        _once(parts[0])
        _about_this(parts[0], legacy=True, wanted="")
    return bool(signed)


def _once(data: bytes) -> None:
    """Raises when JSON that was accepted has a name twice, a number that is none, or is not UTF-8."""

    def pairs(rows: list[tuple[str, object]]) -> dict[str, object]:
        if len({name for name, _ in rows}) != len(rows):
            raise BrokenError("a document with a name that stands twice is accepted")
        return dict(rows)

    def constant(_word: str) -> object:
        raise BrokenError("a document with NaN or Infinity is accepted")

    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BrokenError("a document that is not UTF-8 is accepted") from error
    json.loads(text, object_pairs_hook=pairs, parse_constant=constant)


# --- parts of them


def _statement(parts: list[bytes]) -> bool:
    digest = world.IMAGE.descriptor.digest
    found = _tried(lambda: _envelope.said(parts[0], digest), Junk)
    if not isinstance(found, _envelope.Said):
        return False
    _once(parts[0])
    for name in found.names:
        _tried(lambda name=name: claimed(name), Junk)  # type: ignore[misc]
    for text in (*found.claims, *found.claims.values(), *found.names):
        _tried(lambda text=text: version_key(text), Junk)  # type: ignore[misc]
    return True


def _body(parts: list[bytes]) -> bool:
    """A body is about one of the honest signatures only when its words are those of that signature's own entry."""
    read = False
    for signed, bodies in _signed():
        major = _tried(lambda signed=signed: about(parts[0], "", "", signed), Junk)  # type: ignore[misc]
        if major is None:
            continue
        _once(parts[0])
        read = True
        if not any(_weighty(json.loads(parts[0])) == _weighty(json.loads(body)) for body in bodies):
            raise BrokenError("a log entry of something else counts")
    return read


def _weighty(found: Any) -> Any:
    """A body without what says nothing: how base64 and PEM are spelled, and the hash of an envelope's bytes where its
    parts are named."""
    if isinstance(found, dict):
        idle = {"keyid", "envelopeHash", *(("hash",) if "envelope" in found else ())}
        return {name: _weighty(one) for name, one in found.items() if name not in idle}
    if isinstance(found, list):
        return [_weighty(one) for one in found]
    return _bare(found) if isinstance(found, str) else found


def _bare(text: str) -> object:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return text
    if not data.startswith(b"-----BEGIN"):
        return _bare(data.decode()) if data.isascii() and len(data) > 40 else data
    rows = data.decode().split("-----")
    return rows[1], base64.b64decode(rows[2])


def _signed() -> list[tuple[Signed, list[bytes]]]:
    return world.made().signed


def _checkpoint(parts: list[bytes]) -> bool:
    text = parts[0].decode("utf-8", "surrogatepass") if _decodes(parts[0]) else parts[0].decode("latin-1")
    head = _tried(lambda: checkpoint(text), Junk)
    if head is None:
        return False
    honest = {one.checkpoint.partition("\n\n")[0] for record in world.made().book.records for one in record.entries}
    for log in world.ROOT.trusted().logs:
        if head.signed_by(log) and text.partition("\n\n")[0] not in honest:  # type: ignore[attr-defined]
            raise BrokenError("a checkpoint counts that no log signed")
    return True


def _decodes(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _certificate(parts: list[bytes]) -> bool:
    found = _tried(lambda: Certificate.parse(parts[0]), Junk)
    if not isinstance(found, Certificate):
        return False
    repr(found)
    root = world.ROOT.trusted()
    chain = [parts[0], *world.WORLD.authority.chain]
    time = _tried(lambda: certified(found, chain, root, (world.AT, world.STAMPED)), Junk)
    if time is not None and parts[0] not in {record.certificate for record in world.made().book.records}:
        raise BrokenError("a certificate is believed that nobody issued")
    found.key.verify(b"data", parts[0][:80], digest="either")
    return True


def _stamp(parts: list[bytes]) -> bool:
    stampers = world.ROOT.trusted().timestamp_authorities
    for record in world.made().book.records:
        for message in (record.signature, b"") if record.stamps else ():
            found = _tried(lambda message=message: stamped(parts[0], message, stampers), Junk)  # type: ignore[misc]
            if found is None:
                continue
            if not any(book.same_stamp(one, parts[0]) and book.stamp_time(one) == found.time for one in record.stamps):  # type: ignore[attr-defined]
                raise BrokenError("a timestamp counts that nobody made")
            return True
    return False


# --- what root writes


def _root(parts: list[bytes]) -> bool:
    """Another root may believe others; reading it and looking at evidence with it ends well."""
    root = _tried(lambda: TrustedRoot.parse(parts[0]), Junk)
    if not isinstance(root, TrustedRoot):
        return False
    _once(parts[0])
    for candidate in world.made().candidates:
        certificate = Certificate.parse(candidate.material.certificate)
        seen = witness(candidate, root, certificate)
        for why in seen.failed:
            _line(why)
        _tried(lambda: certified(certificate, candidate.material.chain, root, seen.times("any")), Junk)  # noqa: B023
    return True


def _policy(parts: list[bytes]) -> bool:
    data = parts[0]
    parsed = _tried(lambda: _language.parse(data, world.Given()), Junk, PolicyError)  # type: ignore[arg-type]
    if not isinstance(parsed, _language.Parsed):
        return False
    _once(data)
    said = json.loads(data)
    if zlib.crc32(data) % 4 == 0 and not world.policy_documents.accepted_by_schema(said):
        raise BrokenError("a policy is accepted that the schema refuses")
    policy = Policy(
        "policy.json", "sha256:x", parsed.rules, parsed.default, parsed.denied, parsed.local_files, parsed.authorities,
        parsed.roots,
    )  # fmt: skip
    allowed = _ALLOW in (said["default"], *(one.get("action") for one in said["rules"]))
    for reference in _REFERENCES:
        policies.explained(policy, reference)
        if policy.rule_for(reference).action == _ALLOW and not allowed:
            raise BrokenError("a policy allows what it does not say")
    _tried(lambda: policies.review(policy, _NOW), PolicyError)
    shelf = Shelf()
    shelf.referring(world.made().forged)
    if any(one.authority for one in _believed_by(policy, shelf, allowed=allowed)):
        raise BrokenError("somebody is believed whom the policy does not name")
    shelf.referring(_sound())
    _believed_by(policy, shelf, allowed=allowed)
    return True


def _believed_by(policy: Policy, shelf: Shelf, *, allowed: bool) -> tuple[Believed, ...]:
    try:
        found = verify(shelf, world.REFERENCE, world.IMAGE.descriptor, policy, now=_NOW)
    except Error as error:
        _sentence(error)
        return ()
    if not found.signers and not allowed:
        raise BrokenError("an image is believed without anybody who signed it")
    return found.signers


_REFERENCES = tuple(
    Reference.parse(text)
    for text in (
        "registry.example/team/app:v1", "registry.example/team/app", "registry.example/x", "a.example/b:c",
        "b.example/x:y", "docker.io/library/nginx", "x.c.example/y", f"registry.example/team/app@{world.DIGEST}",
    )
)  # fmt: skip


def _containers(parts: list[bytes]) -> bool:
    """What comes out is a policy, and allows nothing that containers would not."""
    data = parts[0]
    found = _tried(lambda: policies.imported(data, "policy.json", world.ROOT), PolicyError)
    if not isinstance(found, policies.Imported):
        return False
    _once(data)
    for place, text in found.notes:
        if not text.isprintable():
            raise BrokenError(f"a note on {place!r} has unprintable characters")
    roots = {"trustedRoots": {world.ROOT.name: {"path": "/root.json"}}}
    named = any("trustedRoot" in one for one in found.document.get("authorities", {}).values())  # type: ignore[attr-defined]
    written = json.dumps({**found.document, **(roots if named else {})}).encode()
    try:
        parsed = _language.parse(written, world.Given())  # type: ignore[arg-type]
    except (Junk, PolicyError) as error:
        if "does not exist" in str(error):
            return True
        raise BrokenError(f"what was imported is no policy: {str(error)[:80]}") from error
    policy = Policy("p", "sha256:x", parsed.rules, parsed.default, parsed.denied)
    for reference in _REFERENCES:
        if policy.rule_for(reference).action == _ALLOW and not _accepts(json.loads(data), reference):
            raise BrokenError("more is allowed than containers allows")
    return True


def _accepts(said: Any, reference: Reference) -> bool:
    """containers-policy.json(5): the most specific scope that is there decides, and all of its requirements."""
    scopes = said.get("transports", {}).get("docker", {})
    repository = str(reference.repository)
    names = [f"{repository}:{reference.tag or 'latest'}"] if reference.digest is None else [str(reference)]
    while repository:
        names.append(repository)
        repository = repository.rpartition("/")[0]
    host = names[-1].partition(":")[0]
    while "." in host:
        host = host.partition(".")[2]
        names.append(f"*.{host}")
    wanted = next((scopes[name] for name in (*names, "") if name in scopes), said["default"])
    return all(one["type"] == "insecureAcceptAnything" for one in wanted)


def _config(parts: list[bytes]) -> bool:
    found = _tried(lambda: signers.TrustConfig.parse(parts[0], "config.json", _NOW), UsageError)
    if not isinstance(found, signers.TrustConfig):
        return False
    _once(parts[0])
    json.loads(found.document())
    _ = found.public, found.timeless
    return True


# --- keys and patterns


def _key(parts: list[bytes]) -> bool:
    data = parts[0]
    read = PublicKey.of if data[:1] == b"\x30" else PublicKey.load
    key = _tried(lambda: read(data), KeyFileError)
    if not isinstance(key, PublicKey):
        return False
    if PublicKey.load(key.pem.encode()) != key or key.fingerprint != f"sha256:{hashlib.sha256(key.der).hexdigest()}":
        raise BrokenError("a key is another one when it is written and read again")
    for signature in (b"", bytes(64), data[:70], b"\x30\x06\x02\x01\x00\x02\x01\x00", b"0\x06\x02\x01\x01\x02\x01\x01"):
        if key.verify(data, signature, digest="either"):
            raise BrokenError("a signature of anything is good")
    return True


def _keyfile(parts: list[bytes]) -> bool:
    sealed = any(word in parts[0] for word in (b"SIGSTORE", b"COSIGN"))
    key = _tried(lambda: PrivateKey.load(parts[0], world.PASSWORD), KeyFileError)
    if not isinstance(key, PrivateKey):
        return False
    if sealed and key.public.fingerprint not in world.made().fingerprints:
        raise BrokenError("a sealed key file holds a key that nobody put there")
    if not key.public.verify(b"data", key.sign(b"data")):
        raise BrokenError("a private key signs what its public key does not believe")
    return True


def _pattern(parts: list[bytes]) -> bool:
    """A pattern that is accepted means what `re` says."""
    text, word = (one.decode("utf-8", "replace") for one in [*parts, b""][:2])
    pattern = _tried(lambda: Pattern.parse(text, "pattern"), Junk)
    if not isinstance(pattern, Pattern):
        return False
    pattern.fullmatch(word)
    if len(text) <= 60 and sum(map(text.count, "*+{")) <= 3:  # `re` takes its time for others
        found = re.compile(text)
        if any(pattern.fullmatch(one) is not (found.fullmatch(one) is not None) for one in (word[:12], word[:3], "")):
            raise BrokenError("a pattern does not fit what `re` says that it fits")
    return True


KINDS: dict[str, Callable[[list[bytes]], bool]] = {
    "bundle": lambda parts: _signature("bundle", parts),
    "sig": lambda parts: _signature("sig", parts),
    "att": lambda parts: _signature("att", parts),
    "resigned": _resigned,
    "resigned-sig": _resigned_sig,
    "statement": _statement,
    "body": _body,
    "checkpoint": _checkpoint,
    "certificate": _certificate,
    "stamp": _stamp,
    "root": _root,
    "policy": _policy,
    "containers": _containers,
    "config": _config,
    "key": _key,
    "keyfile": _keyfile,
    "pattern": _pattern,
}
