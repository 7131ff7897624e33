"""Manifests and indexes that were made to hurt: refused in one sentence, or taken without harm."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.faulty.goods import NAME, TAG, plain
from tests.support.faulty.messages import INDEX, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fake_registry import FakeRegistry
    from tests.support.faulty.guarded import Cage

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
GOODS = plain()
RIGHT = GOODS.documents[GOODS.top][1]
DIGEST = digest_of(b"x")
ESCAPE = "\x1b]0;owned\x07\x1b[2J\u202e"


def manifest(**changed: Any) -> bytes:
    """The right manifest with other fields; None takes one away."""
    document = {**json.loads(RIGHT), **changed}
    return json.dumps({name: part for name, part in document.items() if part is not None}).encode()


def part(**changed: Any) -> dict[str, Any]:
    """The descriptor of the layer with other fields."""
    return {**json.loads(RIGHT)["layers"][0], **changed}


def index(entries: list[dict[str, Any]], **more: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries, **more}).encode()


def child(digest: str = DIGEST, size: int = 1, media_type: str = MANIFEST, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": size, **more}


def twice(key: str) -> bytes:
    """The right manifest with one key a second time."""
    value = json.dumps(json.loads(RIGHT)[key]).encode()
    return RIGHT[:-1] + b',"%s":%s}' % (key.encode(), value)


def wrapped(raw: bytes, media_type: str, levels: int) -> list[tuple[str, bytes]]:
    """A document in indexes in indexes; the outermost is the last."""
    found = [(media_type, raw)]
    for _ in range(levels):
        kind, inner = found[-1]
        platform = {"os": "linux", "architecture": "amd64"}
        found.append((INDEX, index([child(digest_of(inner), len(inner), kind, platform=platform)])))
    return found


BAD_DIGESTS = {
    "path": "sha256:../../x",
    "long-path": "sha256:" + "../" * 20 + "etc/passwd",
    "absolute": "/etc/passwd",
    "capitals": "sha256:" + "A" * 64,
    "short": "sha256:" + "a" * 63,
    "newline": f"{DIGEST}\n",
    "nul": f"{DIGEST}\0",
    "query": f"{DIGEST}?x=y",
    "escaped": "sha256:%2e%2e%2f%2e%2e%2fx" + "a" * 44,
    "other-digits": "sha256:" + "\u0663" * 64,
    "md5": "md5:" + "a" * 32,
    "algorithm-as-path": "../sha256:" + "a" * 64,
    "empty": "",
    "number": 7,
    "list": [DIGEST],
    "null": None,
    "huge": "sha256:" + "a" * 1_000_000,
}

REFUSED: dict[str, tuple[str, bytes]] = {
    "4-MiB-and-1": (MANIFEST, RIGHT + b" " * ((4 << 20) + 1 - len(RIGHT))),
    "index-of-100000": (INDEX, index([child()] * 100_000)),
    "index-of-30000": (INDEX, index([child()] * 30_000)),
    "index-of-257": (INDEX, index([child(digest_of(b"%d" % number)) for number in range(257)])),
    "layers-10000-times-one": (MANIFEST, manifest(layers=[part()] * 10_000)),
    "arrays-100000-deep": (MANIFEST, b"[" * 100_000 + b"]" * 100_000),
    "objects-100000-deep": (MANIFEST, b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "annotations-deep": (MANIFEST, manifest(x=json.loads("[" * 80 + "]" * 80))),
    "layers-twice": (MANIFEST, twice("layers")),
    "config-twice": (MANIFEST, twice("config")),
    "schema-twice": (MANIFEST, twice("schemaVersion")),
    "layers-and-manifests": (MANIFEST, manifest(manifests=[])),
    "both-in-an-index": (INDEX, index([], layers=[])),
    "schema-1": ("application/vnd.docker.distribution.manifest.v1+prettyjws", b'{"schemaVersion":1,"name":"x"}'),
    "schema-3": (MANIFEST, manifest(schemaVersion=3)),
    "schema-true": (MANIFEST, manifest(schemaVersion="2")),
    "no-config": (MANIFEST, manifest(config=None)),
    "no-layers": (MANIFEST, manifest(layers=None)),
    "layers-of-null": (MANIFEST, manifest(layers=[None])),
    "layers-as-object": (MANIFEST, manifest(layers={"0": part()})),
    "not-utf-8": (MANIFEST, RIGHT[:-1] + b',"x":"\xff"}'),
    "bom": (MANIFEST, b"\xef\xbb\xbf" + RIGHT),
    "utf-16": (MANIFEST, RIGHT.decode().encode("utf-16")),
    "nan": (MANIFEST, manifest(x=float("nan"))),
    "lone-surrogate": (MANIFEST, RIGHT[:-1] + b',"annotations":{"a":"\\ud800"}}'),
    "two-documents": (MANIFEST, RIGHT + RIGHT),
    "size-of-5000-digits": (MANIFEST, manifest().replace(b'"size": 9', b'"size": ' + b"9" * 5000)),
    "media-type-with-header": (MANIFEST, manifest(layers=[part(mediaType="a/b\r\nX-Evil: 1")])),
    "own-type-with-header": (MANIFEST, manifest(mediaType=f"{MANIFEST}\r\nX-Evil: 1")),
    "another-type": (INDEX, RIGHT),
    "platform-with-escapes": (INDEX, index([child(platform={"os": ESCAPE, "architecture": ESCAPE})])),
    "platform-as-list": (INDEX, index([child(platform=["linux", "amd64"])])),
    "annotations-of-numbers": (MANIFEST, manifest(annotations={"a": 1})),
    "subject-without-digest": (MANIFEST, manifest(subject={"size": 1, "mediaType": MANIFEST})),
    **{
        f"size-{size}": (MANIFEST, manifest(layers=[part(size=size)]))
        for size in (-1, 1 << 40, (1 << 63) - 1, 1 << 63, 1 << 200, 9.0, 1e300, True, "9", None, 8, 10, 0)
    },
    **{f"layer-{word}": (MANIFEST, manifest(layers=[part(digest=text)])) for word, text in BAD_DIGESTS.items()},
    **{f"config-{word}": (MANIFEST, manifest(config=part(digest=text))) for word, text in BAD_DIGESTS.items()},
    **{f"index-{word}": (INDEX, index([{**child(), "digest": text}])) for word, text in BAD_DIGESTS.items()},
    **{f"subject-{word}": (MANIFEST, manifest(subject=part(digest=text))) for word, text in BAD_DIGESTS.items()},
}  # fmt: skip

HARMLESS: dict[str, bytes] = {
    "unknown-fields": manifest(urls=["file:///etc/passwd"], exec="rm -rf /", data="!!!"),
    "urls-in-a-layer": manifest(layers=[part(urls=["http://127.0.0.1:9/evil", "file:///etc/passwd"])]),
    "data-in-a-layer": manifest(layers=[part(data="AAAA")]),
    "name-in-annotations": manifest(annotations={"org.opencontainers.image.ref.name": "../../../x"}),
    "title-in-annotations": manifest(layers=[part(annotations={"org.opencontainers.image.title": "../../x"})]),
    "escapes-in-annotations": manifest(annotations={ESCAPE: ESCAPE}),
    "one-layer-200-times": manifest(layers=[part()] * 200),
    "60-levels": manifest(x=json.loads("[" * 60 + "]" * 60)),
    "annotation-of-a-mebibyte": manifest(annotations={"a": "x" * (1 << 20)}),
    "20000-annotations": manifest(annotations={f"a{number}": "x" for number in range(20_000)}),
    "ends-with-newlines": RIGHT + b"\n" * 1000,
}


def put(fake: FakeRegistry, media_type: str, raw: bytes) -> None:
    fake.manifests[NAME, TAG] = fake.manifests[NAME, digest_of(raw)] = media_type, raw


def named(cage: Cage) -> list[Any]:
    """What the store names: of what was refused it may hold at most right content that nothing points at."""
    if not cage.store.exists():
        return []
    found: list[Any] = json.loads((cage.store / "index.json").read_bytes())["manifests"]
    return found


@pytest.mark.parametrize("case", REFUSED)
def test_what_lies_is_refused_and_gets_no_name(case: str, fake: FakeRegistry, name: str, cage: Cage) -> None:
    put(fake, *REFUSED[case])
    ended = cage.run("pull", "--all-platforms", name)
    assert ended.code == 1
    assert named(cage) == []


@pytest.mark.parametrize("case", HARMLESS)
def test_what_is_only_odd_is_pulled(case: str, fake: FakeRegistry, name: str, cage: Cage) -> None:
    put(fake, MANIFEST, HARMLESS[case])
    assert cage.run("pull", name).code == 0
    asked = [line for line in fake.seen() if "blobs" in line]
    assert sorted(asked) == sorted(f"GET /v2/{NAME}/blobs/{digest}" for digest in GOODS.blobs)
    assert cage.run("images").code == 0


def test_indexes_in_indexes(fake: FakeRegistry, name: str, cage: Cage) -> None:
    for media_type, raw in wrapped(RIGHT, MANIFEST, 2):
        put(fake, media_type, raw)
    assert cage.run("pull", name).code == 0
    for media_type, raw in wrapped(RIGHT, MANIFEST, 3):
        put(fake, media_type, raw)
    assert "nested" in cage.run("pull", name).error


def test_an_index_that_branches_without_end(fake: FakeRegistry, name: str, cage: Cage) -> None:
    """256 indexes of 256 manifests: a few bytes, and two hundred thousand requests."""
    outer = []
    for number in range(256):
        inner = index([child(digest_of(b"%d %d" % (number, other)), 500) for other in range(256)])
        fake.manifests[NAME, digest_of(inner)] = INDEX, inner
        outer.append(child(digest_of(inner), len(inner), INDEX))
    put(fake, INDEX, index(outer))
    for number, other in ((number, other) for number in range(256) for other in range(256)):
        raw = manifest(annotations={"a": f"{number} {other}"})
        fake.manifests[NAME, digest_of(b"%d %d" % (number, other))] = MANIFEST, raw
    assert cage.run("pull", "--all-platforms", name).code == 1
    assert len(fake.requests) < 10_000


def test_one_child_under_every_platform(fake: FakeRegistry, name: str, cage: Cage) -> None:
    entries = [
        child(GOODS.top, len(RIGHT), platform={"os": "linux", "architecture": f"a{number}"}) for number in range(256)
    ]
    put(fake, INDEX, index(entries))
    assert cage.run("pull", "--all-platforms", name).code == 0
    assert len(fake.seen(f"GET /v2/{NAME}/blobs/")) == len(GOODS.blobs)


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "other-bytes": lambda content: content[:-1] + b"!",
    "longer": lambda content: content + b"!",
    "shorter": lambda content: content[:-1],
    "a-hundred-mebibytes": lambda content: content + bytes(100 << 20),
}


@pytest.mark.parametrize("change", CHANGES)
def test_blobs_that_are_something_else(change: str, fake: FakeRegistry, name: str, cage: Cage) -> None:
    for digest in GOODS.blobs:
        fake.blobs[digest] = CHANGES[change](GOODS.blobs[digest])
    assert cage.run("pull", name).code == 1
    assert named(cage) == []


def test_a_tag_in_the_store_survives_all_this(fake: FakeRegistry, name: str, cage: Cage) -> None:
    digest = cage.run("pull", name, "-q").out
    for case in ("4-MiB-and-1", "layer-path", "size--1", "objects-100000-deep"):
        put(fake, *REFUSED[case])
        assert cage.run("pull", name).code == 1
    assert GOODS.top in digest
    assert GOODS.top in cage.run("images", "-o", "json").out
