"""Functions and static probes of programs on the command line, and `bpfimg hooks`: what there is to attach to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.executables import compiled, echo, folder, written
from tests.support.features import needs
from tests.support.netns import tracefs
from tests.support.objects import example
from tests.support.trusting import with_policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cli import Cli

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def program() -> Iterator[Path]:
    with folder() as place:
        yield written(place / "echo", compiled())


@pytest.fixture
def local(host: Cli) -> Cli:
    """A host where local object files may be run: uprobe.o, usdt.o."""
    for name in ("uprobe", "usdt"):
        (host.folder / f"{name}.o").write_bytes(example(f"{name}_counter"))
    return with_policy(host, keys={}, authorities={}, localFiles="insecure-allow-unsigned")


def counters(cli: Cli) -> list[int]:
    (program,) = cli.json("programs", "list")["programs"]
    said = json.loads(cli("map", "dump", str(program["id"]), "counters", "-o", "json").stdout)
    return [entry["value"] for entry in said["entries"]]


@needs("uprobe")
@pytest.mark.parametrize("word", ["uprobe", "uretprobe"])
def test_run_detach_attach_and_unload(local: Cli, program: Path, word: str) -> None:
    local("run", "./uprobe.o", word, str(program), "--function", "work")
    (link,) = local.json("links", "links")["links"]
    assert (link["hook"], link["target"]) == (word, f"{program}:work")
    with echo(program) as process:
        process.say(b"abc")
        assert counters(local) == [3]
        local("detach", str(link["id"]))
        process.say(b"d")
        assert counters(local) == [3]
        (loaded,) = local.json("programs", "list")["programs"]
        local("attach", str(loaded["id"]), word, str(program), "--function", "work", "--pid", str(process.pid))
        process.say(b"e")
        assert counters(local) == [4]
    local("unload", "--", str(loaded["id"]))
    assert local.json("programs", "list")["programs"] == []


@needs("uprobe")
def test_a_pattern_and_an_offset(local: Cli, program: Path) -> None:
    (work,) = local.json("hooks", "hooks", "uprobe", str(program), "work")["hooks"]
    local("run", "--name", "many", "./uprobe.o", "uprobe", str(program), "--pattern", "work*")
    local("run", "--name", "one", "./uprobe.o", "uprobe", str(program), "--offset", hex(work["offset"]))
    targets = {link["target"] for link in local.json("links", "links")["links"]}
    assert targets == {f"{program}:work* (2 functions)", f"{program}+{work['offset']:#x}"}


@needs("uprobe", "bpf-cookie")
def test_a_static_probe(local: Cli, program: Path) -> None:
    local("run", "./usdt.o", "usdt", str(program), "app:constant")
    with echo(program) as process:
        process.say(b"ab")
    assert counters(local) == [2, 154]
    (loaded,) = local.json("programs", "list")["programs"]
    shown = local("get", str(loaded["id"])).stdout
    assert f"{program}:app:constant" in shown


@needs("uprobe")
def test_a_dry_run_says_where_it_would_go(local: Cli, program: Path) -> None:
    (work,) = local.json("hooks", "hooks", "uprobe", str(program), "work")["hooks"]
    said = local("run", "--dry-run", "./uprobe.o", "uprobe", str(program), "--function", "work").stdout
    assert f"offset {work['offset']:#x} of {program}" in said


@needs("uprobe")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("uprobe", "PROGRAM", "--function", "wrok"), 1, "has no function 'wrok'"),
        (("uprobe", "PROGRAM"), 2, "needs a function, a pattern or an offset"),
        (("uprobe", "PROGRAM", "--offset", "x"), 2, "--offset is 'x', expected a whole number"),
        (("usdt", "PROGRAM", "app"), 2, "expected PROVIDER:NAME"),
        (("usdt", "PROGRAM", "app:nope"), 1, "has no static probe app:nope"),
        (("uprobe", "/no/such/file", "--function", "f"), 1, "there is no file /no/such/file"),
    ],
)
def test_errors_are_sentences(local: Cli, program: Path, words: tuple[str, ...], code: int, said: str) -> None:
    given = [str(program) if word == "PROGRAM" else word for word in words]
    done = local("run", "./usdt.o" if "usdt" in words else "./uprobe.o", *given, expect=code)
    assert said in done.stderr
    assert local.json("programs", "list")["programs"] == []


def listed(cli: Cli, *words: str) -> list[Any]:
    found: list[Any] = cli.json("hooks", "hooks", *words)["hooks"]
    return found


@needs("uprobe")
def test_the_functions_and_probes_of_a_file(cli: Cli, program: Path) -> None:
    assert {"main", "work", "hidden"} <= {entry["name"] for entry in listed(cli, "uprobe", str(program))}
    probes = {entry["id"]: entry for entry in listed(cli, "usdt", str(program))}
    assert set(probes) == {"app:passed", "app:constant", "app:watched"}
    assert probes["app:watched"]["semaphore"] is True
    assert len(probes["app:passed"]["offsets"]) == 2
    text = cli("hooks", "usdt", str(program), "*:const*").stdout.splitlines()
    assert text[0].split() == ["PROBE", "PLACES", "SEMAPHORE", "ARGUMENTS"]
    assert text[1].split() == ["app:constant", "1", "no", "-4@$77"]
    assert cli("hooks", "-q", "uprobe", str(program), "work*").stdout == "work\nwork_more\n"
    assert "malloc" in cli("hooks", "-q", "uprobe", "c", "malloc").stdout.split()


@needs("tracefs")
def test_tracepoints(cli: Cli) -> None:
    with tracefs():
        (entry,) = listed(cli, "tracepoint", "sched/sched_switch")
        assert {key: entry["fields"][0][key] for key in ("name", "type", "size")} == {
            "name": "prev_comm",
            "type": "char[16]",
            "size": 16,
        }
        assert "char prev_comm[16]" in cli("hooks", "tracepoint", "sched_switch").stdout


@needs("kprobe")
def test_functions_of_the_kernel(cli: Cli) -> None:
    with tracefs():
        assert [entry["name"] for entry in listed(cli, "kprobe", "vfs_read")] == ["vfs_read"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("hooks", "nothing"), 2, "expected one of kprobe, tracepoint, uprobe, usdt"),
        (("hooks", "usdt"), 2, "lacks a FILE"),
        (("hooks", "tracepoint", "--container-pid", "1"), 2, "goes with uprobe and usdt"),
        (("hooks", "uprobe", "c", "--container-pid", "x"), 2, "expected a whole number"),
    ],
)
def test_words_that_are_none(cli: Cli, words: tuple[str, ...], code: int, said: str) -> None:
    assert said in cli(*words, expect=code).stderr
