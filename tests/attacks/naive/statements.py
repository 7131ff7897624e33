"""Attestations and versions, by what stands in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bpfimg.errors import Error
from bpfimg.oci import Manifest
from tests.attacks.naive.claims import over_bytes
from tests.attacks.naive.reading import Seen, Verdict, _envelope, all_keys, seen, signs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.attacks.scene import Scene


def _statements(scene: Scene) -> list[Seen]:
    """What a key of the policy, whichever, has said beside signatures: in bundles and `.att` layers."""
    return [one for one in _said(scene) if signs(one, all_keys(scene))]


def _said(scene: Scene) -> Iterator[Seen]:
    source = scene.source()
    yield from (one for one in seen(scene, "bundle") if one.format == "bundle")
    try:
        manifest = Manifest.parse(source.fetch(source.resolve(f"{scene.digest.tag}.att")))
    except Error:
        return
    for layer in manifest.layers:
        one = _envelope(json.loads(source.fetch(layer)), json.loads)
        one.bundle["label"] = layer.annotations.get("predicateType")
        yield one


def _wanted_type(scene: Scene) -> str:
    return str(scene.policy["rules"][0]["attestations"][0]["predicateType"])


def _found(document: Any, pointer: str) -> Any:
    for name in pointer.split("/")[1:]:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def attested(scene: Scene) -> Verdict:
    """The image is signed, and somebody of the policy made a statement of the right type, about something."""
    kind = _wanted_type(scene)
    return over_bytes(scene) and any(one.content["predicateType"] == kind for one in _statements(scene))


def attested_alike(scene: Scene) -> Verdict:
    """... of a type that begins alike, in one direction or the other."""
    kind = _wanted_type(scene)
    types = [one.content["predicateType"] for one in _statements(scene)]
    return over_bytes(scene) and any(each.startswith(kind) or kind.startswith(each) for each in types)


def attested_by_label(scene: Scene) -> Verdict:
    """... of the type that its layer says, which nobody signed."""
    kind = _wanted_type(scene)
    return over_bytes(scene) and any(one.bundle.get("label") == kind for one in _statements(scene))


def attested_equal(scene: Scene) -> Verdict:
    """... and all conditions hold, by Python's `==` on what `json.loads` makes of it."""
    conditions = scene.policy["rules"][0]["attestations"][0]["conditions"]
    return any(
        all(_found(one.content["predicate"], each["pointer"]) == each["equals"] for each in conditions)
        for one in _statements(scene)
        if one.content["predicateType"] == _wanted_type(scene)
    )


def attested_in_parts(scene: Scene) -> Verdict:
    """... and each condition holds in one of them."""
    conditions = scene.policy["rules"][0]["attestations"][0]["conditions"]
    there = [one.content["predicate"] for one in _statements(scene)]
    return all(any(_found(one, each["pointer"]) == each["equals"] for one in there) for each in conditions)


def attested_first(scene: Scene) -> Verdict:
    """The first statement of the type decides."""
    kind = _wanted_type(scene)
    first = next((one for one in seen(scene, "bundle") if one.content["predicateType"] == kind), None)
    return first is not None and signs(first, all_keys(scene))


def _claims(one: Seen) -> str:
    name = "org.opencontainers.image.version"
    if one.format == "legacy":
        return str((one.content.get("optional") or {}).get(name, ""))
    return str((one.content["subject"][0].get("annotations") or {}).get(name, ""))


def newer_as_text(accepted: str) -> Callable[[Scene], Verdict]:
    """What is signed is not older than what was accepted, as text."""

    def verify(scene: Scene) -> Verdict:
        return any(signs(one, all_keys(scene)) and _claims(one) >= accepted for one in seen(scene))

    return verify


def newest_claim(accepted: str) -> Callable[[Scene], Verdict]:
    """A trusted key signed it, and the newest version that anybody claims for it counts; of the first, any is new."""

    def number(text: str) -> tuple[int, ...]:
        return tuple(int(part) for part in text.split(".") if part.isdigit())

    def verify(scene: Scene) -> Verdict:
        newest = max((number(_claims(one)) for one in seen(scene)), default=())
        return over_bytes(scene) and (newest >= number(accepted) or not (scene.folder / "history").exists())

    return verify
