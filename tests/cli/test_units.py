"""One object as one unit on the command line: several programs, `auto`, dry runs, selectors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import loads
from tests.support.loads import TAG
from tests.support.netns import tracefs
from tests.support.trusting import with_policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cli import Cli
    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel


@pytest.fixture
def local(host: Cli) -> Iterator[Cli]:
    """A host where local object files may be run: several.o, xdp.o, refused.o."""
    for name, data in (("several", loads.several()), ("xdp", loads.xdp()), ("refused", loads.refused())):
        (host.folder / f"{name}.o").write_bytes(data)
    with tracefs():
        yield with_policy(host, keys={}, authorities={}, localFiles="insecure-allow-unsigned")
    assert loads.programs_left() == []


def programs(cli: Cli, *words: str) -> list[str]:
    return [entry["name"].removeprefix(TAG) for entry in cli.json("programs", "list", *words)["programs"]]


def failed(cli: Cli, *words: str, expect: int) -> Any:
    """The error; before it stands the warning that the file is not signed."""
    return json.loads(cli(*words, "-o", "json", expect=expect).stderr.splitlines()[-1])["error"]


def chosen(*names: str) -> list[str]:
    return [word for name in names for word in ("--program", f"{TAG}{name}")]


def test_a_dry_run_says_each_step_and_leaves_nothing(local: Cli, network: Namespace) -> None:
    words = ["run", "--dry-run", "-g", "step=3", "-m", "team=net", *chosen("a", "c", "d"), "./several.o", "auto"]
    words += ["-i", network.interface, "-d", "ingress", "--netns", network.path]
    said = local(*words).stdout.splitlines()
    assert said[0].startswith("would load file:")
    assert f"program {TAG}a (xdp, section xdp)" in said
    assert "map hits: array, 4 byte keys, 8 byte values, 1 entries" in said
    assert "global step = 3" in said
    assert [line.partition(" to ")[2].split()[0] for line in said if line.startswith("link ")] == [
        "xdp",
        "tc",
        "tracepoint",
    ]
    assert said[-2:] == [
        "the kernel takes it: it was loaded, and closed again",
        "application several; nothing was changed",
    ]
    document = local.json("dry-run", *words)
    assert [link["hook"]["kind"] for link in document["links"]] == ["xdp", "tc", "tracepoint"]
    assert document["tried"]
    assert programs(local) == []
    assert loads.programs_left() == []


def test_a_dry_run_ends_as_the_run_would(local: Cli, network: Namespace) -> None:
    where = ["-i", network.interface, "--netns", network.path]
    error = failed(local, "run", "--dry-run", "./refused.o", "xdp", *where, expect=1)
    assert error["kind"] == "VerifierError"
    local("run", "./xdp.o", "xdp", *where)
    assert failed(local, "run", "--dry-run", "./xdp.o", "xdp", "-i", "nowhere", expect=1)["kind"] == "AttachError"
    assert failed(local, "run", "--dry-run", "./xdp.o", "tc", "-d", "ingress", *where, expect=2)["kind"] == "UsageError"
    local("unload", "xdp")


def test_auto_says_what_sections_leave_open(local: Cli) -> None:
    error = failed(local, "run", "./several.o", "auto", expect=2)
    assert f"{TAG}c (sched_cls): it needs a direction (--direction ingress|egress)" in error["message"]
    assert "auto" not in local("attach", "--help").stdout


def test_selectors_choose_what_goes(local: Cli, network: Namespace) -> None:
    where = ["-i", network.interface, "-d", "ingress", "--netns", network.path]
    local("run", "-m", "team=net", "--name", "one", *chosen("a", "c", "d"), "./several.o", "auto", *where)
    local("load", "-m", "team=ops", "-m", "tier=2", "--name", "two", "./xdp.o")
    local("load", "-m", "team=ops", "--name", "two", "./xdp.o")
    assert failed(local, "unload", "two", expect=2)["message"] == "2 programs are called 'two', expected one"
    gone = local.json("links", "detach", "-l", "team=net", "--type", "tc")["links"]
    assert len(gone) == 1
    assert len(local.json("links", "detach", "--type", "tracepoint", "--application", "one")["links"]) == 1
    assert [entry["application"] for entry in local.json("programs", "unload", "-l", "tier=2")["programs"]] == ["two"]
    assert len(local.json("programs", "unload", "--type", "tc")["programs"]) == 3, "the unit goes as one"
    assert local.json("programs", "unload", "-l", "team=nobody")["programs"] == []
    assert len(local("-q", "unload", "--application", "two").stdout.split()) == 1
    assert programs(local) == []


def test_all_is_found_before_the_first_goes(local: Cli) -> None:
    first = local("-q", "load", "--name", "first", "./xdp.o").stdout.strip()
    second = local("-q", "load", "--name", "second", "./xdp.o").stdout.strip()
    error = failed(local, "unload", "first", "4000000000", "second", expect=1)
    assert error["message"] == "bpfimg has loaded no program 4000000000"
    assert len(programs(local)) == 2
    done = local("unload", "--ignore-missing", "first", "4000000000", "second")
    assert done.stdout.splitlines() == [f"{first} (first)", f"{second} (second)"]
    assert done.stderr == "bpfimg: bpfimg has loaded no program 4000000000\n"
    assert local("unload", "--ignore-missing", "-q", "first").stderr == ""
    assert failed(local, "detach", "4000000000", expect=1)["message"] == "bpfimg has no link 4000000000"
    local("detach", "--ignore-missing", "4000000000")
    for words in (("unload",), ("detach",), ("unload", "first", "--type", "xdp")):
        failed(local, *words, expect=2)
