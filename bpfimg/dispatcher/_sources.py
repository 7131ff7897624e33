"""What chains are built from: the programs of their members, opened where they are kept, or their code."""

from __future__ import annotations

from contextlib import ExitStack

from bpfimg._value import value
from bpfimg.dispatcher._model import Source
from bpfimg.dispatcher._returns import returns
from bpfimg.errors import Error, KernelError, NotSupported, quoted
from bpfimg.kernel import bpf
from bpfimg.load import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.dispatcher._model import Member
    from bpfimg.dispatcher._plan import Plan
    from bpfimg.dispatcher._read import Seen
    from bpfimg.kernel import Fd
    from bpfimg.load import Host

#: bpf_tail_call, bpf_xdp_adjust_head, bpf_xdp_adjust_meta, bpf_xdp_adjust_tail
_NOT_IN_OLD_SLOTS = (12, 44, 54, 65)
_FRAGS = ("xdp.frags", "xdp.frags/devmap", "xdp.frags/cpumap")


@value(frozen=True, slots=True)
class Newcomer:
    """A member that is in no chain yet: its program, and for fused chains its code."""

    member: Member
    program: Fd | int
    source: Source | None = None


def takes_frags(section: str) -> bool:
    """True for programs that take packets of several buffers: libbpf knows them by their section."""
    return section in _FRAGS


def returns_of(program: members.Loaded, scene: members.Scene) -> tuple[int, ...] | None:
    """The results that a program can have, as far as its code says so."""
    code, functions = _insns(program, scene)
    return returns(code, functions) if code else None


def is_in_the_way(program: members.Loaded, scene: members.Scene) -> bool:
    """True for an XDP program that changes the size of packets or makes tail calls: dispatchers of xdp-tools before
    1.5.5 have no slots for those on kernels that mind (since 6.13, and 6.12.26)."""
    from bpfimg.dispatcher._unseen import called

    code, _ = _insns(program, scene)
    return any(number in _NOT_IN_OLD_SLOTS for number in called(code))


def _insns(program: members.Loaded, scene: members.Scene) -> tuple[bytes, tuple[tuple[int, int], ...]]:
    """The code of a program that is being attached, with its functions; b"" where neither was kept."""
    if program.code is not None:
        return program.code.insns, program.code.functions
    opened = scene.unit.object
    handle = next((each for each in opened.programs if each.name == program.name), None) if opened else None
    return (handle.code() if handle is not None else b""), ()


def source_of(program: members.Loaded, scene: members.Scene) -> Source:
    """The code of a program that is being attached, with its maps open for as long as that takes."""
    if program.code is None:
        raise _not_kept(program.name)
    names = scene.unit.names
    wanted = {index for _, index in program.code.maps}
    maps = tuple(scene.unit.map(name) if index in wanted else 0 for index, name in enumerate(names))
    return Source(program.code, program.code.btf, maps)


def programs(stack: ExitStack, host: Host, seen: Seen, plan: Plan, newcomer: Newcomer | None) -> dict[int, Fd | int]:
    """Program id -> its descriptor, of all members; `stack` closes them."""
    known = _of_dispatcher(stack, seen)
    found: dict[int, Fd | int] = {}
    for member in plan.members:
        if newcomer is not None and member.program == newcomer.member.program:
            found[member.program] = newcomer.program
        elif member.program in known:
            found[member.program] = known[member.program]
        else:
            found[member.program] = stack.enter_context(_opened(host, seen, member))
    return found


def _of_dispatcher(stack: ExitStack, seen: Seen) -> dict[int, Fd]:
    if seen.found is None:
        return {}
    from bpfimg.dispatcher import _libxdp

    opened = [stack.enter_context(fd) for fd in _libxdp.open_slots(seen.found)]
    return {bpf.program_info(fd, memlock=False).id: fd for fd in opened}


def _opened(host: Host, seen: Seen, member: Member) -> Fd:
    """A member's program, by our pin of its slot, by that of its link, or by its number."""
    for pin in _pins(host, seen, member):
        try:
            fd = bpf.get(pin)
        except KernelError:
            continue
        with ExitStack() as stack:
            stack.enter_context(fd)
            if bpf.kind(fd) == "program" and bpf.program_info(fd, memlock=False).id == member.program:
                stack.pop_all()
                return fd
    return bpf.program_by_id(member.program)


def _pins(host: Host, seen: Seen, member: Member) -> Iterator[str]:
    if seen.guard is not None and seen.chain is not None:
        yield from (
            seen.guard.slot(number, "prog")
            for number, each in enumerate(seen.chain.plan.members)
            if each.program == member.program
        )
    home = members.home(host, member.link) if member.link else None
    if home is not None:
        yield f"{home.path}/link"


def sources(stack: ExitStack, host: Host, seen: Seen, plan: Plan, newcomer: Newcomer | None) -> dict[int, Source]:
    """Program id -> what a fused program takes of it, of all members; `stack` closes the maps."""
    found: dict[int, Source] = {}
    for member in plan.members:
        if newcomer is not None and member.program == newcomer.member.program and newcomer.source is not None:
            found[member.program] = newcomer.source
        else:
            found[member.program] = _kept(stack, host, seen, member)
    return found


def _kept(stack: ExitStack, host: Host, seen: Seen, member: Member) -> Source:
    home = members.home(host, member.link)
    if home is None:
        raise Error(
            f"the link {member.link} of {quoted(member.name)} cannot be read, which is in the chain on"
            f" {seen.spot.words}, expected what it is made of",
            hint="`bpfimg doctor` says what is damaged",
        )
    record = next((each for each in home.load.record.programs if each.id == member.program), None)  # type: ignore[union-attr]
    code = members.code_of(home.load, record) if record is not None else None
    pins = home.load.map_pins()
    if code is None or any(index >= len(pins) for _, index in code.maps):
        raise _not_kept(member.name)
    wanted = {index for _, index in code.maps}
    maps = tuple(stack.enter_context(bpf.get(pin)).fileno() if index in wanted else 0 for index, pin in enumerate(pins))
    return Source(code, code.btf, maps)


def _not_kept(name: str) -> NotSupported:
    return NotSupported(
        f"the code of {quoted(name)} was not kept, which a fused dispatcher contains",
        feature="fused",
        hint="load it again with this version of bpfimg; programs of more than 1 MiB are not kept",
    )
