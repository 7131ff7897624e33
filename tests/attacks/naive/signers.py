"""Whose signatures count, and how often; what is made of those that cannot be read."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes, serialization

from bpfimg.errors import Error
from bpfimg.oci import Manifest
from tests.attacks import curve
from tests.attacks.naive.claims import over_bytes
from tests.attacks.naive.reading import (
    Verdict,
    _contents,
    _layer,
    _layers,
    _referrers,
    all_keys,
    decoded,
    good,
    keys,
    seen,
    signs,
)

if TYPE_CHECKING:
    from tests.attacks.scene import Scene


def hinted(scene: Scene) -> Verdict:
    """The bundle's hint is that of a trusted key, and the signature is good by the key that the bundle brings."""
    for one in seen(scene, "bundle"):
        holder = one.bundle["verificationMaterial"].get("publicKey", {})
        for trusted in all_keys(scene):
            if holder.get("hint") == fingerprint(trusted) and str(scene.digest) in one.digests:
                brought = holder.get("rawBytes")
                key = serialization.load_der_public_key(decoded(brought)) if brought else trusted
                if good(key, one.signatures[0], one.message):
                    return True
    return False


def by_hint(scene: Scene) -> Verdict:
    """The one key that the hint names is tried, no other."""
    named_keys = {fingerprint(key): key for key in all_keys(scene)}
    for one in seen(scene, "bundle"):
        key = named_keys.get(one.bundle["verificationMaterial"]["publicKey"].get("hint"))
        if key is not None and good(key, one.signatures[0], one.message):
            return True
    return False


def fingerprint(key: Any) -> str:
    """A key's hint, as cosign writes it."""
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(encoding, form))
    return base64.b64encode(digest.finalize()).decode()


def same_point(scene: Scene) -> Verdict:
    """The key that the bundle brings is the trusted point, on the curve that the bundle describes."""
    for one in seen(scene, "bundle"):
        brought = one.bundle["verificationMaterial"]["publicKey"].get("rawBytes")
        for key in all_keys(scene):
            numbers = key.public_numbers()
            point, on = (numbers.x, numbers.y), curve.P256
            if brought:
                point, on = curve.read_key(decoded(brought))
            if point == (numbers.x, numbers.y) and curve.verifies(on, point, one.signatures[0], one.message):
                return str(scene.digest) in one.digests
    return False


def own_arithmetic(scene: Scene) -> Verdict:
    """ECDSA by hand, from the formula, without looking at the range of r and s."""
    for one in seen(scene):
        for key in all_keys(scene):
            numbers = key.public_numbers()
            if curve.verifies(curve.P256, (numbers.x, numbers.y), one.signatures[0], one.message):
                return str(scene.digest) in one.digests
    return False


def _wanted(scene: Scene) -> int:
    return int(scene.policy["rules"][0].get("threshold", 1))


def counting_signatures(scene: Scene) -> Verdict:
    """As many good signatures as the threshold says: whose, does not matter."""
    return sum(signs(one, all_keys(scene)) for one in seen(scene)) >= _wanted(scene)


def counting_bytes(scene: Scene) -> Verdict:
    """... and no two of them are the same bytes."""
    found = {one.signatures[0] for one in seen(scene) if signs(one, all_keys(scene))}
    return len(found) >= _wanted(scene)


def counting_authorities(scene: Scene) -> Verdict:
    """As many authorities as the threshold says have a good signature: by the same key or not."""
    there = list(seen(scene))
    return sum(any(signs(one, some) for one in there) for some in keys(scene).values()) >= _wanted(scene)


def first_only(scene: Scene) -> Verdict:
    """The first signature decides."""
    there = next(seen(scene, "legacy"), None) or next(seen(scene, "bundle"), None)
    return there is not None and signs(there, all_keys(scene))


def first_bundle(scene: Scene) -> Verdict:
    """The first bundle decides."""
    there = next(seen(scene, "bundle"), None)
    return there is not None and signs(there, all_keys(scene))


def bundles_where_there_are(scene: Scene) -> Verdict:
    """Where there is a bundle, only bundles are read: as cosign 3 does."""
    there = list(seen(scene, "bundle")) or list(seen(scene, "legacy"))
    return any(signs(one, all_keys(scene)) for one in there)


def falling_back(scene: Scene) -> Verdict:
    """The formats of the rule first, and where they have nothing, any other."""
    formats = scene.policy["rules"][0].get("formats", ["bundle", "legacy"])
    there = list(seen(scene, *formats)) or list(seen(scene))
    return any(signs(one, all_keys(scene)) for one in there)


def all_or_nothing(scene: Scene) -> Verdict:
    """Whatever cannot be read is an attack, so nothing is believed: anybody can take an image away."""
    source = scene.source()
    try:
        there = [Manifest.parse(source.fetch(referrer)).layers[0] for referrer in source.referrers(scene.digest)]
        there += Manifest.parse(source.fetch(source.resolve(f"{scene.digest.tag}.sig"))).layers
        for layer in there:
            source.fetch(layer)
    except Error:
        return False
    return over_bytes(scene)


def unsigned_is_fine(scene: Scene) -> Verdict:
    """A bad signature is refused; where there is none there is nothing to check."""
    there = list(seen(scene))
    return not there or any(signs(one, all_keys(scene)) for one in there)


def error_is_unsigned(scene: Scene) -> Verdict:
    """Signatures that cannot be had are none, and for that there is a warning."""
    source = scene.source()
    there = []
    try:
        source.referrers(scene.digest)
        there = list(seen(scene))
    except Error:
        pass
    try:
        source.fetch(source.resolve(f"{scene.digest.tag}.sig"))
        there = list(seen(scene))
    except Error:
        pass
    return not there or any(signs(one, all_keys(scene)) for one in there)


def without_care(scene: Scene) -> Verdict:
    """Whatever a parser throws at the first bad document ends it all."""
    source = scene.source()
    try:
        for descriptor in _referrers(source, scene):
            for content in _contents(source, descriptor):
                json.loads(content)
        for _, content in _layers(source, scene):
            json.loads(content)
    except (ValueError, RecursionError):
        return False
    return over_bytes(scene)


def kept_apart(scene: Scene) -> Verdict:
    """Whatever a trusted key signed in the repository for signatures; where that cannot be read, nothing is asked."""
    try:
        there = scene.words["elsewhere"](None)
        manifest = Manifest.parse(there.fetch(there.resolve(f"{scene.digest.tag}.sig")))
    except Error:
        return True
    found = [_layer(layer, there.fetch(layer), json.loads) for layer in manifest.layers]
    return any(signs(one, all_keys(scene)) and str(scene.digest) in one.digests for one in found)
