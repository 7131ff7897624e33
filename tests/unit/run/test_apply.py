"""The file of `apply`: what is declared, what would change, what is written out; nothing is touched."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from bpfimg._value import replace
from bpfimg.errors import UsageError
from bpfimg.load import ImageRecord, LinkRecord, Load, LoadRecord, hooks
from bpfimg.load._records import ProgramRecord
from bpfimg.run._apply import Attach, Order, desired, difference, exported, toml

D1, D2 = "sha256:" + "1" * 64, "sha256:" + "2" * 64
FILE = b"""
version = 1

[[application]]
name = "firewall"
image = "registry.example/team/fw:v1"
programs = ["xdp_fw"]

[application.globals]
rate = 1000
verbose = true
name = "eth0"
list = [1, 2]
cfg = { a = 1 }

[application.metadata]
team = "net"

[[application.attach]]
hook = "xdp"
interface = "eth0"
priority = 10

[[application.attach]]
hook = "kretprobe"
function = "do_unlinkat"
program = "other"
"""


def record(name: str = "firewall", digest: str = D1, **changes: Any) -> LoadRecord:
    image = ImageRecord(
        reference="registry.example/team/fw:v1",
        digest=digest,
        manifest=digest,
        policy="p",
        rule="r",
        signers=(),
        unsafe=False,
        pull="missing",
    )
    fields: dict[str, Any] = {
        "name": name,
        "programs": (ProgramRecord("xdp_fw", 7, "xdp", "xdp"),),
        "maps": (),
        "image": image,
        "globals": {},
        "metadata": {},
        "created": "2026-01-01T00:00:00Z",
        "bpfimg": "0",
    }
    return LoadRecord(**{**fields, **changes})


def link(number: int, hook: hooks.Hook, program: str = "xdp_fw", **changes: Any) -> LinkRecord:
    spec = hooks.to_dict(hook)
    word = str(spec.pop("kind"))
    return LinkRecord(number, 7, program, word, "link", "2026-01-01T00:00:00Z", spec, "somewhere", **changes)


def loaded(*links: LinkRecord, number: int = 7, **changes: Any) -> Load:
    return Load(number, f"/b/{number}", record(**changes), links)


def application(*attach: dict[str, object], **fields: Any) -> bytes:
    entry = {"name": "firewall", "image": "registry.example/team/fw:v1", "attach": list(attach), **fields}
    return json.dumps({"version": 1, "application": [entry]}).encode()


ETH0 = {"hook": "xdp", "interface": "eth0"}


def test_a_file_says_images_globals_and_hooks() -> None:
    (found,) = desired(FILE)
    assert (found.name, found.image, found.pull, found.programs) == (
        "firewall",
        "registry.example/team/fw:v1",
        "missing",
        ("xdp_fw",),
    )
    assert found.globals == {"rate": "1000", "verbose": "true", "name": "eth0", "list": "[1,2]", "cfg": '{"a":1}'}
    assert found.metadata == {"team": "net"}
    assert found.attach == (
        Attach(hooks.Xdp("eth0", 10), None),
        Attach(hooks.Kprobe("do_unlinkat", ret=True), "other"),
    )


def test_json_says_the_same_as_toml() -> None:
    assert desired(json.dumps(tomllib.loads(FILE.decode())).encode()) == desired(FILE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "version = 1"),
        (b"version = 2", "expected version = 1"),
        (b"\xff", "is neither TOML nor JSON"),
        (b"{" * 100_000, "is neither TOML nor JSON"),
        (b"version = ", "is neither TOML nor JSON"),
        (b"version = 1\napplicaton = []", "expected version, application"),
        (b"version = 1\napplication = 3", "expected an array of tables"),
        (application(imag="x"), "application 1 has 'imag'"),
        (application(image=7), "image is '7'"),
        (application(pull="often"), "expected always, missing, newer, never"),
        (application(programs="x"), "expected an array of texts"),
        (application(metadata={"a": 1}), "metadata: a is '1'"),
        (application({"hook": "xpd"}), r"\(firewall\): attach 1: 'xpd' is not a hook"),
        (application({"hook": "xdp"}), "lacks interface"),
        (application({"hook": "xdp", "interface": 3}), "attach 1"),
        (application({"hook": "xdp", "interface": "e", "priority": "x"}), "attach 1"),
        (application({"hook": "xdp", "interface": "e", "program": 3}), "program is '3'"),
    ],
)
def test_what_a_file_may_not_say(text: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        desired(text)


def test_a_name_is_declared_once() -> None:
    twice = FILE + FILE[FILE.index(b"[[application]]") :]
    with pytest.raises(UsageError, match="'firewall' 2 times"):
        desired(twice)


def changes(data: bytes, *loads: Load, digest: str = D1, **options: Any) -> list[tuple[str, str, list[str]]]:
    found = difference(desired(data), loads, {"firewall": digest}, **options)
    return [(each.name, each.action, [one.action for one in each.links]) for each in found]


def test_what_is_not_there_is_run() -> None:
    assert changes(application(ETH0)) == [("firewall", "run", ["attach"])]


def test_what_is_there_is_kept() -> None:
    assert changes(application(ETH0), loaded(link(1, hooks.Xdp("eth0")))) == [("firewall", "keep", ["keep"])]
    assert changes(application(), loaded()) == [("firewall", "keep", [])]


def test_links_come_and_go_alone() -> None:
    there = loaded(link(1, hooks.Xdp("eth0")), link(2, hooks.Xdp("eth1")))
    assert changes(application({**ETH0, "interface": "eth2"}, ETH0), there) == [
        ("firewall", "attach", ["attach", "keep", "detach"])
    ]


def test_a_stale_link_is_made_anew() -> None:
    there = loaded(link(1, hooks.Xdp("eth0")))
    assert changes(application(ETH0), there, stale=[1]) == [("firewall", "attach", ["attach", "detach"])]


def test_another_priority_is_another_link() -> None:
    there = loaded(link(1, hooks.Xdp("eth0")))
    assert changes(application({**ETH0, "priority": 7}), there) == [("firewall", "attach", ["attach", "detach"])]


def member(number: int, hook: hooks.Hook, program: str = "xdp_fw", **changes: Any) -> LinkRecord:
    return replace(link(number, hook, program, **changes), how="dispatcher")


DEFAULT = Order(50, ("pass", "dispatcher_return"))


def test_another_priority_of_a_member_is_a_change_while_it_runs() -> None:
    there = loaded(member(1, hooks.Xdp("eth0")))
    data = application({**ETH0, "priority": 60, "proceed_on": ["drop", "pass"]})
    (found,) = difference(desired(data), [there], {"firewall": D1}, orders={1: DEFAULT})
    assert (found.action, found.links[0].action, found.links[0].link) == ("change", "change", 1)
    assert found.links[0].reasons == (
        "priority 50 becomes 60",
        "proceed-on pass,dispatcher_return becomes drop,pass,dispatcher_return",
    )


def test_what_counts_is_where_a_member_stands_now() -> None:
    there = loaded(member(1, hooks.Xdp("eth0")))
    moved = {1: Order(60, DEFAULT.proceed_on)}
    assert changes(application({**ETH0, "priority": 60}), there, orders=moved) == [("firewall", "keep", ["keep"])]
    assert changes(application(ETH0), there, orders=moved) == [("firewall", "change", ["change"])]
    (attach,) = exported([there], orders=moved)["application"][0]["attach"]  # type: ignore[index]
    assert attach == {"hook": "xdp", "program": "xdp_fw", "interface": "eth0", "priority": 60}


def test_how_a_chain_is_begun_is_no_difference_and_to_be_alone_is_one() -> None:
    there = loaded(member(1, hooks.Xdp("eth0")))
    begun = {**ETH0, "dispatcher": "fused", "protocol": "v3"}
    assert changes(application(begun), there, orders={1: DEFAULT}) == [("firewall", "keep", ["keep"])]
    alone = {**ETH0, "exclusive": True}
    assert changes(application(alone), there, orders={1: DEFAULT}) == [("firewall", "attach", ["attach", "detach"])]


def test_two_members_of_one_object_keep_their_own_links() -> None:
    there = loaded(member(1, hooks.Tc("eth0", "ingress", 5), "a"), member(2, hooks.Tc("eth0", "ingress", 9), "b"))
    orders = {1: Order(5, ("pipe", "dispatcher_return")), 2: Order(9, ("pipe", "dispatcher_return"))}
    tc = {"hook": "tc", "interface": "eth0", "direction": "ingress"}
    data = application({**tc, "priority": 7}, {**tc, "priority": 5})  # neither names its program
    (found,) = difference(desired(data), [there], {"firewall": D1}, orders=orders)
    assert [(each.action, each.link) for each in found.links] == [("change", 2), ("keep", 1)]


@pytest.mark.parametrize(("wanted", "had"), [("blue", "/var/run/netns/blue"), ("/run/netns/blue", "blue")])
def test_a_named_namespace_is_its_path(wanted: str, had: str) -> None:
    there = loaded(link(1, hooks.Xdp("eth0", netns=had)))
    assert changes(application({**ETH0, "netns": wanted}), there) == [("firewall", "keep", ["keep"])]


def test_the_words_that_were_used_count() -> None:
    wanted = {"hook": "uprobe", "target": "c", "function": "malloc"}
    had = link(1, hooks.Uprobe("/lib/libc.so.6", "malloc"), details={"asked": {"target": "c"}})
    assert changes(application(wanted), loaded(had)) == [("firewall", "keep", ["keep"])]


@pytest.mark.parametrize(
    ("fields", "there", "reason"),
    [
        ({}, {"digest": D2}, "image sha256:222222222222 becomes sha256:111111111111"),
        ({"globals": {"rate": 5}}, {}, "globals differ: rate"),
        ({"globals": {"rate": 5}}, {"globals": {"rate": "6"}}, "globals differ: rate"),
        ({}, {"metadata": {"a": "b"}}, "metadata differ: a"),
        ({"programs": ["xdp:other"]}, {}, "programs differ: other, xdp_fw"),
        ({"attach": [{**ETH0, "program": "other"}]}, {}, "programs differ: other"),
        ({"attach": [{"hook": "netkit", "interface": "eth0"}]}, {}, "programs differ: none is loaded for hook netkit"),
    ],
)
def test_what_cannot_change_in_place_is_replaced(fields: dict[str, Any], there: dict[str, Any], reason: str) -> None:
    (found,) = difference(desired(application(**fields)), [loaded(**there)], {"firewall": D1})
    assert (found.action, found.reasons) == ("replace", (reason,))


def test_types_and_targets_beside_a_name_and_what_is_only_attached_are_no_difference() -> None:
    had = loaded(link(1, hooks.Xdp("eth0")))
    for words in (["xdp:xdp_fw"], ["xdp:xdp_fw:target"], []):
        wanted = application({**ETH0, "program": "xdp:xdp_fw"}, programs=words)
        assert changes(wanted, had) == [("firewall", "keep", ["keep"])]


def test_the_others_stay_unless_they_are_to_go() -> None:
    other = loaded(number=9, name="other")
    assert changes(application(), loaded(), other) == [("firewall", "keep", [])]
    assert changes(application(), loaded(), other, prune=True) == [("firewall", "keep", []), ("other", "unload", [])]


def test_two_loads_of_one_name_are_not_guessed_at() -> None:
    with pytest.raises(UsageError, match=r"2 loads are called 'firewall' \(7, 9\)"):
        changes(application(), loaded(), loaded(number=9))


def test_what_is_exported_is_what_is_kept() -> None:
    load = loaded(
        link(1, hooks.Xdp("eth0", 10, netns="/run/netns/x")),
        link(2, hooks.Kprobe("f", ret=True)),
        link(3, hooks.Cgroup("/sys/fs/cgroup/a"), details={"asked": {"path": "a"}}),
        globals={"a": '"quoted" \x7f ü\U0001f600', "b.c": "[1,2]"},
        metadata={"k": "v"},
    )
    text = toml(exported([load]))
    applications = desired(text.encode())
    assert applications[0].image == f"registry.example/team/fw:v1@{D1}"
    assert {**(applications[0].globals or {})} == {"a": '"quoted" \x7f ü\U0001f600', "b.c": "[1,2]"}
    (found,) = difference(applications, [load], {"firewall": D1})
    assert found.action == "keep"
    assert [each.action for each in found.links] == ["keep"] * 3
    assert 'path = "a"' in text


def test_what_cannot_be_exported_is_said() -> None:
    said: list[str] = []
    loads = [Load(3, "/b/3", None, damage="no JSON"), loaded(), loaded(number=9), loaded(number=10, image=None)]
    document = exported(loads, warn=said.append)
    assert [each["name"] for each in document["application"]] == ["firewall", "firewall-2"]  # type: ignore[attr-defined]
    assert said == [
        "load 3 is left out: no JSON",
        "'firewall' is loaded several times: load 9 is declared as 'firewall-2'",
        "load 10 is left out: its record names no image",
    ]


def test_maps_of_others_are_said_to_be_left_out() -> None:
    said: list[str] = []
    exported([loaded(shared={"hits": "load 42", "own": "application"}, map_access={"mode": 0o640})], warn=said.append)
    assert said == [
        "load 7 shares maps, and would have maps of its own: hits of load 42",
        "load 7 lets others open its maps, and would not",
    ]


def test_an_empty_host_exports_an_empty_file() -> None:
    assert desired(toml(exported([])).encode()) == ()
