"""Attacks on compatibility reports that a rule asks for: they decide on which kernels an image may run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tests.attacks.naive.claims import over_bytes
from tests.attacks.naive.reading import all_keys, seen, signs
from tests.attacks.naive.statements import _statements, attested
from tests.attacks.scene import ONE, OTHER, Scene, bundled, sig, trust
from tests.attacks.table import attack
from tests.unit.sign.craft import REPOSITORY, bundle, key, statement

if TYPE_CHECKING:
    from pathlib import Path

_ONE, _OTHER = ONE.descriptor.digest, OTHER.descriptor.digest
_TYPE = "urn:bpfimg:compatibility:1"
_HERE = os.uname().release


def program(result: str = "ok", **changes: Any) -> dict[str, Any]:
    """What a report says of a program."""
    trial = {"loaded": result == "ok", "insns": 11}
    return {"id": "count", "result": result, "optional": False, "reasons": [], "trial": trial, **changes}


def kernel(release: str, *programs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What a report says of a kernel that was asked."""
    return {"id": release, "release": release, "by": "verifier", "programs": list(programs or [program()]), **changes}


def report(*kernels: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A report that finds everything in order, by its own verdict."""
    return {"id": "x", "result": "ok", "max_insns": None, "kernels": list(kernels), **changes}


GOOD = report(kernel("6.1.0-49-amd64"), kernel("6.12.9"), kernel(_HERE))


def _reported(predicate: dict[str, Any] = GOOD, by: str = "builder", digest: Any = _ONE) -> dict[str, Any]:
    return bundled(digest, REPOSITORY, by, predicateType=_TYPE, predicate=predicate)


def _tried(folder: Path) -> Scene:
    """Signed by alice, with the report of the builder, on what the rule asks for."""
    policy = trust("alice")
    policy["authorities"]["builder"] = {"type": "key", "keyData": [key("builder").public.pem]}
    asked = {"kernels": ["6.1", "6.12"], "result": "ok", "thisKernel": True}
    policy["rules"][0]["attestations"] = [
        {"predicateType": _TYPE, "requireAny": ["builder"], "compatibility": asked},
    ]
    return Scene(folder, policy, sigs=[sig(_ONE)], bundles=[_reported()])


def verdict(scene: Scene) -> bool:
    """The image is signed, and a report whose own verdict is ok names each kernel, as text."""
    wanted = scene.policy["rules"][0]["attestations"][0]["compatibility"]["kernels"]
    reports = [one.content["predicate"] for one in _statements(scene) if one.content["predicateType"] == _TYPE]
    return over_bytes(scene) and any(
        each["result"] == "ok" and all(word in str(each["kernels"]) for word in wanted) for each in reports
    )


@attack("no compatibility report", over_bytes, "lacks an attestation", honest=_tried)
def _(scene: Scene) -> None:
    scene.bundles = []


@attack("a compatibility report of another image", attested, "about another image", honest=_tried)
def _(scene: Scene) -> None:
    scene.bundles = [_reported(digest=_OTHER)]


@attack("a compatibility report by whoever signs images", attested, "not by|whom the rule", honest=_tried)
def _(scene: Scene) -> None:
    scene.bundles = [_reported(by="alice")]


@attack("a compatibility report whose signature is another's", over_bytes, "not by a key", honest=_tried)
def _(scene: Scene) -> None:
    data = statement(_ONE, REPOSITORY, predicateType=_TYPE, predicate=GOOD)
    other = statement(_ONE, REPOSITORY, predicateType=_TYPE, predicate=report())
    scene.bundles = [bundle(data, "builder", signatures=bundle(other, "builder")["dsseEnvelope"]["signatures"])]


@attack("a report that fails on one of the kernels", verdict, "on 6.1.0-49-amd64 some of its", honest=_tried)
def _(scene: Scene) -> None:
    scene.bundles = [_reported(report(kernel("6.1.0-49-amd64", program("fails")), kernel("6.12.9"), kernel(_HERE)))]


@attack("a report that says ok of a program with a reason why it fails", verdict, "do not load", honest=_tried)
def _(scene: Scene) -> None:
    lying = program(reasons=[{"kind": "verifier", "effect": "fails"}])
    scene.bundles = [_reported(report(kernel("6.1.0-49-amd64", lying), kernel("6.12.9"), kernel(_HERE)))]


@attack("a report that says ok of a program that was not loaded", verdict, "do not load", honest=_tried)
def _(scene: Scene) -> None:
    lying = program(trial={"loaded": False, "insns": None})
    scene.bundles = [_reported(report(kernel("6.1.0-49-amd64", lying), kernel("6.12.9"), kernel(_HERE)))]


@attack("a report above its own budget", verdict, "do not load", honest=_tried)
def _(scene: Scene) -> None:
    scene.bundles = [_reported({**GOOD, "max_insns": 10})]


@attack("a report by types where kernels are to be asked", verdict, "not tried on a kernel 6.1", honest=_tried)
def _(scene: Scene) -> None:
    types = kernel("6.1.0-49-amd64", by="types")
    scene.bundles = [_reported(report(types, kernel("6.12.9"), kernel(_HERE)))]


@attack("a report by a kernel that nobody asked", verdict, "not known of all", honest=_tried)
def _(scene: Scene) -> None:
    nobody = kernel("6.1.0-49-amd64", program(trial=None))
    scene.bundles = [_reported(report(nobody, kernel("6.12.9"), kernel(_HERE)))]


@attack("a report on 6.12 for 6.1", verdict, "not tried on a kernel 6.1", honest=_tried)
def _(scene: Scene) -> None:
    scene.bundles = [_reported(report(kernel("6.12.9"), kernel("6.18"), kernel(_HERE)))]


@attack("a report that says the kernel's number elsewhere", verdict, "not tried on a kernel 6.1", honest=_tried)
def _(scene: Scene) -> None:
    scene.bundles = [_reported(report(kernel("5.10.0-6.1", id="6.1"), kernel("6.12.9"), kernel(_HERE)))]


@attack("a report on other kernels than this one", verdict, "not tried on this kernel", honest=_tried)
def _(scene: Scene) -> None:
    scene.bundles = [_reported(report(kernel("6.1.0-49-amd64"), kernel("6.12.9"), kernel(f"{_HERE}.evil")))]


@attack("a report that contradicts itself on one kernel", verdict, "on 6.1.0-49-amd64 some", honest=_tried)
def _(scene: Scene) -> None:
    scene.bundles = [_reported(report(*GOOD["kernels"], kernel("6.1.0-49-amd64", program("fails"))))]


@attack("a report that tried no program", verdict, "not known of all", honest=_tried)
def _(scene: Scene) -> None:
    empty = kernel("6.1.0-49-amd64", programs=[])
    scene.bundles = [_reported(report(empty, kernel("6.12.9"), kernel(_HERE)))]


@attack("two reports, each half right", verdict, "not tried on a kernel", honest=_tried)
def _(scene: Scene) -> None:
    halves = report(kernel("6.1.0-49-amd64"), kernel(_HERE)), report(kernel("6.12.9"), kernel(_HERE))
    scene.bundles = [_reported(half) for half in halves]


@attack("a report with more kernels than anybody reads", verdict, "5000 entries, expected at most 4096", honest=_tried)
def _(scene: Scene) -> None:
    scene.bundles = [_reported(report(*GOOD["kernels"], *[{"by": "types"}] * 4997))]


@attack("a report that is no report", verdict, "its report cannot be read: a kernel's release", honest=_tried)
def _(scene: Scene) -> None:
    scene.bundles = [_reported(report(kernel("6.1.0-49-amd64"), kernel("6.12.9"), kernel("6.12\n6.1")))]


def first(scene: Scene) -> bool:
    """The first statement of the type decides, and it has to be ok everywhere."""
    one = next(iter(seen(scene, "bundle")))
    results = [each["result"] for kernel in one.content["predicate"]["kernels"] for each in kernel["programs"]]
    return signs(one, all_keys(scene)) and set(results) == {"ok"}


@attack("a good report behind a stranger's and a bad one", first, honest=_tried, hides=True)
def _(scene: Scene) -> None:
    bad = report(kernel("6.1.0-49-amd64", program("fails")))
    scene.bundles = [_reported(by="mallory"), _reported(bad), *scene.bundles]
