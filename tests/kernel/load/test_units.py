"""One object as one unit: several programs, several links, all of them or none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bpfimg import load
from bpfimg.errors import AttachError, Busy, UsageError
from bpfimg.kernel import bpf
from bpfimg.load._hooks import Tc, Tcx, Tracepoint, Xdp
from tests.support import loads
from tests.support.features import needs
from tests.support.loads import TAG
from tests.support.netns import tracefs
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.load import Hook, Host, Load
    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel

_GETPID = Tracepoint("syscalls", "sys_enter_getpid")


@pytest.fixture(autouse=True)
def traced() -> Iterator[None]:
    with tracefs():
        yield


def run(
    host: Host, data: bytes, hooks: Sequence[tuple[str, Hook]] | load.hooks.BySection, programs: Sequence[str] = ()
) -> Load:
    with load.prepare(data, name="unit", hooks=hooks, programs=programs) as prepared:
        prepared.load()
        with host.writer() as writer:
            return writer.run(prepared, load.Origin("unit"))


def names(loaded: Load) -> list[str]:
    assert loaded.record is not None
    return [program.name.removeprefix(TAG) for program in loaded.record.programs]


@pytest.mark.parametrize("tc", [pytest.param("tcx", marks=needs("tcx")), "clsact"])
def test_several_programs_go_to_several_hooks_and_share_their_maps(tc: str, host: Host, ns: Namespace) -> None:
    host.tc = tc
    ingress, egress = (Tc(ns.interface, way, netns=ns.path) for way in ("ingress", "egress"))
    hooks = [(f"{TAG}a", Xdp(ns.interface, netns=ns.path)), (f"{TAG}c", ingress), (f"{TAG}c", egress)]
    loaded = run(host, loads.several(), [*hooks, (f"{TAG}d", _GETPID)])
    assert names(loaded) == ["a", "c", "d"]
    assert [link.hook for link in loaded.links] == ["xdp", "tc", "tc", "tracepoint"]
    assert host.loads() == (loaded,)
    assert loads.attached(ns) == loads.listed(host)
    before = loads.hits(loaded)
    assert ns.ping(2)
    assert loads.hits(loaded) >= before + 6, "XDP, ingress and egress saw both packets"
    before = loads.hits(loaded)
    os.getpid()
    assert loads.hits(loaded) > before
    with host.writer() as writer:
        assert writer.unload(f"{loaded.program_ids[1]}").id == loaded.id, "any program of it stands for the unit"
    assert loads.tree(host) == []
    assert loads.attached(ns) == set()


def test_those_that_fit_the_hook_are_attached_and_the_rest_is_loaded_with_them(host: Host, ns: Namespace) -> None:
    hook = Xdp(ns.interface, netns=ns.path)
    with load.prepare(loads.several(), name="unit", hook=hook, programs=(f"{TAG}c", f"{TAG}b")) as prepared:
        prepared.load()
        with host.writer() as writer:
            loaded = writer.run(prepared, load.Origin("unit"))
    assert names(loaded) == ["c", "b"]
    assert [link.program_name for link in loaded.links] == [f"{TAG}b"]
    assert loads.attached(ns) == {("xdp", loaded.program_ids[1])}


@pytest.mark.parametrize("tc", ["auto", "clsact"])
def test_one_that_cannot_be_attached_undoes_them_all(tc: str, host: Host, ns: Namespace) -> None:
    """The last one fails: XDP is taken by the first already."""
    host.tc = tc
    there, nowhere = Xdp(ns.interface, netns=ns.path), Xdp("nowhere", netns=ns.path)
    filter_ = Tc(ns.interface, "ingress", netns=ns.path)
    loads.only_load(host, loads.xdp())
    for last, error in ((there, Busy), (nowhere, AttachError)):
        hooks = [(f"{TAG}c", filter_), (f"{TAG}d", _GETPID), (f"{TAG}a", there), (f"{TAG}b", last)]
        with loads.nothing_left(host), pytest.raises(error):
            run(host, loads.several(), hooks)
        assert loads.attached(ns) == set()


@needs("tcx")
def test_links_of_one_transaction_stand_in_the_order_of_their_priorities(host: Host, ns: Namespace) -> None:
    data = compile_source(
        "\n".join(f'SEC("tc") int {TAG}{name}(void *ctx) {{ return -1; }}' for name in "abc")
        + 'char LICENSE[] SEC("license") = "GPL";'
    )
    hooks = [
        (f"{TAG}{name}", Tcx(ns.interface, "ingress", priority=priority, netns=ns.path))
        for name, priority in (("a", 50), ("b", 10), ("c", 30))
    ]
    loaded = run(host, data, hooks)
    a, b, c = loaded.program_ids
    assert loads.chain(ns, "ingress") == [b, c, a]


_TABLE = """struct {
	__uint(type, 3); __uint(max_entries, 4); __type(key, __u32);
	__array(values, int (void *));
}"""


def tails() -> bytes:
    """`entry` jumps to `second`, that to `third`; `alone` is in a map that no program uses."""
    return compile_source(
        f"""
int {TAG}second(void *); int {TAG}third(void *); int {TAG}alone(void *);
{_TABLE} steps SEC(".maps") = {{ .values = {{ [0] = (void *)&{TAG}second, [3] = (void *)&{TAG}third }} }};
{_TABLE} unused SEC(".maps") = {{ .values = {{ [1] = (void *)&{TAG}alone }} }};
struct {{ __uint(type, 2); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); }} hits SEC(".maps");
static long (*jump)(void *ctx, void *table, __u32 index) = (void *)12;
static void *(*lookup)(void *map, const void *key) = (void *)1;
SEC("xdp") int {TAG}third(void *ctx)
{{
	__u32 key = 0;
	__u64 *value = lookup(&hits, &key);
	if (value)
		*value += 1;
	return 2;
}}
SEC("xdp") int {TAG}second(void *ctx) {{ jump(ctx, &steps, 3); return 1; }}
SEC("xdp") int {TAG}entry(void *ctx) {{ jump(ctx, &steps, 0); return 1; }}
SEC("xdp") int {TAG}alone(void *ctx) {{ return 2; }}
char LICENSE[] SEC("license") = "Dual BSD/GPL";
"""
    )


def test_a_program_brings_those_that_it_jumps_to_and_no_others(host: Host, ns: Namespace) -> None:
    """Of several that fit, those that others jump to are not meant: `entry` needs no name."""
    hook = Xdp(ns.interface, netns=ns.path)
    with load.prepare(tails(), name="unit", hook=hook) as prepared:
        prepared.load()
        with host.writer() as writer:
            loaded = writer.run(prepared, load.Origin("unit"))
    assert sorted(names(loaded)) == ["entry", "second", "third"]
    assert [link.program_name for link in loaded.links] == [f"{TAG}entry"]
    assert ns.ping(2)
    assert loads.hits(loaded) == 2, "both jumps were made"
    assert loaded.record is not None
    assert "unused" not in [name for name, _ in loaded.record.maps]


def test_a_load_of_all_fills_every_map_of_programs(host: Host) -> None:
    loaded = loads.only_load(host, tails())
    assert sorted(names(loaded)) == ["alone", "entry", "second", "third"]
    assert loaded.record is not None
    for name, pin in zip([name for name, _ in loaded.record.maps], loaded.map_pins(), strict=True):
        if name == "unused":
            with bpf.get(pin) as fd:
                assert bpf.map_lookup(fd, (1).to_bytes(4, "little"), 4) is not None


def test_each_program_goes_where_its_section_says(host: Host, ns: Namespace) -> None:
    where = load.hooks.BySection(interface=ns.interface, direction="ingress", netns=ns.path)
    chosen = [f"{TAG}{name}" for name in "acd"]
    loaded = run(host, loads.several(), where, chosen)
    assert [(link.hook, link.where) for link in loaded.links] == [
        ("xdp", ns.interface),
        ("tc", f"{ns.interface} ingress"),
        ("tracepoint", "syscalls/sys_enter_getpid"),
    ]


def test_what_sections_do_not_say_is_asked_for(host: Host) -> None:
    with pytest.raises(UsageError) as caught:
        load.prepare(loads.several(), name="unit", hooks=load.hooks.BySection())
    assert str(caught.value) == (
        "sections do not say where all of the programs go:"
        f" {TAG}a (xdp): it needs an interface (--iface IF);"
        f" {TAG}b (xdp): it needs an interface (--iface IF);"
        f" {TAG}c (sched_cls): it needs a direction (--direction ingress|egress)"
    )
