"""What is declared before and after, for an `apply` that is killed in between."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bpfimg import dispatcher, run
from bpfimg.inspect import doctor
from bpfimg.kernel import netns
from tests.kernel.run.held import Held, settled
from tests.kernel.run.scenes import bytecode
from tests.support import loads
from tests.support.loads import TAG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bpfimg.load import Host
    from tests.support.netns import Namespace
    from tests.support.stepper import Stepper

_POLICY = {"version": 1, "default": "deny", "rules": [], "localFiles": "insecure-allow-unsigned"}

#: case -> (declared before, declared after): application -> (version of its object, its hooks)
CASES: dict[str, tuple[Mapping[str, tuple[int, Sequence[str]]], Mapping[str, tuple[int, Sequence[str]]]]] = {
    "a new application": ({}, {"a": (1, ["xdp", "ingress"])}),
    "a changed image": ({"a": (1, ["xdp", "ingress", "trace"])}, {"a": (2, ["xdp", "ingress", "trace"])}),
    "other hooks": ({"a": (1, ["xdp"])}, {"a": (1, ["ingress"])}),
    "one that is pruned": ({"a": (1, ["xdp"]), "b": (1, ["ingress"])}, {"a": (1, ["xdp"])}),
    "all of it": (
        {"a": (1, ["xdp"]), "b": (1, ["ingress"]), "c": (1, ["trace"])},
        {"a": (2, ["xdp", "trace"]), "b": (1, ["ingress", "egress"]), "d": (1, [])},
    ),
}
_PROGRAMS = {"xdp": ("xdp", 2), "tc": ("tc", -1), "tp": ("tracepoint/syscalls/sys_enter_getpid", 0)}
_PROGRAM_OF = {"xdp": "xdp", "ingress": "tc", "egress": "tc", "trace": "tp"}

#: application -> (version, hooks) as a listing has it
State = dict[str, tuple[int, tuple[str, ...]]]


class Declared:
    """A host on which one case is applied, and looked at."""

    def __init__(self, host: Host, ns: Namespace, folder: Path, case: str) -> None:
        self.host, self.ns, self._folder = host, ns, folder
        self._held = Held(host, ns)
        for version in (1, 2):
            text = "".join(
                f'SEC("{section}") int {TAG}{name}{version}(void *ctx) {{ hit(); return {result}; }}\n'
                for name, (section, result) in _PROGRAMS.items()
            )
            (folder / f"{version}.o").write_bytes(bytecode(text))
        (folder / "policy.json").write_text(json.dumps(_POLICY))
        self.states = [{name: (v, tuple(sorted(hooks))) for name, (v, hooks) in each.items()} for each in CASES[case]]
        self.files = [self._written(f"{number}.json", each) for number, each in enumerate(CASES[case])]
        settled(lambda: self._held()[:4], (0, 0, 0, 0))  # what an earlier test had may still be on its way out
        self.base = self._held()

    def _written(self, name: str, applications: Mapping[str, tuple[int, Sequence[str]]]) -> str:
        path = self._folder / name
        entries = [self._entry(each, *what) for each, what in applications.items()]
        path.write_text(json.dumps({"version": 1, "application": entries}))
        return str(path)

    def _entry(self, name: str, version: int, hooks: Sequence[str]) -> dict[str, Any]:
        where = {"interface": self.ns.interface, "netns": self.ns.name}
        attach: dict[str, dict[str, Any]] = {
            "xdp": {"hook": "xdp", **where},
            "ingress": {"hook": "tcx", "direction": "ingress", **where},
            "egress": {"hook": "tcx", "direction": "egress", **where},
            "trace": {"hook": "tracepoint", "group": "syscalls", "name": "sys_enter_getpid"},
        }
        chosen = [{**attach[hook], "program": f"{TAG}{_PROGRAM_OF[hook]}{version}"} for hook in hooks]
        return {"name": name, "image": str(self._folder / f"{version}.o"), "attach": chosen}

    def apply(self, step: Stepper, which: int, at: int = 0) -> dict[str, Any]:
        """Applies what is declared before (0) or after (1), and nothing else; killed at its `at`-th call."""
        words = [self.files[which], "--prune", "--policy", str(self._folder / "policy.json")]
        done = step((self.host.bpffs, "auto"), "apply", [*words, "--store", str(self._folder / "store")], at)
        if done["call"] is None:
            assert done["status"] == 0, done
            assert self.state() == self.states[which]
        return done

    def state(self) -> State:
        """What is listed."""
        found: State = {}
        for load in self.host.loads():
            assert load.record is not None
            assert load.name not in found, f"{load.name} is listed twice"
            hooks = tuple(sorted(link.direction or _WORDS[link.hook] for link in load.links))
            found[load.name] = (int(load.record.programs[0].name[-1]), hooks)
        return found

    def check_between(self) -> None:
        """Whatever was done of it: each application is as before, as after, or on both's hooks; all of that runs."""
        self._check_no_gap()
        seen = self.state()
        self._check_mended()
        assert self.state() == seen, "sweeping changes nothing that was listed"
        self._check_no_gap()
        old, new = self.states
        for name in {*old, *new, *seen}:
            assert _is_between(seen.get(name), old.get(name), new.get(name)), (name, seen)
        listed = {(link.how, link.program_id) for load in self.host.loads() for link in load.links}
        assert settled(self._running, listed) == listed

    def _running(self) -> set[tuple[str, int]]:
        """How each program of ours is attached, those in chains included, and its id."""
        chains = dispatcher.chains(self.host, {netns.inode(self.ns.path): self.ns.path})
        members = {each.program for chain in chains for each in chain.plan.members if each.link}
        return self._held.running() | {("dispatcher", program) for program in members}

    def _check_no_gap(self) -> None:
        """A hook that is declared before and after has a program, one of the two, and not both."""
        there: dict[str, list[str]] = {place: [] for place in ("xdp", "tcx ingress", "tcx egress")}
        for place, program in netns.call(self.ns.path, loads.attached_here, self.ns.interface):
            there[place].append(self._held.name(program))
        old, new = ({hook for _, hooks in each.values() for hook in hooks} for each in self.states)
        for hook in (old & new) - {"trace"}:
            place = hook if hook == "xdp" else f"tcx {hook}"
            assert len(there[place]) == 1, (place, there)
        if "trace" in old & new:
            names = [self._held.name(program) for _, program in self._held.running()]
            assert any(name.startswith(f"{TAG}tp") for name in names), names

    def _check_mended(self) -> None:
        left = self.host.unfinished()
        found = doctor.doctor(self.host)
        assert [each.id for each in found].count("unfinished") == len(left)
        assert run.sweep(self.host) == (left, ())
        assert [each for each in doctor.doctor(self.host) if each.severity != "note"] == []

    def check_nothing_left(self) -> None:
        """Of all that was killed nothing is left: programs, maps, links, paths."""
        loads.clear(self.host)
        assert settled(self._held, self.base) == self.base


_WORDS = {"xdp": "xdp", "tracepoint": "trace"}


def _is_between(
    seen: tuple[int, tuple[str, ...]] | None,
    old: tuple[int, tuple[str, ...]] | None,
    new: tuple[int, tuple[str, ...]] | None,
) -> bool:
    if seen in (old, new):
        return True
    if seen is None or old is None or new is None or old[0] != new[0] or seen[0] != old[0]:
        return False
    kept = set(old[1]) & set(new[1])
    return kept <= set(seen[1]) <= set(old[1]) | set(new[1])
