"""Attacks that bring back what was replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpfimg.sign import History
from tests.attacks import naive
from tests.attacks.scene import NOW, ONE, OTHER, Scene, believe, keyless, sig, signed, trust, trust_identity
from tests.attacks.table import attack
from tests.unit.sign.craft import REPOSITORY, bundle, key, payload, statement

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from bpfimg.oci import Digest
    from tests.unit.sign.craft import Layer

_ONE, _OTHER = ONE.descriptor.digest, OTHER.descriptor.digest
VERSION = "org.opencontainers.image.version"


def _versioned(digest: Digest, version: str, by: str = "alice") -> Layer:
    data = payload(digest, REPOSITORY)
    return signed(data.replace(b'"optional":null', f'"optional":{{"{VERSION}":"{version}"}}'.encode()), by)


def _bundled(digest: Digest, version: str, by: str = "alice") -> dict[str, Any]:
    subject = {"name": REPOSITORY, "digest": {"sha256": digest.hex}, "annotations": {VERSION: version}}
    return bundle(statement(digest, subject=[subject]), by)


def accept(scene: Scene) -> None:
    """Believes it, and writes down that it was loaded."""
    proof = believe(scene)
    assert proof.history is not None
    assert proof.mark is not None
    with proof.history.accepting(proof.repository, proof.mark) as write:
        write()


def _monotonic(folder: Path) -> Scene:
    policy = trust(rollback={"mode": "monotonic"})
    words = {"history": History(str(folder / "history"))}
    return Scene(folder, policy, sigs=[_versioned(_ONE, "9.0.0")], words=words)


def _newer(scene: Scene, version: str = "10.0.0") -> None:
    """A newer image was loaded from the repository; then the attacker brings the old one back."""
    old = scene.top, scene.sigs, scene.bundles
    scene.top, scene.sigs, scene.bundles = OTHER, [_versioned(_OTHER, version)], []
    accept(scene)
    scene.top, scene.sigs, scene.bundles = old


@attack("an older image that is still signed", naive.over_bytes, "go back|back", honest=_monotonic)
def _(scene: Scene) -> None:
    _newer(scene)


@attack("an older image, compared as text", naive.newer_as_text("10.0.0"), "go back|back", honest=_monotonic)
def _(scene: Scene) -> None:
    _newer(scene)


@attack("an older image with a stranger's version", naive.newest_claim("10.0.0"), "go back|back", honest=_monotonic)
def _(scene: Scene) -> None:
    _newer(scene)
    scene.sigs.append(_versioned(_ONE, "11.0.0", "mallory"))


@attack("an older image without a version", naive.over_bytes, "version|back", honest=_monotonic)
def _(scene: Scene) -> None:
    _newer(scene)
    scene.sigs = [sig(_ONE)]


@attack("an older image by another tag", naive.over_bytes, "go back|back", honest=_monotonic)
def _(scene: Scene) -> None:
    _newer(scene)
    scene.asked = f"{REPOSITORY}:stable"


@attack("an older image by its digest", naive.over_bytes, "go back|back", honest=_monotonic)
def _(scene: Scene) -> None:
    _newer(scene)
    scene.asked = f"{REPOSITORY}@{_ONE}"


@attack("an older image by a tag that may go back", naive.over_bytes, "go back|back", honest=_monotonic)
def _(scene: Scene) -> None:
    _newer(scene)
    scene.words["allow_downgrade"] = True


@attack("a pre-release of what was accepted", naive.over_bytes, "go back|back", honest=_monotonic)
def _(scene: Scene) -> None:
    _newer(scene)
    scene.sigs = [_versioned(_ONE, "10.0.0-rc.1")]


@attack("a version that no order knows", naive.over_bytes, "version", honest=_monotonic)
def _(scene: Scene) -> None:
    _newer(scene)
    scene.sigs = [_versioned(_ONE, "zzz")]


@attack("two versions in two formats", naive.newest_claim("10.0.0"), "back|version", honest=_monotonic)
def _(scene: Scene) -> None:
    _newer(scene)
    scene.bundles = [_bundled(_ONE, "99.0.0", "mallory")]


@attack("a history that was emptied by a stranger", naive.over_bytes, "history|back", honest=_monotonic)
def _(scene: Scene) -> None:
    _newer(scene)
    folder = scene.folder / "history"
    for each in folder.iterdir():
        each.unlink()
    folder.chmod(0o777)


@attack("a history that was damaged", naive.over_bytes, "history", honest=_monotonic)
def _(scene: Scene) -> None:
    _newer(scene)
    for each in (scene.folder / "history").iterdir():
        each.write_bytes(b"{}")


@attack("no history where the rule asks for one", naive.over_bytes, "history|back", honest=_monotonic)
def _(scene: Scene) -> None:
    del scene.words["history"]


def _at_least(folder: Path) -> Scene:
    scene = _monotonic(folder)
    scene.policy["rules"][0]["rollback"]["minVersion"] = "8.0.0"
    return scene


@attack("a version below the least", naive.over_bytes, "minVersion|at least|expected", honest=_at_least)
def _(scene: Scene) -> None:
    scene.sigs = [_versioned(_ONE, "7.9.9")]


def _by_time(folder: Path) -> Scene:
    policy = trust_identity(folder)
    policy["rules"][0]["rollback"] = {"mode": "monotonic"}
    words = {"history": History(str(folder / "history"))}
    return Scene(folder, policy, bundles=[keyless(statement(_ONE, REPOSITORY))], words=words)


@attack("an image that was signed before the last one", naive.certified, "back", honest=_by_time)
def _(scene: Scene) -> None:
    old = scene.top, scene.bundles
    scene.top, scene.bundles = OTHER, [keyless(statement(_OTHER, REPOSITORY), at=NOW + 86400)]
    accept(scene)
    scene.top, scene.bundles = old


def _by_two(folder: Path) -> Scene:
    scene = _monotonic(folder)
    scene.policy["authorities"]["alice"]["keyData"].append(key("alice-2").public.pem)
    scene.policy["authorities"]["bob"] = {"type": "key", "keyData": [key("bob").public.pem]}
    scene.policy["rules"][0] |= {"requireAny": ["alice", "bob"], "threshold": 2}
    scene.sigs = [_versioned(_ONE, "9.0.0"), _versioned(_ONE, "9.0.0", "bob")]
    return scene


@attack("one of two signers raises the version of an old image", naive.newest_claim("10.0.0"), "back", honest=_by_two)
def _(scene: Scene) -> None:
    old = scene.sigs
    scene.top, scene.sigs = OTHER, [_versioned(_OTHER, "10.0.0"), _versioned(_OTHER, "10.0.0", "bob")]
    accept(scene)
    scene.top, scene.sigs = ONE, [*old, _versioned(_ONE, "11.0.0"), _versioned(_ONE, "11.0.0", "alice-2")]
