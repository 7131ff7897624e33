"""Attacks with a signature that is good, but for something else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.attacks import naive
from tests.attacks.scene import (
    DSSE,
    ONE,
    OTHER,
    Scene,
    bundled,
    by_both,
    by_bundle,
    sig,
    signed,
    trust,
)
from tests.attacks.table import attack
from tests.support.targets import index
from tests.unit.sign.craft import (
    IN_TOTO,
    REPOSITORY,
    SIGN,
    b64,
    bundle,
    dumps,
    key,
    pae,
    payload,
    raw_sign,
    statement,
)

if TYPE_CHECKING:
    from pathlib import Path

SPDX = "https://spdx.dev/Document"
_ONE, _OTHER = ONE.descriptor.digest, OTHER.descriptor.digest


def _enveloped(data: bytes, message: bytes, kind: str = IN_TOTO) -> dict[str, object]:
    """A bundle of a statement whose signature is over any bytes."""
    return bundle(data, payloadType=kind, signatures=[{"sig": b64(raw_sign(key(), message))}])


# -- digests


@attack("a signature of another digest, .sig", naive.over_bytes, "for another image|about another image|digest")
def _(scene: Scene) -> None:
    scene.sigs = [sig(_OTHER)]


@attack("a signature of another digest, bundle", naive.over_bytes, "about another image", honest=by_bundle)
def _(scene: Scene) -> None:
    scene.bundles = [bundled(_OTHER)]


@attack("two subjects, each half right", naive.any_digest, "for another repository", honest=by_bundle)
def _(scene: Scene) -> None:
    ours = {"name": "registry.example/team/toy", "digest": {"sha256": _ONE.hex}}
    named = {"name": REPOSITORY, "digest": {"sha256": _OTHER.hex}}
    scene.bundles = [bundle(statement(_ONE, subject=[ours, named]))]


@attack("the right digest by another algorithm only", naive.any_digest, "about another image", honest=by_bundle)
def _(scene: Scene) -> None:
    import hashlib

    digests = {"sha256": _OTHER.hex, "sha512": hashlib.sha512(ONE.manifest.raw).hexdigest()}
    scene.bundles = [bundle(statement(_ONE, subject=[{"name": REPOSITORY, "digest": digests}]))]


@attack("a child that the signed index does not list", naive.over_bytes, "about another image|for another image")
def _(scene: Scene) -> None:
    scene.sigs = [sig(index(OTHER).descriptor.digest)]


# -- repositories


@attack("a signature of another repository, .sig", naive.right_digest, "for another repository")
def _(scene: Scene) -> None:
    scene.sigs = [sig(_ONE, "registry.example/team/toy")]


@attack("a signature of another repository, bundle", naive.right_digest, "for another repository", honest=by_bundle)
def _(scene: Scene) -> None:
    scene.bundles = [bundled(_ONE, "registry.example/team/toy")]


def _bound(folder: Path) -> Scene:
    return Scene(folder, trust(identity="repository"), bundles=[bundled(_ONE)])


@attack("a signature without a repository", naive.named(naive.equal, without=True), "names no repo", honest=_bound)
def _(scene: Scene) -> None:
    scene.bundles = [bundled(_ONE, None)]


@attack("a repository that begins alike", naive.named(naive.begins_alike), "for another repository")
def _(scene: Scene) -> None:
    scene.sigs = [sig(_ONE, f"{REPOSITORY}-sandbox")]


@attack("a repository that ends alike", naive.named(naive.ends_alike), "for another repository")
def _(scene: Scene) -> None:
    scene.sigs = [sig(_ONE, f"evil.example/{REPOSITORY}")]


@attack("the same repository on another host", naive.named(naive.last_part), "for another repository")
def _(scene: Scene) -> None:
    scene.sigs = [sig(_ONE, "evil.example/team/app")]


@attack("a repository in other case", naive.named(naive.ignoring_case), "not HOST/REPOSITORY|another repository")
def _(scene: Scene) -> None:
    scene.sigs = [sig(_ONE, "registry.example/Team/App")]


@attack("a repository in full-width letters", naive.named(naive.in_unicode), "not HOST/REPOSITORY", honest=by_both)
def _(scene: Scene) -> None:
    spelled = "registry.example/\uff54\uff45\uff41\uff4d/app"
    scene.sigs, scene.bundles = [sig(_ONE, spelled)], [bundled(_ONE, spelled)]


@attack("a repository with a NUL", naive.named(naive.as_in_c), "not HOST/REPOSITORY", honest=by_both)
def _(scene: Scene) -> None:
    spelled = f"{REPOSITORY}\0.evil.example/x"
    scene.sigs, scene.bundles = [sig(_ONE, spelled)], [bundled(_ONE, spelled)]


@attack("a repository with a line end", naive.named(naive.by_pattern), "not HOST/REPOSITORY", honest=by_both)
def _(scene: Scene) -> None:
    scene.sigs, scene.bundles = [sig(_ONE, f"{REPOSITORY}\n")], [bundled(_ONE, f"{REPOSITORY}\n")]


@attack("the same name at another port", naive.named(naive.without_port), "for another repository")
def _(scene: Scene) -> None:
    scene.sigs = [sig(_ONE, "registry.example:8443/team/app")]


def _hub(folder: Path) -> Scene:
    policy = trust()
    policy["rules"][0]["scope"] = "docker.io/**"
    return Scene(folder, policy, asked="docker.io/library/app:v1", sigs=[sig(_ONE, "index.docker.io/library/app")])


@attack("a host that begins as Docker Hub", naive.named(naive.as_docker_says), "for another repository", honest=_hub)
def _(scene: Scene) -> None:
    scene.sigs = [sig(_ONE, "index.docker.io.evil.example/library/app")]


@attack("an owner called library", naive.named(naive.as_docker_says), "for another repository", honest=_hub)
def _(scene: Scene) -> None:
    scene.sigs = [sig(_ONE, "docker.io/library/library/app")]


# -- kinds of statements


@attack("an SBOM attestation as a signature, bundle", naive.in_repository, "not signed|no signature", honest=by_bundle)
def _(scene: Scene) -> None:
    scene.bundles = [bundled(_ONE, predicateType=SPDX, predicate={"SPDXID": "x"})]


@attack("an SBOM attestation as a signature, .sig", naive.in_repository, "media type|not signed|no signature")
def _(scene: Scene) -> None:
    data = statement(_ONE, REPOSITORY, predicateType=SPDX)
    envelope = {"payload": b64(data), "payloadType": IN_TOTO, "signatures": [{"sig": b64(raw_sign(key(), pae(data)))}]}
    scene.sigs = [(dumps(envelope), {naive.SIGNATURE: "", "predicateType": SPDX}, DSSE)]


@attack("an SBOM attestation where it belongs, and no signature", naive.over_bytes, "not signed", honest=by_bundle)
def _(scene: Scene) -> None:
    scene.bundles = [bundled(_ONE, predicateType=SPDX)]


@attack("a predicate type that begins alike", naive.in_repository, "not signed|no signature", honest=by_bundle)
def _(scene: Scene) -> None:
    scene.bundles = [bundled(_ONE, predicateType=f"{SIGN}/draft")]


@attack("a signed file that speaks of the image", naive.anywhere, "no signature|critical")
def _(scene: Scene) -> None:
    scene.sigs = [signed(dumps({"seen": f"{REPOSITORY}@{_ONE}", "verdict": "malware"}))]


@attack("a signed statement, signed as a file", naive.without_encoding, "not by a key", honest=by_bundle)
def _(scene: Scene) -> None:
    data = statement(_ONE, REPOSITORY)
    scene.bundles = [_enveloped(data, data)]


@attack("another type of claim, .sig", naive.in_repository, "type")
def _(scene: Scene) -> None:
    scene.sigs = [sig(_ONE, type="atomic container signature")]


@attack("another payload type, signed so", naive.in_repository, "payloadType", honest=by_bundle)
def _(scene: Scene) -> None:
    data, kind = statement(_ONE, REPOSITORY), "application/vnd.example.draft+json"
    scene.bundles = [_enveloped(data, pae(data, kind), kind)]


@attack("another type of statement", naive.in_repository, "_type", honest=by_bundle)
def _(scene: Scene) -> None:
    scene.bundles = [bundled(_ONE, _type="https://in-toto.io/Draft/v9")]


# -- two readings of the same bytes


@attack("two digests under one key of a payload", naive.right_digest, "twice|duplicate|no signature")
def _(scene: Scene) -> None:
    other, ours = f'"{_OTHER}"'.encode(), f'"{_ONE}"'.encode()
    twice = payload(_OTHER).replace(other, other + b',"docker-manifest-digest":' + ours)
    assert json.loads(twice)["critical"]["image"]["docker-manifest-digest"] == str(_ONE)
    scene.sigs = [signed(twice)]


@attack("two payloads in one envelope", naive.two_readers, "twice|duplicate|no signature", honest=by_bundle)
def _(scene: Scene) -> None:
    signed_one = dumps(bundled(_OTHER))
    claimed = b'"payload":"%s"' % b64(statement(_ONE, REPOSITORY)).encode()
    scene.bundles = [signed_one.replace(b'"payloadType":', claimed + b',"payloadType":')]


@attack("two signatures in one envelope", naive.any_signature, "signature", honest=by_bundle)
def _(scene: Scene) -> None:
    data = statement(_ONE, REPOSITORY)
    both = [{"sig": b64(raw_sign(key(name), pae(data)))} for name in ("mallory", "alice")]
    scene.bundles = [bundle(data, signatures=both)]
