"""This host: what bpfimg has loaded, as records and kernel tell it, joined by id; on request everything in the kernel.

Looking changes nothing and takes no lock. What vanishes meanwhile is left out; what others have broken is shown as
damaged.
"""

from __future__ import annotations

import os

from bpfimg._value import replace
from bpfimg.errors import KernelError
from bpfimg.inspect._kernel._states import MEMBER, gone, state
from bpfimg.inspect._kernel._views import Inventory, LinkView, ProgramView, word
from bpfimg.kernel import abi, bpf, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.inspect._kernel._names import Names
    from bpfimg.inspect._kernel._states import State
    from bpfimg.kernel import Fd
    from bpfimg.load import Host, LinkRecord, Load, Unfinished

_OTHER = "something else is pinned in its place"


def host(
    host: Host, *, all: bool = False, maps: bool = False, types: bool = False, sample: float | None = None
) -> Inventory:
    """Returns what bpfimg loaded; with `all` everything in the kernel, where it is attached and who holds it.

    `maps` adds the maps of the programs listed; with `all`, `types` adds BTF objects and tables of operations, and
    `unseen` says what could not be looked at. `sample` makes the kernel count for so many seconds how often and how
    long programs run, and not any longer, unless it does so anyway. KernelError when bpffs is not mounted (with `all`
    that is said in `unseen`), or, for `all` and `sample`, without CAP_SYS_ADMIN.
    """
    if sample is not None:
        from bpfimg.inspect._kernel import _samples

        return _samples.sampled(lambda: _seen(host, all=all, maps=maps, types=types), sample)
    return _seen(host, all=all, maps=maps, types=types)


def _seen(host: Host, *, all: bool, maps: bool, types: bool) -> Inventory:
    if not all:
        loads = host.loads()
        found = _ours(host, loads)
        if maps:
            from bpfimg.inspect._kernel import _maps

            found = replace(found, maps=_maps.of(loads, found.programs))
        return found
    from bpfimg.inspect._kernel._holders import Looking

    with Looking(host.bpffs) as looking:
        from bpfimg.inspect._kernel import _everything

        return _everything.seen(host, looking, maps=maps, types=types)


def ours(host: Host) -> tuple[tuple[Load, ...], Inventory]:
    """Our loads, and what became of them; where bpffs is not mounted, that is said in `unseen`."""
    try:
        loads = host.loads()
        return loads, _ours(host, loads)
    except KernelError as error:
        return (), Inventory((), (), (), (), (f"what bpfimg loaded: {error}",))


def _ours(host: Host, loads: tuple[Load, ...]) -> Inventory:
    reader = _Reader(host)
    try:
        programs = [view for load in loads for view in reader.programs(load)]
        links = [view for load in loads for view in reader.links(load)]
    finally:
        reader.close()
    unfinished = tuple(_unfinished(change) for change in host.unfinished())
    if not any(view.how == MEMBER for view in links):
        return Inventory(tuple(programs), tuple(links), (), unfinished)
    from bpfimg.inspect._kernel._chained import Chained

    chained = Chained.of(host)
    return Inventory(tuple(programs), tuple(map(chained.own, links)), (), unfinished, chains=chained.chains)


class _Reader:
    """Reads what the records name, with buffers that are made once."""

    __slots__ = ("_host", "_links", "_names", "_programs")

    def __init__(self, host: Host) -> None:
        self._host = host
        self._programs, self._links = walk.ProgramReader(), walk.LinkReader()
        self._names: list[Names] = []

    def close(self) -> None:
        self._programs.close()

    def programs(self, load: Load) -> list[ProgramView]:
        if load.record is None:
            return [self._damaged(load)]
        found = []
        for program, pin in zip(load.record.programs, load.program_pins(), strict=True):
            damage = ""
            try:
                fd = opened(pin, "program")
            except KernelError as error:
                if not os.path.isdir(load.path):
                    return []  # unloaded meanwhile
                damage = f"its pin {pin} has gone" if error.errno == 2 else str(error)
                try:
                    fd = bpf.program_by_id(program.id)
                except KernelError:
                    found.append(_absent(load, program.id, program.name, program.type, damage))
                    continue
            with fd:
                info = self._programs.info(fd.fileno())
            if info is None or info.id != program.id:
                found.append(_absent(load, program.id, program.name, program.type, _OTHER))
                continue
            kind = program.type if program.extension else word(abi.PROGRAM_TYPES, info.type)
            found.append(ProgramView(info.id, program.name, kind, info, load.id, load.record, pin, (), damage, ""))
        return found

    def _damaged(self, load: Load) -> ProgramView:
        try:
            with bpf.program_by_id(load.id) as fd:
                info = self._programs.info(fd.fileno())
        except KernelError:
            info = None
        if info is None:
            return _absent(load, load.id, "", "", load.damage)
        kind = word(abi.PROGRAM_TYPES, info.type)
        return ProgramView(info.id, info.name, kind, info, load=load.id, damage=load.damage)

    def links(self, load: Load) -> list[LinkView]:
        found = []
        for record in load.links:
            pin = load.link_pin(record.id)
            seen = state(self._host, record, pin, self._links)
            if seen is not None:
                found.append(self._link(load, record, pin, seen))
        return found + [self._damaged_link(load, number) for number in load.damaged_links]

    def _link(self, load: Load, record: LinkRecord, pin: str, seen: State) -> LinkView:
        target, name, moved = self._target(record, seen.ifindex)
        first = seen.links[0] if seen.links else None
        return LinkView(
            id=record.id,
            kernel_id=first.id if first else None,
            program_id=record.program_id,
            hook=record.hook,
            how=record.how,
            target=target,
            state=seen.word,
            load=load.id,
            record=record,
            pin=pin,
            ifindex=seen.ifindex,
            moved=moved,
            reason=seen.reason,
            type=word(abi.LINK_TYPES, first.type) if first else "",
            interface=name,
            direction=record.direction,
            netns=record.netns,
            netns_inode=record.netns_inode,
            priority=record.priority,
            details=record.details or {},
            part_ids=tuple(each.id for each in seen.links[1:]),
            proceed_on=record.proceed_on,
        )

    def _target(self, record: LinkRecord, ifindex: int | None) -> tuple[str, str | None, bool]:
        """Where the link is in words, the interface's name of now, and whether it has left the namespace."""
        if not ifindex or not record.interface:
            return record.target, record.interface, False
        if not self._names:
            from bpfimg.inspect._kernel._names import Names

            self._names.append(Names())
        name = self._names[0].now(record, ifindex)
        if not name:
            return record.target, record.interface, name is not None
        side = record.direction or record.spec.get("side") or ""
        return f"{name} {side}".rstrip(), name, False

    def _damaged_link(self, load: Load, number: int) -> LinkView:
        pin = load.link_pin(number)
        try:
            with opened(pin, "link") as fd:
                link = self._links.link(fd.fileno())
        except KernelError:
            link = None
        if link is None:
            return LinkView(number, None, 0, "damaged", "link", "", "stale", load.id, None, pin, reason="no link there")
        facts: Mapping[str, object] = link.facts
        reason, name, ifindex = gone(link), facts.get("name", ""), facts.get("ifindex")
        return LinkView(
            id=number,
            kernel_id=link.id,
            program_id=link.prog_id,
            hook=word(abi.LINK_TYPES, link.type),
            how="link",
            target=str(name),
            state="stale" if reason else "attached",
            load=load.id,
            pin=pin,
            ifindex=ifindex if isinstance(ifindex, int) else None,
            reason=reason,
            type=word(abi.LINK_TYPES, link.type),
        )


def _absent(load: Load, number: int, name: str, kind: str, damage: str) -> ProgramView:
    return ProgramView(number, name, kind, load=load.id, record=load.record, damage=damage)


def opened(pin: str, kind: str) -> Fd:
    """What is pinned there; KernelError when that is something else."""
    fd = bpf.get(pin)
    if bpf.kind(fd) != kind:
        fd.close()
        raise KernelError(f"{pin} is not a {kind}", errno=22)
    return fd


def _unfinished(change: Unfinished) -> str:
    if not change.running:
        return change.path
    return f"{change.path}: program {', '.join(map(str, change.running))} is still attached"
