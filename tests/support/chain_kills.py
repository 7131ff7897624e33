"""Changes of a chain that are killed at one of their system calls, and what has to hold afterwards.

The members are `a` (priority 10), `d` (20, which drops BAD packets) and `c` (30). Packets say what the hook runs; the
kernel's own lists of programs, maps and links say what is left.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpfimg import load
from bpfimg.kernel import bpf
from tests.kernel.run.held import Kept, settled
from tests.support import chains
from tests.support.chain_programs import BAD
from tests.support.features import VARIABLE
from tests.support.loads import TAG

if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.kernel import Fd
    from tests.support.chains import World
    from tests.support.xdptools import Tools

_SEEN = f"{TAG}seen"
PRIORITIES = {"a": 10, "d": 20, "c": 30}


@dataclass(frozen=True, slots=True)
class Case:
    """A change of `c`: the verb, and the chains before and behind it."""

    verb: str
    old: tuple[str, ...]
    new: tuple[str, ...]

    @property
    def word(self) -> str:
        """For the ids of tests."""
        return f"{self.verb}-{''.join(self.old) or 'none'}-{''.join(self.new) or 'none'}"


CASES = (
    Case("attach", (), ("c",)),
    Case("attach", ("d",), ("d", "c")),
    Case("attach", ("a", "d"), ("a", "d", "c")),
    Case("detach", ("c",), ()),
    Case("detach", ("d", "c"), ("d",)),
    Case("detach", ("a", "d", "c"), ("a", "d")),
    Case("set", ("a", "d", "c"), ("c", "a", "d")),
    Case("run", ("a", "d"), ("a", "d", "r")),
    Case("unload", ("a", "d", "r"), ("a", "d")),
    Case("replace", ("a", "d", "r"), ("a", "d", "n")),
)
#: what is loaded for as long as a case lasts
_STAY = ("a", "d", "c")


class Scene:
    """A world with `_STAY` loaded; `r` and its successor `n` come with `run` and `replace`."""

    def __init__(self, world: World, case: Case, folder: Path) -> None:
        self.world, self.case, self._folder = world, case, folder
        self.place = (world.host.bpffs, world.host.tc, "chains")
        self.held = Held(world)
        self.tools: Tools | None = None
        for name in _STAY:
            if name in {*case.old, "c"}:
                world.load(name, drops=BAD if name == "d" else 0)
        for name in ("r", "n"):
            (folder / f"{name}.o").write_bytes(world.program(name))
        self._reset()
        self.base = self.held()

    def before(self) -> list[str]:
        """Makes the state that the change begins from; returns the words for `child_run`."""
        self._reset()
        world, verb = self.world, self.case.verb
        hook = json.dumps(load.hooks.to_dict(world.hook(PRIORITIES["c"])))
        if verb == "attach":
            return [str(world.kept["c"].id), hook]
        if verb in ("detach", "set"):
            return [str(world.link("c")), *(["5"] if verb == "set" else [])]
        if verb == "unload":
            return [str(world.kept["r"].id)]
        name = "n" if verb == "replace" else "r"
        pairs = json.dumps([(f"{TAG}{name}", json.loads(hook))])
        more = [str(world.kept["r"].id)] if verb == "replace" else []
        return [str(self._folder / f"{name}.o"), pairs, *more]

    def after(self) -> str:
        """Checks the host after a kill; returns "old" or "new", for the chain that was found when it was swept."""
        self._find()
        self._whole()
        with self.world.host.writer():
            pass  # the next command, which sweeps
        self._find()
        ran = self._whole()
        assert self.world.listed() == ran
        state = "old" if tuple(ran) == self.case.old else "new"
        self._listed(ran, state)
        assert self.world.host.unfinished() == ()
        return state

    def done(self) -> None:
        """Checks what the same change leaves when nobody kills it."""
        assert self.after() == "new"

    def check_nothing_left(self) -> None:
        """Of all that was killed nothing is left: programs, maps, links, paths."""
        self._reset()
        assert settled(lambda: self.held.more(self.base), "") == ""

    def _listed(self, ran: list[str], state: str) -> None:
        """What is listed as attached is what the hook runs. A member goes before its pin: when detach is killed in
        between, the link is listed as one that has lost its place."""
        host = self.world.host
        links = [(name, link) for name, each in self.world.kept.items() for link in host.find(each.id).links]
        lost = [name for name, link in links if not host.has_filter(link)]
        assert sorted(name for name, _ in links if name not in lost) == sorted(ran)
        assert not lost or (self.case.verb, lost, state) == ("detach", ["c"], "new"), lost

    def _whole(self) -> list[str]:
        """What a packet meets: the old chain or the new one; where the dropper is in it, it drops."""
        world = self.world
        if not world.kept:
            return []
        ran, arrived = world.sent_through()
        assert tuple(ran) in (self.case.old, self.case.new), f"{ran}, of which {sorted(world.unlisted)} unlisted"
        assert arrived
        if self.tools is not None:
            rows = [(row.name, row.id) for row in self.tools.status()]
            chain = world.chain()
            assert rows == [(m.name, m.program) for m in (chain.plan.members if chain else ())], rows
            assert [name.removeprefix(TAG) for name, _ in rows] == ran, rows
        if "d" in ran:
            stopped, arrived = world.sent_through(BAD)
            assert (stopped, arrived) == (ran[: ran.index("d") + 1], False)
        return ran

    def _find(self) -> None:
        """Learns what is loaded by now: a killed `run`, `replace` or `unload` may have come to its end."""
        found = {each.name: each for each in self.world.host.loads()}
        child = found.pop("child", None)
        self.world.kept = {name: found[name] for name in self.world.kept if name in found}
        self.world.kept.pop("r", None)
        self.world.kept.pop("n", None)
        self.world.kept |= {name: each for name, each in found.items() if name in ("r", "n")}
        if child is not None and child.record is not None:
            self.world.kept[child.record.programs[0].name.removeprefix(TAG)] = child
        self.world.unlisted = {}
        for name in ("r", "n"):
            for used in self.held.maps_of(f"{TAG}{name}") if name not in self.world.kept else ():
                self.world.unlisted[name] = used

    def _reset(self) -> None:
        """Makes the old chain, whatever is there, by commands."""
        world, old = self.world, self.case.old
        for extra in ("r", "n"):
            if extra in world.kept and extra not in old:
                world.unload(extra)
        if "r" in old and "r" not in world.kept:
            world.run("r", PRIORITIES["c"])
        for name in (each for each in _STAY if each in world.kept):
            links = world.host.find(world.kept[name].id).links
            if links and (name not in old or not world.host.has_filter(links[0])):
                world.detach(name)
                links = ()
            if name not in old:
                continue
            if not links:
                world.attach(name, PRIORITIES[name])
            else:
                world.set(name, priority=PRIORITIES[name])
        assert tuple(world.listed()) == old


class Held:
    """Counts what the kernel and bpffs hold. In a guest that is all there is; on a machine that others use, programs
    and maps of this test run, programs with such maps, and links of all these."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._all = VARIABLE in os.environ
        self._maps = Kept(bpf.map_ids, bpf.map_by_id, lambda fd: bpf.map_info(fd).name, self._is_ours)
        self._programs = Kept(bpf.program_ids, bpf.program_by_id, _name_and_maps, lambda found: True)
        self._links = Kept(bpf.link_ids, bpf.link_by_id, lambda fd: bpf.link_info(fd).prog_id, lambda found: True)

    def __call__(self) -> tuple[int, int, int, list[str]]:
        """How many maps, programs and links of ours the kernel has, and the paths in bpffs, with N for each number."""
        maps = self._maps.found()
        programs = {
            number
            for number, (name, used) in self._programs.found().items()
            if self._all or name.startswith(TAG) or maps.keys() & set(used)
        }
        links = [number for number, program in self._links.found().items() if self._all or program in programs]
        paths = sorted(re.sub(r"\d+", "N", path) for path in chains.left(self._world.host))
        return len(maps), len(programs), len(links), paths

    def more(self, before: tuple[int, int, int, list[str]]) -> str:
        """What is there that was not there before, in words. Less may be: the kernel lets go in its own time."""
        now = self()
        paths, old = Counter(now[3]), Counter(before[3])
        if paths == old and all(one <= other for one, other in zip(now[:3], before[:3], strict=True)):
            return ""
        numbers = f"maps, programs, links {now[:3]}, expected {before[:3]}"
        return f"{numbers}; paths {sorted(paths - old)}, without {sorted(old - paths)}"

    def maps_of(self, program: str) -> list[int]:
        """The ids of the maps in which a program of that name counts: the newest such program's last."""
        found = sorted(self._programs.found().items())
        maps = self._maps.found()
        return [number for _, (name, used) in found if name == program for number in used if maps.get(number) == _SEEN]

    def _is_ours(self, name: str) -> bool:
        return self._all or name.startswith(TAG)


def _name_and_maps(fd: Fd) -> tuple[str, tuple[int, ...]]:
    info = bpf.program_info(fd, memlock=False)
    return info.name, info.map_ids
