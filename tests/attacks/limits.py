"""Attacks by size and number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.attacks import naive
from tests.attacks.scene import ONE, Scene, bundled, by_both, by_bundle, by_sig, sig, signed
from tests.attacks.table import attack
from tests.support.targets import referrer
from tests.unit.sign.craft import REPOSITORY, key, layer, payload, raw_sign

if TYPE_CHECKING:
    from typing import Any

    from bpfimg.oci import Descriptor, Memory

_ONE = ONE.descriptor.digest


@attack("a signed payload of 1 MiB", naive.over_bytes, "limit|at most|bytes")
def _(scene: Scene) -> None:
    much = b'"optional":{"x":"%s"}' % (b"y" * (1 << 20))
    scene.sigs = [signed(payload(_ONE, REPOSITORY).replace(b'"optional":null', much))]


@attack("a signed bundle of 2 MiB", naive.over_bytes, "at most", honest=by_bundle)
def _(scene: Scene) -> None:
    scene.bundles = [bundled(_ONE, predicate={"x": "y" * (2 << 20)})]


@attack("a good layer behind two hundred", naive.over_bytes, "only the first 64", honest=by_sig)
def _(scene: Scene) -> None:
    data = payload(_ONE, REPOSITORY)
    wrong = raw_sign(key("mallory"), data)
    scene.sigs = [*(layer(data, wrong, number=str(number)) for number in range(200)), sig(_ONE)]


class Crowded:
    """A registry that lists as many referrers as it likes, however many a client asks for."""

    def __init__(self, source: Memory, before: int) -> None:
        self._source, self._before = source, before
        self.fetched = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def fetch(self, descriptor: Descriptor, **words: Any) -> bytes:
        self.fetched += 1
        return self._source.fetch(descriptor, **words)

    def referrers(self, digest: Any) -> tuple[Descriptor, ...]:
        good = self._source.referrers(digest)
        junk = referrer(ONE.descriptor, "junk", "text/plain")
        junk.push(self._source)
        return (junk.descriptor,) * self._before + good


@attack("a good bundle behind ten thousand referrers", naive.over_bytes, "only the first 64", honest=by_bundle)
def _(scene: Scene) -> None:
    scene.around = lambda memory: Crowded(memory, 10_000)


@attack("a good bundle behind sixty referrers", naive.first_bundle, honest=by_bundle, hides=True)
def _(scene: Scene) -> None:
    scene.bundles = [bundled(_ONE, by="mallory"), *scene.bundles]
    scene.around = lambda memory: Crowded(memory, 60)


@attack("a bundle that nests a hundred thousand times", naive.without_care, honest=by_both, hides=True)
def _(scene: Scene) -> None:
    scene.bundles = [b'{"mediaType":' + b"[" * 100_000, *scene.bundles]


@attack("a payload that nests a hundred thousand times", naive.without_care, honest=by_both, hides=True)
def _(scene: Scene) -> None:
    scene.sigs = [signed(b'{"critical":' + b"[" * 60_000, "mallory"), *scene.sigs]


@attack("a number of a hundred thousand digits", naive.without_care, honest=by_both, hides=True)
def _(scene: Scene) -> None:
    scene.bundles = [b'{"mediaType":' + b"9" * 100_000 + b"}", *scene.bundles]
