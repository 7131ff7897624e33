"""Attacks on the policy file, and on the files that it names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.attacks import naive
from tests.attacks.scene import NOW, ONE, Scene, by_identity, keyless, sig, trust
from tests.attacks.table import attack
from tests.support.sigstack import World
from tests.unit.sign.craft import REPOSITORY, key, statement

if TYPE_CHECKING:
    from pathlib import Path

_ONE = ONE.descriptor.digest
ALLOW = "insecure-allow-unsigned"


def _system(folder: Path) -> Scene:
    """Signed by alice, by a policy that is read as root reads its own."""
    folder.chmod(0o755)
    return Scene(folder, trust(), sigs=[sig(_ONE)], system=True)


def _by_mallory(scene: Scene) -> None:
    """The image is mallory's, and so is what the policy says by now."""
    scene.policy["authorities"]["alice"]["keyData"] = [key("mallory").public.pem]
    scene.sigs = [sig(_ONE, by="mallory")]


@attack("a policy that anybody can write to", naive.whatever_it_says, "mode 0666", honest=_system)
def _(scene: Scene) -> None:
    _by_mallory(scene)
    scene.tampered = [lambda path: path.chmod(0o666)]


@attack("a policy that its group can write to", naive.whatever_it_says, "mode 0664", honest=_system)
def _(scene: Scene) -> None:
    _by_mallory(scene)
    scene.tampered = [lambda path: path.chmod(0o664)]


def _linked(path: Path) -> None:
    path.rename(path.with_name("mallorys.json"))
    path.symlink_to("mallorys.json")


@attack("a policy that is a symbolic link", naive.whatever_it_says, "symbolic link", honest=_system)
def _(scene: Scene) -> None:
    _by_mallory(scene)
    scene.tampered = [_linked]


@attack("a policy in a folder that anybody can write to", naive.whatever_it_says, "folder .* mode 0777", honest=_system)
def _(scene: Scene) -> None:
    _by_mallory(scene)
    scene.tampered = [lambda path: path.parent.chmod(0o777)]


def _with_key_file(folder: Path) -> Scene:
    scene = _system(folder)
    path = folder / "alice.pub"
    path.write_text(key().public.pem)
    path.chmod(0o644)
    scene.policy["authorities"]["alice"] = {"type": "key", "keyPaths": [str(path)]}
    return scene


@attack("a key file that anybody can write to", naive.whatever_it_says, "mode 0666", honest=_with_key_file)
def _(scene: Scene) -> None:
    path = scene.folder / "alice.pub"
    path.write_text(key("mallory").public.pem)
    path.chmod(0o666)
    scene.sigs = [sig(_ONE, by="mallory")]


@attack("a key file with a second key", naive.whatever_it_says, "public key is not", honest=_with_key_file)
def _(scene: Scene) -> None:
    path = scene.folder / "alice.pub"
    path.write_text(path.read_text() + key("mallory").public.pem)
    scene.sigs = [sig(_ONE, by="mallory")]


def _pinned(folder: Path) -> Scene:
    import hashlib

    scene = by_identity(folder)
    root = scene.policy["trustedRoots"]["corp"]
    with open(root["path"], "rb") as file:
        root["sha256"] = hashlib.sha256(file.read()).hexdigest()
    return scene


@attack("a trusted root that was exchanged", naive.certified, "SHA-256", honest=_pinned)
def _(scene: Scene) -> None:
    other = World("mallory's")
    with open(scene.policy["trustedRoots"]["corp"]["path"], "wb") as file:
        file.write(other.trusted_root())
    scene.bundles = [other.bundle(statement(_ONE, REPOSITORY), at=NOW)]


# -- what a file says twice, or not at all


@attack("a key that stands twice in a policy", naive.whatever_it_says, "twice")
def _(scene: Scene) -> None:
    scene.strip()
    scene.policy["rules"] = []
    scene.text = lambda text: text.replace('"default": "deny"', f'"default": "deny", "default": "{ALLOW}"')


@attack("two rules with one scope", naive.last_rule, "same scope")
def _(scene: Scene) -> None:
    scene.strip()
    scene.policy["rules"].append({"scope": "registry.example", "action": ALLOW})


@attack("a policy without a default", naive.whatever_it_says, "lacks 'default'")
def _(scene: Scene) -> None:
    scene.strip()
    del scene.policy["default"]
    scene.policy["rules"] = []


@attack("a field that nobody knows", naive.all_of, "unknown field|empty")
def _(scene: Scene) -> None:
    scene.strip()
    rule = scene.policy["rules"][0]
    rule["requireAll"], rule["requireAny"] = rule["requireAny"], []


@attack("an authority that is not there", naive.all_of, "expected the name of one of the authorities")
def _(scene: Scene) -> None:
    scene.strip()
    scene.policy["rules"][0]["requireAny"] = ["alicia"]


@attack("a rule that asks for nobody", naive.all_of, "empty")
def _(scene: Scene) -> None:
    scene.strip()
    scene.policy["rules"][0]["requireAny"] = []


@attack("a threshold of zero", naive.counting_signatures, "threshold")
def _(scene: Scene) -> None:
    scene.strip()
    scene.policy["rules"][0]["threshold"] = 0


@attack("a policy of a later version", naive.whatever_it_says, "version")
def _(scene: Scene) -> None:
    scene.policy["version"] = 2
    scene.policy["default"] = ALLOW
    scene.policy["rules"] = []
    scene.strip()


@attack("a second document behind the first", naive.first_document, "JSON|document|after|expected")
def _(scene: Scene) -> None:
    strict, scene.policy = scene.policy, {**scene.policy, "default": ALLOW, "rules": []}
    scene.text = lambda text: text + json.dumps(strict)
    scene.strip()


@attack("a pattern that is none", naive.patterns_that_work, "pattern|Regex", honest=by_identity)
def _(scene: Scene) -> None:
    identity = scene.policy["authorities"]["ci"]["identities"][0]
    identity["subjectRegex"] = identity.pop("subject") + "("
    scene.bundles = [keyless(statement(_ONE, REPOSITORY), subject="https://evil.example/x")]
