"""This host: what bpfimg has loaded, as records and kernel tell it, joined by id; on request everything in the kernel.

Looking changes nothing and takes no lock. What vanishes meanwhile is left out; what others have broken is shown as
damaged.
"""

from __future__ import annotations

import os
import time

from bpfimg.errors import KernelError
from bpfimg.inspect._kernel._views import Inventory, LinkView, ProgramView
from bpfimg.kernel import abi, bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.inspect._kernel._names import Names
    from bpfimg.inspect._kernel._views import MapView
    from bpfimg.kernel import Fd
    from bpfimg.load import Host, LinkRecord, Load, Unfinished

_DANGLING = ("xdp", "tcx", "netkit")  # kinds of link that say ifindex 0 once their device has gone


def host(host: Host, *, all: bool = False, maps: bool = False) -> Inventory:
    """Returns what bpfimg loaded; with `all` everything in the kernel, where it is attached and who holds it.

    `maps` adds the maps of the programs listed. KernelError when bpffs is not mounted, or (all) without CAP_SYS_ADMIN.
    """
    loads = host.loads()
    programs = [view for load in loads for view in _programs(load)]
    names: list[Names] = []
    links = [view for load in loads for view in _links(host, load, names)]
    unfinished = tuple(_unfinished(change) for change in host.unfinished())
    if all:
        from bpfimg.inspect._kernel import _everything

        programs, links = _everything.added(host, programs, links)
    views: tuple[MapView, ...] = ()
    if maps:
        from bpfimg.inspect._kernel import _maps

        views = _maps.of(loads, programs, all=all)
    return Inventory(tuple(programs), tuple(links), views, unfinished)


def _programs(load: Load) -> list[ProgramView]:
    if load.record is None:
        return [_damaged(load)]
    found = []
    for program, pin in zip(load.record.programs, load.program_pins(), strict=True):
        damage = ""
        try:
            fd = _opened(pin, "program")
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
            view = seen(bpf.program_info(fd), name=program.name, load=load, pin=pin, damage=damage)
        found.append(view if view.id == program.id else _absent(load, program.id, program.name, program.type, _OTHER))
    return found


_OTHER = "something else is pinned in its place"


def _damaged(load: Load) -> ProgramView:
    try:
        with bpf.program_by_id(load.id) as fd:
            return seen(bpf.program_info(fd), load=load, damage=load.damage)
    except KernelError:
        return _absent(load, load.id, "", "", load.damage)


def _absent(load: Load, number: int, name: str, kind: str, damage: str) -> ProgramView:
    return ProgramView(number, name, kind, load=load.id, record=load.record, damage=damage)


def _opened(pin: str, kind: str) -> Fd:
    """What is pinned there; KernelError when that is something else."""
    fd = bpf.get(pin)
    if bpf.kind(fd) != kind:
        fd.close()
        raise KernelError(f"{pin} is not a {kind}", errno=22)
    return fd


def seen(
    info: bpf.ProgramInfo, *, name: str = "", load: Load | None = None, pin: str = "", damage: str = ""
) -> ProgramView:
    """The view of a program that the kernel told us about."""
    return ProgramView(
        id=info.id,
        name=name or info.name,
        type=word(abi.PROGRAM_TYPES, info.type),
        tag=info.tag,
        gpl=info.gpl,
        loaded_at=moment(info.loaded_at),
        uid=info.uid,
        map_ids=info.map_ids,
        btf_id=info.btf_id,
        jited_size=info.jited_size,
        xlated_size=info.xlated_size,
        memlock=info.memlock,
        verified_insns=info.verified_insns,
        run_time=info.run_time,
        run_count=info.run_count,
        load=load.id if load else None,
        record=load.record if load else None,
        pin=pin,
        damage=damage,
    )


def word(words: Sequence[str], number: int) -> str:
    """The kernel's word for a number; newer kernels have numbers that we have no word for."""
    return words[number] if 0 <= number < len(words) else f"type {number}"


def moment(since_boot: int) -> str:
    """Nanoseconds since boot as a time of day: RFC 3339, UTC, whole seconds."""
    booted = time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime((booted + since_boot) // 10**9))


def _links(host: Host, load: Load, names: list[Names]) -> list[LinkView]:
    found = []
    for record in load.links:
        pin = load.link_pin(record.id)
        try:
            state, number, ifindex = _filter_state(host, record) if record.how != "link" else _link_state(pin)
        except KernelError:
            if not os.path.lexists(pin):
                continue  # detached meanwhile
            state, number, ifindex = "stale", None, None
        if state == "stale" and not os.path.lexists(pin):
            continue  # detached between opening it and asking about it
        target, moved = _target(record, ifindex, names)
        found.append(
            LinkView(
                id=record.id,
                kernel_id=number,
                program_id=record.program_id,
                hook=record.hook,
                how=record.how,
                target=target,
                state=state,
                load=load.id,
                record=record,
                pin=pin,
                ifindex=ifindex,
                moved=moved,
            )
        )
    return found + [_damaged_link(load, number) for number in load.damaged_links]


def _target(record: LinkRecord, ifindex: int | None, names: list[Names]) -> tuple[str, bool]:
    """Where the link is, in words, and whether its interface has left the namespace; `names` keeps what was asked."""
    if not ifindex or not record.interface:
        return record.target, False
    if not names:
        from bpfimg.inspect._kernel._names import Names

        names.append(Names())
    name = names[0].now(record, ifindex)
    if not name:
        return record.target, name is not None
    return f"{name} {record.direction}" if record.direction else name, False


def _link_state(pin: str) -> tuple[str, int | None, int | None]:
    with _opened(pin, "link") as fd:
        info = bpf.link_info(fd)
    return state_of(info), info.id, info.ifindex


def state_of(info: bpf.LinkInfo) -> str:
    """ "attached", or "stale" for a link whose device has gone or that was detached by force."""
    dangling = word(abi.LINK_TYPES, info.type) in _DANGLING and info.ifindex == 0
    return "stale" if dangling else "attached"


def _filter_state(host: Host, record: LinkRecord) -> tuple[str, None, int | None]:
    there = host.has_filter(record)
    return "attached" if there else "stale", None, record.ifindex if there else None


def _damaged_link(load: Load, number: int) -> LinkView:
    pin = load.link_pin(number)
    try:
        with _opened(pin, "link") as fd:
            info = bpf.link_info(fd)
    except KernelError:
        return LinkView(number, None, 0, "damaged", "link", "", "stale", load.id, None, pin)
    hook = word(abi.LINK_TYPES, info.type)
    state, ifindex = state_of(info), info.ifindex
    return LinkView(
        number, info.id, info.prog_id, hook, "link", info.target or "", state, load.id, None, pin, ifindex=ifindex
    )


def _unfinished(change: Unfinished) -> str:
    if not change.running:
        return change.path
    return f"{change.path}: program {', '.join(map(str, change.running))} is still attached"
