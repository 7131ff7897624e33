"""A chain of two owners, bpfimg and the tools of xdp-tools: each adds to it and takes from it, and both list it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bpfimg import run
from bpfimg.kernel import bpf
from tests.kernel.run.held import settled
from tests.support import chain_programs
from tests.support.loads import TAG

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

    from bpfimg import dispatcher
    from tests.support.chains import World
    from tests.support.xdptools import Tools


@dataclass(slots=True)
class Shared:
    """A chain of two owners: bpfimg, and the xdp-loader of one suite. `theirs` are kernel ids by name."""

    world: World
    tools: Tools
    folder: Path
    theirs: dict[str, int] = field(default_factory=dict)

    def ours(self, name: str, priority: int = 50, proceed_on: tuple[str, ...] = (), **more: object) -> None:
        """We add a program; in the version of the protocol that the tools have."""
        given = {"protocol": f"v{self.tools.protocol}", **more}
        self.world.run(name, hook=self.world.hook(priority, proceed_on, **given))

    def load(self, name: str, priority: int = 50, *words: str) -> CompletedProcess[str]:
        """They add a program; whatever comes of it."""
        path = self.folder / f"{name}.o"
        path.write_bytes(chain_programs.program("xdp", name))
        return self.tools.load(path, words=("-P", str(priority), *words))

    def add(self, name: str, priority: int = 50, *words: str) -> None:
        """They add a program."""
        done = self.load(name, priority, *words)
        assert done.returncode == 0, f"load ended with {done.returncode}: {done.stdout}{done.stderr}"
        (self.theirs[name],) = [row.id for row in self.tools.status() if row.name == TAG + name]

    def leave(self, name: str, *, by_owner: bool) -> None:
        """One program goes, taken off by whoever has put it there, or by the other side."""
        number = self.theirs.pop(name, 0)
        if by_owner is bool(number):
            done = self.tools.unload(number or self.world.host.find(self.world.kept[name].id).links[0].program_id)
            assert done.returncode == 0, f"unload ended with {done.returncode}: {done.stdout}{done.stderr}"
        elif number:
            run.evict(self.world.host, self.world.ns.interface, number, netns=self.world.ns.path)
        else:
            self.world.detach(name)
        if not number:
            self.world.unload(name)

    def kept(self) -> dict[int, object]:
        """What no change of others may touch, by program: when it was loaded, its maps and what is in them."""
        return {number: _kept(number) for _, _, number in self.listed()}

    def all_count(self, *names: str) -> bool:
        """One packet goes through; whether it is counted in a map of each of these and of no other."""
        before = self.kept()
        self.world.send()
        wanted = {number for name, _, number in self.listed() if name.removeprefix(TAG) in names}
        return settled(lambda: {each for each, now in self.kept().items() if now != before[each]}, wanted) == wanted

    def listed(self) -> list[tuple[str, int, int]]:
        """What we list: name, priority, kernel id."""
        found = self.world.chain()
        return [(each.name, each.priority, each.program) for each in found.plan.members] if found else []

    def ids(self) -> dict[str, int]:
        """The kernel id of each program that we list, by its name."""
        return {name.removeprefix(TAG): number for name, _, number in self.listed()}

    def agreed(self) -> list[str]:
        """The names in the chain, in order, of which both sides say the same."""
        found = self.world.chain()
        rows = self.tools.status()
        assert [(row.name, row.priority, row.id) for row in rows] == self.listed()
        assert [row.actions for row in rows] == [
            _actions(found, each) for each in (found.plan.members if found else ())
        ]
        return [row.name.removeprefix(TAG) for row in rows]


def _actions(chain: dispatcher.Chain | None, member: dispatcher.Member) -> tuple[str, ...]:
    assert chain is not None
    return tuple(f"XDP_{word.upper()}" for word in chain.proceed_on(member) if word != "dispatcher_return")


def _kept(program: int) -> object:
    with bpf.program_by_id(program) as fd:
        info = bpf.program_info(fd)
    contents = []
    for number in info.map_ids:
        with bpf.map_by_id(number) as fd:
            size, entries = bpf.map_info(fd).value_size, bpf.map_info(fd).max_entries
            contents.append([bpf.map_lookup(fd, at.to_bytes(4, "little"), size) for at in range(entries)])
    return info.loaded_at, info.map_ids, contents
