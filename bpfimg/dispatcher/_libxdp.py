"""Dispatchers of libxdp, whoever made them: what is in their slots, and the pins by which its tools find that.

xdp-tools, lib/libxdp/protocol.org: the program `xdp_dispatcher` that an interface runs has one map with a record of
its slots (`_record`), and each slot a program and a link in `<bpffs>/xdp/dispatch-<ifindex>-<program id>`. A slot runs
what the kernel's link puts there, pinned or not: links are asked where pins do not tell. Nothing here looks at tags or
instructions: each version of the tools, and each of our own chains, has others.
"""

from __future__ import annotations

import errno
from contextlib import ExitStack, contextmanager

from bpfimg._value import value
from bpfimg.dispatcher._libxdp_pins import folder_of, is_published, publish, remove, sweep, sweep_drafts
from bpfimg.dispatcher._libxdp_slots import NAME, Slot, damage_of, read_slots, types_of
from bpfimg.dispatcher._raced import Raced
from bpfimg.errors import BytecodeError, DamagedRecord, KernelError
from bpfimg.kernel import abi, bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpfimg.btf import Btf
    from bpfimg.kernel import Fd

__all__ = [
    "NAME",
    "Found",
    "Slot",
    "folder_of",
    "is_published",
    "open_slots",
    "opened",
    "publish",
    "read",
    "remove",
    "sweep",
    "sweep_drafts",
]

NEWEST = 3  # the version of xdp-tools 1.6
_READ_ONLY = 0x80  # BPF_F_RDONLY_PROG
_RECORD_MAX = 4096


@value(frozen=True, slots=True)
class Found:
    """A dispatcher with that kernel id. `folder` is where its pins are, or should be.

    `damage` says what is wrong with it, "" for nothing; of one that cannot be read, or of a version above 3, there are
    no slots: then it is not to be changed.
    """

    dispatcher: int
    version: int
    slots: tuple[Slot, ...]
    frags: bool
    folder: str
    damage: str = ""


def read(bpffs: str, ifindex: int, dispatcher: int) -> Found | None:
    """Returns the dispatcher of libxdp that the program with that id is; None for any other program.

    Raced: there is no such program any more. Pins come and go while others change the interface: only what is found
    again, with the same program on the hook, is damage.
    """
    try:
        with bpf.program_by_id(dispatcher) as fd:
            info = bpf.program_info(fd, memlock=False)
            if info.type != abi.PROG_TYPE_XDP or info.name != NAME or not info.btf_id or len(info.map_ids) != 1:
                return None
            value = _record_of(info.map_ids[0])
            if value is None:
                return None
            return _found(bpffs, ifindex, dispatcher, value, types_of(info.btf_id))
    except KernelError as error:
        if error.errno == errno.ENOENT:
            raise Raced(f"the dispatcher {dispatcher} of interface {ifindex} has gone", errno=errno.ENOENT) from error
        raise


def _record_of(number: int) -> bytes | None:
    with bpf.map_by_id(number) as fd:
        info = bpf.map_info(fd)
        if (info.type, info.key_size, info.max_entries) != (abi.MAP_TYPE_ARRAY, 4, 1):
            return None
        if not 2 <= info.value_size <= _RECORD_MAX or not info.flags & _READ_ONLY:
            return None
        return bpf.map_lookup(fd, bytes(4), info.value_size)


def _found(bpffs: str, ifindex: int, dispatcher: int, value: bytes, types: Btf | None) -> Found | None:
    from bpfimg.dispatcher import _record

    folder = folder_of(bpffs, ifindex, dispatcher)
    version = value[1] if value[0] == _record.MAGIC else _stated(types)
    if not version:
        return None

    def unread(damage: str) -> Found:
        return Found(dispatcher, version, (), frags=False, folder=folder, damage=damage)

    if version > NEWEST:
        return unread(f"it is of version {version} of libxdp's protocol, expected at most {NEWEST}")
    try:
        record = _record.decode(value, version)
    except DamagedRecord as error:
        return unread(str(error))
    slots = read_slots(folder, dispatcher, record, types)
    return Found(dispatcher, version, slots, frags=record.frags, folder=folder, damage=damage_of(folder, slots))


def _stated(types: Btf | None) -> int:
    """The version that the types of a dispatcher state, as version 1 does: the number of elements of an array that the
    variable `dispatcher_version` points to; 0 where they state none."""
    from bpfimg.btf import kinds

    try:
        section = types.data_sections().get("xdp_metadata") if types else None
        for variable, _, _ in types.variables(section) if types and section else ():
            if types and types.name(variable) == "dispatcher_version":
                pointer = types.bare(types.target(variable))
                array = types.bare(types.target(pointer)) if types.kind(pointer) == kinds.PTR else 0
                return types.array(array)[1] if array and types.kind(array) == kinds.ARRAY else 0
    except BytecodeError:
        return 0
    return 0


def open_slots(found: Found) -> list[Fd]:
    """Opens the programs of all slots that have one, in order, to be closed; Raced when one has gone.

    They are opened by their ids: what is pinned may be removed by another writer at any moment, and a program that a
    link holds need not be pinned at all.
    """
    with ExitStack() as stack:
        programs = [stack.enter_context(_still(found, bpf.program_by_id, each.program)) for each in _full(found)]
        stack.pop_all()
    return programs


@contextmanager
def opened(found: Found) -> Iterator[list[tuple[Fd, Fd]]]:
    """The link and the program of each slot that runs something, in order, open inside `with`; Raced as above."""
    with ExitStack() as stack:
        yield [
            (
                stack.enter_context(_still(found, bpf.link_by_id, each.link)),
                stack.enter_context(_still(found, bpf.program_by_id, each.program)),
            )
            for each in _full(found)
            if each.attached
        ]


def _full(found: Found) -> tuple[Slot, ...]:
    return tuple(slot for slot in found.slots if slot.program)


def _still(found: Found, by_id: Callable[[int], Fd], number: int) -> Fd:
    try:
        return by_id(number)
    except KernelError as error:
        if error.errno != errno.ENOENT:
            raise
        raise Raced(f"a program of dispatcher {found.dispatcher} has gone", errno=errno.ENOENT) from error
