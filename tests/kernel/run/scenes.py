"""States of a host in which a change is killed, and what has to hold afterwards."""

from __future__ import annotations

import errno
import json
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from bpfimg import load
from bpfimg.errors import KernelError
from bpfimg.kernel import bpf, netlink, netns
from bpfimg.load._hooks import PerfEvent, Tc, Tcx, Tracepoint, Xdp, to_dict
from tests.support import loads
from tests.support.loads import TAG
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from bpfimg.kernel import Fd
    from bpfimg.load import Hook, Host
    from tests.support.netns import Namespace

T = TypeVar("T")

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
    "shared": ("load", "run", "unload"),
}
_SEVERAL = 4  # links of the kind of that name


def _programs(text: str) -> bytes:
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


class Scene:
    """A host with a bystander that runs all the time; `before` makes the state that a verb begins from."""

    def __init__(self, host: Host, ns: Namespace, kind: str, folder: Path) -> None:
        host.tc = "clsact" if kind == "clsact" else "auto"
        self.host, self.ns, self.kind = host, ns, kind
        self._programs = Kept(bpf.program_ids, bpf.program_by_id, _program_name, _is_ours)
        self._maps = Kept(bpf.map_ids, bpf.map_by_id, lambda fd: bpf.map_info(fd).name, _is_ours)
        self._all_links = Kept(
            bpf.link_ids,
            bpf.link_by_id,
            lambda fd: bpf.link_info(fd).prog_id,
            lambda program: program in self._programs.found(),
        )
        self.hooks = self._hooks()
        text = {"tracepoint": _TRACE, "parts": _PERF, "several": _XDP + _TC + _TRACE + _PERF}.get(
            kind, _XDP if kind in ("xdp", "shared") else _TC
        )
        self.data = _programs(text)
        self.object = folder / "object.o"
        self.object.write_bytes(self.data)
        self.bystander = loads.run(host, _programs(_program("tc", "by", -1)), self._bystander, "bystander")
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
        }[self.kind]

    @property
    def _bystander(self) -> Hook:
        made = Tc if self.kind == "clsact" else Tcx
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
            return [str(loads.only_load(self.host, self.data).id), json.dumps(to_dict(self.hooks[0][1]))]
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
            with self.host.writer() as writer:
                return writer.run(prepared, load.Origin("app"))

    def after(self, verb: str) -> str:
        """Checks the host after a kill of `verb`; returns "old" or "new", for the state that was found."""
        self._check_seen()
        state = self._state(verb)
        with self.host.writer():
            pass
        assert self.host.unfinished() == ()
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
        running = {program for _, program in self.running()}
        assert running <= listed | unfinished, f"runs, but is neither listed nor unfinished: {running - listed}"
        assert all(not each.damage and not each.damaged_links for each in self.host.loads())
        assert self.bystander.program_ids[0] in running

    def _check_runs(self, verb: str) -> None:
        """Swept: exactly what is listed runs."""
        links = [link for each in self.host.loads() for link in each.links]
        expected = {(link.how, link.program_id) for link in links}
        # A clsact filter goes before its pin: when detach is killed in between, the link is still listed, as stale.
        stale = {(link.how, link.program_id) for link in links if link.how != "link" and not self.host.has_filter(link)}
        assert not stale or verb in ("detach", "replace")
        assert settled(self.running, expected - stale) == expected - stale
        for each in self.host.loads():
            for link in each.links:
                if link.how == "link":
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

    def running(self) -> set[tuple[str, int]]:
        """("link" or "clsact", program id) of all of ours that the kernel has attached."""
        programs = self._programs.found()
        found = {("link", program) for program in self._links(programs).values()}
        return found | {("clsact", program) for program in self._filters() if program in programs}

    def held(self) -> tuple[int, int, int, int, list[str]]:
        """How many programs, maps, links and filters of ours the kernel has, and the paths below our directory."""
        programs = self._programs.found()
        sizes = (len(programs), len(self._maps.found()), len(self._links(programs)), len(self._filters()))
        return *sizes, loads.tree(self.host)

    def _links(self, programs: Mapping[int, str]) -> dict[int, int]:
        return {link: program for link, program in self._all_links.found().items() if program in programs}

    def _filters(self) -> list[int]:
        return [each.prog_id for each in netns.call(self.ns.path, netlink.filters)]


def settled(look: Callable[[], T], expected: T) -> T:
    """What is seen once it is as expected, or after a while: the kernel lets go of what is unpinned a moment later."""
    deadline = time.monotonic() + 10
    while (seen := look()) != expected and time.monotonic() < deadline:
        time.sleep(0.001)
    return seen


class Kept(Generic[T]):
    """Objects of the kernel that are ours; others, of which there may be thousands, are looked at once."""

    def __init__(
        self,
        ids: Callable[[], Iterable[int]],
        by_id: Callable[[int], Fd],
        look: Callable[[Fd], T],
        ours: Callable[[T], bool],
    ) -> None:
        self._ids, self._by_id, self._look, self._ours = ids, by_id, look, ours
        self._foreign: set[int] = set()

    def found(self) -> dict[int, T]:
        """Id -> what was looked at."""
        found = {}
        for number in self._ids():
            if number in self._foreign:
                continue
            try:
                with self._by_id(number) as fd:
                    seen = self._look(fd)
            except KernelError as error:
                if error.errno not in (errno.ENOENT, errno.EAGAIN):  # gone, or not whole yet
                    raise
                continue
            if self._ours(seen):
                found[number] = seen
            else:
                self._foreign.add(number)
        return found


def _is_ours(name: str) -> bool:
    return name.startswith(TAG)


def _program_name(fd: Fd) -> str:
    return bpf.program_info(fd, memlock=False).name
