"""The requests that commands make, each with a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.faulty.goods import NAME, TAG
from tests.support.faulty.scene import Ask
from tests.support.targets import EMPTY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.support.faulty.goods import Goods

FROM = "acme/from"
"""Another repository of the registry."""
MIRROR = f"mirror/{NAME}"


def reading(goods: Goods) -> Iterator[Ask]:
    """What is asked of a registry that the goods are read from."""
    place = f"/v2/{NAME}"
    yield Ask("manifest", f"GET {place}/manifests/{TAG}")
    rest = [digest for digest in goods.documents if digest != goods.top and digest not in goods.tags.values()]
    yield from _each("document", (f"GET {place}/manifests/{digest}" for digest in rest if digest in goods.subjects))
    yield from _each("referrer", (f"GET {place}/manifests/{digest}" for digest in goods.referrers), evidence=True)
    blobs = [digest for digest in goods.blobs if digest != str(EMPTY.digest)]
    parts = "".join(str(goods.documents[digest][1]) for digest in goods.subjects)
    yield from _each("blob", (f"GET {place}/blobs/{digest}" for digest in blobs if digest in parts))
    yield from _each("proof", (f"GET {place}/blobs/{digest}" for digest in blobs if digest not in parts), evidence=True)
    yield from _evidence(goods, place)


def _evidence(goods: Goods, place: str) -> Iterator[Ask]:
    for kind, path in (("referrers", "referrers/{}"), ("sig", "manifests/{}.sig"), ("att", "manifests/{}.att")):
        words = (digest if kind == "referrers" else digest.replace(":", "-") for digest in goods.subjects)
        yield from _each(kind, (f"GET {place}/{path.format(word)}" for word in words), evidence=True)


def from_mirror(goods: Goods) -> Iterator[Ask]:
    """What is asked of a mirror; signatures are asked of the registry itself."""
    own = {ask.name for ask in _evidence(goods, "")}
    for ask in reading(goods):
        if ask.name not in own:
            yield Ask(ask.name, ask.where.replace(f"/v2/{NAME}", f"/v2/{MIRROR}"), ask.skip, evidence=ask.evidence)
    for ask in _evidence(goods, f"/v2/{NAME}"):
        yield Ask(f"own-{ask.name}", ask.where, maybe=True)


def in_chunks(goods: Goods, chunks: int) -> Iterator[Ask]:
    """What is asked of a registry that takes a large layer piece by piece."""
    yield from writing(goods)
    yield from (Ask(f"chunk-{number}", f"PATCH /v2/{NAME}/blobs/uploads/", number) for number in range(chunks))


def writing(goods: Goods) -> Iterator[Ask]:
    """What is asked of a registry that they are written to."""
    place = f"/v2/{NAME}"
    yield from _each("look", (f"HEAD {place}/blobs/{digest}" for digest in goods.blobs))
    yield from (Ask(f"begin-{number}", f"POST {place}/blobs/uploads/", number) for number in range(len(goods.blobs)))
    yield from _each("upload", (f"PUT {place}/blobs/uploads/ digest={digest}" for digest in goods.blobs))
    named = [digest for digest in goods.documents if digest != goods.top or goods.referrers]
    yield from _each("document", (f"PUT {place}/manifests/{digest}" for digest in named))
    yield Ask("name", f"PUT {place}/manifests/{TAG}")
    for tag in goods.tags:
        yield Ask("sig-before", f"GET {place}/manifests/{tag}")
        yield Ask("sig-again", f"GET {place}/manifests/{tag}", 1)
        yield Ask("sig-name", f"PUT {place}/manifests/{tag}")


def with_fallback(goods: Goods) -> Iterator[Ask]:
    """What is asked of a registry without the referrers API, which has to keep a list under a tag."""
    yield from writing(goods)
    for subject in goods.referrers.values():
        tag = f"/v2/{NAME}/manifests/{subject.replace(':', '-')}"
        yield Ask("referrers", f"GET /v2/{NAME}/referrers/{subject}", evidence=True)
        yield Ask("list-before", f"GET {tag}")
        yield Ask("list-upload", f"PUT {tag}")
        yield Ask("list-after", f"GET {tag}", 1)


def with_token(asks: Iterable[Ask], first: str) -> Iterator[Ask]:
    """What else is asked of a registry that wants a token, whose `first` requests it refuses."""
    yield from (Ask(ask.name, ask.where, 1) if ask.where == first else ask for ask in asks)
    yield Ask("challenge", first)
    yield Ask("token", "GET /token")


def maybe_twice(asks: Iterable[Ask], method: str) -> Iterator[Ask]:
    """Requests of one method that go out together are refused both or not."""
    for ask in asks:
        yield ask
        if ask.where.startswith(method):
            yield Ask(f"{ask.name}-again", ask.where, 1, maybe=True)
    yield Ask("token", "GET /token")


def elsewhere(goods: Goods) -> Iterator[Ask]:
    yield from reading(goods)
    yield from _each("far-blob", (f"GET /elsewhere/{digest}" for digest in goods.blobs))


def mounting(goods: Goods) -> Iterator[Ask]:
    """What is asked when blobs are taken over from another repository of the registry."""
    place = f"/v2/{NAME}"
    yield Ask("manifest", f"GET /v2/{FROM}/manifests/{TAG}")
    yield from _evidence(goods, f"/v2/{FROM}")
    yield from _each("mount", (f"POST {place}/blobs/uploads/?mount={digest}" for digest in goods.blobs))
    yield Ask("name", f"PUT {place}/manifests/{TAG}")


def mounting_in_vain(goods: Goods) -> Iterator[Ask]:
    yield from mounting(goods)
    for digest in goods.blobs:
        yield Ask(f"look-{digest[7:11]}", f"HEAD /v2/{NAME}/blobs/{digest}")
        yield Ask(f"blob-{digest[7:11]}", f"GET /v2/{FROM}/blobs/{digest}")
        yield Ask(f"upload-{digest[7:11]}", f"PUT /v2/{NAME}/blobs/uploads/ digest={digest}")


def _each(name: str, lines: Iterable[str], *, evidence: bool = False) -> Iterator[Ask]:
    known = list(lines)
    for number, line in enumerate(known):
        yield Ask(f"{name}-{number}" if len(known) > 1 else name, line, evidence=evidence)


def logging_in() -> Iterator[Ask]:
    """Bare, with a token, and as nobody: is it the same to the registry?"""
    yield from (Ask(name, "GET /v2/", number) for number, name in enumerate(("bare", "known", "nobody")))
    yield from (Ask(name, "GET /token", number) for number, name in enumerate(("token", "token-of-nobody")))
