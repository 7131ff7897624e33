"""The contract of targets, and what only a registry has, against Debian's docker-registry on loopback."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import DigestMismatch, NotFound, RegistryError
from bpfimg.oci import Layout, Memory, Registry, Repository, copy, places
from tests.support.registry import Server, registry
from tests.support.targets import TargetContract, image, index, legacy_signature, referrer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_names = count(1)
NO_WAITS = (0.0, 0.0)


@pytest.fixture
def repository(server: Server) -> Repository:
    """A repository that no other test uses."""
    return Repository(server.host, f"acme/test{next(_names)}")


@pytest.fixture
def target(repository: Repository) -> Iterator[Registry]:
    with Registry(repository) as opened:
        yield opened


@pytest.fixture
def reopened(repository: Repository) -> Iterator[Registry]:
    with Registry(repository) as opened:
        yield opened


class TestRegistry(TargetContract):
    """The contract."""


def seen(server: Server, repository: Repository) -> list[str]:
    return [line for line in server.requests() if repository.path in line]


def test_a_push_takes_seven_requests(server: Server, repository: Repository, target: Registry) -> None:
    memory = Memory(repository)
    image().push(memory, "v1")
    copy(memory, "v1", target, "v1", referrers=False)
    methods = [line.split()[0] for line in seen(server, repository)]
    assert methods[:2] == ["HEAD", "HEAD"]  # blobs go side by side, the manifest after them
    assert sorted(methods[2:6]) == ["POST", "POST", "PUT", "PUT"]
    assert methods[6:] == ["PUT"]


def test_a_pull_takes_three_requests(
    server: Server, repository: Repository, target: Registry, reopened: Registry, tmp_path: Path
) -> None:
    image().push(target, "v1")
    before = len(seen(server, repository))
    copy(reopened, "v1", Layout(str(tmp_path / "store"), repository), "v1", referrers=False)
    methods = [line.split()[0] for line in seen(server, repository)][before:]
    assert methods == ["GET", "GET", "GET"]


def test_a_round_trip_keeps_digests_and_signatures(target: Registry, reopened: Registry, tmp_path: Path) -> None:
    first, second = (Layout(str(tmp_path / name), target.repository) for name in ("first", "second"))
    images = image("one", "amd64"), image("two", "arm64")
    for one in images:
        one.push(first)
    both = index(*images)
    first.push(both.descriptor, both.raw, tag="multi")
    for subject in (both.descriptor, images[1].descriptor):
        referrer(subject, str(subject.digest)).push(first)
        legacy_signature(str(subject.digest)).push(first, subject.digest.tag + ".sig")
    assert copy(first, "multi", target, "multi") == both.descriptor
    assert copy(reopened, "multi", second, "multi") == both.descriptor
    for subject in (both.descriptor, images[1].descriptor):
        assert {each.digest for each in second.referrers(subject.digest)} == {
            each.digest for each in first.referrers(subject.digest)
        }
        tag = subject.digest.tag + ".sig"
        assert second.resolve(tag) == first.resolve(tag)


@pytest.mark.parametrize("part", ["manifest", "config", "layer"])
def test_one_flipped_byte_on_the_servers_disk(
    server: Server, target: Registry, reopened: Registry, tmp_path: Path, part: str
) -> None:
    one = image(f"flipped {part}")
    one.push(target, "v1")
    descriptor = {"manifest": one.descriptor, "config": one.blobs[0][0], "layer": one.blobs[1][0]}[part]
    file = server.blob(descriptor.digest)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    store = Layout(str(tmp_path / "store"), target.repository)
    before = file.read_bytes()
    file.write_bytes(content)
    try:
        with pytest.raises((DigestMismatch, RegistryError)) as refused:
            copy(reopened, "v1" if part != "manifest" else one.descriptor.digest, store, "v1")
        assert not isinstance(refused.value, NotFound)
    finally:
        file.write_bytes(before)
    with pytest.raises(NotFound):
        store.resolve("v1")


def test_nobody_listens() -> None:
    nobody = Registry(Repository("127.0.0.1:1", "acme/xdp"))
    with pytest.raises(
        RegistryError, match=r"cannot read .*/acme/xdp:v1: 127\.0\.0\.1:1: connection refused"
    ) as refused:
        nobody.resolve("v1")
    assert "the port is right" in refused.value.hint


def test_not_found_is_one_sentence(target: Registry) -> None:
    with pytest.raises(NotFound, match=rf"cannot read {target.repository}:v1: there is no such thing") as refused:
        target.resolve("v1")
    assert refused.value.status == 404
    assert refused.value.code in ("MANIFEST_UNKNOWN", "NAME_UNKNOWN")


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with registry(tmp_path_factory.mktemp("htpasswd"), auth="htpasswd") as running:
        yield running


class TestHtpasswd:
    def test_without_credentials(self, locked: Server) -> None:
        with Registry(Repository(locked.host, "acme/xdp")) as place, pytest.raises(RegistryError) as refused:
            image().push(place, "v1")
        assert refused.value.status == 401
        assert f"bpfimg login {locked.host}" in refused.value.hint
        assert "--authfile" in refused.value.hint

    def test_with_the_wrong_password(self, locked: Server, tmp_path: Path) -> None:
        options = places.RegistryOptions(authfile=locked.authfile(tmp_path / "auth.json", "wrong"))
        with Registry(Repository(locked.host, "acme/xdp"), options) as place, pytest.raises(RegistryError) as refused:
            place.resolve("v1")
        assert refused.value.status == 401
        assert str(tmp_path / "auth.json") in refused.value.hint

    def test_with_an_auth_file(self, locked: Server, tmp_path: Path) -> None:
        options = places.RegistryOptions(
            auth_files=(str(tmp_path / "missing.json"), locked.authfile(tmp_path / "auth.json")),
        )
        with Registry(Repository(locked.host, "acme/xdp"), options) as place:
            image().push(place, "v1")
            referrer(image().descriptor).push(place)
            assert place.resolve("v1") == image().descriptor
            assert len(place.referrers(image().descriptor.digest)) == 1
        answers = [line for line in locked.log.read_text().splitlines() if '" 401 ' in line and "acme/xdp" in line]
        assert answers, "the first request goes out bare"


class TestTokens:
    @pytest.fixture
    def issued(self, tmp_path: Path) -> Iterator[Server]:
        with registry(tmp_path, auth="token") as running:
            yield running

    def test_one_token_for_a_whole_push(self, issued: Server, tmp_path: Path) -> None:
        assert issued.tokens is not None
        memory = Memory(Repository(issued.host, "acme/xdp"))
        image().push(memory, "v1")
        options = places.RegistryOptions(authfile=issued.authfile(tmp_path / "auth.json"))
        with Registry(memory.repository, options) as place:
            copy(memory, "v1", place, "v1")
            assert place.resolve("v1") == image().descriptor
        assert issued.tokens.asked == ["repository:acme/xdp:pull,push"]
        with Registry(memory.repository) as anonymous:
            assert anonymous.fetch(anonymous.resolve("v1")) == image().manifest.raw
            with pytest.raises(RegistryError) as refused:
                image("two").push(anonymous, "v2")
        assert refused.value.status == 401
        assert issued.tokens.asked[1] == "repository:acme/xdp:pull"

    def test_a_token_that_ran_out_is_renewed(self, issued: Server, tmp_path: Path) -> None:
        assert issued.tokens is not None
        issued.tokens.lifetime = 1  # seconds, less than the margin: each is used once
        options = places.RegistryOptions(authfile=issued.authfile(tmp_path / "auth.json"))
        with Registry(Repository(issued.host, "acme/xdp"), options) as place:
            image().push(place, "v1")
            assert place.resolve("v1") == image().descriptor
        assert len(issued.tokens.asked) > 2


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with registry(tmp_path_factory.mktemp("tls"), tls=True) as running:
        yield running


class TestTls:
    def test_with_the_authoritys_certificate(self, sealed: Server) -> None:
        with Registry(
            Repository(sealed.host, "acme/xdp"), places.RegistryOptions(ca_file=str(sealed.ca_file))
        ) as place:
            image().push(place, "v1")
            assert place.resolve("v1") == image().descriptor

    def test_a_stranger_is_not_believed(self, sealed: Server, server: Server, tmp_path: Path) -> None:
        from tests.support.tokens import certificate

        stranger = str(certificate(tmp_path, "stranger")[0])
        options = places.RegistryOptions(ca_file=stranger, waits=NO_WAITS)
        with pytest.raises(RegistryError, match="certificate is not believed") as refused:
            Registry(Repository(sealed.host, "acme/xdp"), options).resolve("v1")
        assert "--ca-file" in refused.value.hint
        with pytest.raises(RegistryError, match="does not speak TLS") as refused:
            Registry(Repository(server.host, "acme/xdp"), options).resolve("v1")
        assert "--plain-http" in refused.value.hint

    def test_unchecked_is_loud(self, sealed: Server) -> None:
        said: list[str] = []
        options = places.RegistryOptions(insecure_skip_tls_verify=True, warn=said.append)
        with Registry(Repository(sealed.host, "acme/xdp"), options) as place:
            image().push(place, "v2")
        assert len(said) == 1
        assert "is not checked" in said[0]


def test_many_at_once_push_what_they_have_in_common(server: Server) -> None:
    """docker-registry writes its lists of blobs in place: who pushes a manifest meanwhile is told that blobs lack."""
    repository = Repository(server.host, f"acme/test{next(_names)}")
    options = places.RegistryOptions(waits=(0.01,) * 8)
    pictures = [image(f"common {number}") for number in range(24)]

    def push(number: int) -> None:
        pictures[number].push(place, f"v{number}")

    with Registry(repository, options) as place, ThreadPoolExecutor(8) as pool:
        list(pool.map(push, range(len(pictures))))
        assert len(place.tags()) == len(pictures)
