"""What the repositories of one process share: connections, tokens, and what was learned about registries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bpfimg._value import replace
from bpfimg.errors import RegistryError
from bpfimg.oci import Digest, Registry, Repository, places
from tests.support.fake_registry import Accounts, FakeRegistry, Reply, fake_registry
from tests.support.targets import image, referrer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OPTIONS = places.RegistryOptions(waits=(0.0, 0.0))


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with fake_registry() as running:
        yield running


@pytest.fixture
def shared(fake: FakeRegistry) -> Iterator[places.Connections]:
    with places.Connections(OPTIONS) as opened:
        yield opened


def status(number: int, body: bytes = b"", **headers: str) -> Callable[[Reply], Reply]:
    return lambda _: Reply(number, body, {name.replace("_", "-"): text for name, text in headers.items()})


def test_one_connection_serves_many_repositories(fake: FakeRegistry, shared: places.Connections) -> None:
    for number in range(5):
        with Registry(Repository(fake.host, f"acme/r{number}"), connections=shared) as place:
            image().push(place, "v1")
            assert place.resolve("v1") == image().descriptor
    pool, _ = shared.pool("http", fake.host, OPTIONS)
    assert pool.num_connections == 1  # type: ignore[union-attr]


def test_they_can_be_closed_and_used_again(fake: FakeRegistry, shared: places.Connections) -> None:
    place = Registry(Repository(fake.host, "acme/xdp"), connections=shared)
    image().push(place, "v1")
    shared.close()
    assert place.resolve("v1") == image().descriptor


def test_eight_threads_at_once_from_the_first_request_on(fake: FakeRegistry) -> None:
    fake.accounts = Accounts(users={"me": "secret"})
    options = replace(OPTIONS, username="me", password="secret")
    one = image()
    with places.Connections(options) as shared, ThreadPoolExecutor(8) as pool:
        place = Registry(Repository(fake.host, "acme/xdp"), connections=shared)
        list(pool.map(lambda blob: place.push(*blob), one.blobs * 8))
        place.push(one.descriptor, one.manifest.raw, tag="v1")
        assert len(fake.accounts.asked) == 1
        reader = Registry(Repository(fake.host, "acme/xdp"), connections=shared)
        assert set(pool.map(lambda _: reader.resolve("v1"), range(32))) == {one.descriptor}
        assert len(fake.accounts.asked) == 1, "what may push may pull"


def test_each_repository_has_its_own_token(fake: FakeRegistry) -> None:
    fake.accounts = Accounts(users={"me": "secret"})
    options = replace(OPTIONS, username="me", password="secret")
    with places.Connections(options) as shared:
        for name in ("acme/one", "acme/two"):
            image().push(Registry(Repository(fake.host, name), connections=shared), "v1")
    assert fake.accounts.asked == ["repository:acme/one:pull,push", "repository:acme/two:pull,push"]


class TestReferrers:
    """A registry without the API is not asked for it by each image of a batch; one that has it is asked for ever."""

    @pytest.fixture
    def places_(self, fake: FakeRegistry, shared: places.Connections) -> list[Registry]:
        return [Registry(Repository(fake.host, f"acme/r{number}"), connections=shared) for number in range(10)]

    def ask(self, fake: FakeRegistry, those: list[Registry]) -> int:
        for number, place in enumerate(those):
            assert place.referrers(Digest.of(b"%d" % number)) == ()
        return len(fake.seen("/referrers/"))

    def test_two_digests_without_it_are_enough(self, fake: FakeRegistry, places_: list[Registry]) -> None:
        fake.referrers_api = False
        assert self.ask(fake, places_) == 2

    @pytest.mark.parametrize("number", [405, 501])
    def test_however_it_is_said(self, fake: FakeRegistry, places_: list[Registry], number: int) -> None:
        fake.fail("/referrers/", status(number, b"no"), times=1000)
        assert self.ask(fake, places_) == 2

    def test_one_slip_is_none(self, fake: FakeRegistry, places_: list[Registry]) -> None:
        fake.fail("/referrers/", status(404))
        assert self.ask(fake, places_) == 10
        fake.fail("/referrers/", status(404), times=1000)
        assert self.ask(fake, places_) == 20, "it has answered before"

    def test_the_same_digest_twice_is_one(self, fake: FakeRegistry, places_: list[Registry]) -> None:
        fake.referrers_api = False
        for place in places_:
            place.referrers(Digest.of(b"the same"))
        assert len(fake.seen("/referrers/")) == 10

    def test_an_error_says_nothing_about_it(self, fake: FakeRegistry, places_: list[Registry]) -> None:
        fake.fail("/referrers/", status(403), times=5)
        for place in places_[:5]:
            with pytest.raises(RegistryError):
                place.referrers(Digest.of(b"x"))
        assert self.ask(fake, places_) == 15

    def test_an_unknown_repository_says_nothing_about_it(self, fake: FakeRegistry, places_: list[Registry]) -> None:
        body = b'{"errors":[{"code":"NAME_UNKNOWN","message":"no such repository"}]}'
        fake.fail("/referrers/", status(404, body, Content_Type="application/json"), times=5)
        assert self.ask(fake, places_) == 10

    def test_what_is_behind_another_folder_may_be_another_registry(
        self, fake: FakeRegistry, places_: list[Registry], shared: places.Connections
    ) -> None:
        fake.referrers_api = False
        self.ask(fake, places_)
        fake.referrers_api = True
        other = Registry(Repository(fake.host, "team/xdp"), connections=shared)
        subject = image().push(other, "v1")
        referrer(subject).push(other)
        assert len(other.referrers(subject.digest)) == 1

    def test_the_fallback_tag_counts_then(
        self, fake: FakeRegistry, places_: list[Registry], shared: places.Connections
    ) -> None:
        fake.referrers_api = False
        self.ask(fake, places_)
        place = Registry(Repository(fake.host, "acme/xdp"), connections=shared)
        subject = image().push(place, "v1")
        referrer(subject).push(place)
        assert len(place.referrers(subject.digest)) == 1
        assert len(fake.seen("/referrers/")) == 2
