"""Commands against a real registry and the running kernel, each test in places of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.cli import Cli
from tests.support.netns import Namespace, bpffs, namespace, skip_unless
from tests.support.objects import EXAMPLES
from tests.support.registry import Server, registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Commands with an empty store; kernel tests add a bpffs."""
    return Cli(tmp_path, {"BPFIMG_STORE": str(tmp_path / "store"), "HOME": str(tmp_path)})


@pytest.fixture
def network() -> Iterator[Namespace]:
    skip_unless()
    with namespace() as made:
        yield made


@pytest.fixture
def host(cli: Cli) -> Iterator[Cli]:
    """Commands with a bpffs of their own."""
    skip_unless()
    with bpffs() as mount:
        yield Cli(cli.folder, {**cli.environ, "BPFIMG_BPFFS": mount})


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[Server]:
    """A registry of the test's own, to damage: content is shared between images of a registry."""
    with registry(tmp_path) as running:
        yield running


@pytest.fixture
def ready(cli: Cli, request: pytest.FixtureRequest) -> str:
    """An image of xdp_counter, built, signed with k.key and pushed, and not in the store; returns its name."""
    server: Server = request.getfixturevalue("fragile" if "fragile" in request.fixturenames else "server")
    name = f"{server.host}/{request.node.name.lower().replace('[', '-').rstrip(']').replace('_', '-')}/xdp_counter:v1"
    cli("key", "generate", "k")
    cli("build", "-t", name, str(EXAMPLES / "xdp_counter.bpf.c"), BPFIMG_STORE=str(cli.folder / "ci"))
    cli("sign", "--key", "k.key", name, BPFIMG_STORE=str(cli.folder / "ci"))
    cli("push", name, BPFIMG_STORE=str(cli.folder / "ci"))
    return name
