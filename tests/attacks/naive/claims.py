"""What a signature says of an image, compared too kindly or not at all."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes

from tests.attacks.naive.reading import SIGNATURE, Verdict, _layers, all_keys, decoded, good, seen, signs

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.attacks.scene import Scene


def over_bytes(scene: Scene) -> Verdict:
    """A trusted key signed it: whatever it says, of whatever image."""
    return any(signs(one, all_keys(scene)) for one in seen(scene))


def right_digest(scene: Scene) -> Verdict:
    """... and the digest is right: whatever repository or type of statement it is."""
    return any(signs(one, all_keys(scene)) and str(scene.digest) in one.digests for one in seen(scene))


def named(same: Callable[[str, str], bool], *, without: bool = False) -> Callable[[Scene], Verdict]:
    """... and the repository is the `same`, by a comparison that is too kind; or it names none, and that is fine."""

    def verify(scene: Scene) -> Verdict:
        for one in seen(scene):
            if signs(one, all_keys(scene)) and str(scene.digest) in one.digests:
                if without and not one.names:
                    return True
                if any(same(name, scene.repository) for name in one.names):
                    return True
        return False

    verify.__doc__ = f"the name is compared by {same.__name__}"
    return verify


def begins_alike(name: str, wanted: str) -> bool:
    return name.startswith(wanted)


def ends_alike(name: str, wanted: str) -> bool:
    return name.endswith(wanted)


def ignoring_case(name: str, wanted: str) -> bool:
    return name.casefold() == wanted.casefold()


def in_unicode(name: str, wanted: str) -> bool:
    return unicodedata.normalize("NFKC", name) == wanted


def as_in_c(name: str, wanted: str) -> bool:
    return name.split("\0", maxsplit=1)[0] == wanted


def by_pattern(name: str, wanted: str) -> bool:
    return re.match(re.escape(wanted) + "$", name) is not None


def without_port(name: str, wanted: str) -> bool:
    return re.sub(r":[0-9]+", "", name) == wanted


def as_docker_says(name: str, wanted: str) -> bool:
    def short(text: str) -> str:
        host, _, path = text.replace("library/", "").partition("/")
        return path if host.startswith(("docker.io", "index.docker.io")) else f"{host}/{path}"

    return short(name) == short(wanted)


def last_part(name: str, wanted: str) -> bool:
    return name.rpartition("/")[2] == wanted.rpartition("/")[2]


def equal(name: str, wanted: str) -> bool:
    return name == wanted


def in_repository(scene: Scene) -> Verdict:
    """All that is said of the image is right; what kind of statement it is, is not looked at."""
    return named(equal)(scene)


def any_digest(scene: Scene) -> Verdict:
    """One of the subjects has the name, one of them has a digest of these bytes, by any algorithm."""
    import hashlib

    raw = scene.top.raw if hasattr(scene.top, "raw") else scene.top.manifest.raw
    ours = {f"{name}:{hashlib.new(name, raw).hexdigest()}" for name in ("sha256", "sha512")}
    for one in seen(scene):
        if signs(one, all_keys(scene)) and ours & set(one.digests) and scene.repository in one.names:
            return True
    return False


def anywhere(scene: Scene) -> Verdict:
    """A trusted key signed some document in which the digest and the name stand, somewhere."""
    source = scene.source()
    for layer, content in _layers(source, scene):
        signature = decoded(layer.annotations.get(SIGNATURE, ""))
        text = content.decode("utf-8", "replace")
        there = scene.digest.hex in text and scene.repository in text
        if there and any(good(key, signature, content) for key in all_keys(scene)):
            return True
    return False


def without_encoding(scene: Scene) -> Verdict:
    """The signature in an envelope is over the payload, or over its encoding: whichever fits."""
    for one in seen(scene):
        payload = decoded(one.bundle["dsseEnvelope"]["payload"]) if one.bundle else one.message
        for key in all_keys(scene):
            if good(key, one.signatures[0], payload) or good(key, one.signatures[0], one.message):
                return str(scene.digest) in one.digests
    return False


def any_signature(scene: Scene) -> Verdict:
    """One of the signatures in an envelope is good."""
    return any(
        str(scene.digest) in one.digests and any(good(key, each, one.message) for each in one.signatures)
        for one in seen(scene)
        for key in all_keys(scene)
    )


def any_hash(scene: Scene) -> Verdict:
    """The signature is good with some hash."""
    known = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512(), hashes.SHA1())
    return any(
        str(scene.digest) in one.digests and good(key, one.signatures[0], one.message, algorithm)
        for one in seen(scene)
        for key in all_keys(scene)
        for algorithm in known
    )


def two_readers(scene: Scene) -> Verdict:
    """One parser feeds the signature check, another the comparison: they differ about keys that stand twice."""
    signed = [one for one in seen(scene, load=first_wins) if signs(one, all_keys(scene))]
    claimed = [one for one in seen(scene, load=json.loads) if str(scene.digest) in one.digests]
    return bool(signed and claimed)


def first_wins(data: bytes) -> Any:
    """JSON, of a key that stands twice the first."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, content in found:
            kept.setdefault(name, content)
        return kept

    return json.loads(data, object_pairs_hook=pairs)
