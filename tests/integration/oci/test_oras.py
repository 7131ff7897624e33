"""The contract of targets through oras-py, set up by its caller, against docker-registry in every form of login."""

from __future__ import annotations

import gc
from itertools import count
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pytest

from bpfimg.errors import DigestMismatch, RegistryError, UsageError
from bpfimg.oci import Descriptor, Layout, Memory, Registry, Repository, copy, places
from tests.support.fake_registry import fake_registry
from tests.support.registry import PASSWORD, USER, Server, registry
from tests.support.targets import LAYER, TargetContract, image, index, legacy_signature, referrer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

provider = pytest.importorskip("oras.provider", reason="needs the package oras")

# oras-py forgets challenges that it asked to stream: they are collected here, lest other tests hear of them
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

Form = Literal["none", "htpasswd", "token"]
_names = count(1)
OPTIONS = places.RegistryOptions(waits=(0.0, 0.0))


@pytest.fixture(scope="module", params=["none", "htpasswd", "token"])
def form(request: pytest.FixtureRequest) -> Form:
    found: Form = request.param
    return found


@pytest.fixture(scope="module")
def server(form: Form, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with registry(tmp_path_factory.mktemp("registry"), auth=form) as running:
        yield running


@pytest.fixture
def repository(server: Server) -> Repository:
    """A repository that no other test uses."""
    return Repository(server.host, f"acme/test{next(_names)}")


@pytest.fixture(autouse=True)
def providers() -> Iterator[list[Any]]:
    """What callers set up, they close as well."""
    found: list[Any] = []
    yield found
    for each in found:
        each.session.close()


@pytest.fixture(scope="module", autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


class Opens(Protocol):
    """Reaches a repository as a caller sets it up, who has an account where one is needed."""

    def __call__(self, repository: Repository, password: str = PASSWORD) -> places.Oras: ...


@pytest.fixture
def opened(server: Server, form: Form, providers: list[Any]) -> Opens:
    def open_(repository: Repository, password: str = PASSWORD) -> places.Oras:
        found = provider.Registry(server.host, insecure=True, auth_backend="basic" if form == "htpasswd" else "token")
        providers.append(found)
        if form != "none":
            found.auth.set_basic_auth(USER, password)
        return places.Oras(found, repository, OPTIONS)

    return open_


@pytest.fixture
def target(opened: Opens, repository: Repository) -> places.Oras:
    return opened(repository)


@pytest.fixture
def reopened(opened: Opens, repository: Repository) -> places.Oras:
    return opened(repository)


class TestOras(TargetContract):
    """The contract."""


def test_an_image_goes_through_with_its_signatures(opened: Opens, target: places.Oras, tmp_path: Path) -> None:
    images = image("one", "amd64"), image("two", "arm64")
    memory = Memory(target.repository)
    for one in images:
        one.push(memory)
    both = index(*images)
    memory.push(both.descriptor, both.raw, tag="v1")
    referrer(both.descriptor).push(memory)
    legacy_signature("sig").push(memory, both.descriptor.digest.tag + ".sig")
    assert copy(memory, "v1", target, "v1") == both.descriptor

    layout = Layout(str(tmp_path / "layout"), target.repository)
    assert copy(opened(target.repository), "v1", layout, "v1").digest == both.descriptor.digest
    assert [each.digest for each in layout.referrers(both.descriptor.digest)] == [
        referrer(both.descriptor).descriptor.digest
    ]
    assert layout.resolve(both.descriptor.digest.tag + ".sig") == legacy_signature("sig").descriptor
    for one in images:
        for descriptor, content in one.blobs:
            assert layout.fetch(descriptor) == content


def test_our_own_client_finds_the_same(target: places.Oras, form: Form) -> None:
    image().push(target, "v1")
    options = places.RegistryOptions(username=USER, password=PASSWORD) if form != "none" else None
    with Registry(target.repository, options) as ours:
        assert ours.resolve("v1") == target.resolve("v1") == image().descriptor


def test_a_wrong_password_is_one_sentence_at_once(opened: Opens, repository: Repository, form: Form) -> None:
    target = opened(repository, "wrong")
    if form == "none":
        target.push(*image().blobs[0])  # nobody asks
        return
    with pytest.raises(RegistryError, match="cannot push sha256:") as caught:
        target.push(*image().blobs[0])
    assert caught.value.status == 401
    assert "set_basic_auth" in caught.value.hint
    assert "wrong" not in str(caught.value)


def test_one_provider_serves_several_repositories(
    server: Server, form: Form, providers: list[Any], opened: Opens
) -> None:
    """Its one token is for the repository that it was got for."""
    first = opened(Repository(server.host, f"acme/test{next(_names)}"))
    second = places.Oras(providers[0], Repository(server.host, f"acme/test{next(_names)}"), OPTIONS)
    for place in (first, second, first):
        image().push(place, "v1")
        assert place.resolve("v1") == image().descriptor


def test_from_one_repository_to_the_next_of_the_same_registry(server: Server, opened: Opens) -> None:
    """Where content could be mounted, oras-py's token does not always say that it may."""
    first, second = (opened(Repository(server.host, f"acme/test{next(_names)}")) for _ in "12")
    image().push(first, "v1")
    assert copy(first, "v1", second, "v1") == second.resolve("v1") == image().descriptor
    assert second.fetch(image().blobs[1][0]) == image().blobs[1][1]


class TestLies:
    """Against a registry that does not hold what it promises: what comes through oras-py is checked all the same."""

    @pytest.mark.parametrize("wrong", [b"wrong one", b"layer one and more", b"lay"])
    def test_wrong_content_is_not_given_out(self, wrong: bytes, providers: list[Any]) -> None:
        with fake_registry() as fake:
            providers.append(provider.Registry(fake.host, insecure=True))
            target = places.Oras(providers[0], Repository(fake.host, "acme/lies"), OPTIONS)
            one = image()
            one.push(target, "v1")
            layer = one.blobs[1][0]
            fake.blobs[str(layer.digest)] = wrong
            with pytest.raises((DigestMismatch, RegistryError)):
                target.fetch(layer)
            with pytest.raises((DigestMismatch, RegistryError)):
                list(target.stream(layer))


def test_nobody_answers() -> None:
    target = places.Oras(provider.Registry("127.0.0.1:1", insecure=True), Repository("127.0.0.1:1", "acme/x"), OPTIONS)
    with pytest.raises(
        RegistryError, match=r"cannot read 127\.0\.0\.1:1/acme/x:v1: 127\.0\.0\.1:1: connection refused"
    ):
        target.resolve("v1")


def test_a_name_that_oras_takes_for_another() -> None:
    with pytest.raises(UsageError, match="oras-py takes localhost/acme/x for "):
        places.Oras(provider.Registry(insecure=True), Repository("localhost", "acme/x"))


def test_what_is_large_is_not_held(target: places.Oras) -> None:
    import tracemalloc

    piece = bytes(range(256)) * 4096
    layer = Descriptor.of(piece * 24, LAYER)
    tracemalloc.start()
    try:
        target.push_stream(layer, lambda: iter([piece] * 24))
        assert sum(map(len, target.stream(layer))) == layer.size
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()
