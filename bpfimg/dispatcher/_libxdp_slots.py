"""What is in the slots of a dispatcher of libxdp: by its pins, and by the kernel's links where those do not tell."""

from __future__ import annotations

import errno
import sys

from bpfimg._value import value
from bpfimg.dispatcher._libxdp_pins import missing
from bpfimg.errors import BytecodeError, KernelError
from bpfimg.kernel import abi, bpf, dump, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf import Btf
    from bpfimg.dispatcher._record import Record

NAME = "xdp_dispatcher"
_KEPT = 15  # characters of a name that the kernel keeps


@value(frozen=True, slots=True)
class Slot:
    """One slot: `program` is the kernel id of what is pinned or linked there, 0 where neither is; `name` its full
    name. `link` is the id of the kernel's link that puts it there; 0: there is none, and the slot does nothing."""

    program: int
    name: str
    priority: int
    mask: int
    flags: int
    link: int

    @property
    def attached(self) -> bool:
        """True when it runs."""
        return self.link != 0


def read_slots(folder: str, dispatcher: int, record: Record, types: Btf | None) -> tuple[Slot, ...]:
    """What is in each slot of a dispatcher that has that record and those types, whose pins are in `folder`."""
    pinned = [_pinned(folder, at, dispatcher, types) for at in range(len(record.masks))]
    linked = {} if all(link for _, link in pinned) else _linked(dispatcher, types)
    found = []
    for at, (program, link) in enumerate(pinned):
        runs, by = (program, link) if link else linked.get(at, (program, 0))
        name = _full_name(runs) if runs else ""
        found.append(Slot(runs, name, record.priorities[at], record.masks[at], record.flags[at], by))
    return tuple(found)


def _pinned(folder: str, at: int, dispatcher: int, types: Btf | None) -> tuple[int, int]:
    """The program that is pinned for a slot, and the link that is pinned beside it if that puts it there; 0: none."""
    program = 0
    try:
        with bpf.get(f"{folder}/prog{at}-prog") as fd:
            program = bpf.program_info(fd, memlock=False).id if bpf.kind(fd) == "program" else 0
        with bpf.get(f"{folder}/prog{at}-link") as fd:
            link = bpf.link_info(fd) if bpf.kind(fd) == "link" else None
    except KernelError as error:
        if error.errno != errno.ENOENT:
            raise
        return program, 0
    if link is None or (link.prog_id, link.target_program) != (program, dispatcher):
        return program, 0
    return program, link.id if _slot(types, link.target_type or 0) == at else 0


def _linked(dispatcher: int, types: Btf | None) -> dict[int, tuple[int, int]]:
    """Slot -> the program that a link of the kernel puts there, and that link."""
    found = {}
    for link in walk.links():
        if link.type == abi.LINK_TRACING and link.facts.get("target_obj_id") == dispatcher:
            at = _slot(types, int(str(link.facts["target_btf_id"])))
            if at is not None:
                found[at] = link.prog_id, link.id
    return found


def _slot(types: Btf | None, target: int) -> int | None:
    """The slot that the function of a dispatcher is; its main function is what a single program takes the place of."""
    try:
        name = types.name(target) if types and target else ""
    except BytecodeError:
        return None
    if name == NAME:
        return 0
    number = name.removeprefix("prog")
    return int(number) if number != name and number.isdecimal() and number.isascii() else None


def _full_name(program: int) -> str:
    """The whole name of a program of which the kernel keeps 15 characters, from its types; "" for one that has gone."""
    reader = walk.ProgramReader()
    try:
        with bpf.program_by_id(program) as fd:
            info = reader.info(fd.fileno())
    except KernelError:
        return ""
    finally:
        reader.close()
    if info is None or len(info.name) < _KEPT:
        return info.name if info else ""
    types = types_of(info.btf_id) if info.btf_id and info.function_type_id else None
    try:
        name = types.name(info.function_type_id) if types else ""
    except BytecodeError:
        return info.name
    return name if name.startswith(info.name) else info.name


def types_of(number: int) -> Btf | None:
    """The BTF of that id; None for what cannot be read."""
    from bpfimg.btf import Btf, Limits

    try:
        return Btf(dump.btf_data(number), sys.byteorder, Limits())
    except BytecodeError:
        return None


def damage_of(folder: str, slots: tuple[Slot, ...]) -> str:
    """What is wrong with the slots, in words; "" for nothing."""
    empty = [str(at) for at, slot in enumerate(slots) if not slot.attached]
    if empty:
        return f"nothing runs in slot {', '.join(empty)}: its link has gone"
    lacking = missing(folder, len(slots))
    if not lacking:
        return ""
    what = f"its pins in {folder} have" if len(lacking) == 2 * len(slots) else f"{folder}/{lacking[0]} has"
    return f"{what} gone, so that xdp-loader does not see its programs"
