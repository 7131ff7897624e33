"""Images in the forms that others give them, through a registry: pulled, signed, believed, inspected, made ready."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import Index, Manifest, Platform, Registry, Repository, copy, parse_document
from tests.support.artifacts import bee, gadget
from tests.support.objects import EXAMPLES, example
from tests.support.podman import Podman, podman

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cli import Cli
    from tests.support.registry import Server

SOURCE = str(EXAMPLES / "xdp_counter.bpf.c")
DOCKER = "application/vnd.docker."
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"


def made_ready(cli: Cli, name: str) -> None:
    """All that happens to an image before the kernel sees it."""
    cli("key", "generate", "k")
    cli("sign", "--key", "k.key", f"registry:{name}")
    pinned = cli("pull", name).stdout.strip()
    assert pinned.startswith(f"{name}@sha256:")
    for words in (("verify",), ("load", "--dry-run", "-g", "sample=2"), ("run", "--dry-run", "-g", "sample=2")):
        hook = ("xdp", "-i", "lo") if words[0] == "run" else ()
        cli(*words, "--key", "k.pub", "--pull", "never", name, *hook)
    seen = cli.json("object", "inspect", pinned)
    assert [program["name"] for program in seen["programs"]] == ["xdp_count"]
    assert seen["findings"] == []


def skopeo(*words: str) -> None:
    if shutil.which("skopeo") is None:
        pytest.skip("needs skopeo to make images of other forms")
    words = ("copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", *words)
    done = subprocess.run(["skopeo", *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def documents(name: str) -> tuple[Index | None, Manifest]:
    """What the registry has under a name: its index, and the manifest or the first of those in the index."""
    repository, _, tag = name.rpartition(":")
    with Registry(Repository.parse(repository)) as remote:
        top = parse_document(remote.fetch(remote.resolve(tag)))
        if isinstance(top, Manifest):
            return None, top
        return top, Manifest.parse(remote.fetch(top.manifests[0]))


@pytest.mark.parametrize("platforms", ["linux/amd64", "linux/amd64,linux/arm64"])
def test_docker_schema_2(cli: Cli, server: Server, platforms: str) -> None:
    name = f"{server.host}/schema2/n{len(platforms)}"
    cli("build", "-t", f"{name}:oci", "--platform", platforms, "--push", SOURCE)
    skopeo("--all", "--format", "v2s2", f"docker://{name}:oci", f"docker://{name}:v1")
    index, manifest = documents(f"{name}:v1")
    if "," in platforms:
        assert index is not None
        assert index.media_type == f"{DOCKER}distribution.manifest.list.v2+json"
    assert manifest.media_type == f"{DOCKER}distribution.manifest.v2+json"
    assert manifest.config.media_type == f"{DOCKER}container.image.v1+json"
    assert manifest.layers[0].media_type == f"{DOCKER}image.rootfs.diff.tar.gzip"
    made_ready(cli, f"{name}:v1")


def test_zstd_of_skopeo(cli: Cli, server: Server) -> None:
    pytest.importorskip("zstandard", reason="needs the package zstandard, or Python 3.14")
    name = f"{server.host}/zstd/skopeo"
    cli("build", "-t", f"{name}:v1", SOURCE)
    folder = cli.folder
    skopeo("--dest-compress-format", "zstd", f"oci:{folder}/store:{name}:v1", f"oci:{folder}/zstd:{name}:v1")
    cli("rm", f"{name}:v1")
    cli("copy", f"oci:{folder}/zstd", f"registry:{name}:v1")
    assert documents(f"{name}:v1")[1].layers[0].media_type == ZSTD
    made_ready(cli, f"{name}:v1")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    with podman(tmp_path_factory.mktemp("podman")) as running:
        yield running


@pytest.fixture
def with_engine(cli: Cli, engine: Podman) -> Cli:
    from tests.support.cli import Cli

    return Cli(cli.folder, {**cli.environ, "DOCKER_HOST": f"unix://{engine.socket}"})


@pytest.mark.parametrize("kind", ["zstd", "zstd:chunked", "gzip"])
def test_what_podman_packs(with_engine: Cli, server: Server, engine: Podman, kind: str) -> None:
    """Out of its own storage, into which bpfimg brought the image."""
    if "zstd" in kind:
        pytest.importorskip("zstandard", reason="needs the package zstandard, or Python 3.14")
    name, folder = f"{server.host}/podman/{kind.replace(':', '-')}:v1", f"oci:{with_engine.folder}/out:v1"
    with_engine("build", "-t", name, SOURCE)
    with_engine("copy", f"store:{name}", f"docker-daemon:{name}")
    with_engine("rm", name)
    policy = ("--signature-policy", str(engine.socket.parent / "policy.json"))
    engine.run("push", "-q", f"--compression-format={kind}", "--format=oci", *policy, name, folder)
    with_engine("copy", folder, f"registry:{name}")
    layer = documents(name)[1].layers[0].media_type
    assert layer == (ZSTD if "zstd" in kind else "application/vnd.oci.image.layer.v1.tar+gzip")
    made_ready(with_engine, name)


def test_an_image_goes_into_an_engine_and_comes_back(with_engine: Cli, engine: Podman) -> None:
    name = "registry.example/team/xdp_counter:v1"
    with_engine("build", "-t", name, "--platform", "linux/amd64,linux/arm64", SOURCE)
    told = with_engine("copy", f"store:{name}", f"docker-daemon:{name}").stderr
    assert "warning: an engine keeps one image under a tag: that for linux/" in told
    assert f"warning: podman gives {name} a manifest of its own (sha256:" in told
    there = with_engine("inspect", f"docker-daemon:{name}")
    assert "xdp_count" in there.stdout
    assert there.stderr.count("no signature in a registry is about that") == 1
    with_engine("copy", f"docker-daemon:{name}", "store:registry.example/back:v1")
    here, back = (with_engine.json("object", "inspect", text) for text in (name, "registry.example/back:v1"))
    assert {part: back[part] for part in ("labels", "object_digest")} == {
        part: here[part] for part in ("labels", "object_digest")
    }
    error = with_engine.error("inspect", "docker-daemon:registry.example/none", expect=1)
    assert error["message"] == "podman cannot find registry.example/none:latest: it has no such image"


def test_without_an_engine_it_is_said_where_one_would_be(cli: Cli) -> None:
    error = cli.error("inspect", "docker-daemon:x.example/y", expect=1, DOCKER_HOST=f"unix://{cli.folder}/none.sock")
    assert error["message"] == f"the engine does not answer: there is no socket '{cli.folder}/none.sock'"
    assert "DOCKER_HOST or CONTAINER_HOST" in error["hint"]


@pytest.mark.parametrize("make", [gadget, bee])
def test_peers_artifacts_in_a_registry(cli: Cli, server: Server, make: type) -> None:
    if Platform.host().architecture in ("s390x", "mips", "mips64", "ppc64"):
        pytest.skip("needs a little-endian machine")
    made = make(example("xdp_counter", target="bpfel"))
    name = f"{server.host}/peers/{make.__name__}"
    with Registry(Repository.parse(name)) as remote:
        copy(made.memory, made.descriptor.digest, remote, "v1")
    made_ready(cli, f"{name}:v1")
