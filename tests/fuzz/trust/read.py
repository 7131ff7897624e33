"""What is done with one input of the room of trust, and what must hold.

Whatever is in it, it is read, or it is the room's own exception with one printable sentence; and nothing is believed
but what `book` has. What root writes is in `rooted`.
"""

from __future__ import annotations

import base64
import json
import re
import warnings
import zlib
from typing import TYPE_CHECKING, Any

from bpfimg.errors import VerificationError
from bpfimg.sign import attestations, verify
from bpfimg.sign._evidence._body import Signed, about
from bpfimg.sign._evidence._certificate import Certificate
from bpfimg.sign._evidence._certified import certified
from bpfimg.sign._evidence._checkpoint import checkpoint
from bpfimg.sign._evidence._timestamp import stamped
from bpfimg.sign._formats import _bundle, _envelope, _simplesigning
from bpfimg.sign._policy._names import claimed
from bpfimg.sign._policy._versions import version_key
from bpfimg.sign._strict import Junk
from tests.fuzz.trust import book, rooted, world
from tests.fuzz.trust.checks import BrokenError, line, once, sentences, tried
from tests.fuzz.trust.mutate import split
from tests.fuzz.trust.shelf import Shelf, holding
from tests.fuzz.trust.world import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.sign import Believed

_NAME = re.compile(r"registry\.example(:443)?/team/app(:[\w.-]+)?(@[\w:]+)?")
_ME = (world.SUBJECT, world.ISSUER)


def exercise(data: bytes) -> bool:
    """Does with the input what bpfimg does with such documents; whether it could be read, or was believed."""
    kind, parts = split(data)
    read = KINDS.get(kind)
    if read is None:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what a library warns of, strangers could print
        return read(parts)


# --- whole signatures


def _believed(shelf: Shelf) -> tuple[Believed, ...]:
    """Who is believed to have signed the image."""
    try:
        found = verify(shelf, world.REFERENCE, world.IMAGE.descriptor, world.policy(), thorough=True, now=NOW)
    except VerificationError as error:
        sentences(error, error.reasons)
        return ()
    for note in found.notes:
        line(note)
    return found.signers


def _attested(shelf: Shelf) -> tuple[Any, ...]:
    try:
        return attestations(shelf, world.REFERENCE, world.IMAGE.descriptor, world.policy(), world.SLSA, now=NOW)
    except VerificationError as error:
        sentences(error, error.reasons)
        return ()


def _signature(kind: str, parts: list[bytes]) -> bool:
    """Nothing is believed but what was signed; and what it is does not hide an honest signature beside it."""
    parts = [*parts, b"{}"][: 1 if kind == "bundle" else 2]
    shelf = holding(kind, parts)
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
        shelf.referring(world.made().sound)
        if not any(one.authority == "plain" for one in _believed(shelf)):
            raise BrokenError("an honest signature is not believed because of what lies beside it")
    return bool(signed or attested)


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
    shelf = holding("bundle", [json.dumps(top).encode()])
    signed, attested = _believed(shelf), _attested(shelf)
    for found, wanted in ((signed, world.SIGN), (attested, world.SLSA)):
        if found:
            once(parts[0])
            _about_this(parts[0], legacy=False, wanted=wanted)
    return bool(signed or attested)


def _resigned_sig(parts: list[bytes]) -> bool:
    notes = {_simplesigning.SIGNATURE: base64.b64encode(world.KEYS["alice"].sign(parts[0])).decode()}
    signed = _believed(holding("sig", [parts[0], json.dumps(notes).encode()]))
    if signed:
        once(parts[0])
        _about_this(parts[0], legacy=True, wanted="")
    return bool(signed)


# --- parts of them


def _statement(parts: list[bytes]) -> bool:
    digest = world.IMAGE.descriptor.digest
    found = tried(lambda: _envelope.said(parts[0], digest), Junk)
    if not isinstance(found, _envelope.Said):
        return False
    once(parts[0])
    for name in found.names:
        tried(lambda name=name: claimed(name), Junk)  # type: ignore[misc]
    for text in (*found.claims, *found.claims.values(), *found.names):
        tried(lambda text=text: version_key(text), Junk)  # type: ignore[misc]
    return True


def _body(parts: list[bytes]) -> bool:
    """A body is about one of the honest signatures only when its words are those of that signature's own entry."""
    read = False
    for signed, bodies in _signed():
        major = tried(lambda signed=signed: about(parts[0], "", "", signed), Junk)  # type: ignore[misc]
        if major is None:
            continue
        once(parts[0])
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
    head = tried(lambda: checkpoint(text), Junk)
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
    found = tried(lambda: Certificate.parse(parts[0]), Junk)
    if not isinstance(found, Certificate):
        return False
    repr(found)
    root = world.ROOT.trusted()
    chain = [parts[0], *world.WORLD.authority.chain]
    time = tried(lambda: certified(found, chain, root, (world.AT, world.STAMPED)), Junk)
    if time is not None and parts[0] not in {record.certificate for record in world.made().book.records}:
        raise BrokenError("a certificate is believed that nobody issued")
    found.key.verify(b"data", parts[0][:80], digest="either")
    return True


def _stamp(parts: list[bytes]) -> bool:
    stampers = world.ROOT.trusted().timestamp_authorities
    for record in world.made().book.records:
        for message in (record.signature, b"") if record.stamps else ():
            found = tried(lambda message=message: stamped(parts[0], message, stampers), Junk)  # type: ignore[misc]
            if found is None:
                continue
            if not any(book.same_stamp(one, parts[0]) and book.stamp_time(one) == found.time for one in record.stamps):  # type: ignore[attr-defined]
                raise BrokenError("a timestamp counts that nobody made")
            return True
    return False


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
    "root": rooted.root,
    "policy": rooted.policy,
    "containers": rooted.containers,
    "config": rooted.config,
    "key": rooted.key,
    "keyfile": rooted.keyfile,
    "pattern": rooted.pattern,
}
