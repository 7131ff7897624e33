"""apply as a user types it: the declared set runs, a second time changes nothing, a change misses no packet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import loads
from tests.support.cli import check
from tests.support.netns import namespace

if TYPE_CHECKING:
    from tests.support.cli import Cli
    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel

POLICY = {"version": 1, "default": "deny", "rules": [], "localFiles": "insecure-allow-unsigned"}


@pytest.fixture
def here(host: Cli) -> Cli:
    """A host whose policy takes local files: this is about what runs, not about who signed it."""
    (host.folder / "policy.json").write_text(json.dumps(POLICY))
    return type(host)(host.folder, {**host.environ, "BPFIMG_POLICY": str(host.folder / "policy.json")})


def declared(here: Cli, *applications: dict[str, Any]) -> str:
    path = here.folder / "apply.json"
    path.write_text(json.dumps({"version": 1, "application": list(applications)}))
    return str(path)


def apply(here: Cli, *words: str, expect: int = 0) -> list[dict[str, Any]]:
    done = here("apply", *words, "-o", "json", expect=expect)
    document = json.loads(done.stdout)
    check("apply", document)
    return list(document["changes"])


def actions(changes: list[dict[str, Any]]) -> list[tuple[str, str, list[str]]]:
    return [(each["id"], each["action"], [link["action"] for link in each["links"]]) for each in changes]


def xdp(network: Namespace, **fields: Any) -> dict[str, Any]:
    return {"hook": "xdp", "interface": network.interface, "netns": network.name, **fields}


def written(here: Cli, name: str, data: bytes) -> str:
    (here.folder / name).write_bytes(data)
    return f"./{name}"


def programs(here: Cli) -> list[dict[str, Any]]:
    return list(here.json("programs", "list")["programs"])


def test_what_is_declared_runs_and_a_second_time_changes_nothing(here: Cli, network: Namespace) -> None:
    counter = {"name": "counter", "image": written(here, "a.o", loads.xdp()), "attach": [xdp(network)]}
    path = declared(here, counter)
    assert actions(apply(here, "--dry-run", path)) == [("counter", "run", ["attach"])]
    assert programs(here) == []
    assert actions(apply(here, path)) == [("counter", "run", ["attach"])]
    before = programs(here)
    assert [each["links"][0]["state"] for each in before] == ["attached"]
    assert actions(apply(here, path)) == [("counter", "keep", ["keep"])]
    assert programs(here) == before
    exported = here("export", "-o", "json").stdout
    (here.folder / "again.json").write_text(exported)
    assert actions(apply(here, str(here.folder / "again.json"))) == [("counter", "keep", ["keep"])]
    assert here("apply", path).stdout.splitlines()[0] == "= counter: keep"


def test_a_changed_image_takes_the_place_of_the_old_one(here: Cli, network: Namespace) -> None:
    counter = {"name": "counter", "image": written(here, "a.o", loads.xdp("old")), "attach": [xdp(network)]}
    apply(here, declared(here, counter))
    (old,) = programs(here)
    written(here, "a.o", loads.xdp("new"))
    changed = apply(here, declared(here, {**counter, "attach": [xdp(network, priority=7)]}))
    assert actions(changed)[0][1] == "replace"
    (new,) = programs(here)
    assert new["id"] != old["id"]
    assert new["links"][0]["kernel_id"] == old["links"][0]["kernel_id"]  # the same link, another program: no gap
    assert new["links"][0]["priority"] == 7
    assert network.ping(2)
    assert here("doctor", "-q", expect=0)
    (link,) = new["links"]
    here("detach", str(link["id"]))
    assert programs(here)[0]["links"] == []
    here("unload", "counter")


def test_links_come_and_go(here: Cli, network: Namespace) -> None:
    both = written(here, "b.o", loads.several())
    one = {"name": "net", "image": both, "programs": [f"{loads.TAG}a", f"{loads.TAG}c"]}
    tcx = {"hook": "tcx", "interface": network.interface, "netns": network.name, "direction": "ingress"}
    apply(here, declared(here, {**one, "attach": [xdp(network, program=f"{loads.TAG}a")]}))
    changed = apply(here, declared(here, {**one, "attach": [tcx]}))
    assert actions(changed) == [("net", "attach", ["attach", "detach"])]
    links = [link["hook"] for each in programs(here) for link in each["links"]]
    assert links == ["tcx"]


def test_one_that_fails_leaves_the_others_alone(here: Cli, network: Namespace) -> None:
    good = {"name": "good", "image": written(here, "a.o", loads.xdp()), "attach": [xdp(network)]}
    bad = {"name": "bad", "image": written(here, "bad.o", loads.refused()), "attach": []}
    lost = {"name": "lost", "image": "./no.o"}
    changes = apply(here, declared(here, bad, lost, good), expect=1)
    assert {each["id"]: each["error"] and each["error"]["kind"] for each in changes} == {
        "bad": "VerifierError",
        "lost": "BytecodeError",
        "good": None,
    }
    assert [each["application"] for each in programs(here)] == ["good"]


def test_a_replacement_that_is_refused_leaves_the_old_one(here: Cli, network: Namespace) -> None:
    counter = {"name": "counter", "image": written(here, "a.o", loads.xdp("old")), "attach": [xdp(network)]}
    apply(here, declared(here, counter))
    before = programs(here)
    written(here, "a.o", loads.refused())
    apply(here, declared(here, counter), expect=1)
    assert programs(here) == before
    written(here, "a.o", loads.xdp("new"))
    with namespace() as other:
        busy = {**counter, "attach": [xdp(network), xdp(other)]}
        other.exec(["ip", "link", "del", other.interface])
        apply(here, declared(here, busy), expect=1)
    assert programs(here) == before


def test_two_at_once_load_it_once(here: Cli, network: Namespace) -> None:
    tracing = {"name": "quiet", "image": written(here, "t.o", loads.tc()), "attach": []}
    path = declared(here, tracing)
    both = [here.start("apply", path, "-o", "json") for _ in range(4)]
    said = [each.communicate(timeout=120) for each in both]
    assert len(programs(here)) == 1, said
    assert 0 in [each.returncode for each in both]
    assert all(each.returncode in (0, 1) for each in both)
    assert actions(apply(here, path)) == [("quiet", "keep", [])]


def test_what_is_not_declared_goes_only_when_asked(here: Cli, network: Namespace) -> None:
    first = {"name": "first", "image": written(here, "a.o", loads.xdp()), "attach": [xdp(network)]}
    second = {"name": "second", "image": written(here, "t.o", loads.tc())}
    apply(here, declared(here, first, second))
    assert actions(apply(here, declared(here, first))) == [("first", "keep", ["keep"])]
    assert len(programs(here)) == 2
    assert actions(apply(here, "--prune", declared(here, first)))[1] == ("second", "unload", [])
    assert [each["application"] for each in programs(here)] == ["first"]


def test_export_takes_names_and_ids_and_writes_each_once(here: Cli, network: Namespace) -> None:
    names = ("one", "two", "three")
    apply(here, declared(here, *({"name": name, "image": written(here, "t.o", loads.tc())} for name in names)))
    (two,) = [each["id"] for each in programs(here) if each["application"] == "two"]
    exported = json.loads(here("export", "-o", "json", "one", str(two), "two").stdout)
    assert [each["name"] for each in exported["application"]] == ["one", "two"]


def test_without_a_policy_nothing_is_applied(host: Cli) -> None:
    (host.folder / "a.o").write_bytes(loads.xdp())
    host("apply", declared(host, {"name": "a", "image": "./a.o"}), "--policy", str(host.folder / "none"), expect=3)
    host("apply", str(host.folder / "no-such-file"), expect=2)
