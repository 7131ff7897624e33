"""Tags, repositories and what is removed: against Debian's registry, and a fake that knows more and does worse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bpfimg._value import replace
from bpfimg.errors import Error, ImageError, NotFound, RegistryError, UsageError
from bpfimg.oci import Digest, Registry, Repository, places
from tests.support.fake_registry import Accounts, FakeRegistry, Reply
from tests.support.registry import Server, registry
from tests.support.targets import image, index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME = "acme/xdp"
OPTIONS = places.RegistryOptions(waits=(0.0, 0.0))
TAGS = [f"v{number:03}" for number in range(25)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        for name in ("acme/one", "acme/two", "other/three"):
            with Registry(Repository(running.host, name), OPTIONS) as place:
                for tag in TAGS[:3]:
                    image(name).push(place, tag)
        yield running


@pytest.fixture
def fake(running: FakeRegistry) -> FakeRegistry:
    """Has 25 tags in pages of ten."""
    running.reset()
    one = image()
    for tag in (*TAGS, str(one.descriptor.digest)):
        running.manifests[NAME, tag] = one.manifest.media_type, one.manifest.raw
    running.page = 10
    return running


@pytest.fixture
def place(fake: FakeRegistry) -> Iterator[Registry]:
    with Registry(Repository(fake.host, NAME), OPTIONS) as opened:
        yield opened


def status(number: int, body: bytes = b"") -> Callable[[Reply], Reply]:
    return lambda _: Reply(number, body)


def answer(document: object) -> Callable[[Reply], Reply]:
    return lambda reply: replace(reply, body=json.dumps(document).encode())


def link(text: str) -> Callable[[Reply], Reply]:
    return lambda reply: replace(reply, headers={**reply.headers, "Link": text})


class TestDebiansRegistry:
    """docker-registry 2.8."""

    def test_every_tag_is_listed(self, server: Server) -> None:
        with Registry(Repository(server.host, "acme/one"), OPTIONS) as place:
            assert sorted(place.tags()) == TAGS[:3]

    def test_a_repository_that_is_not_there(self, server: Server) -> None:
        with Registry(Repository(server.host, "acme/none"), OPTIONS) as place, pytest.raises(NotFound):
            place.tags()

    def test_the_catalog(self, server: Server) -> None:
        found = Registry.catalog(server.host, OPTIONS)
        assert {each.path for each in found} >= {"acme/one", "acme/two", "other/three"}
        assert {each.host for each in found} == {server.host}

    def test_what_a_tag_names_takes_one_head(self, server: Server) -> None:
        with Registry(Repository(server.host, "acme/one"), OPTIONS) as place:
            assert place.digest_of("v000") == image("acme/one").descriptor.digest
            with pytest.raises(NotFound):
                place.digest_of("v9")
        assert [line for line in server.requests() if "acme/one/manifests/v000" in line][-1].startswith("HEAD")

    def test_a_digest_goes_with_its_tags(self, server: Server) -> None:
        one = image("doomed")
        with Registry(Repository(server.host, "acme/doomed"), OPTIONS) as place:
            for tag in ("v1", "v2"):
                one.push(place, tag)
            image("other").push(place, "v3")
            place.remove(one.descriptor.digest)
            for gone in ("v1", "v2", one.descriptor.digest):
                with pytest.raises(NotFound):
                    place.resolve(gone)
            with pytest.raises(NotFound):
                place.fetch(one.descriptor)
            assert place.resolve("v3") == image("other").descriptor
            with pytest.raises(NotFound):
                place.remove(one.descriptor.digest)

    def test_it_removes_no_tag(self, server: Server) -> None:
        with Registry(Repository(server.host, "acme/one"), OPTIONS) as place:
            with pytest.raises(RegistryError) as refused:
                place.remove("v000")
            assert not isinstance(refused.value, NotFound)
            assert "name the digest" in refused.value.hint
            assert place.resolve("v000") == image("acme/one").descriptor


class TestLists:
    def test_every_page_is_read(self, fake: FakeRegistry, place: Registry) -> None:
        assert place.tags() == tuple(TAGS)
        assert len(fake.seen("tags/list")) == 3

    def test_repositories_too(self, fake: FakeRegistry) -> None:
        for number in range(30):
            fake.manifests[f"acme/r{number:02}", "v1"] = fake.manifests[NAME, "v001"]
        assert len(Registry.catalog(fake.host, OPTIONS)) == 31
        assert len(fake.seen("_catalog")) == 4

    def test_with_the_scope_of_the_catalog(self, fake: FakeRegistry) -> None:
        fake.accounts = Accounts(users={"me": "secret"})
        with pytest.raises(RegistryError):
            Registry.catalog(fake.host, OPTIONS)
        fake.accounts.asked.clear()
        options = replace(OPTIONS, username="me", password="secret")
        assert Registry.catalog(fake.host, options) == (Repository(fake.host, NAME),)
        assert fake.accounts.asked == ["registry:catalog:*"]

    @pytest.mark.parametrize(
        "next_one", ["/v2/acme/xdp/tags/list?n=1000", "/v2/acme/xdp/tags/list?last=v009&n=10", "?n=1000", ""]
    )
    def test_not_in_a_circle(self, fake: FakeRegistry, place: Registry, next_one: str) -> None:
        fake.fail("tags/list", link(f'<{next_one}>; rel="next"'), times=1000)
        with pytest.raises(RegistryError, match="lead in a circle"):
            place.tags()
        assert len(fake.requests) <= 2

    @pytest.mark.parametrize(
        "next_one", ["http://other.test/v2/", "//other.test/x", "https://127.0.0.1/v2/", "file:///x"]
    )
    def test_not_elsewhere(self, fake: FakeRegistry, place: Registry, next_one: str) -> None:
        fake.fail("tags/list", link(f'<{next_one}>; rel="next"'))
        with pytest.raises(RegistryError, match="expected"):
            place.tags()

    def test_not_without_end(self, fake: FakeRegistry, place: Registry) -> None:
        numbers = iter(range(10_000))

        def go_on(reply: Reply) -> Reply:
            return link(f'</v2/{NAME}/tags/list?last=x{next(numbers)}>; rel="next"')(reply)

        fake.fail("tags/list", go_on, times=10_000)
        with pytest.raises(ImageError, match="more than 64 pages") as refused:
            place.tags()
        assert "--limit pages=" in refused.value.hint
        assert len(fake.requests) == 64

    def test_not_too_many(self, fake: FakeRegistry, place: Registry) -> None:
        few = replace(OPTIONS, limits=places.Limits(names=24))
        with Registry(place.repository, few) as other, pytest.raises(ImageError, match="more than 24") as refused:
            other.tags()
        assert "--limit names=" in refused.value.hint

    @pytest.mark.parametrize(
        "document",
        [
            {"tags": 7},
            {"tags": [7]},
            {"tags": ["../x"]},
            {"tags": ["a\nb"]},
            {"tags": ["x" * 129]},
            {"tags": {"v1": 1}},
            [],
            "x" * (5 << 20),
        ],
    )
    def test_what_is_no_list_of_tags(self, fake: FakeRegistry, place: Registry, document: object) -> None:
        fake.fail("tags/list", answer(document))
        with pytest.raises(ImageError) as refused:
            place.tags()
        assert len(str(refused.value)) < 400

    def test_what_is_no_name(self, fake: FakeRegistry) -> None:
        fake.fail("_catalog", answer({"repositories": ["acme/../x"]}))
        with pytest.raises(ImageError, match="not a repository path"):
            Registry.catalog(fake.host, OPTIONS)

    @pytest.mark.parametrize("document", [{"tags": None}, {"tags": []}, {}])
    def test_nothing_is_nothing(self, fake: FakeRegistry, place: Registry, document: object) -> None:
        fake.fail("tags/list", lambda _: Reply(200, json.dumps(document).encode()))
        assert place.tags() == ()


class TestDigestOf:
    def test_a_registry_that_does_not_say(self, fake: FakeRegistry, place: Registry) -> None:
        for said in ("", "sha256:junk", "md5:" + "0" * 32):
            fake.fail("HEAD", lambda reply, said=said: replace(reply, headers={"Docker-Content-Digest": said}))  # type: ignore[misc]
            assert place.digest_of("v001") == image().descriptor.digest

    def test_is_checked_when_it_is_read(self, fake: FakeRegistry, place: Registry) -> None:
        lie = Digest.of(b"something else")
        fake.fail("HEAD", lambda reply: replace(reply, headers={"Docker-Content-Digest": str(lie)}))
        assert place.digest_of("v001") == lie
        with pytest.raises(NotFound):
            place.resolve(lie)

    @pytest.mark.parametrize("tag", ["", "a b", "../x"])
    def test_what_is_no_tag(self, place: Registry, tag: str) -> None:
        with pytest.raises(UsageError):
            place.digest_of(tag)


class TestRemoval:
    def test_a_tag_alone(self, fake: FakeRegistry, place: Registry) -> None:
        place.remove("v001")
        with pytest.raises(NotFound):
            place.resolve("v001")
        assert place.resolve("v002") == image().descriptor

    def test_an_index_leaves_its_children(self, place: Registry) -> None:
        images = image("one", "amd64"), image("two", "arm64")
        for one in images:
            one.push(place)
        both = index(*images)
        place.push(both.descriptor, both.raw, tag="multi")
        place.remove(both.descriptor.digest)
        with pytest.raises(NotFound):
            place.resolve("multi")
        assert place.resolve(images[0].descriptor.digest) == images[0].descriptor

    def test_with_the_right_to_it(self, fake: FakeRegistry) -> None:
        fake.accounts = Accounts(users={"me": "secret"})
        options = replace(OPTIONS, username="me", password="secret")
        with Registry(Repository(fake.host, NAME), options) as place:
            place.remove("v001")
        assert (NAME, "v001") not in fake.manifests
        assert all("delete" in scopes for scopes in fake.accounts.asked)

    @pytest.mark.parametrize("number", [400, 405, 501])
    def test_a_registry_that_removes_nothing(self, fake: FakeRegistry, place: Registry, number: int) -> None:
        fake.fail("DELETE", status(number), times=2)
        for selector in ("v001", image().descriptor.digest):
            with pytest.raises(RegistryError) as refused:
                place.remove(selector)
            assert refused.value.status == number
            assert refused.value.hint

    def test_an_answer_that_was_lost(self, fake: FakeRegistry, place: Registry) -> None:
        fake.fail("DELETE", status(502))
        place.remove("v001")
        assert len(fake.seen("DELETE")) == 2

    def test_nothing_there(self, fake: FakeRegistry, place: Registry) -> None:
        fake.fail("DELETE", status(502), lost=True)
        with pytest.raises(Error, match=r"no such thing"):
            place.remove("v9") or place.remove("v9")  # type: ignore[func-returns-value]
