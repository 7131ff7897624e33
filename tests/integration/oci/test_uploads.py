"""Blobs on their way to a registry: at once, in chunks, taken over from another repository, and interrupted."""

from __future__ import annotations

import tracemalloc
from itertools import count
from typing import TYPE_CHECKING

import pytest

from bpfimg._value import replace
from bpfimg.errors import DigestMismatch, NotFound, RegistryError
from bpfimg.oci import Descriptor, Digest, Memory, Registry, Repository, places
from tests.support.fake_registry import Accounts, FakeRegistry, Reply, fake_registry
from tests.support.faulty.content import Upload
from tests.support.targets import LAYER, image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.faulty.server import Line
    from tests.support.registry import Server

NAME = "acme/xdp"
CHUNK = 100_000
CONTENT = bytes(range(256)) * 2_000  # 512,000 bytes: five chunks and a bit
BLOB = Descriptor.of(CONTENT, LAYER)
SMALL = places.RegistryOptions(waits=(0.0, 0.0, 0.0), whole=CHUNK, chunk=CHUNK)
_names = count(1)


def pieces(content: bytes = CONTENT, size: int = 30_000) -> Callable[[], Iterator[bytes]]:
    return lambda: (content[at : at + size] for at in range(0, len(content), size))


@pytest.fixture
def place(fake: FakeRegistry) -> Iterator[Registry]:
    with Registry(Repository(fake.host, NAME), SMALL) as opened:
        yield opened


def methods(fake: FakeRegistry) -> str:
    return " ".join(each.method for each in fake.requests)


def status(number: int, **headers: str) -> Callable[[Reply], Reply]:
    return lambda _: Reply(number, b"", {name.replace("_", "-"): text for name, text in headers.items()})


def reset(line: Line, _: Reply) -> None:
    line.reset()


def cut(_: Reply) -> Reply:
    return Reply(0, send=reset)


class TestAtOnce:
    def test_one_request_of_known_length(self, fake: FakeRegistry) -> None:
        with Registry(Repository(fake.host, NAME), replace(SMALL, whole=1 << 20)) as place:
            place.push_stream(BLOB, pieces())
        assert fake.blobs[str(BLOB.digest)] == CONTENT
        assert methods(fake) == "POST PUT"
        put = fake.requests[-1]
        assert put.header("Content-Length") == str(len(CONTENT))
        assert put.header("Transfer-Encoding") == ""

    def test_what_is_in_memory_as_well(self, fake: FakeRegistry) -> None:
        with Registry(Repository(fake.host, NAME), replace(SMALL, whole=1 << 20)) as place:
            place.push(BLOB, CONTENT)
        assert fake.requests[-1].header("Content-Length") == str(len(CONTENT))
        assert fake.blobs[str(BLOB.digest)] == CONTENT

    @pytest.mark.parametrize("broken", [cut, status(503), status(500), status(429, Retry_After="0")])
    def test_a_new_session_after_a_failure(self, fake: FakeRegistry, broken: Callable[[Reply], Reply]) -> None:
        opened = []

        def content() -> Iterator[bytes]:
            opened.append(1)
            return pieces()()

        fake.fail("PUT /v2/acme/xdp/blobs", broken, times=2, lost=True)
        with Registry(Repository(fake.host, NAME), replace(SMALL, whole=1 << 20)) as place:
            place.push_stream(BLOB, content)
        assert fake.blobs[str(BLOB.digest)] == CONTENT
        assert len(opened) == 3
        assert len(fake.seen("POST")) == 3

    def test_an_answer_in_the_middle_of_the_body(self, fake: FakeRegistry) -> None:
        fake.fail("PUT /v2/acme/xdp/blobs", status(413), early=True)
        with (
            Registry(Repository(fake.host, NAME), replace(SMALL, whole=64 << 20)) as place,
            pytest.raises(RegistryError) as refused,
        ):
            place.push(Descriptor.of(bytes(32 << 20), LAYER), bytes(32 << 20))
        assert refused.value.status in (0, 413)  # a reset connection may take the answer with it

    def test_wrong_content_leaves_nothing(self, fake: FakeRegistry, place: Registry) -> None:
        for size in (CHUNK // 2, 3 * CHUNK):  # at once, in chunks
            wanted = Descriptor.of(bytes(size), LAYER)
            for wrong in (bytes(size - 1), b"x" * size, bytes(size + 1)):
                with pytest.raises(DigestMismatch):
                    place.push_stream(wanted, pieces(wrong))
        assert fake.blobs == {}
        assert fake.uploads == {}, "failed sessions are given up"

    @pytest.mark.parametrize("size", [CHUNK // 2, 3 * CHUNK])
    def test_what_the_source_raises_passes_through(self, fake: FakeRegistry, place: Registry, size: int) -> None:
        raised = RegistryError("the source is not well", status=503)

        def content() -> Iterator[bytes]:
            yield bytes(size - 10)
            raise raised

        with pytest.raises(RegistryError) as caught:
            place.push_stream(Descriptor.of(bytes(size), LAYER), content)
        assert caught.value is raised
        assert len(fake.seen("POST")) == 1, "trying the target again does not mend the source"
        assert fake.uploads == {}

    def test_uploads_may_go_to_another_host_without_credentials(self, fake: FakeRegistry) -> None:
        fake.accounts = Accounts(kind="basic", users={"me": "secret"})
        options = replace(SMALL, username="me", password="secret")
        with fake_registry() as other, Registry(Repository(fake.host, NAME), options) as place:
            session = f"http://{other.host}/v2/{NAME}/blobs/uploads/x?state=a%2Fb%200"
            other.uploads["x"] = Upload(NAME)
            fake.fail("POST", lambda reply: replace(reply, headers={**reply.headers, "Location": session}), skip=1)
            place.push(Descriptor.of(b"small", LAYER), b"small")
            assert [each.header("Authorization") for each in other.requests] == [""]
            assert len(other.blobs) == 1


class TestChunks:
    def test_each_as_large_as_it_should_be(self, fake: FakeRegistry, place: Registry) -> None:
        place.push_stream(BLOB, pieces())
        assert fake.blobs[str(BLOB.digest)] == CONTENT
        assert methods(fake) == "POST PATCH PATCH PATCH PATCH PATCH PATCH PUT"
        sizes = [each.size for each in fake.requests if each.method == "PATCH"]
        assert sizes == [CHUNK] * 5 + [len(CONTENT) - 5 * CHUNK]
        assert [each.header("Content-Range") for each in fake.requests][1:3] == ["0-99999", "100000-199999"]

    def test_what_is_in_memory_goes_so_too(self, fake: FakeRegistry, place: Registry) -> None:
        place.push(BLOB, CONTENT)
        assert fake.blobs[str(BLOB.digest)] == CONTENT
        assert len(fake.seen("PATCH")) == 6

    def test_the_registry_may_want_larger_ones(self, fake: FakeRegistry, place: Registry) -> None:
        fake.chunk_least = 200_000
        place.push_stream(BLOB, pieces())
        assert fake.blobs[str(BLOB.digest)] == CONTENT
        assert len(fake.seen("PATCH")) == 3

    @pytest.mark.parametrize("least", ["17000000", "9" * 400, "-1", "many"])
    def test_but_not_to_fill_the_memory(self, fake: FakeRegistry, place: Registry, least: str) -> None:
        header = {"OCI-Chunk-Min-Length": least}
        fake.fail("POST", lambda reply: replace(reply, headers={**reply.headers, **header}))
        place.push_stream(BLOB, pieces())
        assert fake.blobs[str(BLOB.digest)] == CONTENT
        assert len(fake.seen("PATCH")) == (0 if least == "17000000" else 6)

    @pytest.mark.parametrize("number", [408, 429, 500, 502, 503, 504])
    @pytest.mark.parametrize("lost", [True, False])
    def test_a_broken_chunk_goes_on_where_it_broke(
        self, fake: FakeRegistry, place: Registry, number: int, lost: bool
    ) -> None:
        fake.fail("PATCH", status(number, Retry_After="0"), skip=2, lost=lost)
        place.push_stream(BLOB, pieces())
        assert fake.blobs[str(BLOB.digest)] == CONTENT
        assert len(fake.seen("POST")) == 1, "in the same session"
        assert len(fake.seen("GET")) == 1
        assert len(fake.seen("PATCH")) == (7 if lost else 6)

    def test_in_the_middle_of_a_chunk(self, fake: FakeRegistry, place: Registry) -> None:
        def half(reply: Reply) -> Reply:
            (upload,) = fake.uploads.values()
            upload.got += CONTENT[2 * CHUNK : 2 * CHUNK + 1234]
            return Reply(502)

        fake.fail("PATCH", half, skip=2, lost=True)
        place.push_stream(BLOB, pieces())
        assert fake.blobs[str(BLOB.digest)] == CONTENT
        assert len(fake.seen("POST")) == 1
        assert f"{2 * CHUNK + 1234}-{3 * CHUNK - 1}" in [each.header("Content-Range") for each in fake.requests]

    def test_a_registry_that_forgets_half_a_chunk(self, fake: FakeRegistry, place: Registry) -> None:
        """What was sent is read again: from the beginning, and hashed as before."""
        opened = []

        def content() -> Iterator[bytes]:
            opened.append(1)
            return pieces()()

        fake.fail("PATCH", cut, skip=3, lost=True)
        place.push_stream(BLOB, content)
        assert fake.blobs[str(BLOB.digest)] == CONTENT
        assert len(opened) == 2
        assert len(fake.seen("POST")) == 1
        assert [each.header("Content-Range") for each in fake.requests if each.method == "PATCH"].count(
            f"{3 * CHUNK}-{4 * CHUNK - 1}"
        ) == 2

    def test_content_that_is_another_one_the_second_time(self, fake: FakeRegistry, place: Registry) -> None:
        given = [CONTENT, CONTENT[:-1] + b"x"]

        def content() -> Iterator[bytes]:
            return pieces(given.pop(0))()

        fake.fail("PATCH", cut, skip=3, lost=True)
        with pytest.raises(DigestMismatch):
            place.push_stream(BLOB, content)
        assert fake.blobs == {}
        assert fake.uploads == {}

    @pytest.mark.parametrize("words", ["0-199999", "0-99999999", "0-5", "5-10", "rubbish", ""])
    def test_only_the_answer_to_a_question_is_believed(self, fake: FakeRegistry, place: Registry, words: str) -> None:
        fake.fail("PATCH", lambda reply: replace(reply, headers={**reply.headers, "Range": words}), skip=2)
        place.push_stream(BLOB, pieces())
        assert fake.blobs[str(BLOB.digest)] == CONTENT
        assert len(fake.seen("POST")) == 1

    @pytest.mark.parametrize("words", ["0-199998", "0-99999999", "0-5", "5-10", "rubbish", "", "0-" + "9" * 400])
    def test_a_lie_begins_anew(self, fake: FakeRegistry, place: Registry, words: str) -> None:
        fake.fail("PATCH", status(500), skip=2, lost=True)
        fake.fail("GET", lambda reply: replace(reply, headers={**reply.headers, "Range": words}))
        place.push_stream(BLOB, pieces())
        assert fake.blobs[str(BLOB.digest)] == CONTENT
        assert len(fake.seen("POST")) == 2
        assert fake.uploads == {}, "the first session is given up"

    def test_a_liar_finds_an_end(self, fake: FakeRegistry, place: Registry) -> None:
        fake.fail("PATCH", lambda reply: replace(reply, headers={**reply.headers, "Range": "0-5"}), times=10_000)
        fake.fail("GET", lambda reply: replace(reply, headers={**reply.headers, "Range": "0-5"}), times=10_000)
        with pytest.raises(RegistryError, match="the registry"):
            place.push_stream(BLOB, pieces())
        assert len(fake.seen("POST")) <= 1 + len(SMALL.waits)

    def test_a_session_that_is_forgotten(self, fake: FakeRegistry, place: Registry) -> None:
        fake.fail("PATCH", lambda _: fake.uploads.clear() or Reply(404), skip=3, lost=True)
        place.push_stream(BLOB, pieces())
        assert fake.blobs[str(BLOB.digest)] == CONTENT
        assert len(fake.seen("POST")) == 2

    def test_a_registry_that_stores_something_else(self, fake: FakeRegistry, place: Registry) -> None:
        def flip(reply: Reply) -> Reply:
            (upload,) = fake.uploads.values()
            upload.got[0] = 1
            return reply

        fake.fail("PATCH", flip)
        place.push_stream(BLOB, pieces())
        assert fake.blobs == {str(BLOB.digest): CONTENT}
        fake.blobs.clear()
        fake.links.clear()
        fake.fail("PATCH", flip, times=100)
        with pytest.raises(RegistryError) as refused:
            place.push_stream(BLOB, pieces())
        assert refused.value.code == "DIGEST_INVALID"
        assert fake.blobs == {}

    @pytest.mark.parametrize("number", [405, 501])
    def test_a_registry_that_takes_no_chunks(self, fake: FakeRegistry, place: Registry, number: int) -> None:
        fake.fail("PATCH", status(number), times=10, lost=True)
        place.push_stream(BLOB, pieces())
        assert fake.blobs[str(BLOB.digest)] == CONTENT
        assert methods(fake) == "POST PATCH DELETE HEAD POST PUT"

    def test_the_last_answer_is_lost(self, fake: FakeRegistry, place: Registry) -> None:
        fake.fail("PUT", cut)
        place.push_stream(BLOB, pieces())
        assert len(fake.seen("POST")) == 1
        assert fake.blobs[str(BLOB.digest)] == CONTENT

    def test_every_session_breaks(self, fake: FakeRegistry, place: Registry) -> None:
        """Each gets far enough to be given new patience: there must be an end all the same."""
        large = bytes(3 << 20)
        options = replace(SMALL, chunk=1 << 20)
        fake.fail("PATCH", lambda _: fake.uploads.clear() or Reply(404), times=10_000, skip=1, lost=True)
        with (
            Registry(place.repository, options) as other,
            pytest.raises(RegistryError, match="there is no such thing"),
        ):
            other.push_stream(Descriptor.of(large, LAYER), pieces(large))
        assert len(fake.seen("POST")) <= 1 + len(SMALL.waits)


class TestDebiansRegistry:
    """docker-registry 2.8."""

    def target(self, server: Server, options: places.RegistryOptions = SMALL) -> Registry:
        return Registry(Repository(server.host, f"acme/upload{next(_names)}"), options)

    def test_chunks(self, server: Server) -> None:
        with self.target(server) as place:
            place.push_stream(BLOB, pieces())
            assert place.fetch(BLOB) == CONTENT
            assert b"".join(place.stream(BLOB)) == CONTENT
        assert sum("PATCH" in line for line in server.requests() if place.repository.path in line) == 6

    def test_a_blob_of_its_own_chunk_size(self, server: Server) -> None:
        content = bytes(range(256)) * (9 << 12)  # 9 MiB
        blob = Descriptor.of(content, LAYER)
        with self.target(server, places.RegistryOptions(whole=1 << 20, chunk=4 << 20)) as place:
            place.push_stream(blob, pieces(content, 1 << 20))
            assert b"".join(place.stream(blob)) == content
        assert sum("PATCH" in line for line in server.requests() if place.repository.path in line) == 3

    def test_memory_is_bounded(self, server: Server) -> None:
        piece = bytes(range(256)) * 1024
        number = 96
        blob = Descriptor(LAYER, Digest.of(piece * number), len(piece) * number)
        with self.target(server, places.RegistryOptions(whole=1 << 20)) as place:
            place.exists(blob)  # imports what it needs
            tracemalloc.start()
            try:
                place.push_stream(blob, lambda: (bytes(piece) for _ in range(number)))
                sent = tracemalloc.get_traced_memory()[1]
                tracemalloc.reset_peak()
                assert sum(map(len, place.stream(blob))) == blob.size
                received = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
        assert sent < 2 << 20 < blob.size
        assert received < 2 << 20

    def test_wrong_content(self, server: Server) -> None:
        with self.target(server) as place:
            with pytest.raises(DigestMismatch):
                place.push_stream(BLOB, pieces(CONTENT[:-1] + b"x"))
            assert not place.exists(BLOB)

    def test_a_mount(self, server: Server) -> None:
        with self.target(server) as first, self.target(server) as second:
            assert not second.adopt(BLOB, first), "there is nothing to take over"
            second.push(Descriptor.of(b"other", LAYER), b"other")
            first.push(BLOB, CONTENT)
            assert second.adopt(BLOB, first)
            assert second.fetch(BLOB) == CONTENT
            assert not second.adopt(BLOB, Memory(first.repository))
        lines = [line for line in server.requests() if second.repository.path in line]
        assert not any(line.startswith("PATCH") or ("digest=" in line and str(BLOB.digest) in line) for line in lines)

    def test_a_session_in_place_of_a_mount_is_used(self, server: Server) -> None:
        one = image("mounted")
        with self.target(server) as first, self.target(server) as second:
            layer, content = one.blobs[1]
            assert not second.adopt(layer, first)
            second.push(layer, content)
            assert second.exists(layer)
        lines = [line.split("?")[0].split()[0] for line in server.requests() if second.repository.path in line]
        assert lines == ["POST", "PUT", "HEAD"]


class TestMounts:
    @pytest.fixture
    def source(self, fake: FakeRegistry, place: Registry) -> Iterator[Registry]:
        with Registry(Repository(fake.host, "acme/other"), SMALL) as opened:
            opened.push(BLOB, CONTENT)
            fake.requests.clear()
            yield opened

    def test_from_another_repository(self, fake: FakeRegistry, place: Registry, source: Registry) -> None:
        assert place.adopt(BLOB, source)
        assert fake.seen() == [f"POST /v2/{NAME}/blobs/uploads/?mount={BLOB.digest}&from=acme%2Fother"]
        assert place.exists(BLOB)

    def test_with_one_token_for_both(self, fake: FakeRegistry, source: Registry) -> None:
        fake.accounts = Accounts(users={"me": "secret"})
        options = replace(SMALL, username="me", password="secret")
        with Registry(Repository(fake.host, NAME), options) as place:
            assert place.adopt(BLOB, source)
            assert place.exists(BLOB)
        assert fake.accounts.asked == [f"repository:{NAME}:pull,push repository:acme/other:pull"]

    def test_a_registry_that_does_not(self, fake: FakeRegistry, place: Registry, source: Registry) -> None:
        fake.mounts = False
        assert not place.adopt(BLOB, source)
        place.push(BLOB, CONTENT)
        assert len(fake.seen("POST")) == 1, "the session that came in its place is used"
        assert fake.uploads == {}

    def test_a_session_that_nobody_needs_is_given_up(
        self, fake: FakeRegistry, place: Registry, source: Registry
    ) -> None:
        place.push(BLOB, CONTENT)
        fake.mounts = False
        assert not place.adopt(BLOB, source)
        assert len(fake.uploads) == 1
        assert place.exists(BLOB)
        assert fake.uploads == {}

    @pytest.mark.parametrize("number", [400, 401, 403, 404, 405, 500])
    def test_a_refusal_is_no_error(self, fake: FakeRegistry, place: Registry, source: Registry, number: int) -> None:
        fake.fail("mount=", status(number, WWW_Authenticate="Basic"), times=100)
        assert not place.adopt(BLOB, source)
        place.push(BLOB, CONTENT)
        assert place.exists(BLOB)

    def test_only_within_one_registry(self, fake: FakeRegistry, place: Registry) -> None:
        with fake_registry() as other, Registry(Repository(other.host, "acme/other"), SMALL) as source:
            source.push(BLOB, CONTENT)
            assert not place.adopt(BLOB, source)
        assert fake.requests == []

    def test_a_repository_from_itself(self, fake: FakeRegistry, place: Registry) -> None:
        with Registry(place.repository, SMALL) as same:
            assert not place.adopt(BLOB, same)
        assert fake.requests == []


def test_nothing_is_there_after_all_that_failed(fake: FakeRegistry, place: Registry) -> None:
    fake.fail("PUT", status(403), times=100, lost=True)
    with pytest.raises(RegistryError) as refused:
        place.push_stream(BLOB, pieces())
    assert refused.value.status == 403
    assert len(fake.seen("POST")) == 1
    with pytest.raises(NotFound):
        place.fetch(BLOB)
