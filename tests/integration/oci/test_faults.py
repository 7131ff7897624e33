"""What registries and the networks before them do wrong, against a fake that does it on request."""

from __future__ import annotations

from base64 import b64encode
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from bpfimg._value import replace
from bpfimg.errors import DigestMismatch, Error, ImageError, NotFound, RegistryError
from bpfimg.oci import Descriptor, Digest, Index, Registry, Repository, places
from tests.support.fake_registry import FakeRegistry, Reply, fake_registry
from tests.support.targets import LAYER, TargetContract, image, referrer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpfimg.oci import Target

NAME = "acme/xdp"
OPTIONS = places.RegistryOptions(waits=(0.0, 0.0, 0.0))


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with fake_registry() as running:
        yield running


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def place(fake: FakeRegistry, said: list[str]) -> Iterator[Registry]:
    with Registry(Repository(fake.host, NAME), replace(OPTIONS, warn=said.append)) as opened:
        yield opened


@pytest.fixture
def stored(place: Registry, fake: FakeRegistry) -> Registry:
    """The fake holds `image()` as v1, and has seen nothing yet."""
    image().push(place, "v1")
    fake.requests.clear()
    return Registry(place.repository, place._options)


def status(number: int, body: bytes = b"", **headers: str) -> Callable[[Reply], Reply]:
    return lambda _: Reply(number, body, {name.replace("_", "-"): text for name, text in headers.items()})


def altered(reply: Reply) -> Reply:
    return replace(reply, body=reply.body[:-1] + bytes([reply.body[-1] ^ 1]))


class Contract(TargetContract):
    @pytest.fixture
    def target(self, place: Registry) -> Target:
        return place

    @pytest.fixture
    def reopened(self, fake: FakeRegistry) -> Iterator[Registry]:
        with Registry(Repository(fake.host, NAME), OPTIONS) as opened:
            yield opened


class TestWithReferrers(Contract):
    """A registry of today."""

    def test_the_fallback_tag_is_not_written(self, fake: FakeRegistry, target: Target) -> None:
        referrer(image().push(target)).push(target)
        assert fake.seen("manifests/sha256-") == []
        assert fake.seen("referrers") == []


class TestSilentReferrers(Contract):
    """go-containerregistry's: it has the API and does not say so."""

    @pytest.fixture
    def fake(self) -> Iterator[FakeRegistry]:
        with fake_registry() as running:
            running.says_subject = False
            running.relative_location = False
            yield running

    def test_the_fallback_tag_is_not_written(self, fake: FakeRegistry, target: Target) -> None:
        referrer(image().push(target)).push(target)
        assert fake.seen("manifests/sha256-") == []


class TestWithoutReferrers(Contract):
    """docker-registry's kind."""

    @pytest.fixture
    def fake(self) -> Iterator[FakeRegistry]:
        with fake_registry() as running:
            running.referrers_api = False
            yield running

    def test_an_overwritten_list_is_mended(self, fake: FakeRegistry, target: Target) -> None:
        subject = image().push(target)
        other = Descriptor(subject.media_type, Digest.of(b"another writer's"), 3)
        lists = [Index.build([other])]

        def overwrite(path: str) -> None:
            if path.endswith(subject.digest.tag) and lists:
                index = lists.pop()
                fake.manifests[NAME, subject.digest.tag] = index.media_type, index.raw

        fake.after_put = overwrite
        referrer(subject).push(target)
        listed = {entry.digest for entry in target.referrers(subject.digest)}
        assert listed == {other.digest, referrer(subject).descriptor.digest}

    def test_a_list_that_others_keep_overwriting(self, fake: FakeRegistry, target: Target) -> None:
        subject = image().push(target)
        empty = Index.build([])
        fake.after_put = lambda path: (
            fake.manifests.__setitem__((NAME, subject.digest.tag), (empty.media_type, empty.raw))
            if path.endswith(subject.digest.tag)
            else None
        )
        with pytest.raises(RegistryError, match="others overwrite the list"):
            referrer(subject).push(target)


@pytest.mark.parametrize("number", [408, 429, 500, 502, 503, 504])
def test_not_now_is_tried_again(fake: FakeRegistry, stored: Registry, said: list[str], number: int) -> None:
    fake.fail("GET", status(number, Retry_After="0"), times=2)
    assert stored.resolve("v1") == image().descriptor
    assert len(fake.requests) == 3
    assert len(said) == 2
    assert f"HTTP {number}" in said[0]
    assert "trying again in 0.0 s" in said[0]


def test_not_now_has_an_end(fake: FakeRegistry, stored: Registry) -> None:
    fake.fail("GET", status(503, b"<html><h1>busy</h1></html>", Content_Type="text/html"), times=100)
    with pytest.raises(RegistryError, match="the registry is not available, HTTP 503") as refused:
        stored.resolve("v1")
    assert "html" not in str(refused.value)
    assert len(fake.requests) == 1 + len(OPTIONS.waits)


@pytest.mark.parametrize("seconds", ["31", "3600", "999999999999"])
def test_nobody_waits_for_an_hour(fake: FakeRegistry, stored: Registry, seconds: str) -> None:
    fake.fail("GET", status(429, Retry_After=seconds))
    with pytest.raises(RegistryError, match="too many requests"):
        stored.resolve("v1")
    assert len(fake.requests) == 1


@pytest.mark.parametrize("number", [400, 403, 404, 409, 451])
def test_no_is_no(fake: FakeRegistry, stored: Registry, number: int) -> None:
    fake.fail("GET", status(number, b'{"errors":[{"code":"DENIED","message":"go\\u001b[31m away"}]}'), times=100)
    with pytest.raises(RegistryError) as refused:
        stored.resolve("v1")
    assert len(fake.requests) == 1
    assert (refused.value.status, refused.value.code) == (number, "DENIED")
    assert "\x1b" not in str(refused.value)
    assert isinstance(refused.value, NotFound) == (number == 404)


class TestCutDownloads:
    layer = image().blobs[1][0]

    def cut(self, reply: Reply) -> Reply:
        return replace(reply, cut=3)

    def test_the_rest_is_asked_for(self, fake: FakeRegistry, stored: Registry) -> None:
        fake.fail("GET /v2/acme/xdp/blobs", self.cut, times=2)
        assert stored.fetch(self.layer) == image().blobs[1][1]
        spans = [each.headers.get("Range") for each in fake.requests]
        assert spans == [None, "bytes=3-", "bytes=6-"]
        assert fake.requests[1].headers["If-Range"] == f'"{self.layer.digest}"'

    def test_a_server_without_ranges_sends_all_again(self, fake: FakeRegistry, stored: Registry) -> None:
        fake.ranges = False
        fake.fail("GET /v2/acme/xdp/blobs", self.cut, times=2)
        assert stored.fetch(self.layer) == image().blobs[1][1]

    def test_another_part_is_refused(self, fake: FakeRegistry, stored: Registry) -> None:
        fake.fail("GET /v2/acme/xdp/blobs", self.cut)
        fake.fail("GET /v2/acme/xdp/blobs", lambda reply: replace(reply, headers={"Content-Range": "bytes 0-9/10"}))
        with pytest.raises(RegistryError, match="expected the bytes from 3 on"):
            stored.fetch(self.layer)

    def test_it_has_an_end(self, fake: FakeRegistry, stored: Registry) -> None:
        fake.fail("GET /v2/acme/xdp/blobs", lambda reply: replace(reply, cut=0), times=100)
        with pytest.raises(RegistryError, match="the connection broke"):
            stored.fetch(self.layer)
        assert len(fake.requests) == 1 + len(OPTIONS.waits)

    def test_a_manifest_is_read_anew(self, fake: FakeRegistry, stored: Registry) -> None:
        fake.fail("GET /v2/acme/xdp/manifests", self.cut, times=2)
        assert stored.resolve("v1") == image().descriptor


class TestWrongContent:
    parts = pytest.mark.parametrize("part", range(3), ids=["config", "layer", "manifest"])

    def descriptor(self, part: int) -> Descriptor:
        return (*(each for each, _ in image().blobs), image().descriptor)[part]

    @parts
    def test_one_flipped_bit(self, fake: FakeRegistry, stored: Registry, part: int) -> None:
        fake.fail("GET", altered, times=100)
        with pytest.raises(DigestMismatch) as refused:
            stored.fetch(self.descriptor(part))
        assert refused.value.want == str(self.descriptor(part).digest)

    @parts
    @pytest.mark.parametrize("announced", [True, False])
    def test_too_long(self, fake: FakeRegistry, stored: Registry, part: int, announced: bool) -> None:
        fake.fail(
            "GET",
            lambda reply: replace(
                reply,
                body=reply.body + b" " * (1 << 20),
                headers={**reply.headers, "Docker-Content-Digest": ""},
                unannounced=not announced,
            ),
        )
        with pytest.raises(DigestMismatch):
            stored.fetch(self.descriptor(part))

    @parts
    def test_too_short(self, fake: FakeRegistry, stored: Registry, part: int) -> None:
        fake.fail("GET", lambda reply: replace(reply, body=reply.body[:-1]))
        with pytest.raises(DigestMismatch):
            stored.fetch(self.descriptor(part))

    def test_a_tag_whose_manifest_is_too_large(self, fake: FakeRegistry, stored: Registry) -> None:
        fake.fail("GET", lambda reply: replace(reply, body=b" " * ((4 << 20) + 1)))
        with pytest.raises(ImageError, match="more than 4194304 bytes"):
            stored.resolve("v1")

    def test_a_server_that_contradicts_itself(self, fake: FakeRegistry, stored: Registry) -> None:
        said = str(Digest.of(b"something else"))
        fake.fail("GET", lambda reply: replace(reply, headers={**reply.headers, "Docker-Content-Digest": said}))
        with pytest.raises(DigestMismatch):
            stored.resolve("v1")

    def test_a_resolved_digest_is_checked(self, fake: FakeRegistry, stored: Registry) -> None:
        fake.fail("GET", altered)
        with pytest.raises(DigestMismatch):
            stored.resolve(image().descriptor.digest)

    def test_another_media_type(self, fake: FakeRegistry, stored: Registry) -> None:
        docker = "application/vnd.docker.distribution.manifest.v2+json"
        fake.fail("GET", lambda reply: replace(reply, headers={"Content-Type": docker}), times=2)
        with pytest.raises(ImageError):
            stored.resolve("v1")
        with pytest.raises(ImageError):
            stored.fetch(image().descriptor)

    def test_schema_1_is_refused_by_name(self, fake: FakeRegistry, stored: Registry) -> None:
        old = "application/vnd.docker.distribution.manifest.v1+prettyjws"
        body = b'{"schemaVersion":1,"name":"x"}'
        fake.fail("GET", lambda _: Reply(200, body, {"Content-Type": old}))
        with pytest.raises(ImageError, match="schemaVersion '1', expected 2"):
            stored.resolve("v1")

    def test_encoded_content(self, fake: FakeRegistry, stored: Registry) -> None:
        fake.fail("GET", lambda reply: replace(reply, headers={**reply.headers, "Content-Encoding": "gzip"}))
        with pytest.raises(RegistryError, match="encoded as 'gzip'"):
            stored.fetch(image().blobs[1][0])

    def test_of_what_is_not_read_it_does_not_matter(self, fake: FakeRegistry, stored: Registry) -> None:
        fake.fail("HEAD", lambda reply: replace(reply, headers={**reply.headers, "Content-Encoding": "gzip"}))
        assert stored.exists(image().blobs[1][0])

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_a_length_of_thousands_of_digits(self, fake: FakeRegistry, stored: Registry, method: str) -> None:
        def boast(reply: Reply) -> Reply:
            return replace(reply, headers={"Content-Length": "9" * 5000}, unannounced=True)

        layer, content = image().blobs[1]
        fake.fail(method, boast)
        if method == "HEAD":
            assert stored.exists(layer)
        else:
            assert stored.fetch(layer) == content

    def test_exists_looks_at_the_size(self, fake: FakeRegistry, stored: Registry) -> None:
        layer = image().blobs[1][0]
        assert stored.exists(layer)
        assert not stored.exists(Descriptor(LAYER, layer.digest, layer.size + 1))


class TestRedirects:
    layer = image().blobs[1][0]

    def elsewhere(self, fake: FakeRegistry) -> Callable[[Reply], Reply]:
        return status(307, Location=f"http://{fake.host}/elsewhere/{self.layer.digest}")

    def test_credentials_stay_with_their_host(self, fake: FakeRegistry, stored: Registry) -> None:
        fake.authorization = "Basic " + b64encode(b"me:secret").decode()
        fake.challenge = 'Basic realm="fake"'
        options = replace(OPTIONS, username="me", password="secret")
        with fake_registry() as other, Registry(stored.repository, options) as place:
            other.blobs.update(fake.blobs)
            fake.fail("GET /v2/acme/xdp/blobs", lambda reply: reply)  # the 401
            fake.fail("GET /v2/acme/xdp/blobs", self.elsewhere(other))
            assert place.fetch(self.layer) == image().blobs[1][1]
            assert [each.headers.get("Authorization") for each in fake.requests] == [None, fake.authorization]
            assert [each.headers.get("Authorization") for each in other.requests] == [None]
            assert "secret" not in str(other.requests)

    def test_on_the_same_host_they_are_sent(self, fake: FakeRegistry, stored: Registry) -> None:
        fake.authorization = "Basic " + b64encode(b"me:secret").decode()
        fake.challenge = 'Basic realm="fake"'
        with Registry(stored.repository, replace(OPTIONS, username="me", password="secret")) as place:
            place.resolve("v1")
            fake.fail("GET /v2/acme/xdp/blobs", self.elsewhere(fake))
            place.fetch(self.layer)
        assert fake.requests[-1].headers["Authorization"] == fake.authorization

    @pytest.mark.parametrize("number", [401, 403])
    def test_a_stranger_who_asks_for_them_gets_none(self, fake: FakeRegistry, stored: Registry, number: int) -> None:
        options = replace(OPTIONS, username="me", password="secret")
        with fake_registry() as other, Registry(stored.repository, options) as place:
            other.fail("GET", status(number, WWW_Authenticate='Basic realm="give me"'), times=9)
            fake.fail("GET /v2/acme/xdp/blobs", self.elsewhere(other))
            with pytest.raises(RegistryError, match=f"sends us to '{other.host}', which denies access") as refused:
                place.fetch(self.layer)
            assert refused.value.hint == "", "logging in would not help"
            assert len(other.requests) == 1
            assert "Authorization" not in other.requests[0].headers

    @pytest.mark.parametrize("body", [b"", b"moved", b"x" * 1_000_000])
    def test_more_of_them_than_connections(self, fake: FakeRegistry, stored: Registry, body: bytes) -> None:
        fake.fail("GET /v2/acme/xdp/blobs", status(307, body, Location=f"/elsewhere/{self.layer.digest}"), times=20)
        read: list[bytes] = []
        reader = Thread(target=lambda: read.extend(stored.fetch(self.layer) for _ in range(20)), daemon=True)
        reader.start()
        reader.join(60.0)
        assert len(read) == 20  # it waited for ever for the ninth connection

    def test_content_from_there_is_checked(self, fake: FakeRegistry, stored: Registry) -> None:
        fake.fail("GET /v2/acme/xdp/blobs", self.elsewhere(fake))
        fake.fail("GET /elsewhere", altered)
        with pytest.raises(DigestMismatch):
            stored.fetch(self.layer)

    def test_round_and_round(self, fake: FakeRegistry, stored: Registry) -> None:
        fake.fail("GET", status(302, Location="/v2/acme/xdp/blobs/again"), times=100)
        with pytest.raises(RegistryError, match="redirects without end"):
            stored.fetch(self.layer)
        assert len(fake.requests) == 6

    @pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://x/y", "http://[", "http://x:99999/"])
    def test_nowhere(self, fake: FakeRegistry, stored: Registry, location: str) -> None:
        fake.fail("GET", status(302, Location=location))
        with pytest.raises(RegistryError, match="expected an https URL"):
            stored.fetch(self.layer)

    def test_uploads_are_not_redirected(self, fake: FakeRegistry, stored: Registry) -> None:
        fake.fail("POST", status(307, Location="/v2/other/blobs/uploads/"))
        with pytest.raises(RegistryError, match="status 307"):
            stored.push(self.layer, image().blobs[1][1])


class TestManifests:
    """What docker-registry says while another client pushes the same blobs."""

    @pytest.mark.parametrize("code", ["DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN"])
    def test_a_refusal_that_cannot_be_is_asked_again(self, fake: FakeRegistry, place: Registry, code: str) -> None:
        body = b'{"errors":[{"code":"%s"}]}' % code.encode()
        fake.fail("PUT /v2/acme/xdp/manifests", status(400, body), times=2, lost=True)
        image().push(place, "v1")
        assert place.resolve("v1") == image().descriptor

    def test_it_has_an_end(self, fake: FakeRegistry, place: Registry) -> None:
        fake.fail("PUT /v2/acme/xdp/manifests", status(400, b'{"errors":[{"code":"DIGEST_INVALID"}]}'), times=100)
        with pytest.raises(RegistryError) as refused:
            image().push(place, "v1")
        assert refused.value.code == "DIGEST_INVALID"
        assert len(fake.seen("PUT /v2/acme/xdp/manifests")) == 1 + len(OPTIONS.waits)

    def test_what_lacks_is_said_at_once(self, fake: FakeRegistry, place: Registry) -> None:
        with pytest.raises(NotFound):
            place.push(image().descriptor, image().manifest.raw)
        assert len(fake.seen("PUT")) == 1


class TestUploads:
    def test_a_broken_session_is_begun_anew(self, fake: FakeRegistry, place: Registry) -> None:
        fake.fail("PUT /v2/acme/xdp/blobs", status(503), lost=True)
        image().push(place, "v1")
        assert len(fake.seen("POST")) == len(image().blobs) + 1

    def test_an_answer_that_was_lost_is_looked_for(self, fake: FakeRegistry, place: Registry) -> None:
        fake.fail("PUT /v2/acme/xdp/blobs", status(503))  # stored, and then the gateway broke
        image().push(place, "v1")
        assert len(fake.seen("POST")) == len(image().blobs)

    def test_a_refusal_is_final(self, fake: FakeRegistry, place: Registry) -> None:
        fake.fail("PUT /v2/acme/xdp/blobs", status(413))
        with pytest.raises(RegistryError, match="too large for the registry"):
            image().push(place, "v1")
        assert len(fake.seen("POST")) == 1

    def test_no_place_to_upload_to(self, fake: FakeRegistry, place: Registry) -> None:
        fake.fail("POST", status(202))
        with pytest.raises(RegistryError, match="expected a Location"):
            image().push(place, "v1")


class TestTokens:
    @pytest.fixture
    def locked(self, fake: FakeRegistry, stored: Registry) -> FakeRegistry:
        fake.authorization = "Bearer sesame"
        fake.challenge = f'Bearer realm="http://{fake.host}/token",service="a, \\"b\\"",scope="x", Basic realm="y"'
        return fake

    def test_asked_once(self, locked: FakeRegistry, stored: Registry) -> None:
        stored.resolve("v1")
        stored.fetch(image().blobs[1][0])
        assert locked.seen("/token") == [
            "GET /token?service=a%2C+%22b%22&scope=repository%3Aacme%2Fxdp%3Apull",
        ]

    def test_a_stale_token_is_renewed_once(self, locked: FakeRegistry, stored: Registry) -> None:
        stored.resolve("v1")
        locked.authorization, locked.token = "Bearer new", b'{"access_token":"new","expires_in":300}'
        assert stored.resolve("v1") == image().descriptor
        assert len(locked.seen("/token")) == 2
        locked.authorization = "Bearer never"
        with pytest.raises(RegistryError) as refused:
            stored.resolve("v1")
        assert refused.value.status == 401

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"{}",
            b'{"token":"a\\nb"}',
            b'{"token":7}',
            b'{"token":"a","token":"b"}',
            b'{"token":"a","expires_in":1e999}',
            b" " * (2 << 20),
        ],
    )
    def test_what_is_no_token(self, locked: FakeRegistry, stored: Registry, answer: bytes) -> None:
        locked.token = answer
        with pytest.raises(RegistryError, match="gives no token"):
            stored.resolve("v1")

    @pytest.mark.parametrize("seconds", ["9" * 400, "1e300", "true", "-1", '"soon"'])
    def test_a_strange_lifetime(self, locked: FakeRegistry, stored: Registry, seconds: str) -> None:
        locked.token = f'{{"token":"sesame","expires_in":{seconds}}}'.encode()
        assert stored.resolve("v1") == image().descriptor

    def test_an_identity_token_is_exchanged(self, locked: FakeRegistry, stored: Registry, tmp_path: object) -> None:
        authfile = f"{tmp_path}/auth.json"
        with open(authfile, "w") as file:
            file.write(f'{{"auths":{{"{locked.host}":{{"identitytoken":"refresh me"}}}}}}')
        with Registry(stored.repository, replace(OPTIONS, authfile=authfile)) as place:
            locked.fail("POST /token", status(404))
            place.resolve("v1")
            (posted,) = [each for each in locked.requests if each.method == "POST"]
            assert posted.headers["Content-Type"] == "application/x-www-form-urlencoded"
            basic = [
                each.headers.get("Authorization") for each in locked.requests if "GET /token" in f"GET {each.path}"
            ]
            assert basic[-1] == "Basic " + b64encode(b"<token>:refresh me").decode()


class TestListings:
    def many(self, place: Registry, number: int) -> Descriptor:
        subject = image().push(place)
        for word in range(number):
            referrer(subject, str(word)).push(place)
        return subject

    def test_pages_are_followed(self, fake: FakeRegistry, place: Registry) -> None:
        subject = self.many(place, 5)
        fake.page = 2
        assert len(place.referrers(subject.digest)) == 5
        assert len(fake.seen("referrers")) == 3

    def test_not_for_ever(self, fake: FakeRegistry, place: Registry) -> None:
        subject = self.many(place, 10)
        fake.page = 1
        options = replace(OPTIONS, limits=places.Limits(pages=8))
        with Registry(place.repository, options) as few, pytest.raises(ImageError, match="more than 8 pages"):
            few.referrers(subject.digest)

    def test_not_too_many(self, place: Registry) -> None:
        subject = self.many(place, 65)
        with pytest.raises(ImageError, match="65 referrers, expected at most 64"):
            place.referrers(subject.digest)

    def test_not_elsewhere(self, fake: FakeRegistry, place: Registry) -> None:
        subject = self.many(place, 1)
        link = '<http://other.test/v2/>; rel="next"'
        fake.fail("referrers", lambda reply: replace(reply, headers={**reply.headers, "Link": link}))
        with pytest.raises(RegistryError, match="expected its own address"):
            place.referrers(subject.digest)

    @pytest.mark.parametrize("number", [401, 403, 500, 503])
    def test_an_error_is_not_an_empty_list(self, fake: FakeRegistry, place: Registry, number: int) -> None:
        subject = self.many(place, 1)
        fake.fail("referrers", status(number, WWW_Authenticate="Basic"), times=100)
        with pytest.raises(RegistryError):
            place.referrers(subject.digest)

    def test_nor_is_one_of_the_fallback_tag(self, fake: FakeRegistry, place: Registry) -> None:
        fake.referrers_api = False
        subject = self.many(place, 1)
        fake.fail("manifests/sha256-", status(500), times=100)
        with pytest.raises(RegistryError):
            place.referrers(subject.digest)
        fake.faults.clear()
        fake.manifests[NAME, subject.digest.tag] = "application/json", b"junk"
        with pytest.raises(Error):
            place.referrers(subject.digest)


@pytest.mark.parametrize("proxy", ["socks5://me:secret@h:1", "http://me:secret@h:bad/", "://me:secret@h"])
def test_a_proxy_that_is_none(proxy: str) -> None:
    options = replace(OPTIONS, proxies={"https": proxy})
    with (
        Registry(Repository("registry.example", NAME), options) as place,
        pytest.raises(RegistryError, match="https_proxy is no proxy") as refused,
    ):
        place.resolve("v1")
    assert "secret" not in str(refused.value)
