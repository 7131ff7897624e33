"""Manifests and indexes: strict, bounded, and never written anew to find out what they are called."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfimg.errors import ImageError, NotFound, UsageError
from bpfimg.oci import Descriptor, Digest, Index, Manifest, Platform, parse_document
from tests.support.targets import BUNDLE, EMPTY, LAYER, image, index

if TYPE_CHECKING:
    from collections.abc import Callable

OCI = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


def altered(change: Callable[[dict[str, object]], object]) -> bytes:
    document = json.loads(image().manifest.raw)
    change(document)
    return json.dumps(document).encode()


def test_the_bytes_are_the_truth() -> None:
    raw = json.dumps(json.loads(image().manifest.raw), indent=3).encode()
    found = Manifest.parse(raw, OCI)
    assert found.raw is raw
    assert found.descriptor.digest == Digest.of(raw)
    assert found.descriptor.size == len(raw)
    assert found.layers == image().manifest.layers


def test_built_bytes_are_the_same_every_time() -> None:
    layer = Descriptor.of(b"x", LAYER, annotations={"k": "v"})
    built = Manifest.build(config=EMPTY, layers=[layer], subject=layer, annotations={"a": "é"}, artifact_type=BUNDLE)
    digest = layer.digest
    expected = (
        f'{{"schemaVersion":2,"mediaType":"{OCI}","artifactType":"{BUNDLE}",'
        f'"config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{EMPTY.digest}","size":2}},'
        f'"layers":[{{"mediaType":"{LAYER}","digest":"{digest}","size":1,"annotations":{{"k":"v"}}}}],'
        f'"subject":{{"mediaType":"{LAYER}","digest":"{digest}","size":1}},"annotations":{{"a":"é"}}}}'
    )
    assert built.raw == expected.encode()
    assert Manifest.parse(built.raw) == built
    assert built.as_referrer.artifact_type == BUNDLE
    assert built.as_referrer.annotations == {"a": "é"}
    assert Manifest.build(config=EMPTY, layers=[layer]).as_referrer.artifact_type == EMPTY.media_type


def test_a_missing_media_type_is_legal() -> None:
    raw = altered(lambda document: document.pop("mediaType"))
    assert Manifest.parse(raw).media_type == OCI
    assert Manifest.parse(raw, DOCKER).media_type == DOCKER
    assert parse_document(b'{"schemaVersion":2,"manifests":[]}').media_type == OCI_INDEX


def test_the_type_of_an_old_sigstore_bundle_has_a_version() -> None:
    kind = "application/vnd.dev.sigstore.bundle+json;version=0.2"
    raw = altered(lambda document: document.update(artifactType=kind))
    assert Manifest.parse(raw).artifact_type == kind


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(manifests=[]), "both layers and manifests"),
        (lambda d: d.update(schemaVersion=1), "schemaVersion '1'"),
        (lambda d: d.update(mediaType=DOCKER), "its descriptor or header says"),
        (lambda d: d.update(mediaType="x/y"), "its descriptor or header says"),
        (lambda d: d.update(mediaType=7), "media type '7'"),
        (lambda d: d.pop("layers"), "layers 'None'"),
        (lambda d: d.pop("config"), "config is 'None'"),
        (lambda d: d.update(layers={}), "layers '{}'"),
        (lambda d: d.update(layers=d["layers"] * 257), "257 layers, expected at most 256"),
        (lambda d: d.update(annotations={"a": 1}), "expected an object of texts"),
        (lambda d: d.update(annotations=[]), "expected an object of texts"),
        (lambda d: d.update(subject="sha256"), "subject is 'sha256'"),
        (lambda d: d["config"].update(size=-1), "size '-1'"),
        (lambda d: d["config"].update(size=True), "size 'True'"),
        (lambda d: d["config"].update(size=1.5), "size '1.5'"),
        (lambda d: d["config"].update(size="2"), "size '2'"),
        (lambda d: d["config"].update(digest="sha256:../../etc/passwd"), "is not a digest"),
        (lambda d: d["config"].update(digest=None), "digest 'None'"),
        (lambda d: d["config"].update(mediaType="a/b\r\nX-Evil: 1"), "expected TYPE/SUBTYPE"),
        (lambda d: d["config"].update(mediaType="a/b;version=0.1;q=1"), "expected TYPE/SUBTYPE"),
        (lambda d: d["config"].update(mediaType="a/b;version=0.1\n"), "expected TYPE/SUBTYPE"),
        (lambda d: d["config"].update(mediaType="a/b;charset=utf-8"), "expected TYPE/SUBTYPE"),
        (lambda d: d["config"].update(platform="linux"), "platform 'linux'"),
        (lambda d: d["config"].update(platform={"os": "linux"}), "architecture 'None'"),
        (lambda d: d.update(artifactType="no type"), "expected TYPE/SUBTYPE"),
    ],
)
def test_what_is_no_manifest(change: Callable[[dict[str, object]], object], words: str) -> None:
    with pytest.raises(ImageError) as refused:
        Manifest.parse(altered(change), OCI)
    assert words in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "is not JSON"),
        (b"\xff{}", "is not JSON"),
        (b"[]", "is a list, expected a JSON object"),
        (b'{"schemaVersion":2,"schemaVersion":2}', "twice in one object"),
        (b'{"schemaVersion":2,"config":{"size":1,"size":2}}', "twice in one object"),
        (b'{"schemaVersion":NaN}', "holds NaN, which is not JSON"),
        (b'{"schemaVersion":Infinity}', "holds Infinity, which is not JSON"),
        (b'{"annotations":{"a":"\\ud800"}}', "is not JSON"),
        (b'{"a":' + b"[" * 70 + b"]" * 70 + b"}", "deeper than 64"),
        (b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nests deeper"),
        (b'{"a":' + b"9" * 5000 + b"}", "is not JSON"),
        (b" " * ((4 << 20) + 1), "4194305 bytes, expected at most 4194304"),
        (b'{"schemaVersion":2} trailing', "is not JSON"),
    ],
    ids=range(13),
)
def test_what_is_no_document(raw: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        parse_document(raw)


def test_one_is_not_the_other() -> None:
    with pytest.raises(ImageError, match="expected a manifest"):
        Manifest.parse(index(image()).raw)
    with pytest.raises(ImageError, match="expected an index"):
        Index.parse(image().manifest.raw)


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_junk_is_refused_in_one_way(raw: bytes) -> None:
    with pytest.raises(ImageError):
        parse_document(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["config", "layers", "subject", "annotations", "mediaType", "artifactType", "platform"]), JSON)
def test_strange_fields_are_refused_in_one_way(name: str, value: object) -> None:
    raw = altered(lambda document: document.update({name: value, "layers": [{name: value}]}))
    with pytest.raises(ImageError):
        parse_document(raw)


def entry(text: str, word: str = "") -> Descriptor:
    return Descriptor(OCI, Digest.of((word or text).encode()), 1, platform=Platform.parse(text))


@pytest.mark.parametrize(
    ("host", "there", "chosen"),
    [
        ("linux/amd64", ["linux/arm64", "linux/amd64"], "linux/amd64"),
        ("linux/amd64", ["linux/amd64/v3", "linux/amd64/v1"], "linux/amd64/v1"),
        ("linux/amd64", ["unknown/unknown", "linux/amd64"], "linux/amd64"),
        ("linux/arm64", ["linux/arm64/v8"], "linux/arm64/v8"),
        ("linux/arm64/v8", ["linux/arm64"], "linux/arm64"),
        ("linux/arm/v7", ["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"], "linux/arm/v6"),
        ("linux/arm/v6", ["linux/arm/v7", "linux/arm"], "linux/arm"),
        ("linux/s390x", ["linux/s390x"], "linux/s390x"),
    ],
)
def test_choosing_a_platform(host: str, there: list[str], chosen: str) -> None:
    found = Index.build([entry(text) for text in there]).select(Platform.parse(host))
    assert str(found.platform) == chosen


def test_no_platform_fits() -> None:
    both = Index.build([entry("linux/arm64"), entry("linux/s390x"), Descriptor(OCI, Digest.of(b""), 1)])
    with pytest.raises(NotFound, match="no image for linux/amd64, only for 'linux/arm64, linux/s390x'"):
        both.select(Platform.parse("linux/amd64"))


@pytest.mark.parametrize("text", ["", "linux", "linux/", "linux/a/b/c", "linux/am d", "linux/\n"])
def test_what_is_no_platform(text: str) -> None:
    with pytest.raises(UsageError):
        Platform.parse(text)


def test_the_host_is_a_linux() -> None:
    assert str(Platform.host()).startswith("linux/")
    assert "x86_64" not in str(Platform.host())
