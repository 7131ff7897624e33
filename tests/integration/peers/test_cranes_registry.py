"""Another registry by other hands, crane's: it takes chunks in order only, mounts nothing and lists no referrers."""

from __future__ import annotations

import hashlib
import subprocess
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import NotFound
from bpfimg.oci import Descriptor, Digest, Layout, Reference, Registry, Repository, copy, places
from tests.support.cli import Cli
from tests.support.exchange import NAME, blobs
from tests.support.objects import EXAMPLES
from tests.support.peers import content, require
from tests.support.targets import LAYER, image, referrer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.exchange import Made


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    crane = require("crane", tmp_path_factory.mktemp("crane"))
    with subprocess.Popen(
        [*crane.command, "registry", "serve", "--address", "127.0.0.1:0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        try:
            for line in server.stderr:  # `serving on port 127.0.0.1:41234`, whatever else it says
                if "serving on port" in line:
                    yield f"127.0.0.1:{line.split()[-1].rpartition(':')[2]}"
                    break
            else:
                pytest.fail("crane registry serve does not say where it listens")
        finally:
            server.kill()


def test_build_sign_push_pull_verify(host: str, tmp_path: Path) -> None:
    here = Cli(tmp_path, {"BPFIMG_STORE": str(tmp_path / "store"), "HOME": str(tmp_path)})
    there = Cli(tmp_path, {"BPFIMG_STORE": str(tmp_path / "other"), "HOME": str(tmp_path)})
    name = f"{host}/round/trip:v1"
    here("key", "generate", "k")
    source = str(EXAMPLES / "xdp_counter.bpf.c")
    here("build", "-t", name, "--platform", "linux/amd64,linux/arm64", "--sbom", source)
    here("sign", "--key", "k.key", name)
    digest = here("push", "-q", name).stdout
    assert there("pull", "-q", "--all-platforms", name).stdout == digest
    there("verify", "--key", "k.pub", name)
    layout = Layout(str(tmp_path / "other"), Reference.parse(name).repository)
    assert blobs(layout, layout.resolve("v1")) <= set(content(tmp_path / "other"))
    listed = [cli.json("referrers", "referrers", name)["referrers"] for cli in (here, there)]
    assert {each["digest"] for each in listed[0]} == {each["digest"] for each in listed[1]}


def test_referrers_are_found_by_the_fallback_tag(host: str, made: Made) -> None:
    with Registry(Repository(host, "referrers/listed"), places.RegistryOptions()) as place:
        copy(made.layout, "image", place, "image")
        assert [each.digest for each in place.referrers(made.tags["image"][1].digest)] == [made.evidence.digest]
        assert set(place.tags()) == {"image", made.tags["image"][1].digest.tag}


def test_a_large_blob_goes_in_chunks(host: str) -> None:
    data = b"".join(hashlib.sha256(bytes([number % 256, number // 256])).digest() for number in range(40_000))
    layer = Descriptor.of(data, LAYER)
    options = places.RegistryOptions(whole=1 << 16, chunk=100_000)
    with Registry(Repository(host, "large/blob"), options) as place:
        place.push_stream(layer, lambda: (data[at : at + 30_000] for at in range(0, len(data), 30_000)))
        assert place.exists(layer)
        assert b"".join(place.stream(layer)) == data


def test_nothing_is_mounted_and_all_arrives(host: str) -> None:
    one, options = image("moved"), places.RegistryOptions()
    with (
        Registry(Repository(host, "mount/from"), options) as source,
        Registry(Repository(host, "mount/to"), options) as target,
    ):
        one.push(source, "v1")
        referrer(one.descriptor).push(source)
        copy(source, "v1", target, "v1")
        assert target.fetch(target.resolve("v1")) == one.manifest.raw
        for descriptor, data in one.blobs:
            assert target.fetch(descriptor) == data
        assert len(target.referrers(one.descriptor.digest)) == 1


def test_what_is_removed_is_gone(host: str) -> None:
    with Registry(Repository(host, "to/remove"), places.RegistryOptions()) as place:
        image("gone").push(place, "v1")
        place.remove("v1")
        with pytest.raises(NotFound):
            place.resolve("v1")
        with pytest.raises(NotFound):
            place.resolve(Digest.of(b"never there"))


def test_the_catalog(host: str, made: Made) -> None:
    options = places.RegistryOptions()
    with Registry(Repository(host, "in/catalog"), options) as place:
        copy(made.layout, "index", place, "v1")
    found = Registry.catalog(host, options)
    assert Repository(host, "in/catalog") in found
    assert Repository(host, NAME.repository.path) not in found
