"""A mirror that says something else of a tag: what is signed, replaced or removed is what the registry itself has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import Registry, Repository
from tests.support.cli import Cli
from tests.support.fake_registry import FakeRegistry, fake_registry
from tests.support.targets import image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OURS, THEIRS = image("ours"), image("theirs")


@pytest.fixture
def servers() -> Iterator[tuple[FakeRegistry, FakeRegistry]]:
    """A registry with `OURS`, and its mirror with both, of which the tag is `THEIRS`."""
    with fake_registry() as first, fake_registry() as second:
        with Registry(Repository(first.host, "acme/xdp")) as place:
            OURS.push(place, "v1")
        with Registry(Repository(second.host, "acme/xdp")) as place:
            OURS.push(place, "v0")
            THEIRS.push(place, "v1")
        yield first, second


@pytest.fixture
def cli(tmp_path: Path, servers: tuple[FakeRegistry, FakeRegistry]) -> Cli:
    first, second = servers
    conf = tmp_path / "registries.conf"
    conf.write_text(f'[[registry]]\nlocation = "{first.host}"\n[[registry.mirror]]\nlocation = "{second.host}"\n')
    environ = {"HOME": str(tmp_path), "BPFIMG_STORE": str(tmp_path / "store")}
    return Cli(tmp_path, {**environ, "CONTAINERS_REGISTRIES_CONF": str(conf)})


@pytest.fixture
def name(servers: tuple[FakeRegistry, FakeRegistry]) -> str:
    return f"{servers[0].host}/acme/xdp:v1"


def test_it_is_a_mirror(cli: Cli, name: str) -> None:
    assert cli("copy", name, "oci:layout:v1").stdout.strip().endswith(str(THEIRS.descriptor.digest))


def test_what_is_signed(cli: Cli, name: str) -> None:
    cli("key", "generate", "k")
    assert cli("sign", "--key", "k.key", name).stdout.strip() == f"{name}@{OURS.descriptor.digest}"


def test_what_is_removed(cli: Cli, name: str, servers: tuple[FakeRegistry, FakeRegistry]) -> None:
    cli.error("rm", f"registry:{name}@{THEIRS.descriptor.digest}", expect=1)
    with Registry(Repository(servers[0].host, "acme/xdp")) as place:
        assert place.resolve("v1").digest == OURS.descriptor.digest
    cli("rm", f"registry:{name}@{OURS.descriptor.digest}")


def test_what_a_journal_says_is_there(cli: Cli, name: str, servers: tuple[FakeRegistry, FakeRegistry]) -> None:
    with Registry(Repository(servers[1].host, "source/xdp")) as place:
        THEIRS.push(place, "v1")
    source = f"registry:{servers[1].host}/source/xdp:v1"
    (cli.folder / "list").write_text(f"{source} {name}\nregistry:{servers[1].host}/no/such:v1 oci:x:v1\n")
    cli("copy", "--from-file", "list", expect=1)
    with Registry(Repository(servers[0].host, "acme/xdp")) as place:
        OURS.push(place, "v1")
    cli("copy", "--from-file", "list", expect=1)
    with Registry(Repository(servers[0].host, "acme/xdp")) as place:
        assert place.resolve("v1").digest == THEIRS.descriptor.digest
