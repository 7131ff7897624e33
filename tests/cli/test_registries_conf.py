"""registries.conf(5) as a user has it: mirrors, insecure and blocked registries, short names; as skopeo reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import Registry, Repository, places
from tests.support import peers
from tests.support.cli import Cli
from tests.support.registry import Server, registry
from tests.support.targets import image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with registry(tmp_path_factory.mktemp("plain")) as running:
        for path in ("acme/xdp", "copies/acme/xdp", "library/short"):
            with Registry(Repository(running.host, path)) as place:
                image().push(place, "v1")
        yield running


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Over TLS, with a certificate that nobody knows."""
    with registry(tmp_path_factory.mktemp("sealed"), tls=True) as running:
        options = places.RegistryOptions(ca_file=str(running.ca_file))
        with Registry(Repository(running.host, "acme/xdp"), options) as place:
            image().push(place, "v1")
        yield running


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    environ = {"HOME": str(tmp_path), "BPFIMG_STORE": str(tmp_path / "store")}
    return Cli(tmp_path, {**environ, "CONTAINERS_REGISTRIES_CONF": str(tmp_path / "registries.conf")})


def configure(cli: Cli, text: str) -> None:
    (cli.folder / "registries.conf").write_text(text)


def pulled(cli: Cli, name: str) -> str:
    """What `copy` into a layout says of a name: its digest."""
    return cli("copy", name, f"oci:{cli.folder}/layout:v1").stdout.strip().rpartition("@")[2]


def by_skopeo(cli: Cli, folder: Path, name: str) -> str:
    """The same of skopeo, with the same file."""
    peer = peers.require("newer-skopeo", folder)
    found = peer.json(
        "--registries-conf", str(cli.folder / "registries.conf"), "inspect", "--no-tags", f"docker://{name}"
    )
    digest: str = found["Digest"]
    return digest


DIGEST = str(image().descriptor.digest)


def test_a_location_and_a_mirror(cli: Cli, plain: Server, sealed: Server, tmp_path: Path) -> None:
    configure(
        cli,
        f'[[registry]]\nprefix = "moved.test"\nlocation = "{plain.host}"\ninsecure = true\n'
        f'[[registry]]\nprefix = "*.wild.test"\nlocation = "{sealed.host}"\ninsecure = true\n'
        '[[registry]]\nlocation = "mirrored.test/team"\n'
        f'[[registry.mirror]]\nlocation = "{plain.host}/nothing/here"\ninsecure = true\n'
        f'[[registry.mirror]]\nlocation = "{plain.host}/copies"\ninsecure = true\n',
    )
    for name in ("moved.test/acme/xdp:v1", "a.wild.test/acme/xdp:v1", "mirrored.test/team/acme/xdp:v1"):
        assert pulled(cli, name) == DIGEST, name
        assert by_skopeo(cli, tmp_path, name) == DIGEST, name


def test_what_is_blocked(cli: Cli, plain: Server) -> None:
    configure(cli, f'[[registry]]\nlocation = "{plain.host}"\nblocked = true\n')
    name = f"registry:{plain.host}/acme/xdp:v1"
    for words in (("copy", name, "oci:layout:v1"), ("copy", name, f"{name}-again"), ("pull", name)):
        error = cli.error(*words, expect=1)
        assert f"registries.conf blocks {plain.host}" in error["message"]
        assert "administers" in error["hint"]


def test_short_names(cli: Cli, plain: Server) -> None:
    configure(
        cli,
        f'unqualified-search-registries = ["{plain.host}"]\n[aliases]\n"mine" = "{plain.host}/acme/xdp"\n',
    )
    assert pulled(cli, "mine:v1") == DIGEST
    assert pulled(cli, "library/short:v1") == DIGEST


def test_a_bad_file_is_one_sentence(cli: Cli, plain: Server) -> None:
    configure(cli, "[[registry]]\nlocation = 1\n")
    error = cli.error("copy", f"registry:{plain.host}/acme/xdp:v1", "oci:layout:v1", expect=1)
    assert error["message"] == f"{cli.folder}/registries.conf: registry[1].location is '1', expected a text"


def test_without_network_nothing_is_read(cli: Cli) -> None:
    configure(cli, "junk")
    assert json.loads(cli("images", "-o", "json").stdout) == {"images": []}
