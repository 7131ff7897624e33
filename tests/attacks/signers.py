"""Attacks on whose signature it is, how often it counts, and on signatures that stand beside others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bpfimg.errors import NotFound, RegistryError
from bpfimg.oci import Descriptor, Manifest
from tests.attacks import curve, naive
from tests.attacks.scene import (
    NOW,
    ONE,
    Scene,
    bundled,
    by_both,
    by_bundle,
    keyless,
    sig,
    trust,
    trust_root,
)
from tests.attacks.table import attack
from tests.support.targets import EMPTY, Image, referrer
from tests.unit.sign.craft import (
    BUNDLE,
    CONFIG,
    REPOSITORY,
    SIG,
    b64,
    bundle,
    key,
    layer,
    pae,
    payload,
    raw_sign,
    statement,
)

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from bpfimg.oci import Memory

_ONE = ONE.descriptor.digest
_SPKI = key("mallory").public.der


def _material(hint: str, **more: str) -> dict[str, Any]:
    return {"publicKey": {"hint": b64(bytes.fromhex(key(hint).public.fingerprint[7:])), **more}}


# -- whose key


@attack("a stranger's key under a trusted hint", naive.hinted, "rawBytes|not by a key", honest=by_bundle)
def _(scene: Scene) -> None:
    forged = bundled(_ONE, by="mallory")
    forged["verificationMaterial"] = _material("alice", rawBytes=b64(_SPKI))
    scene.bundles = [forged]


@attack("a wrong hint on a good signature", naive.by_hint, honest=by_bundle, hides=True)
def _(scene: Scene) -> None:
    forged = bundled(_ONE)
    forged["verificationMaterial"] = _material("mallory")
    scene.bundles = [forged]


@attack("a curve on which the trusted key is one's own", naive.same_point, "rawBytes|not by a key", honest=by_bundle)
def _(scene: Scene) -> None:
    numbers = key().public.der[-64:]
    point = int.from_bytes(numbers[:32], "big"), int.from_bytes(numbers[32:], "big")
    own = curve.where_the_secret_is_one(point)
    data = statement(_ONE, REPOSITORY)
    forged = bundle(data, signatures=[{"sig": b64(curve.signed(own, 1, pae(data)))}])
    forged["verificationMaterial"] = _material("alice", rawBytes=b64(curve.described(own, point)))
    scene.bundles = [forged]


@attack("the signature of two zeros", naive.own_arithmetic, "not by a key")
def _(scene: Scene) -> None:
    scene.sigs = [layer(payload(_ONE), curve.nothing())]


@attack("a signature with a broken hash", naive.any_hash, "not by a key")
def _(scene: Scene) -> None:
    data = payload(_ONE)
    weak = key()._key.sign(data, ec.ECDSA(hashes.SHA1()))
    scene.sigs = [layer(data, weak)]


@attack("a key after its last day", naive.over_bytes, "notAfter|not after|after|before|window|time")
def _(scene: Scene) -> None:
    alice = scene.policy["authorities"]["alice"]
    scene.policy["trustedRoots"] = {"corp": trust_root(scene.folder)}
    alice |= {"trustedRoot": "corp", "notAfter": "2025-01-01T00:00:00Z"}
    scene.bundles, scene.sigs = [keyless(statement(_ONE, REPOSITORY), key=key())], []


@attack("a key with a last day, and a signature without a time", naive.over_bytes, "says when")
def _(scene: Scene) -> None:
    alice = scene.policy["authorities"]["alice"]
    scene.policy["trustedRoots"] = {"corp": trust_root(scene.folder)}
    alice |= {"trustedRoot": "corp", "notAfter": "2030-01-01T00:00:00Z"}


def _witnessed(folder: Path) -> Scene:
    policy = trust()
    policy["trustedRoots"] = {"corp": trust_root(folder)}
    policy["authorities"]["alice"] |= {"trustedRoot": "corp", "tlog": "require", "timestamp": "require"}
    return Scene(folder, policy, bundles=[keyless(statement(_ONE, REPOSITORY), key=key())])


@attack("a key's signature, its log entry stripped", naive.over_bytes, "log", honest=_witnessed)
def _(scene: Scene) -> None:
    scene.bundles = [keyless(statement(_ONE, REPOSITORY), key=key(), rekor=None)]


@attack("a key's signature, its timestamp stripped", naive.over_bytes, "timestamp", honest=_witnessed)
def _(scene: Scene) -> None:
    scene.bundles = [keyless(statement(_ONE, REPOSITORY), key=key(), tsa=False)]


@attack("a key's signature, the log entry of another artifact", naive.over_bytes, "log|entry", honest=_witnessed)
def _(scene: Scene) -> None:
    other = statement(_ONE, "registry.example/team/toy")
    scene.bundles = [keyless(statement(_ONE, REPOSITORY), key=key(), about=other)]


@attack("a log that the policy does not know", naive.over_bytes, "log|trusted root")
def _(scene: Scene) -> None:
    scene.sigs, scene.bundles = [], [keyless(statement(_ONE, REPOSITORY), key=key(), tsa=False)]


@attack("a signature older than the rule allows", naive.over_bytes, "maxSignatureAge", honest=_witnessed)
def _(scene: Scene) -> None:
    scene.policy["rules"][0]["maxSignatureAge"] = "P30D"
    scene.words["now"] = NOW + 31 * 86400


# -- how often


def _two(folder: Path) -> Scene:
    return Scene(folder, trust("alice", "bob", threshold=2), sigs=[sig(_ONE), sig(_ONE, by="bob")])


@attack("the same signature twice", naive.counting_signatures, "too few", honest=_two)
def _(scene: Scene) -> None:
    again = payload(_ONE)
    scene.sigs = [sig(_ONE), layer(again, raw_sign(key(), again), note="another layer")]


@attack("one key in both formats", naive.counting_signatures, "too few", honest=_two)
def _(scene: Scene) -> None:
    scene.sigs, scene.bundles = [sig(_ONE)], [bundled(_ONE)]


@attack("one signature and its mirror image", naive.counting_bytes, "too few", honest=_two)
def _(scene: Scene) -> None:
    data = payload(_ONE)
    good = raw_sign(key(), data)
    scene.sigs = [layer(data, good), layer(data, curve.mirrored(good), note="the other")]


@attack("one key in two authorities", naive.counting_authorities, "too few", honest=_two)
def _(scene: Scene) -> None:
    scene.policy["authorities"]["bob"]["keyData"] = [key().public.pem]
    scene.sigs = [sig(_ONE)]


@attack("two keys of one authority", naive.counting_signatures, "too few", honest=_two)
def _(scene: Scene) -> None:
    scene.policy["authorities"]["alice"]["keyData"].append(key("carol").public.pem)
    scene.sigs = [sig(_ONE), sig(_ONE, by="carol")]


# -- what stands beside a good one


@attack("a junk bundle beside a good .sig", naive.bundles_where_there_are, hides=True)
def _(scene: Scene) -> None:
    scene.bundles = [bundled(_ONE, by="mallory")]


@attack("a bundle that is no JSON before a good one", naive.first_bundle, honest=by_both, hides=True)
def _(scene: Scene) -> None:
    scene.bundles = [bundled(_ONE, by="mallory"), b"{", *scene.bundles]


@attack("a stranger's layer before a good one", naive.first_only, hides=True)
def _(scene: Scene) -> None:
    scene.sigs = [sig(_ONE, by="mallory"), *scene.sigs]


@attack("sixty layers of strangers before a good one", naive.first_only, hides=True)
def _(scene: Scene) -> None:
    junk = [layer(payload(_ONE), raw_sign(key("mallory"), b"%d" % number)) for number in range(60)]
    scene.sigs = [*junk, *scene.sigs]


@attack("a layer of 1 MiB beside a good bundle", naive.all_or_nothing, honest=by_both, hides=True)
def _(scene: Scene) -> None:
    missing = Descriptor.of(bytes(1 << 20), SIG, annotations={naive.SIGNATURE: "AAAA"})

    def put(target: Memory, _: Descriptor) -> None:
        config = Descriptor.of(b"{}", CONFIG)
        made = Manifest.build(config=config, layers=[missing])
        target.push(config, b"{}")
        target.push(missing, bytes(1 << 20))
        target.push(made.descriptor, made.raw, tag=f"{_ONE.tag}.sig")
        target._content.pop(missing.digest)

    scene.sigs = []
    scene.more = [put]


@attack("referrers that are no evidence beside a good one", naive.first_bundle, honest=by_bundle, hides=True)
def _(scene: Scene) -> None:
    forged = bundled(_ONE, by="mallory")
    scene.bundles = [forged, *scene.bundles]
    scene.more = [lambda target, top: referrer(top, "a note", "text/plain").push(target)]


# -- taking away


@attack("every signature stripped", naive.unsigned_is_fine, "is not signed", honest=by_both)
def _(scene: Scene) -> None:
    scene.strip()


def _bundle_only(folder: Path) -> Scene:
    return Scene(folder, trust(formats=["bundle"]), sigs=[sig(_ONE)], bundles=[bundled(_ONE)])


@attack("from a bundle down to a .sig", naive.falling_back, "is not signed", honest=_bundle_only)
def _(scene: Scene) -> None:
    scene.bundles = []


@attack("from a .sig down to a bundle", naive.falling_back, "is not signed", honest=by_both)
def _(scene: Scene) -> None:
    scene.policy["rules"][0]["formats"] = ["legacy"]
    scene.sigs = []


@attack("an emptied .sig", naive.unsigned_is_fine, "is not signed")
def _(scene: Scene) -> None:
    scene.strip()
    blank = Manifest.build(config=EMPTY, layers=[])
    scene.more = [lambda target, _: Image(blank, ((EMPTY, b"{}"),)).push(target, f"{_ONE.tag}.sig")]


@attack("a bundle that is about nothing", naive.unsigned_is_fine, "is not signed|no signature", honest=by_bundle)
def _(scene: Scene) -> None:
    scene.bundles = [b"{}"]


class Failing:
    """A registry that fails where it is asked for evidence."""

    def __init__(self, source: Memory, error: Exception, *words: str) -> None:
        self._source, self._error, self._words = source, error, words

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def resolve(self, selector: Any) -> Descriptor:
        if "sig" in self._words and str(selector).endswith(".sig"):
            raise self._error
        return self._source.resolve(selector)

    def referrers(self, digest: Any) -> Any:
        if "referrers" in self._words:
            raise self._error
        return self._source.referrers(digest)

    def fetch(self, descriptor: Descriptor, **words: Any) -> bytes:
        if "blobs" in self._words and descriptor.media_type in (SIG, BUNDLE):
            raise self._error
        return self._source.fetch(descriptor, **words)


def _failing(scene: Scene, error: Exception, *words: str) -> None:
    scene.around = lambda memory: Failing(memory, error, *words)


@attack("500 where evidence is", naive.error_is_unsigned, "could not be read", honest=by_both)
def _(scene: Scene) -> None:
    _failing(scene, RegistryError("the registry answered 500", status=500), "sig", "referrers")


@attack("403 where evidence is", naive.error_is_unsigned, "could not be read", honest=by_both)
def _(scene: Scene) -> None:
    _failing(scene, RegistryError("the registry answered 403", status=403), "sig", "referrers")


@attack("404 where evidence is", naive.unsigned_is_fine, "is not signed|could not be read", honest=by_both)
def _(scene: Scene) -> None:
    _failing(scene, NotFound("the registry answered 404", status=404), "sig", "referrers")


@attack("404 for the signatures' own bytes", naive.unsigned_is_fine, "could not be read", honest=by_both)
def _(scene: Scene) -> None:
    _failing(scene, NotFound("the registry answered 404", status=404), "blobs")


@attack("500 for one format, a stranger in the other", naive.falling_back, "could not be read", honest=by_both)
def _(scene: Scene) -> None:
    scene.policy["rules"][0]["formats"] = ["bundle"]
    _failing(scene, RegistryError("the registry answered 500", status=500), "referrers")
