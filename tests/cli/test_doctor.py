"""doctor, gc and export as a user types them: on a host that is well, and on one that was damaged on purpose."""

from __future__ import annotations

import os
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.support.cli import check
from tests.support.objects import EXAMPLES

if TYPE_CHECKING:
    from tests.support.cli import Cli
    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel

IMAGE = "localhost/xdp_counter:v1"


@pytest.fixture
def stored(host: Cli) -> Cli:
    """A host with a signed image in its store, and a policy that lets nothing else in."""
    host("key", "generate", "k")
    host("build", "-t", IMAGE, str(EXAMPLES / "xdp_counter.bpf.c"))
    host("sign", "--key", "k.key", IMAGE)
    return host


def found(host: Cli, *words: str, expect: int = 0) -> list[str]:
    done = host("doctor", *words, "-q", expect=expect)
    return done.stdout.split()


def running(host: Cli, network: Namespace) -> dict[str, object]:
    where = ("xdp", "-i", network.interface, "--netns", network.name)
    (program,) = host.json("programs", "run", "--key", "k.pub", "--pull", "never", IMAGE, *where)["programs"]
    return dict(program)


def test_a_host_that_is_well(stored: Cli, network: Namespace) -> None:
    running(stored, network)
    assert set(found(stored)) <= {"no-policy", "no-tracefs", "no-kernel-btf"}
    document = stored.json("doctor", "doctor")
    assert document["sound"]
    assert document["mended"] == []


def test_an_interface_that_has_gone(stored: Cli, network: Namespace) -> None:
    program = running(stored, network)
    network.exec(["ip", "link", "del", network.interface])
    assert "stale-link" in found(stored, expect=1)
    assert stored.json("gc", "gc")["detached"] == []
    assert len(stored.json("gc", "gc", "--stale", "--dry-run")["detached"]) == 1
    (gone,) = stored.json("gc", "gc", "--stale")["detached"]
    assert gone["hook"] == "xdp"
    assert "stale-link" not in found(stored)
    assert [each["id"] for each in stored.json("programs", "list")["programs"]] == [program["id"]]


def test_what_is_not_ours_is_named_and_left(stored: Cli, network: Namespace) -> None:
    running(stored, network)
    folder = f"{stored.environ['BPFIMG_BPFFS']}/bpfimg"
    os.mkdir(f"{folder}/somebody")
    assert "not-ours" in found(stored, expect=1)
    stored("gc")
    assert os.path.isdir(f"{folder}/somebody")
    os.chmod(folder, 0o777)
    assert "open-directory" in found(stored, expect=1)


def test_a_damaged_record(stored: Cli, network: Namespace) -> None:
    program = running(stored, network)
    os.unlink(f"{stored.environ['BPFIMG_BPFFS']}/bpfimg/{program['load']}/record")
    assert "damaged" in found(stored, expect=1)
    stored("unload", str(program["load"]))
    assert "damaged" not in found(stored)


def test_what_a_killed_command_left_is_mended(stored: Cli, network: Namespace) -> None:
    running(stored, network)
    work = f"{stored.environ['BPFIMG_BPFFS']}/bpfimg/tmp-1999999999-abcdef"
    os.mkdir(work)
    assert "unfinished" in found(stored, expect=1)
    document = stored.json("doctor", "doctor", "--mend")
    assert [each["id"] for each in document["mended"]] == [work]
    assert document["sound"]
    os.mkdir(work)
    assert stored("gc").stdout == f"{work}\n"


def test_no_bpffs_and_a_policy_that_cannot_be_read(cli: Cli) -> None:
    (cli.folder / "p.json").write_text("{")
    said = cli("doctor", "--bpffs", str(cli.folder), "--policy", str(cli.folder / "p.json"), "-q", expect=1)
    assert {"no-bpffs", "policy"} <= set(said.stdout.split())


def test_a_store_that_cannot_be_read(cli: Cli) -> None:
    (cli.folder / "store").mkdir()
    (cli.folder / "store" / "index.json").write_text("{")
    assert "store" in cli("doctor", "-q", expect=1).stdout.split()


def test_what_is_loaded_can_be_written_down(stored: Cli, network: Namespace) -> None:
    running(stored, network)
    document = tomllib.loads(stored("export").stdout)
    check("application", document)
    (application,) = document["application"]
    assert application["name"] == "xdp_counter"
    assert application["image"].startswith(f"{IMAGE}@sha256:")
    (attach,) = application["attach"]
    assert attach["hook"] == "xdp"
    assert attach["interface"] == network.interface
    assert stored.json("application", "export") == document
    assert stored("export", "-q").stdout == "xdp_counter\n"
    assert stored("export", "nobody", expect=1).stderr
