"""Mirrors, as registries.conf(5) names them: they may make reading quicker, never wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg._value import replace
from bpfimg.errors import DigestMismatch, NotFound, RegistryError
from bpfimg.oci import Descriptor, Registry, Repository, places
from tests.support.fake_registry import FakeRegistry, Reply, fake_registry
from tests.support.targets import LAYER, image, legacy_signature, referrer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = "acme/xdp"
ONE = image()
LAYER_OF_ONE = ONE.blobs[1][0]
LARGE = bytes(range(256)) * 4_000


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[FakeRegistry, FakeRegistry]]:
    with fake_registry() as first, fake_registry() as second:
        yield first, second


@pytest.fixture
def primary(servers: tuple[FakeRegistry, FakeRegistry]) -> FakeRegistry:
    """Holds `image()` as v1."""
    servers[0].reset()
    with Registry(Repository(servers[0].host, NAME)) as place:
        ONE.push(place, "v1")
    servers[0].requests.clear()
    return servers[0]


@pytest.fixture
def mirror(servers: tuple[FakeRegistry, FakeRegistry]) -> FakeRegistry:
    """Holds `image()` as v1, under `cache/`."""
    servers[1].reset()
    with Registry(Repository(servers[1].host, f"cache/{NAME}")) as place:
        ONE.push(place, "v1")
    servers[1].requests.clear()
    return servers[1]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def options(primary: FakeRegistry, mirror: FakeRegistry, tmp_path: Path, said: list[str]) -> places.RegistryOptions:
    return written(tmp_path, said, primary.host, f'[[registry.mirror]]\nlocation = "{mirror.host}/cache"\n')


def written(tmp_path: Path, said: list[str], prefix: str, text: str) -> places.RegistryOptions:
    path = tmp_path / "registries.conf"
    path.write_text(f'[[registry]]\nprefix = "{prefix}"\nlocation = "{prefix}"\n{text}')
    found = places.Registries.load({"CONTAINERS_REGISTRIES_CONF": str(path)}, 1000)
    return places.RegistryOptions(registries=found, waits=(0.0, 0.0), warn=said.append)


@pytest.fixture
def place(primary: FakeRegistry, options: places.RegistryOptions) -> Iterator[Registry]:
    with Registry(Repository(primary.host, NAME), options) as opened:
        yield opened


def status(number: int) -> Callable[[Reply], Reply]:
    return lambda _: Reply(number)


def altered(reply: Reply) -> Reply:
    return replace(reply, body=reply.body[:-1] + bytes([reply.body[-1] ^ 1]))


def read(place: Registry) -> None:
    found = place.resolve("v1")
    assert found == ONE.descriptor
    assert place.fetch(found) == ONE.manifest.raw
    for descriptor, content in ONE.blobs:
        assert place.fetch(descriptor) == content
        assert b"".join(place.stream(descriptor)) == content
    assert place.tags() == ("v1",)
    assert place.digest_of("v1") == ONE.descriptor.digest


def test_all_is_read_there(primary: FakeRegistry, mirror: FakeRegistry, place: Registry, said: list[str]) -> None:
    read(place)
    assert primary.requests == []
    assert mirror.requests
    assert said == []


@pytest.mark.parametrize("number", [401, 403, 404, 405, 429, 500, 503])
def test_a_mirror_that_fails_is_passed_over(
    primary: FakeRegistry, mirror: FakeRegistry, place: Registry, said: list[str], number: int
) -> None:
    mirror.fail("GET", status(number), times=1000)
    mirror.fail("HEAD", status(number), times=1000)
    read(place)
    assert primary.requests
    assert len(said) == len(set(said)), "once"
    assert all(mirror.host in line and "passed over" in line for line in said)
    if number != 404:
        assert len(mirror.requests) == 1, "it is not asked again"


def test_a_mirror_that_does_not_run(primary: FakeRegistry, tmp_path: Path, said: list[str]) -> None:
    options = written(tmp_path, said, primary.host, '[[registry.mirror]]\nlocation = "127.0.0.1:1"\n')
    with Registry(Repository(primary.host, NAME), options) as place:
        read(place)
    assert len(said) == 1
    assert "connection refused" in said[0]


def test_it_may_lack_one_image_and_have_another(
    primary: FakeRegistry, mirror: FakeRegistry, place: Registry, said: list[str]
) -> None:
    with Registry(place.repository) as direct:
        image("two").push(direct, "v2")
    assert place.resolve("v2") == image("two").descriptor
    primary.requests.clear()
    assert place.resolve("v1") == ONE.descriptor
    assert primary.requests == []
    assert len(said) == 1


def test_spoiled_content_comes_from_the_primary(
    primary: FakeRegistry, mirror: FakeRegistry, place: Registry, said: list[str]
) -> None:
    mirror.fail("GET /v2/cache", altered, times=1000)
    assert place.fetch(ONE.descriptor) == ONE.manifest.raw
    assert place.fetch(LAYER_OF_ONE) == ONE.blobs[1][1]
    assert place.resolve(ONE.descriptor.digest) == ONE.descriptor
    assert len(said) == 1


def test_a_stream_goes_on_at_the_next_place(
    primary: FakeRegistry, mirror: FakeRegistry, place: Registry, said: list[str]
) -> None:
    blob = Descriptor.of(LARGE, LAYER)
    for host, path in ((primary.host, NAME), (mirror.host, f"cache/{NAME}")):
        with Registry(Repository(host, path)) as direct:
            direct.push(blob, LARGE)
    mirror.fail("GET", lambda reply: replace(reply, cut=len(LARGE) // 2))
    assert b"".join(place.stream(blob)) == LARGE
    assert [each.header("Range") for each in primary.requests if each.method == "GET"] == [f"bytes={len(LARGE) // 2}-"]
    assert len(said) == 1


def test_a_spoiled_stream_is_refused_and_comes_from_the_primary_then(mirror: FakeRegistry, place: Registry) -> None:
    mirror.fail("GET", altered, times=1000)
    with pytest.raises(DigestMismatch):
        list(place.stream(LAYER_OF_ONE))
    assert b"".join(place.stream(LAYER_OF_ONE)) == ONE.blobs[1][1]


class TestSignatures:
    """A pull-through mirror often has none, or not all: that must not hide them."""

    @pytest.fixture(params=[True, False], ids=["api", "tag"])
    def primary(self, primary: FakeRegistry, request: pytest.FixtureRequest) -> FakeRegistry:
        primary.referrers_api = request.param
        with Registry(Repository(primary.host, NAME)) as direct:
            referrer(ONE.descriptor).push(direct)
            legacy_signature("one").push(direct, ONE.descriptor.digest.tag + ".sig")
        primary.requests.clear()
        return primary

    @pytest.mark.parametrize("api", [True, False])
    def test_the_primary_is_asked(
        self, primary: FakeRegistry, mirror: FakeRegistry, place: Registry, said: list[str], api: bool
    ) -> None:
        mirror.referrers_api = api
        (found,) = place.referrers(ONE.descriptor.digest)
        assert found.digest == referrer(ONE.descriptor).descriptor.digest
        signature = place.resolve(ONE.descriptor.digest.tag + ".sig")
        assert signature == legacy_signature("one").descriptor
        assert place.fetch(signature) == legacy_signature("one").manifest.raw
        assert not [line for line in said if "passed over" in line and "sig" in line]

    def test_those_of_the_mirror_hide_none(self, primary: FakeRegistry, mirror: FakeRegistry, place: Registry) -> None:
        with Registry(Repository(mirror.host, f"cache/{NAME}")) as direct:
            referrer(ONE.descriptor, "of yesterday, or of somebody else").push(direct)
            legacy_signature("theirs").push(direct, ONE.descriptor.digest.tag + ".sig")
        (found,) = place.referrers(ONE.descriptor.digest)
        assert found.digest == referrer(ONE.descriptor).descriptor.digest
        assert place.resolve(ONE.descriptor.digest.tag + ".sig") == legacy_signature("one").descriptor

    def test_those_of_the_mirror_count_where_nobody_else_can_be_asked(
        self, mirror: FakeRegistry, tmp_path: Path, said: list[str]
    ) -> None:
        with Registry(Repository(mirror.host, f"cache/{NAME}")) as direct:
            referrer(ONE.descriptor).push(direct)
        nowhere = "127.0.0.1:1"
        options = written(tmp_path, said, nowhere, f'[[registry.mirror]]\nlocation = "{mirror.host}/cache"\n')
        with Registry(Repository(nowhere, NAME), options) as place:
            assert len(place.referrers(ONE.descriptor.digest)) == 1
        assert said == []

    @pytest.mark.parametrize("number", [401, 403, 500])
    def test_an_error_of_the_primary_is_no_empty_list(
        self, primary: FakeRegistry, place: Registry, number: int
    ) -> None:
        primary.fail("GET", status(number), times=1000)
        with pytest.raises(RegistryError):
            place.referrers(ONE.descriptor.digest)
        with pytest.raises(RegistryError) as refused:
            place.resolve(ONE.descriptor.digest.tag + ".sig")
        assert not isinstance(refused.value, NotFound)


def test_where_only_the_mirror_can_be_reached(mirror: FakeRegistry, tmp_path: Path, said: list[str]) -> None:
    """Behind an air gap there are no signatures but those of the mirror, and the user is told so."""
    nowhere = "127.0.0.1:1"
    options = written(tmp_path, said, nowhere, f'[[registry.mirror]]\nlocation = "{mirror.host}/cache"\n')
    with Registry(Repository(nowhere, NAME), options) as place:
        read(place)
        assert said == []
        assert place.referrers(ONE.descriptor.digest) == ()
        with pytest.raises(NotFound):
            place.resolve(ONE.descriptor.digest.tag + ".sig")
        assert said
        assert all("connection refused" in line and "a mirror has none" in line for line in said)
        with pytest.raises(RegistryError) as refused:
            place.resolve("v2")
        assert not isinstance(refused.value, NotFound), "an image that the mirror lacks may well be there"


class TestWriting:
    def test_goes_to_the_primary_alone(self, primary: FakeRegistry, mirror: FakeRegistry, place: Registry) -> None:
        image("two").push(place, "v2")
        referrer(image("two").descriptor).push(place)
        place.tag(image("two").descriptor, "v3")
        place.remove("v3")
        assert mirror.requests == []
        assert (NAME, "v2") in primary.manifests

    def test_what_was_written_is_read_there(self, primary: FakeRegistry, mirror: FakeRegistry, place: Registry) -> None:
        """Else signatures would be added to the list that a mirror had kept from yesterday."""
        assert place.resolve("v1") == ONE.descriptor
        image("two").push(place, "v1")
        mirror.requests.clear()
        assert place.resolve("v1") == image("two").descriptor
        assert mirror.requests == []

    def test_whoever_only_looks_whether_to_write_too(self, mirror: FakeRegistry, place: Registry) -> None:
        assert place.exists(LAYER_OF_ONE)
        with place.lock():
            place.resolve("v1")
        assert mirror.requests == []


def test_one_mirror_for_digests(primary: FakeRegistry, mirror: FakeRegistry, tmp_path: Path, said: list[str]) -> None:
    words = f'[[registry.mirror]]\nlocation = "{mirror.host}/cache"\npull-from-mirror = "digest-only"\n'
    with Registry(Repository(primary.host, NAME), written(tmp_path, said, primary.host, words)) as place:
        place.resolve("v1")
        assert mirror.requests == []
        place.fetch(LAYER_OF_ONE)
        assert len(mirror.requests) == 1


def test_a_blocked_registry_is_not_asked(primary: FakeRegistry, tmp_path: Path, said: list[str]) -> None:
    options = written(tmp_path, said, primary.host, "blocked = true\n")
    with Registry(Repository(primary.host, NAME), options) as place:
        for use in (lambda: place.resolve("v1"), lambda: place.exists(LAYER_OF_ONE), place.tags):
            with pytest.raises(RegistryError, match="blocks"):
                use()
    assert primary.requests == []


def test_an_insecure_place_is_tried_with_tls_first(tmp_path: Path, said: list[str]) -> None:
    """As podman does it: a certificate that nobody knows is taken, and so is no TLS at all."""
    from tests.support.tokens import certificate

    chain = certificate(tmp_path, "stranger")
    with fake_registry(tls=chain) as sealed, fake_registry() as plain:
        for fake in (sealed, plain):
            options = replace(
                written(tmp_path, said, fake.host, "insecure = true\n"), ca_file=str(chain[0])
            )  # without a CA file, loopback would be plain from the start
            with Registry(Repository(fake.host, NAME), options) as place:
                ONE.push(place, "v1")
                assert place.resolve("v1") == ONE.descriptor
    assert said == []
