"""Images in an engine's storage, with a real podman and its Docker API; at the end with a real dockerd."""

from __future__ import annotations

import gc
import json
import socketserver
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from itertools import count
from typing import TYPE_CHECKING

import pytest

from bpfimg import build
from bpfimg.errors import Error, ImageError, NotFound, UsageError
from bpfimg.image import BytecodeImage
from bpfimg.oci import Digest, Index, Manifest, Memory, Platform, Reference, Repository, copy, places
from tests.support.dockerd import dockerd
from tests.support.objects import example
from tests.support.targets import ContentContract, image, index, legacy_signature, loadable, referrer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bpfimg.oci import Descriptor
    from tests.support.podman import Podman

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
_names = count(1)


@pytest.fixture
def repository() -> Repository:
    """A repository that no other test uses."""
    return Repository("registry.example", f"team/test{next(_names)}")


@pytest.fixture
def said() -> list[str]:
    """What the user is told."""
    return []


@pytest.fixture
def target(engine: Podman, repository: Repository, said: list[str]) -> Iterator[places.DockerDaemon]:
    with places.DockerDaemon(repository, socket=str(engine.socket), platform=AMD64, warn=said.append) as opened:
        yield opened


@pytest.fixture
def reopened(engine: Podman, repository: Repository) -> Iterator[places.DockerDaemon]:
    environ = {"DOCKER_HOST": f"unix://{engine.socket}"}
    with places.DockerDaemon(repository, environ=environ, platform=AMD64) as opened:
        yield opened


class TestDockerDaemon(ContentContract):
    """What an engine has in common with other places; what it does in its own way follows."""

    image = staticmethod(loadable)


def config_of(place: places.DockerDaemon, tag: str) -> Digest:
    return Manifest.parse(place.fetch(place.resolve(tag))).config.digest


def bytecode(*architectures: str, repository: Repository, **more: dict[str, str]) -> tuple[Memory, Descriptor]:
    memory = Memory(repository)
    images = [
        build.image(example("xdp_counter"), file_name="xdp_counter.bpf.o", platform=Platform("linux", name), **more)
        for name in architectures
    ]
    return memory, build.store(images, memory, "v1")


def test_what_was_pushed_comes_back_but_for_its_manifest(
    target: places.DockerDaemon, reopened: places.DockerDaemon, engine: Podman, said: list[str]
) -> None:
    """The config with its labels, and the object, are what they were; the user is told of the rest."""
    annotations = {"org.opencontainers.image.source": "https://example.org/x"}
    memory, top = bytecode("amd64", repository=target.repository, annotations=annotations)
    assert copy(memory, "v1", target, "v1") == top
    manifest = Manifest.parse(memory.fetch(top))
    found = Manifest.parse(reopened.fetch(reopened.resolve("v1")))
    assert found.config.digest == manifest.config.digest
    assert found.annotations == manifest.annotations
    assert reopened.fetch(found.config) == memory.fetch(manifest.config)
    image, sent = (BytecodeImage.fetch(place, place.resolve("v1"), AMD64) for place in (reopened, memory))
    assert (image.bytecode, image.labels, image.file_name) == (sent.bytecode, sent.labels, sent.file_name)
    assert image.check() == ()
    made = reopened.resolve("v1").digest
    assert made != top.digest
    what = f"podman gives {target.repository}:v1 a manifest of its own ({made})"
    assert said == [f"{what}: signatures of {top.digest} do not count for it"]
    (seen,) = json.loads(engine.run("image", "inspect", f"{target.repository}:v1"))
    assert f"sha256:{seen['Id']}" == str(manifest.config.digest)


def test_it_goes_on_into_a_registrys_kind_of_place(target: places.DockerDaemon, reopened: places.DockerDaemon) -> None:
    memory, top = bytecode("amd64", repository=target.repository)
    copy(memory, "v1", target, "v1")
    other = Memory(target.repository)
    copied = copy(reopened, "v1", other, "v1")
    assert copied == reopened.resolve("v1")
    assert Manifest.parse(other.fetch(copied)).config == Manifest.parse(memory.fetch(top)).config


@pytest.mark.parametrize("form", ["docker", "oci"])
def test_what_podman_built_is_read(
    engine: Podman, repository: Repository, tmp_path: Path, form: str, said: list[str]
) -> None:
    image = build.image(example("xdp_counter"), file_name="xdp_counter.bpf.o", platform=AMD64)
    (tmp_path / "xdp_counter.bpf.o").write_bytes(image.bytecode)
    labels = "".join(f"LABEL {name}={json.dumps(text)}\n" for name, text in image.labels.to_dict().items())
    (tmp_path / "Containerfile").write_text(f"FROM scratch\nCOPY xdp_counter.bpf.o /\n{labels}")
    words = ("--platform=linux/amd64", "--network=none", f"--format={form}", "-t", f"{repository}:{form}")
    engine.run("build", "-q", *words, str(tmp_path))
    with places.DockerDaemon(repository, socket=str(engine.socket), warn=said.append) as place:
        found = BytecodeImage.fetch(place, place.resolve(form), AMD64)
        (seen,) = json.loads(engine.run("image", "inspect", f"{repository}:{form}"))
        assert str(config_of(place, form)) == f"sha256:{seen['Id']}"
    assert (found.bytecode, found.labels) == (image.bytecode, image.labels)
    assert len(said) == 1
    assert f"podman has {repository}:{form} under a manifest of its own (sha256:" in said[0]


def test_tags_move_and_stay_apart(target: places.DockerDaemon, reopened: places.DockerDaemon) -> None:
    one, two = loadable("one"), loadable("two")
    one.push(target, "v1")
    assert config_of(reopened, "v1") == one.blobs[0][0].digest
    two.push(target, "v1")
    assert config_of(reopened, "v1") == two.blobs[0][0].digest
    target.tag(one.descriptor, "v2")
    assert [config_of(reopened, tag) for tag in ("v1", "v2")] == [two.blobs[0][0].digest, one.blobs[0][0].digest]
    target.tag(target.resolve("v1"), "v3")  # one that came from the engine
    assert config_of(reopened, "v3") == two.blobs[0][0].digest
    assert reopened.resolve("v3").digest == reopened.resolve("v1").digest


def test_of_an_index_one_image_goes_in(
    target: places.DockerDaemon, reopened: places.DockerDaemon, said: list[str]
) -> None:
    memory, top = bytecode("amd64", "arm64", repository=target.repository)
    copy(memory, "v1", target, "v1")
    assert BytecodeImage.fetch(reopened, reopened.resolve("v1"), None).platform == AMD64
    assert f"an engine keeps one image under a tag: that for linux/amd64 of {top.digest}" in said
    copy(memory, "v1", target, "arm", platform=ARM64)  # the only one that is there to be had is what was asked for
    with places.DockerDaemon(target.repository, socket=str(target._socket), platform=ARM64) as other:
        copy(memory, "v1", other, "arm", platform=ARM64)
    assert BytecodeImage.fetch(reopened, reopened.resolve("arm"), None).platform == ARM64


def test_an_index_without_an_image_for_this_machine(target: places.DockerDaemon) -> None:
    memory, _ = bytecode("arm64", "riscv64", repository=target.repository)
    with pytest.raises(NotFound, match="no image for linux/amd64, only for 'linux/arm64, linux/riscv64'"):
        copy(memory, "v1", target, "v1")
    with pytest.raises(NotFound, match=r"podman cannot find .*:v1: it has no such image"):
        target.resolve("v1")


def test_signatures_stay_behind_and_that_is_said_once(target: places.DockerDaemon, said: list[str]) -> None:
    memory = Memory(target.repository)
    images = loadable("one", "amd64"), loadable("two", "arm64")
    for one in images:
        one.push(memory)
        for word in ("first", "second"):
            referrer(one.descriptor, word).push(memory)
        legacy_signature(str(one.descriptor.digest)).push(memory, one.descriptor.digest.tag + ".sig")
    both = index(*images)
    memory.push(both.descriptor, both.raw, tag="v1")
    copy(memory, "v1", target, "v1")
    assert [each for each in said if "signatures and other" in each] == [
        "podman keeps no signatures and other referrers: they stay behind"
    ]
    assert target.referrers(images[0].descriptor.digest) == ()
    assert config_of(target, "v1") == images[0].blobs[0][0].digest


def test_artifacts_do_not_go_in(target: places.DockerDaemon) -> None:
    from bpfimg._value import replace

    memory = Memory(target.repository)
    image = build.image(example("xdp_counter"), file_name="xdp_counter.bpf.o", platform=AMD64)
    build.store([replace(image, variant="artifact")], memory, "v1")
    with pytest.raises(
        ImageError, match=r"'application/vnd\.bpfimg\..*', expected an image: engines keep no artifacts"
    ):
        copy(memory, "v1", target, "v1")


def test_what_the_engine_says_of_a_broken_image_is_passed_on(target: places.DockerDaemon) -> None:
    with pytest.raises(
        Error, match=r"podman refuses to load registry\.example/team/test\d+:v1: '.*(layer|tar|EOF)"
    ) as caught:
        image().push(target, "v1")
    assert " * " not in str(caught.value)


def test_an_image_without_a_tag_does_not_go_in(target: places.DockerDaemon) -> None:
    memory, top = bytecode("amd64", repository=target.repository)
    with pytest.raises(UsageError, match=f"there is none for {top.digest}, expected NAME:TAG"):
        copy(memory, "v1", target, None)


def test_digests_that_the_engine_gave_find_their_image(
    target: places.DockerDaemon, reopened: places.DockerDaemon
) -> None:
    memory, top = bytecode("amd64", repository=target.repository)
    copy(memory, "v1", target, "v1")
    assert reopened.resolve(target.resolve("v1").digest) == target.resolve("v1")
    with pytest.raises(NotFound, match=f"podman has no {target.repository}@{top.digest}") as caught:
        reopened.resolve(top.digest)
    assert "by its tag" in caught.value.hint


def test_an_image_that_is_larger_than_the_limit(engine: Podman, target: places.DockerDaemon) -> None:
    loadable().push(target, "v1")
    limits = places.Limits(copy=1000)
    with (
        places.DockerDaemon(target.repository, socket=str(engine.socket), limits=limits) as small,
        pytest.raises(ImageError, match=r"podman saves .*:v1 in more than 1000 bytes, the limit of a copy"),
    ):
        small.resolve("v1")


class TestNoEngine:
    """One sentence, and what to do about it."""

    def test_no_socket(self, tmp_path: Path, repository: Repository) -> None:
        place = places.DockerDaemon(repository, environ={"CONTAINER_HOST": f"unix://{tmp_path}/none.sock"})
        with pytest.raises(Error, match=r"podman does not answer: there is no socket '.*/none\.sock'") as caught:
            place.resolve("v1")
        assert "podman.socket" in caught.value.hint

    @pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
    def test_nobody_listens(self, tmp_path: Path, repository: Repository) -> None:
        (tmp_path / "file.sock").touch()
        try:
            places.DockerDaemon(repository, socket=f"{tmp_path}/file.sock").resolve("v1")
        except Error as error:
            said = str(error)
        assert said.startswith("the engine does not answer: 'Connection refused' at 'unix://")
        gc.collect()  # the SDK never closes a socket that it could not connect

    def test_a_socket_that_this_user_may_not_open(self, engine: Podman) -> None:
        program = (
            "import os, sys; from bpfimg.oci import places; from bpfimg.errors import Error\n"
            "import docker, encodings.idna\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "try: places.Engine({'CONTAINER_HOST': 'unix://' + sys.argv[1]}, 65534)\n"
            "except Error as error: print(error, error.hint)"
        )
        words = [sys.executable, "-c", program, str(engine.socket)]
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.startswith("podman does not answer: this user may not open 'unix:///")
        assert "that is another user's podman" in done.stdout

    def test_an_engine_that_is_silent(self, tmp_path: Path) -> None:
        with recorder(tmp_path, answers=False) as (path, _), pytest.raises(Error, match="does not answer in time"):
            places.Engine({}, 0, socket=path, timeout=0.2)


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with dockerd(tmp_path_factory.mktemp("dockerd")) as running:
        yield running


class TestDocker:
    """The same with dockerd, which saves archives without manifests and calls Docker Hub's images by short names."""

    @pytest.fixture(params=["registry.example/team/x", "docker.io/library/x"])
    def repository(self, request: pytest.FixtureRequest) -> Repository:
        return Repository.parse(request.param)

    @pytest.fixture
    def target(self, socket: Path, repository: Repository, said: list[str]) -> Iterator[places.DockerDaemon]:
        with places.DockerDaemon(repository, socket=str(socket), platform=AMD64, warn=said.append) as opened:
            yield opened

    @pytest.fixture
    def reopened(self, socket: Path, repository: Repository) -> Iterator[places.DockerDaemon]:
        environ = {"DOCKER_HOST": f"unix://{socket}"}
        with places.DockerDaemon(repository, environ=environ, platform=AMD64) as opened:
            yield opened

    def test_what_was_pushed_comes_back_but_for_its_manifest(
        self, target: places.DockerDaemon, reopened: places.DockerDaemon, said: list[str]
    ) -> None:
        memory, top = bytecode("amd64", "arm64", repository=target.repository)
        copy(memory, "v1", target, "v1")
        image, sent = (BytecodeImage.fetch(place, place.resolve("v1"), AMD64) for place in (reopened, memory))
        assert (image.bytecode, image.labels, image.file_name) == (sent.bytecode, sent.labels, sent.file_name)
        (entry,) = (each for each in Index.parse(memory.fetch(top)).manifests if each.platform == AMD64)
        assert config_of(reopened, "v1") == Manifest.parse(memory.fetch(entry)).config.digest
        made = reopened.resolve("v1").digest
        assert said == [
            f"an engine keeps one image under a tag: that for linux/amd64 of {top.digest}",
            f"docker gives {target.repository}:v1 a manifest of its own ({made}): "
            f"signatures of {top.digest} do not count for it",
        ]
        copied = copy(reopened, "v1", other := Memory(target.repository), "v1")
        assert other.resolve("v1").digest == copied.digest == made

    def test_what_docker_built_is_read(self, socket: Path, reopened: places.DockerDaemon) -> None:
        image = build.image(example("xdp_counter"), file_name="xdp_counter.bpf.o", platform=Platform.host())
        with build.engine.Engine("docker", {"DOCKER_HOST": f"unix://{socket}"}) as engine:
            made = engine.build(image, [Reference(reopened.repository, "built")])
        assert str(config_of(reopened, "built")) == made.id
        found = BytecodeImage.fetch(reopened, reopened.resolve("built"), None)
        assert (found.bytecode, found.labels) == (image.bytecode, image.labels)

    def test_tags_and_digests(self, target: places.DockerDaemon, reopened: places.DockerDaemon, socket: Path) -> None:
        one, two = loadable("one"), loadable("two")
        one.push(target, "v1")
        two.push(target, "v1")
        target.tag(one.descriptor, "v2")
        assert [config_of(reopened, tag) for tag in ("v1", "v2")] == [two.blobs[0][0].digest, one.blobs[0][0].digest]
        digest = target.resolve("v2").digest
        with places.DockerDaemon(target.repository, socket=str(socket)) as third:
            assert third.resolve(digest).digest == digest
        with pytest.raises(NotFound, match=f"docker cannot find {target.repository}:none: it has no such image"):
            reopened.resolve("none")


def test_nothing_secret_goes_to_an_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Repository
) -> None:
    """Neither from ~/.netrc, which the SDK's HTTP library would read, nor from docker's credentials."""
    (tmp_path / ".netrc").write_text("default login me password s3cret\n")
    (tmp_path / ".netrc").chmod(0o600)
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text('{"auths": {"registry.example": {"auth": "bWU6czNjcmV0"}}}')
    monkeypatch.setenv("HOME", str(tmp_path))
    with recorder(tmp_path) as (path, seen), places.DockerDaemon(repository, socket=path) as place:
        with pytest.raises(NotFound):
            place.resolve("v1")
        with pytest.raises(NotFound):
            loadable().push(place, "v1")
    assert len(seen) >= 4
    assert not [
        headers for headers in seen if {"authorization", "x-registry-auth", "x-registry-config"} & headers.keys()
    ]


@contextmanager
def recorder(folder: Path, *, answers: bool = True) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """An engine without an image, and the headers of what it is asked."""
    seen: list[dict[str, str]] = []
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({name.lower(): text for name, text in self.headers.items()})
            if not answers:
                ended.wait(30)
                return
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            there = self.path == "/_ping" or "/load" in self.path
            self.send_response(200 if there else 404)
            self.send_header("Api-Version", "1.44")
            answer = b'{"message": "no such thing"}'
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_POST(self) -> None:
            self.do_GET()

        def address_string(self) -> str:
            return "unix"

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    with Server(f"{folder}/recorder.sock", Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"{folder}/recorder.sock", seen
        finally:
            ended.set()
            server.shutdown()
            thread.join()
