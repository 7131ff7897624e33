"""The freplace builder: a dispatcher with a slot for each member, and the members in them by links.

Members are programs of type EXT that were loaded once; a change builds another dispatcher and links the same programs
to it. For XDP it is one that libxdp's tools take for theirs: name, record and attach type are as they have them.
"""

from __future__ import annotations

import errno
import struct
from contextlib import ExitStack

from bpfimg.dispatcher._alone import alone
from bpfimg.dispatcher._emit import NAMES, emitted
from bpfimg.dispatcher._record import Record, encode
from bpfimg.dispatcher._together import ATTACH_TYPES, HAS_FRAGS, TYPES
from bpfimg.errors import AttachError, KernelError, NotSupported, quoted
from bpfimg.kernel import abi, bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from bpfimg.dispatcher._emit import Emitted
    from bpfimg.dispatcher._model import Member
    from bpfimg.dispatcher._plan import Plan
    from bpfimg.kernel import Fd

_RECORD_MAP = "xdp_disp.rodata"
_READ_ONLY_FOR_PROGRAMS = 0x80  # BPF_F_RDONLY_PROG
_KEY = bytes(4)


class Built:
    """A dispatcher that is loaded, with its members in place, and attached nowhere yet.

    `dispatcher` is the program, `id` its kernel id, `links` hold the members in it, in the order of the plan. All are
    closed with it: attach and pin before.
    """

    __slots__ = ("dispatcher", "id", "links")

    def __init__(self, dispatcher: Fd, links: tuple[Fd, ...]) -> None:
        self.dispatcher, self.links = dispatcher, links
        self.id = bpf.program_info(dispatcher, memlock=False).id

    def close(self) -> None:
        """Closes its descriptors; what is neither attached nor pinned leaves the kernel."""
        for each in (*self.links, self.dispatcher):
            each.close()

    def __enter__(self) -> Built:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def build(plan: Plan, programs: Mapping[int, Fd | int], *, protocol: int, end: int) -> Built:
    """Builds the dispatcher of a plan; `programs` are descriptors of its members (type EXT) by their kernel ids.

    `end` is its result when the last member lets the chain go on; `protocol` the version of the record that libxdp
    reads, 2 or 3, and 0 for none (tc). A single member takes the place of main itself where that comes to the same.
    AttachError: the kernel does not take a member in this dispatcher; it says which.
    """
    made = emitted(plan.hook, [each.proceed_on for each in plan.members], end)
    with ExitStack() as stack:
        frags = bool(plan.members) and all(each.frags for each in plan.members)
        dispatcher = stack.enter_context(loaded(plan.hook, made, HAS_FRAGS if frags else 0))
        if protocol:
            _bind_record(dispatcher, plan, protocol, frags=frags)
        whole = len(plan) == 1 and alone(plan.hook, plan.members[0], end)
        places = (made.main,) if whole else made.slots
        links = tuple(
            stack.enter_context(_linked(member, programs[member.program], dispatcher, place))
            for member, place in zip(plan.members, places, strict=True)
        )
        built = Built(dispatcher, links)
        stack.pop_all()
    return built


def loaded(hook: str, made: Emitted, flags: int) -> Fd:
    """Loads a dispatcher, whose slots are empty."""
    with bpf.btf_load(made.btf) as btf:
        return bpf.prog_load(
            bpf.Program(
                type=TYPES[hook],
                code=made.code,
                name=NAMES[hook],
                attach_type=ATTACH_TYPES[hook],
                flags=flags,
                btf=btf,
                functions=made.functions,
            )
        )


def _bind_record(dispatcher: Fd, plan: Plan, protocol: int, *, frags: bool) -> None:
    """The record is for readers: no code of ours looks at it."""
    value = encode(
        Record(
            version=protocol,
            masks=tuple(each.proceed_on for each in plan.members),
            priorities=tuple(each.priority for each in plan.members),
            flags=tuple(HAS_FRAGS if each.frags else 0 for each in plan.members),
            frags=frags,
        )
    )
    size = len(value)
    with bpf.map_create(abi.MAP_TYPE_ARRAY, 4, size, 1, flags=_READ_ONLY_FOR_PROGRAMS, name=_RECORD_MAP) as record:
        bpf.map_update(record, _KEY, value)
        bpf.map_freeze(record)
        bpf.bind_map(dispatcher, record)


def _linked(member: Member, program: Fd | int, dispatcher: Fd, function: int) -> Fd:
    try:
        return bpf.link_create(program, dispatcher.fileno(), 0, extra=struct.pack("=I", function))
    except KernelError as error:
        raise _refused(member, error) from error


def _refused(member: Member, error: KernelError) -> Exception:
    """The kernel gives no log here, so what is known of the reasons is said."""
    what = f"program {quoted(member.name)} (id {member.program})"
    if error.errno == errno.EPERM:
        return NotSupported(
            f"the kernel does not let {what} take a place in a dispatcher (freplace): {error}",
            feature="freplace",
            errno=error.errno,
        )
    reasons = {
        errno.EINVAL: "it was not loaded for one of this kind: as an extension, with types, for the same attach type",
        errno.EBUSY: "it has a place in this one already",
    }
    why = reasons.get(error.errno, str(error))
    return AttachError(f"the kernel does not take {what} in a dispatcher: {why}", hint="run the image again")
