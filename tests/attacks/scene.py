"""A scene: an image, what stands beside it, and whom the host believes. An attack is a change of it.

Nothing is kept but what a test says: the place where all of it lies is made anew each time somebody looks.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from bpfimg.oci import Descriptor, Manifest, Memory, Reference, Repository
from bpfimg.sign import Policy, verify
from tests.support.sigstack import ISSUER, SUBJECT, World
from tests.support.targets import Image, image
from tests.unit.sign.craft import (
    REPOSITORY,
    SIG,
    Layer,
    bundle,
    key,
    layer,
    payload,
    put_bundle,
    put_legacy,
    raw_sign,
    statement,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bpfimg.oci import Digest, Index, Source
    from bpfimg.sign import VerifiedImage

ONE, OTHER = image("one"), image("other")
DSSE = "application/vnd.dsse.envelope.v1+json"
NOW = 1_750_000_000
"""When everything keyless happens, unless an attack says otherwise."""


@dataclass(slots=True)
class Scene:
    """`asked` is what the user types; `top` is what its tag names; the rest lies in the repository beside it.

    `sigs` are layers of the `.sig` tag, `atts` of the `.att` tag, `bundles` are referrers; `more` puts further things
    there, and `around` wraps the source (a registry that lies or fails). `words` are further arguments of `verify`.

    `policy` is the document of the policy file, whose text is then changed by `text`, and which lies there as
    `tampered` leaves it; with `system` it is read as root reads its own.
    """

    folder: Path
    policy: dict[str, Any]
    asked: str = f"{REPOSITORY}:v1"
    top: Image | Index = ONE
    images: tuple[Image, ...] = ()
    sigs: list[Layer] = field(default_factory=list)
    atts: list[Layer] = field(default_factory=list)
    bundles: list[dict[str, Any] | bytes] = field(default_factory=list)
    more: list[Callable[[Memory, Descriptor], object]] = field(default_factory=list)
    around: Callable[[Memory], Any] = lambda memory: memory
    words: dict[str, Any] = field(default_factory=dict)
    text: Callable[[str], str] = lambda text: text
    tampered: list[Callable[[Path], object]] = field(default_factory=list)
    system: bool = False

    @property
    def digest(self) -> Digest:
        return self.top.descriptor.digest

    @property
    def reference(self) -> Reference:
        return Reference.parse(self.asked)

    @property
    def repository(self) -> str:
        return str(self.reference.repository)

    def strip(self) -> None:
        """Takes every signature and attestation away."""
        self.sigs, self.atts, self.bundles = [], [], []

    def source(self) -> Any:
        """The repository with all of it."""
        found = Memory(Repository.parse(self.repository))
        for each in self.images:
            each.push(found)
        if isinstance(self.top, Image):
            self.top.push(found, "v1")
        else:
            found.push(self.top.descriptor, self.top.raw, tag="v1")
        if self.sigs:
            put_legacy(found, self.digest, *self.sigs)
        if self.atts:
            put_attestations(found, self.digest, *self.atts)
        for each in self.bundles:
            put_bundle(found, self.top.descriptor, each)
        for put in self.more:
            put(found, self.top.descriptor)
        return self.around(found)

    def policy_file(self) -> Path:
        """Writes the policy; returns its path."""
        path = self.folder / "policy.json"
        path.unlink(missing_ok=True)
        path.write_text(self.text(json.dumps(self.policy)))
        path.chmod(0o644)
        for tamper in self.tampered:
            tamper(path)
        return path


def believe(scene: Scene) -> VerifiedImage:
    """What bpfimg says: the proof, or an error."""
    trust = Policy.load(str(scene.policy_file()), system=scene.system, owner=os.geteuid())
    source: Source = scene.source()
    return verify(source, scene.reference, source.resolve("v1"), trust, **scene.words)


def put_attestations(target: Memory, digest: Digest, *layers: Layer) -> Descriptor:
    """Stores layers as the `.att` manifest of `digest`."""
    config = Descriptor.of(b"{}", "application/vnd.oci.image.config.v1+json")
    parts = [(Descriptor.of(data, kind, annotations=notes), data) for data, notes, kind in layers]
    made = Image(Manifest.build(config=config, layers=[one for one, _ in parts]), ((config, b"{}"), *parts))
    return made.push(target, f"{digest.tag}.att")


# -- policies -----------------------------------------------------------------------------------------------------


def trust(*names: str, default: str = "deny", **rule: Any) -> dict[str, Any]:
    """A policy with one rule for the scene's host: signed by one of these, each with a key of its own."""
    who = names or ("alice",)
    authorities = {name: {"type": "key", "keyData": [key(name).public.pem]} for name in who}
    rules = [{"scope": "registry.example/**", "requireAny": list(who), **rule}]
    return {"version": 1, "default": default, "authorities": authorities, "rules": rules}


def trust_root(folder: Path, document: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Writes a trusted root (the world's own, if none is given); returns its entry in `trustedRoots`."""
    path = folder / "trusted_root.json"
    path.write_text(json.dumps(world().root_document() if document is None else document))
    return {"path": str(path), **changes}


def trust_identity(folder: Path, **changes: Any) -> dict[str, Any]:
    """A policy with one rule for the scene's host: signed in the world's pipeline; `changes` are of the authority."""
    identity = {"issuer": ISSUER, "subject": SUBJECT}
    ci = {"type": "keyless", "trustedRoot": "corp", "identities": [identity], **changes}
    return {
        "version": 1,
        "default": "deny",
        "trustedRoots": {"corp": trust_root(folder)},
        "authorities": {"ci": ci},
        "rules": [{"scope": "registry.example/**", "requireAny": ["ci"]}],
    }


# -- signatures ---------------------------------------------------------------------------------------------------


@cache
def world() -> World:
    """The private Sigstore of all attacks."""
    return World("attacks")


def sig(digest: Digest, name: str = REPOSITORY, by: str = "alice", **changes: Any) -> Layer:
    """A `.sig` layer; `changes` are of `critical`."""
    return signed(payload(digest, name, **changes), by)


def signed(data: bytes, by: str = "alice", **annotations: str) -> Layer:
    """A `.sig` layer of any payload."""
    return layer(data, raw_sign(key(by), data), **annotations)


def bundled(digest: Digest, name: str | None = REPOSITORY, by: str = "alice", **changes: Any) -> dict[str, Any]:
    """A bundle; `changes` are of its statement."""
    return bundle(statement(digest, name, **changes), by)


def keyless(data: bytes, **how: Any) -> bytes:
    """The world's bundle of a statement."""
    return world().bundle(data, **{"at": NOW, **how})


def keyless_sig(data: bytes, **how: Any) -> Layer:
    """The world's `.sig` layer of a payload."""
    return data, world().legacy(data, **{"at": NOW, **how}), SIG


# -- honest scenes ------------------------------------------------------------------------------------------------


def by_sig(folder: Path) -> Scene:
    """Signed by alice in a `.sig`."""
    return Scene(folder, trust(), sigs=[sig(ONE.descriptor.digest)])


def by_bundle(folder: Path) -> Scene:
    """Signed by alice in a bundle."""
    return Scene(folder, trust(), bundles=[bundled(ONE.descriptor.digest)])


def by_both(folder: Path) -> Scene:
    """Signed by alice in both formats."""
    return Scene(folder, trust(), sigs=[sig(ONE.descriptor.digest)], bundles=[bundled(ONE.descriptor.digest)])


def by_identity(folder: Path) -> Scene:
    """Signed in the pipeline, in a bundle with a log entry and a timestamp."""
    return Scene(folder, trust_identity(folder), bundles=[keyless(statement(ONE.descriptor.digest, REPOSITORY))])


def by_identity_sig(folder: Path) -> Scene:
    """Signed in the pipeline, in a `.sig` with a log entry and a timestamp."""
    return Scene(folder, trust_identity(folder), sigs=[keyless_sig(payload(ONE.descriptor.digest, REPOSITORY))])
