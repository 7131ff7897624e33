"""What is done with what root writes (policies, trusted roots, configurations), with keys, and with patterns.

It is read strictly or not at all, and never comes to allow more than it says.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from typing import TYPE_CHECKING, Any

from bpfimg.errors import Error, KeyFileError, PolicyError, UsageError
from bpfimg.oci import Reference
from bpfimg.sign import Policy, PrivateKey, PublicKey, policies, signers, verify
from bpfimg.sign._evidence._certificate import Certificate
from bpfimg.sign._evidence._certified import certified
from bpfimg.sign._evidence._root import TrustedRoot
from bpfimg.sign._evidence._witness import witness
from bpfimg.sign._policy import _language
from bpfimg.sign._policy._patterns import Pattern
from bpfimg.sign._strict import Junk
from tests.fuzz.trust import world
from tests.fuzz.trust.checks import BrokenError, line, once, sentence, tried
from tests.fuzz.trust.shelf import Shelf
from tests.fuzz.trust.world import NOW

if TYPE_CHECKING:
    from bpfimg.sign import Believed

_ALLOW = "insecure-allow-unsigned"


def root(parts: list[bytes]) -> bool:
    """Another root may believe others; reading it and looking at evidence with it ends well."""
    root = tried(lambda: TrustedRoot.parse(parts[0]), Junk)
    if not isinstance(root, TrustedRoot):
        return False
    once(parts[0])
    for candidate in world.made().candidates:
        certificate = Certificate.parse(candidate.material.certificate)
        seen = witness(candidate, root, certificate)
        for why in seen.failed:
            line(why)
        tried(lambda: certified(certificate, candidate.material.chain, root, seen.times("any")), Junk)  # noqa: B023
    return True


def policy(parts: list[bytes]) -> bool:
    data = parts[0]
    parsed = tried(lambda: _language.parse(data, world.Given()), Junk, PolicyError)  # type: ignore[arg-type]
    if not isinstance(parsed, _language.Parsed):
        return False
    once(data)
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
    tried(lambda: policies.review(policy, NOW), PolicyError)
    shelf = Shelf()
    shelf.referring(world.made().forged)
    if any(one.authority for one in _believed_by(policy, shelf, allowed=allowed)):
        raise BrokenError("somebody is believed whom the policy does not name")
    shelf.referring(world.made().sound)
    _believed_by(policy, shelf, allowed=allowed)
    return True


def _believed_by(policy: Policy, shelf: Shelf, *, allowed: bool) -> tuple[Believed, ...]:
    try:
        found = verify(shelf, world.REFERENCE, world.IMAGE.descriptor, policy, now=NOW)
    except Error as error:
        sentence(error)
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


def containers(parts: list[bytes]) -> bool:
    """What comes out is a policy, and allows nothing that containers would not."""
    data = parts[0]
    found = tried(lambda: policies.imported(data, "policy.json", world.ROOT), PolicyError)
    if not isinstance(found, policies.Imported):
        return False
    once(data)
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


def config(parts: list[bytes]) -> bool:
    found = tried(lambda: signers.TrustConfig.parse(parts[0], "config.json", NOW), UsageError)
    if not isinstance(found, signers.TrustConfig):
        return False
    once(parts[0])
    json.loads(found.document())
    _ = found.public, found.timeless
    return True


# --- keys and patterns


def key(parts: list[bytes]) -> bool:
    data = parts[0]
    read = PublicKey.of if data[:1] == b"\x30" else PublicKey.load
    key = tried(lambda: read(data), KeyFileError)
    if not isinstance(key, PublicKey):
        return False
    if PublicKey.load(key.pem.encode()) != key or key.fingerprint != f"sha256:{hashlib.sha256(key.der).hexdigest()}":
        raise BrokenError("a key is another one when it is written and read again")
    for signature in (b"", bytes(64), data[:70], b"\x30\x06\x02\x01\x00\x02\x01\x00", b"0\x06\x02\x01\x01\x02\x01\x01"):
        if key.verify(data, signature, digest="either"):
            raise BrokenError("a signature of anything is good")
    return True


def keyfile(parts: list[bytes]) -> bool:
    sealed = any(word in parts[0] for word in (b"SIGSTORE", b"COSIGN"))
    key = tried(lambda: PrivateKey.load(parts[0], world.PASSWORD), KeyFileError)
    if not isinstance(key, PrivateKey):
        return False
    if sealed and key.public.fingerprint not in world.made().fingerprints:
        raise BrokenError("a sealed key file holds a key that nobody put there")
    if not key.public.verify(b"data", key.sign(b"data")):
        raise BrokenError("a private key signs what its public key does not believe")
    return True


def pattern(parts: list[bytes]) -> bool:
    """A pattern that is accepted means what `re` says."""
    text, word = (one.decode("utf-8", "replace") for one in [*parts, b""][:2])
    pattern = tried(lambda: Pattern.parse(text, "pattern"), Junk)
    if not isinstance(pattern, Pattern):
        return False
    pattern.fullmatch(word)
    if len(text) <= 60 and sum(map(text.count, "*+{")) <= 3:  # `re` takes its time for others
        found = re.compile(text)
        if any(pattern.fullmatch(one) is not (found.fullmatch(one) is not None) for one in (word[:12], word[:3], "")):
            raise BrokenError("a pattern does not fit what `re` says that it fits")
    return True
