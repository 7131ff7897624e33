"""Attacks on attestations that a rule asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.attacks import naive
from tests.attacks.scene import DSSE, ONE, OTHER, Scene, bundled, sig, trust
from tests.attacks.table import attack
from tests.unit.sign.craft import (
    IN_TOTO,
    REPOSITORY,
    SIGN,
    b64,
    bundle,
    dumps,
    key,
    pae,
    raw_sign,
    statement,
)

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.unit.sign.craft import Layer

_ONE, _OTHER = ONE.descriptor.digest, OTHER.descriptor.digest
_SLSA = "https://slsa.dev/provenance/v1"
_BUILDER = "https://ci.example/builder"
_PREDICATE = {"runDetails": {"builder": {"id": _BUILDER}}, "reviewed": True}
_CONDITIONS = [
    {"pointer": "/runDetails/builder/id", "equals": _BUILDER},
    {"pointer": "/reviewed", "equals": True},
]


def _provenance(by: str = "builder", **changes: Any) -> dict[str, Any]:
    digest = changes.pop("digest", _ONE)
    return bundled(
        digest, changes.pop("name", REPOSITORY), by, **{"predicateType": _SLSA, "predicate": _PREDICATE, **changes}
    )


def _att(data: bytes, by: str = "builder", kind: str = _SLSA) -> Layer:
    """An `.att` layer."""
    envelope = {
        "payload": b64(data),
        "payloadType": IN_TOTO,
        "signatures": [{"keyid": "", "sig": b64(raw_sign(key(by), pae(data)))}],
    }
    return dumps(envelope), {naive.SIGNATURE: "", "predicateType": kind}, DSSE


def _attested(folder: Path) -> Scene:
    """Signed by alice, with the provenance of the builder."""
    policy = trust("alice")
    policy["authorities"]["builder"] = {"type": "key", "keyData": [key("builder").public.pem]}
    wanted = {"predicateType": _SLSA, "requireAny": ["builder"], "conditions": _CONDITIONS}
    policy["rules"][0]["attestations"] = [wanted]
    return Scene(folder, policy, sigs=[sig(_ONE)], bundles=[_provenance()])


def _attested_att(folder: Path) -> Scene:
    scene = _attested(folder)
    scene.bundles = []
    scene.atts = [_att(statement(_ONE, REPOSITORY, predicateType=_SLSA, predicate=_PREDICATE))]
    return scene


@attack("no attestation where one is asked for", naive.over_bytes, "attest", honest=_attested)
def _(scene: Scene) -> None:
    scene.bundles = []


@attack("an attestation of another image", naive.attested, "about another image|attest", honest=_attested)
def _(scene: Scene) -> None:
    scene.bundles = [_provenance(digest=_OTHER)]


@attack("an attestation of another repository", naive.attested, "another repository", honest=_attested)
def _(scene: Scene) -> None:
    scene.bundles = [_provenance(name="registry.example/team/toy")]


@attack("an attestation by whoever signs images", naive.attested, "not by|whom the rule", honest=_attested)
def _(scene: Scene) -> None:
    scene.bundles = [_provenance("alice")]


@attack("an attestation of another version of its type", naive.attested_alike, "another type", honest=_attested)
def _(scene: Scene) -> None:
    scene.bundles = [_provenance(predicateType=f"{_SLSA}.draft")]


@attack(
    "an attestation whose layer says another type", naive.attested_by_label, "another type|type", honest=_attested_att
)
def _(scene: Scene) -> None:
    scene.atts = [_att(statement(_ONE, REPOSITORY, predicateType="https://spdx.dev/Document", predicate=_PREDICATE))]


@attack("an attestation by another builder", naive.attested, "not so", honest=_attested)
def _(scene: Scene) -> None:
    scene.bundles = [_provenance(predicate={**_PREDICATE, "runDetails": {"builder": {"id": f"{_BUILDER}.evil"}}})]


@attack("an attestation that says 1 for true", naive.attested_equal, "not so", honest=_attested)
def _(scene: Scene) -> None:
    scene.bundles = [_provenance(predicate={**_PREDICATE, "reviewed": 1})]


@attack("two attestations, each half right", naive.attested_in_parts, "not so", honest=_attested)
def _(scene: Scene) -> None:
    strange = {"runDetails": {"builder": {"id": "https://evil.example"}}, "reviewed": True}
    scene.bundles = [_provenance(predicate={**_PREDICATE, "reviewed": False}), _provenance(predicate=strange)]


@attack("an attestation that says two things at once", naive.attested_equal, "twice|attest", honest=_attested)
def _(scene: Scene) -> None:
    data = statement(_ONE, REPOSITORY, predicateType=_SLSA, predicate={**_PREDICATE, "reviewed": False})
    scene.bundles = [bundle(data.replace(b'"reviewed":false', b'"reviewed":false,"reviewed":true'), "builder")]


@attack("a signature as an attestation", naive.attested_alike, "attest|type", honest=_attested)
def _(scene: Scene) -> None:
    wanted = scene.policy["rules"][0]["attestations"][0]
    wanted["predicateType"] = f"{SIGN}/builder"
    scene.bundles = [_provenance(predicateType=SIGN, predicate={})]
    del wanted["conditions"]


@attack("an attestation by a stranger beside a good one", naive.attested_first, honest=_attested, hides=True)
def _(scene: Scene) -> None:
    scene.bundles = [_provenance("mallory"), *scene.bundles]
