"""`bpfimg report` of this very host: chains of programs in a namespace of the test's own, and others' beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.kernel import bpf
from tests.support import chains
from tests.support.chains import KINDS
from tests.support.cli import Cli
from tests.support.features import needs
from tests.support.html import inert
from tests.support.loads import TAG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.chains import Kind, World

pytestmark = [pytest.mark.kernel, needs("bpffs", "xdp")]

some = chains.every(*(kind for kind in KINDS if kind.hook != "egress"), emulated=())


@pytest.fixture
def world(kind: Kind) -> Iterator[World]:
    with chains.world(kind) as made:
        yield made


@some
def test_the_chain_of_each_hook_is_on_the_page_in_running_order(world: World, tmp_path: Path) -> None:
    for name, priority in (("third", 90), ("first", 10), ("second", 50)):
        world.run(name, priority)
    cli = Cli(tmp_path, {"BPFIMG_BPFFS": world.host.bpffs, "BPFIMG_POLICY": str(tmp_path / "none.json")})
    with bpf.prog_load_trivial(1) as foreign:
        other = bpf.program_info(foreign).id
        cli("report", "--to", "host.html")
    found = inert((tmp_path / "host.html").read_text(encoding="ascii"))
    ids = found.ids
    wanted = [world.kept[name].id for name in ("first", "second", "third")]
    assert {f"p{number}" for number in (*wanted, other)} <= set(ids)
    assert [name[1:] for name in found.attributes("href") if name[1:] not in ids] == []
    words = found.words
    assert f"Programs on {world.ns.interface} in {world.ns.name}, in running order" in words
    chain = words[words.index(f"Programs on {world.ns.interface} in {world.ns.name}") :]
    places = [chain.index(f"{TAG}{name}") for name in ("first", "second", "third")]
    assert places == sorted(places)
    current = world.chain()
    assert current is not None
    assert f"{world.kind.builder} dispatcher {current.dispatcher}" in chain
    assert f"bpfimg: {world.kept['first'].record.name if world.kept['first'].record else ''}" in chain
    assert f"The way of packets through {world.ns.interface}" in words
    assert f"{world.host.directory}/{wanted[0]}/" in words, "our pins hold it"
    assert "no-image" in words, "nobody vouched for what a test loaded"


@chains.every(*(kind for kind in KINDS if kind.hook == "xdp" and kind.builder == "freplace"), emulated=())
def test_what_is_wrong_is_said_first(world: World, tmp_path: Path) -> None:
    world.run("one")
    world.ns.exec(["ip", "link", "set", "dev", world.ns.interface, "xdp", "off"])
    cli = Cli(tmp_path, {"BPFIMG_BPFFS": world.host.bpffs, "BPFIMG_POLICY": str(tmp_path / "none.json")})
    words = inert(cli("report").stdout).words
    said = "XDP was taken off its interface"
    assert words.index("stale-link") < words.index("Interfaces and network namespaces", words.index("stale-link"))
    assert words.count(said) >= 2
    assert "bpfimg gc --stale" in words


def test_a_host_without_bpffs_has_a_page_that_says_so(tmp_path: Path) -> None:
    """What bpfimg loaded cannot be seen then: without a word, the page would look like that of an empty host."""
    cli = Cli(tmp_path, {"BPFIMG_BPFFS": str(tmp_path), "BPFIMG_POLICY": str(tmp_path / "none.json")})
    words = inert(cli("report").stdout).words
    assert "what bpfimg loaded" in words
    assert "no-bpffs" in words
