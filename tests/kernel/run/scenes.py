"""States of a host in which a change is killed, and what has to hold afterwards."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING

from bpfimg import load, run
from bpfimg.inspect import doctor
from bpfimg.kernel import bpf
from bpfimg.load._hooks import Cgroup, PerfEvent, Sockmap, StructOps, Tc, Tcx, Tracepoint, Xdp, to_dict
from tests.kernel.run.held import Held, settled
from tests.support import loads
from tests.support.loads import TAG
from tests.support.objects import compile_source
from tests.support.sockmaps import unlinked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bpfimg.load import Hook, Host
    from tests.support.netns import Namespace

#: state that a verb begins from, and both that it may leave: the number of links of each load, the bystander left out
STATES: dict[str, tuple[list[int], list[int]]] = {
    "load": ([], [0]),
    "run": ([], [1]),
    "attach": ([0], [1]),
    "detach": ([1], [0]),
    "unload": ([1], []),
    "replace": ([1], [1]),
}
#: kind -> the verbs that are worth killing there
KINDS: dict[str, tuple[str, ...]] = {
    "xdp": ("run", "attach", "detach", "unload", "replace"),
    "tcx": ("run", "attach", "detach", "unload", "replace"),
    "clsact": ("run", "attach", "detach", "unload", "replace"),
    "tracepoint": ("run", "attach", "detach", "unload"),
    "parts": ("run", "attach", "detach", "unload", "replace"),
    "several": ("load", "run", "detach", "unload", "replace"),
    "shared": ("load", "run", "attach", "detach", "unload"),
    "cgroup": ("run", "attach", "detach", "unload", "replace"),
    "sockmap": ("run", "attach", "detach", "unload"),
    "struct_ops": ("run", "attach", "detach", "unload"),
}
#: what every kernel has, so beside a filter
OLD = ("clsact", "sockmap", "struct_ops")
_SEVERAL = 4  # links of the kind of that name


def bytecode(text: str) -> bytes:
    """An object with these programs, that may call `hit()`, which counts in a map."""
    return compile_source(
        f"""
static void *(*lookup)(void *map, const void *key) = (void *)1;
struct {{ __uint(type, 2); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); }} {TAG}hits SEC(".maps");
static __attribute__((always_inline)) void hit(void)
{{
	__u32 key = 0;
	__u64 *value = lookup(&{TAG}hits, &key);
	if (value)
		__sync_fetch_and_add(value, 1);
}}
{text}
char LICENSE[] SEC("license") = "Dual BSD/GPL";
"""
    )


def _program(section: str, name: str, result: int) -> str:
    return f'SEC("{section}") int {TAG}{name}(void *ctx) {{ hit(); return {result}; }}\n'


_XDP, _TC = _program("xdp", "x", 2), _program("tc", "t", -1)
_TRACE, _PERF = _program("tracepoint/syscalls/sys_enter_getpid", "p", 0), _program("perf_event", "e", 0)
_GROUP = _program("cgroup_skb/egress", "g", 1)
_SOCKETS = (
    f"struct {{ __uint(type, 15); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); }} {TAG}socks"
    ' SEC(".maps");\n'
) + _program("sk_msg", "m", 1)
_CONTROL = f"""
struct sock {{ }};
struct tcp_congestion_ops {{
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
}};
SEC("struct_ops/s") __u32 {TAG}s(__u64 *ctx) {{ hit(); return 2; }}
SEC("struct_ops/c") void {TAG}c(__u64 *ctx) {{ hit(); }}
SEC("struct_ops/u") __u32 {TAG}u(__u64 *ctx) {{ hit(); return 2; }}
SEC(".struct_ops") struct tcp_congestion_ops {TAG}ops = {{
	.ssthresh = (void *){TAG}s, .cong_avoid = (void *){TAG}c, .undo_cwnd = (void *){TAG}u, .name = "{TAG}ops",
}};
"""
_TEXTS = {
    "xdp": _XDP,
    "shared": _XDP,
    "tcx": _TC,
    "clsact": _TC,
    "tracepoint": _TRACE,
    "parts": _PERF,
    "several": _XDP + _TC + _TRACE + _PERF,
    "cgroup": _GROUP,
    "sockmap": _SOCKETS,
    "struct_ops": _CONTROL,
}


class Scene:
    """A host with a bystander that runs all the time; `before` makes the state that a verb begins from."""

    def __init__(self, host: Host, ns: Namespace, kind: str, folder: Path, group: str = "") -> None:
        host.tc = "clsact" if kind in OLD else "auto"
        self.host, self.ns, self.kind, self._group = host, ns, kind, group
        self.place = (host.bpffs, host.tc, *(["unlinked"] if kind == "sockmap" else []))
        self.held = Held(host, ns, kind)
        settled(lambda: self.held()[:4], (0, 0, 0, 0))  # what an earlier test had may still be on its way out
        self.hooks = self._hooks()
        self.data = bytecode(_TEXTS[kind])
        self.object = folder / "object.o"
        self.object.write_bytes(self.data)
        self.bystander = loads.run(host, bytecode(_program("tc", "by", -1)), self._bystander, "bystander")
        self.owner: load.Load | None = None
        if kind == "shared":
            self.owner = loads.only_load(host, self.data, "owner")
        self.base = self.held()

    def _hooks(self) -> list[tuple[str, Hook]]:
        where = {"netns": self.ns.path}
        xdp: tuple[str, Hook] = (f"{TAG}x", Xdp(self.ns.interface, **where))
        tcx: tuple[str, Hook] = (f"{TAG}t", Tcx(self.ns.interface, "ingress", **where))
        parts: tuple[str, Hook] = (f"{TAG}e", PerfEvent("cpu-clock", frequency=1))
        trace: tuple[str, Hook] = (f"{TAG}p", Tracepoint("syscalls", "sys_enter_getpid"))
        clsact: tuple[str, Hook] = (f"{TAG}t", Tc(self.ns.interface, "ingress", **where))
        return {
            "xdp": [xdp],
            "tcx": [tcx],
            "clsact": [clsact],
            "tracepoint": [trace],
            "parts": [parts],
            "several": [xdp, parts, tcx, trace],
            "shared": [xdp],
            "cgroup": [(f"{TAG}g", Cgroup(self._group or "none"))],
            "sockmap": [(f"{TAG}m", Sockmap("sk_msg", f"{TAG}socks"))],
            "struct_ops": [(f"{TAG}s", StructOps())],
        }[self.kind]

    @property
    def _bystander(self) -> Hook:
        made = Tc if self.kind in OLD else Tcx
        return made(self.ns.interface, "egress", netns=self.ns.path)

    def before(self, verb: str) -> list[str]:
        """Makes the state; returns the words for `child_run`."""
        hooks = json.dumps([(name, to_dict(hook)) for name, hook in self.hooks])
        words = [str(self.object) + (f",owner={self.owner.id}" if self.owner else "")]
        if verb == "load":
            return words
        if verb == "run":
            return [*words, hooks]
        if verb == "attach":
            return [str(self._without_links().id), json.dumps(to_dict(self.hooks[0][1]))]
        loaded = self._run()
        self.old = loaded.id
        if verb == "replace":
            return [*words, hooks, str(loaded.id)]
        return [str(loaded.links[-1].id if verb == "detach" else loaded.id)]

    def _run(self) -> load.Load:
        sharing = load.maps.Sharing(owner=str(self.owner.id)) if self.owner else None
        with load.prepare(self.data, name="app", hooks=self.hooks, sharing=sharing) as prepared:
            prepared.share(self.host, "app")
            prepared.load()
            with self.host.writer() as writer, unlinked() if self.kind == "sockmap" else nullcontext():
                return writer.run(prepared, load.Origin("app"))

    def _without_links(self) -> load.Load:
        """Loaded, and not attached (any more)."""
        if self.kind not in ("shared", "struct_ops"):
            return loads.only_load(self.host, self.data)
        loaded = self._run()  # a table is filled in when it is attached for the first time
        loads.detach(self.host, loaded.links[0].id)
        return loaded

    def after(self, verb: str) -> str:
        """Checks the host after a kill of `verb`; returns "old" or "new", for the state that was found."""
        self._check_seen()
        state = self._state(verb)
        self._check_mended(verb)
        assert self._state(verb) == state, "sweeping changes nothing that was listed"
        self._check_runs(verb)
        for each in self._others():
            with self.host.writer() as writer:
                writer.unload(each.id)
        self._check_runs(verb)
        return state

    def check_nothing_left(self) -> None:
        """Of all that was killed nothing is left: programs, maps, links, filters, paths."""
        assert settled(self.held, self.base) == self.base

    def _check_seen(self) -> None:
        """What runs is listed, or said to be unfinished; what is listed runs."""
        listed = {program for each in self.host.loads() for program in each.program_ids}
        unfinished = {program for left in self.host.unfinished() for program in left.running}
        running = {program for _, program in self.held.running()}
        assert running - {0} <= listed | unfinished, f"runs, but is neither listed nor unfinished: {running - listed}"
        assert all(not each.damage and not each.damaged_links for each in self.host.loads())
        assert self.bystander.program_ids[0] in running

    def _check_mended(self, verb: str) -> None:
        """As `doctor --mend`: it names what was left, and is content afterwards."""
        found, left = doctor.doctor(self.host), self.host.unfinished()
        assert [each.id for each in found].count("unfinished") == len(left)
        if left:
            assert run.sweep(self.host) == (left, ())
            found = doctor.doctor(self.host)
        else:
            with self.host.writer():
                pass
        wrong = {each.id for each in found if each.severity != "note"}
        assert wrong <= ({"stale-link"} if verb in ("detach", "replace") else set()), found

    def _check_runs(self, verb: str) -> None:
        """Swept: exactly what is listed runs."""
        links = [link for each in self.host.loads() for link in each.links]
        expected = {(link.how, 0 if link.hook == "struct_ops" else link.program_id) for link in links}
        # A clsact filter goes before its pin: when detach is killed in between, the link is still listed, as stale.
        stale = {(link.how, link.program_id) for link in links if link.how != "link" and not self.host.has_filter(link)}
        assert not stale or verb in ("detach", "replace")
        assert settled(self.held.running, expected - stale) == expected - stale
        for each in self.host.loads():
            for link in each.links:
                if link.how == "link" and link.hook != "struct_ops":
                    with bpf.get(each.link_pin(link.id)) as fd:
                        assert bpf.link_info(fd).prog_id == link.program_id

    def _others(self) -> Sequence[load.Load]:
        ours = {self.bystander.id, self.owner.id if self.owner else 0}
        return [each for each in self.host.loads() if each.id not in ours]

    def _state(self, verb: str) -> str:
        """Which of the two states a verb can leave is listed; anything between them fails."""
        found = self._others()
        shape = [len(each.links) for each in found]
        many = _SEVERAL if self.kind == "several" else 1
        old, new = ([number * many for number in numbers] for numbers in STATES[verb])
        if verb == "detach":
            new = [many - 1]
        if verb == "replace":
            assert shape == old
            return "old" if found[0].id == self.old else "new"
        assert shape in (old, new), f"neither old nor new: {shape}"
        return "old" if shape == old else "new"
