"""Attacks on when something was signed, and on the logs and timestamp authorities that saw it."""

from __future__ import annotations

import json
from base64 import b64decode
from functools import partial
from typing import TYPE_CHECKING

from tests.attacks import naive
from tests.attacks.certificates import _with
from tests.attacks.scene import (
    NOW,
    ONE,
    OTHER,
    Scene,
    by_identity,
    by_identity_sig,
    keyless,
    keyless_sig,
    trust_identity,
    trust_root,
    world,
)
from tests.attacks.table import attack
from tests.support.sigstack import ISSUER, SUBJECT, Rekor, Secret
from tests.support.sigstack._signing import hand
from tests.unit.sign.craft import REPOSITORY, b64, payload, statement

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

_ONE = ONE.descriptor.digest
_SAID = statement(_ONE, REPOSITORY)
_HOUR = 3600


def _scene(**how: Any) -> Callable[[Path], Scene]:
    """Signed in the pipeline, with this evidence."""
    return lambda folder: Scene(folder, trust_identity(folder), bundles=[keyless(_SAID, **how)])


_logged = _scene(tsa=False)
_logged_v2 = _scene(rekor=2)


def _stamped_sig(folder: Path) -> Scene:
    return Scene(folder, trust_identity(folder, timestamp="tsa"), sigs=[keyless_sig(payload(_ONE))])


def _entry(edit: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], None]:
    """An edit of the first log entry of a bundle."""

    def change(document: dict[str, Any]) -> None:
        edit(document["verificationMaterial"]["tlogEntries"][0])

    return change


def _proof(edit: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], None]:
    return _entry(lambda entry: edit(entry["inclusionProof"]))


def _flipped(text: str) -> str:
    data = bytearray(b64decode(text))
    data[-1] ^= 1
    return b64(bytes(data))


# -- time


@attack(
    "an expired certificate, and no time at all", naive.certified, "lacks a transparency log entry", honest=by_identity
)
def _(scene: Scene) -> None:
    _with(scene, rekor=None, tsa=False)


@attack(
    "an expired certificate, and no time at all, .sig",
    naive.certified,
    "lacks a transparency log entry",
    honest=by_identity_sig,
)
def _(scene: Scene) -> None:
    _with(scene, rekor=None, tsa=False)


@attack("signed after the certificate's end", naive.witnessed, "not valid at any verified time", honest=by_identity)
def _(scene: Scene) -> None:
    _with(scene, logged_at=NOW + _HOUR, stamped_at=NOW + _HOUR)


@attack(
    "signed before the certificate's beginning", naive.witnessed, "not valid at any verified time", honest=by_identity
)
def _(scene: Scene) -> None:
    _with(scene, issued_at=NOW + _HOUR)


@attack("a log without times, with a time written in", naive.witnessed, "lacks a time", honest=_logged_v2)
def _(scene: Scene) -> None:
    _with(scene, rekor=2, tsa=False, edit=_entry(lambda entry: entry.update(integratedTime=str(NOW))))


@attack("a time that the log did not sign", naive.witnessed, "lacks a time", honest=_logged)
def _(scene: Scene) -> None:
    _with(scene, tsa=False, edit=_entry(lambda entry: entry.pop("inclusionPromise")))


@attack("a time that was changed afterwards", naive.witnessed, "promise is not signed", honest=_logged)
def _(scene: Scene) -> None:
    def edit(entry: dict[str, Any]) -> None:
        entry["integratedTime"] = str(NOW)

    _with(scene, tsa=False, logged_at=NOW + _HOUR, edit=_entry(edit))


def _asks_for(source: str) -> Callable[[Path], Scene]:
    return lambda folder: Scene(folder, trust_identity(folder, timestamp=source), bundles=[keyless(_SAID)])


@attack("a log's time where a timestamp is asked for", naive.witnessed, "lacks a timestamp", honest=_asks_for("tsa"))
def _(scene: Scene) -> None:
    _with(scene, tsa=False)


@attack(
    "a timestamp where a log's time is asked for",
    naive.witnessed,
    "lacks a transparency log entry",
    honest=_asks_for("tlog"),
)
def _(scene: Scene) -> None:
    _with(scene, rekor=None)


# -- logs


@attack("the log entry of another artifact", naive.witnessed, "another payload", honest=_logged)
def _(scene: Scene) -> None:
    _with(scene, tsa=False, about=statement(OTHER.descriptor.digest, REPOSITORY))


@attack("the log entry of another artifact, version 2", naive.witnessed, "another artifact", honest=_logged_v2)
def _(scene: Scene) -> None:
    _with(scene, rekor=2, about=statement(OTHER.descriptor.digest, REPOSITORY))


@attack("the log entry of another artifact, .sig", naive.witnessed, "another artifact", honest=by_identity_sig)
def _(scene: Scene) -> None:
    _with(scene, tsa=False, about=payload(OTHER.descriptor.digest))


@attack("the log entry of another artifact beside a timestamp", naive.witnessed, "another payload", honest=by_identity)
def _(scene: Scene) -> None:
    _with(scene, about=statement(OTHER.descriptor.digest, REPOSITORY))


@attack("the log entry of another signature", naive.witnessed, "another signature", honest=_logged)
def _(scene: Scene) -> None:
    _with(scene, tsa=False, about=_SAID)


def _certified_twice(scene: Scene, rekor: int) -> None:
    """A stranger's entry, and beside it the pipeline's certificate for the very key that the stranger had certified."""
    key, authority = Secret.new(), world().authority
    issued = authority.issue(hand(key).public, SUBJECT, ISSUER, at=NOW)

    def swap(document: dict[str, Any]) -> None:
        document["verificationMaterial"]["certificate"]["rawBytes"] = b64(issued.leaf)

    _with(scene, rekor=rekor, key=key, authority=authority, subject="https://evil.example/build.yml@x", edit=swap)


@attack("the log entry of another certificate", naive.witnessed, "another signer", honest=_logged)
def _(scene: Scene) -> None:
    _certified_twice(scene, 1)


@attack("the log entry of another certificate, version 2", naive.witnessed, "another signer", honest=_logged_v2)
def _(scene: Scene) -> None:
    _certified_twice(scene, 2)


@attack("the log entry of the same statement, signed again", naive.witnessed, "another signature", honest=_logged)
def _(scene: Scene) -> None:
    other = json.loads(keyless(_SAID))["verificationMaterial"]["tlogEntries"]
    _with(scene, tsa=False, edit=lambda document: document["verificationMaterial"].update(tlogEntries=other))


@attack("the promise of another log's key", naive.witnessed, "promise is not signed", honest=_logged)
def _(scene: Scene) -> None:
    forged = Rekor(1, "impostor")
    forged.__class__ = _Impostor
    _with(scene, rekor=forged, tsa=False)


class _Impostor(Rekor):
    """A log that signs with a key of its own under the name of the world's."""

    @property
    def log_id(self) -> bytes:
        return world().rekors[self.version].log_id


@attack("the promise of an unknown log", naive.witnessed, "root does not name", honest=_logged)
def _(scene: Scene) -> None:
    _with(scene, rekor=Rekor(1, "impostor"), tsa=False)


@attack("the promise of another log's key, .sig", naive.witnessed, "promise is not signed", honest=by_identity_sig)
def _(scene: Scene) -> None:
    _with(scene, rekor=_Impostor(1, "impostor"), tsa=False)


@attack("the promise of another entry, .sig", naive.witnessed, "promise is not signed", honest=by_identity_sig)
def _(scene: Scene) -> None:
    name = "dev.sigstore.cosign/bundle"
    other = json.loads(keyless_sig(payload(_ONE))[1][name])["SignedEntryTimestamp"]
    _with(scene, tsa=False, edit=lambda notes: notes[name].update(SignedEntryTimestamp=other))


@attack("an inclusion proof with another hash", naive.witnessed, "does not lead", honest=_logged_v2)
def _(scene: Scene) -> None:
    def edit(proof: dict[str, Any]) -> None:
        proof["hashes"][0] = _flipped(proof["hashes"][0])

    _with(scene, rekor=2, edit=_proof(edit))


@attack("an inclusion proof with another hash beside a promise", naive.witnessed, "does not lead", honest=_logged)
def _(scene: Scene) -> None:
    def edit(proof: dict[str, Any]) -> None:
        proof["hashes"][0] = _flipped(proof["hashes"][0])

    _with(scene, tsa=False, edit=_proof(edit))


@attack("an inclusion proof of a tree of one's own", naive.witnessed, "another tree", honest=_logged_v2)
def _(scene: Scene) -> None:
    good = json.loads(keyless(_SAID, rekor=2))["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["checkpoint"]
    own = Rekor(2, "impostor")
    own.__class__ = _Impostor
    _with(scene, rekor=own, edit=_proof(lambda proof: proof.update(checkpoint=good)))


def _move(entry: dict[str, Any], by: int) -> None:
    """The entry is the last leaf of its tree; now it is said to be another."""
    number = str(int(entry["logIndex"]) + by)
    entry["logIndex"] = entry["inclusionProof"]["logIndex"] = number


@attack("an inclusion proof of another leaf", naive.witnessed, "inclusion proof", honest=_logged_v2)
def _(scene: Scene) -> None:
    _with(scene, rekor=2, edit=_entry(lambda entry: _move(entry, -1)))


@attack("an inclusion proof of a leaf outside of the tree", naive.witnessed, "proof|tree", honest=_logged_v2)
def _(scene: Scene) -> None:
    _with(scene, rekor=2, edit=_entry(lambda entry: _move(entry, 1)))


@attack("no inclusion proof", naive.witnessed, "neither a promise nor", honest=_logged_v2)
def _(scene: Scene) -> None:
    _with(scene, rekor=2, edit=_entry(lambda entry: entry.pop("inclusionProof")))


@attack("an inclusion proof without a checkpoint", naive.witnessed, "checkpoint", honest=_logged_v2)
def _(scene: Scene) -> None:
    _with(scene, rekor=2, edit=_proof(lambda proof: proof.pop("checkpoint")))


@attack("a checkpoint that another key signed", naive.witnessed, "checkpoint is not signed", honest=_logged_v2)
def _(scene: Scene) -> None:
    own = Rekor(2, "impostor")
    own.__class__ = _Impostor
    _with(scene, rekor=own)


@attack("a checkpoint of an older tree", naive.witnessed, "another tree", honest=_logged_v2)
def _(scene: Scene) -> None:
    log = world().rekors[2]
    old = log.checkpoint(2, log.tree.root(2))
    _with(scene, rekor=2, edit=_proof(lambda proof: proof.update(checkpoint={"envelope": old})))


@attack("a checkpoint of a log of another name", naive.witnessed, "checkpoint is not signed", honest=_logged_v2)
def _(scene: Scene) -> None:
    def edit(proof: dict[str, Any]) -> None:
        note = proof["checkpoint"]["envelope"]
        proof["checkpoint"]["envelope"] = note.replace("127.0.0.1", "log.evil.example")

    _with(scene, rekor=2, edit=_proof(edit))


@attack("a checkpoint with another root", naive.witnessed, "another tree", honest=_logged_v2)
def _(scene: Scene) -> None:
    def edit(proof: dict[str, Any]) -> None:
        lines = proof["checkpoint"]["envelope"].split("\n")
        lines[2] = _flipped(lines[2])
        proof["checkpoint"]["envelope"] = "\n".join(lines)

    _with(scene, rekor=2, edit=_proof(edit))


@attack("an entry that says to be of another kind", naive.witnessed, "is said to be", honest=_logged_v2)
def _(scene: Scene) -> None:
    kind = {"kind": "dsse", "version": "0.0.2"}
    _with(scene, rekor=2, edit=_entry(lambda entry: entry.update(kindVersion=kind)))


def _log_until(scene: Scene, number: int, **valid: str) -> None:
    document = world().root_document()
    document["tlogs"][number]["publicKey"]["validFor"] = {"start": "2020-01-01T00:00:00Z", **valid}
    scene.policy["trustedRoots"]["corp"] = trust_root(scene.folder, document)


@attack("a log after its last day", naive.witnessed, "not in use", honest=_logged)
def _(scene: Scene) -> None:
    _log_until(scene, 0, end="2025-01-01T00:00:00Z")


@attack("a log before its first day", naive.witnessed, "not in use", honest=_logged)
def _(scene: Scene) -> None:
    _log_until(scene, 0, start="2026-01-01T00:00:00Z")


# -- the claim, keyless


@attack("a pipeline's signature of another repository", naive.certified, "another repository", honest=by_identity)
def _(scene: Scene) -> None:
    scene.bundles = [keyless(statement(_ONE, "registry.example/team/toy"))]


@attack(
    "a pipeline's signature of another digest",
    partial(naive.certified, digest=False),
    "another image",
    honest=by_identity,
)
def _(scene: Scene) -> None:
    scene.bundles = [keyless(statement(OTHER.descriptor.digest, REPOSITORY))]


@attack("a pipeline's provenance as a signature", naive.certified, "it is an attestation", honest=by_identity)
def _(scene: Scene) -> None:
    provenance = statement(_ONE, REPOSITORY, predicateType="https://slsa.dev/provenance/v1")
    scene.bundles = [keyless(provenance)]


@attack("a stranger's certificate beside a good one", naive.first_certificate, honest=by_identity, hides=True)
def _(scene: Scene) -> None:
    scene.bundles = [keyless(_SAID, subject="https://evil.example/x"), *scene.bundles]


@attack("a forged log entry beside a good bundle", naive.all_witnessed, honest=by_identity, hides=True)
def _(scene: Scene) -> None:
    scene.bundles = [keyless(_SAID, rekor=None, tsa=False), *scene.bundles]
