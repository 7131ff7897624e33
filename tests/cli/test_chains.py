"""Chains as a user types them: who runs first, what `set` changes, what is shown, what is refused and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import loads
from tests.support.netns import namespace

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.cli import Cli
    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel

POLICY = {"version": 1, "default": "deny", "rules": [], "localFiles": "insecure-allow-unsigned"}


@pytest.fixture
def here(host: Cli) -> Cli:
    """A host whose policy takes local files: this is about what runs, not about who signed it."""
    (host.folder / "policy.json").write_text(json.dumps(POLICY))
    (host.folder / "x.o").write_bytes(loads.xdp())
    (host.folder / "t.o").write_bytes(loads.tc())
    return type(host)(host.folder, {**host.environ, "BPFIMG_POLICY": str(host.folder / "policy.json")})


@pytest.fixture
def runs(here: Cli, network: Namespace) -> Callable[..., int]:
    """Runs a program on the interface of the test under a name; returns the id of its link."""

    def run(name: str, *words: str, hook: str = "xdp", expect: int = 0) -> int:
        where = ["--iface", network.interface, "--netns", network.path]
        way = ["--direction", "ingress"] if hook == "tc" else []
        file = "./x.o" if hook == "xdp" else "./t.o"
        here("run", "-q", "--name", name, file, hook, *where, *way, *words, expect=expect)
        return int(here("links", "-q", "--application", name).stdout) if not expect else 0

    return run


def refused(here: Cli, *words: str) -> dict[str, str]:
    """The error of a run of a local file, of which a warning is said before."""
    done = here("run", *words, "-o", "json", expect=1)
    error: dict[str, str] = json.loads(done.stderr.splitlines()[-1])["error"]
    return error


def rows(text: str) -> dict[str, str]:
    """The rows of blocks of `get`, by their first words."""
    found = (line.partition(":") for line in text.splitlines())
    return {name.strip(): said.strip() for name, _, said in found}


def links(here: Cli) -> dict[int, dict[str, Any]]:
    return {each["id"]: each for each in here.json("links", "links")["links"]}


def order(here: Cli) -> list[int]:
    return [number for number, _ in sorted(links(here).items(), key=lambda each: each[1]["position"])]


def test_the_lower_runs_first_and_an_equal_newcomer_last(here: Cli, runs: Callable[..., int]) -> None:
    first, second, third = runs("a"), runs("b", "--priority", "10"), runs("c")
    assert order(here) == [second, first, third]
    shown = links(here)[third]
    assert (shown["position"], shown["members"], shown["priority"], shown["how"]) == (2, 3, 50, "dispatcher")
    assert shown["proceed_on"] == ["pass", "dispatcher_return"]
    assert shown["dispatcher"] in ("freplace", "fused")


@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_set_moves_a_program_and_leaves_the_others(hook: str, here: Cli, runs: Callable[..., int]) -> None:
    first, second = runs("a", hook=hook), runs("b", hook=hook)
    before = here.json("programs", "list")["programs"]
    assert here("set", "-q", str(first), "--priority", "60").stdout == f"{first}\n"
    assert order(here) == [second, first]
    results = {"xdp": ["drop", "pass"], "tc": ["ok", "pipe"]}[hook]
    (shown,) = here.json("links", "set", str(second), "--proceed-on", ",".join(results))["links"]
    assert (shown["id"], shown["priority"], shown["position"]) == (second, 50, 0)
    assert shown["proceed_on"] == [*results, "dispatcher_return"]
    said = here("set", str(second), "-p", "70").stdout
    assert said.startswith(f"link {second}: ")
    assert said.endswith(f", priority 70, 2nd of 2, goes on after {', '.join(results)}\n")
    after = here.json("programs", "list")["programs"]
    for program in (*before, *after):  # what changes is in the links alone
        program["links"] = []
        program["kernel"] = {}
    assert after == before
    here("set", str(second), "--priority", "70")  # a second time changes nothing
    assert order(here) == [first, second]


def test_what_cannot_be_set_is_refused_and_nothing_changes(here: Cli, runs: Callable[..., int]) -> None:
    link = runs("a")
    for words, said in (
        (("--priority", "x"), "expected a whole number"),
        (("--priority", "-1"), "priority -1 is out of range"),
        (("--proceed-on", "pipe"), "'pipe' is not an action of this hook, expected aborted, drop, pass"),
        ((), "nothing says what to change, expected --priority N or --proceed-on A,B"),
    ):
        assert said in here.error("set", str(link), *words, expect=2)["message"]
    assert "expected its id, a number" in here.error("set", "eth0", "--priority", "1", expect=2)["message"]
    (program,) = (each["id"] for each in here.json("programs", "list")["programs"])
    assert "is a program" in here.error("set", str(program), "--priority", "1", expect=1)["message"]
    assert "no link 4000000000" in here.error("set", "4000000000", "--priority", "1", expect=1)["message"]
    assert links(here)[link]["priority"] == 50


def test_a_link_that_is_in_no_chain_has_nothing_to_set(here: Cli, network: Namespace) -> None:
    place = ["--iface", network.interface, "--netns", network.path]
    here("run", "-q", "--name", "alone", "./x.o", "xdp", *place, "--exclusive")
    (link,) = links(here)
    assert links(here)[link]["how"] == "link"
    assert "is not in a chain" in here.error("set", str(link), "--priority", "1", expect=2)["message"]
    second = refused(here, "./x.o", "xdp", *place)
    assert second["kind"] == "Busy"
    assert "alone" in second["message"]


def test_get_says_where_a_program_stands(here: Cli, runs: Callable[..., int]) -> None:
    runs("a")
    runs("b", "--priority", "10", "--proceed-on", "drop")
    said = rows(here("get", "a").stdout)
    assert (said["priority"], said["position"], said["proceed-on"]) == ("50", "2nd of 2", "pass, dispatcher_return")
    assert said["dispatcher"].startswith(("freplace, ", "fused, "))
    said = rows(here("get", "b").stdout)
    assert (said["priority"], said["position"], said["proceed-on"]) == ("10", "1st of 2", "drop, dispatcher_return")


def test_a_dry_run_says_where_a_program_would_stand(here: Cli, network: Namespace, runs: Callable[..., int]) -> None:
    runs("a")
    place = ["--iface", network.interface, "--netns", network.path]
    done = here("run", "--dry-run", "./x.o", "xdp", *place, "--priority", "10", "-o", "json")
    (link,) = json.loads(done.stdout)["links"]
    assert link["note"].startswith("1st of 2 in the ")
    assert len(links(here)) == 1


def test_the_kind_of_a_chain_is_kept(here: Cli, network: Namespace, runs: Callable[..., int]) -> None:
    runs("a", "--dispatcher", "fused")
    runs("b")
    assert {each["dispatcher"] for each in links(here).values()} == {"fused"}
    place = ["--iface", network.interface, "--netns", network.path]
    said = refused(here, "./x.o", "xdp", *place, "--dispatcher", "freplace")
    assert "expected --dispatcher fused or auto for it, not freplace" in said["message"]
    assert len(links(here)) == 2


def test_programs_of_others_are_taken_off_by_their_ids(here: Cli, network: Namespace, runs: Callable[..., int]) -> None:
    link = runs("a")
    place = ["--iface", network.interface, "--netns", network.path]
    program = str(links(here)[link]["program_id"])
    for words, said in (
        (["--program", program], "named by --program ID and --iface IF, expected both"),
        (place, "named by --program ID and --iface IF, expected both"),
        ([str(link), "--program", program, *place], "expected both and no more"),
        (["--program", "x", *place], "--program is 'x', expected its id"),
        (["--program", program, *place], f"bpfimg detach {link}"),  # it is ours
    ):
        error = here.error("detach", *words, expect=2)
        assert said in error["message"] + error["hint"]
    assert "4000000000" in here.error("detach", "--program", "4000000000", *place, expect=1)["message"]
    assert order(here) == [link]


def test_apply_moves_a_program_while_it_runs(here: Cli, network: Namespace) -> None:
    def declared(**fields: Any) -> str:
        place = {"hook": "xdp", "interface": network.interface, "netns": network.path}
        entries = [
            {"name": "a", "image": "./x.o", "attach": [{**place, "priority": 10}]},
            {"name": "b", "image": "./x.o", "attach": [{**place, **fields}]},
        ]
        (here.folder / "apply.json").write_text(json.dumps({"version": 1, "application": entries}))
        return "apply.json"

    here("apply", declared())
    first, second = order(here)
    ids = {number: each["program_id"] for number, each in links(here).items()}
    changes = here.json("apply", "apply", declared(priority=5, proceed_on=["drop"]))["changes"]
    assert [each["action"] for each in changes] == ["keep", "change"]
    (link,) = changes[1]["links"]
    assert (link["action"], link["link"]) == ("change", second)
    assert link["reasons"][0] == "priority 50 becomes 5"
    assert order(here) == [second, first]
    assert {number: each["program_id"] for number, each in links(here).items()} == ids
    said = here("apply", declared(priority=60, proceed_on=["drop"])).stdout
    assert "~ b: change\n" in said
    assert f" (link {second}): priority 5 becomes 60\n" in said
    exported = here("export", "b").stdout
    assert "priority = 60" in exported
    assert 'proceed_on = ["drop", "dispatcher_return"]' in exported
    here("set", str(second), "--priority", "7", "--proceed-on", "pass")
    (here.folder / "again.toml").write_text(here("export").stdout)
    assert [each["action"] for each in here.json("apply", "apply", "again.toml")["changes"]] == ["keep", "keep"]
    with namespace() as other:  # a place that is not the same is another link
        moved = declared(interface=other.interface, netns=other.path)
        changes = here.json("apply", "apply", moved)["changes"]
        assert [each["action"] for each in changes[1]["links"]] == ["attach", "detach"]


def test_packets_are_stopped_by_the_program_that_says_so(here: Cli, network: Namespace) -> None:
    runs = ["--iface", network.interface, "--netns", network.path]
    (here.folder / "drop.o").write_bytes(loads.counting("xdp", "dropping", 1))
    here("run", "-q", "--name", "pass", "./x.o", "xdp", *runs)
    here("run", "-q", "--name", "drop", "./drop.o", "xdp", *runs)
    assert not network.ping(1)
    link = int(here("links", "-q", "--application", "pass").stdout)
    here("set", str(link), "--proceed-on", "drop")  # passes, and ends the chain
    assert network.ping(1)
