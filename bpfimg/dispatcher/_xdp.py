"""The XDP hook of an interface: what runs there, and exchanging it in one step.

By netlink, never by a link: libxdp's tools cannot change what a link holds. RTM_SETLINK with the program that is
expected there (IFLA_XDP_EXPECTED_FD, since 5.7) is a compare-and-swap: no packet sees the hook empty, and whoever was
faster is noticed (net/core/dev.c, dev_xdp_attach). All of this is to be called inside the interface's namespace.
"""

from __future__ import annotations

import errno

from bpfimg._value import value
from bpfimg.dispatcher._raced import Raced
from bpfimg.errors import AttachError, Busy, KernelError, quoted
from bpfimg.kernel import abi, bpf, libbpf
from bpfimg.load import members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpfimg.dispatcher._model import Spot
    from bpfimg.dispatcher._plan import Plan
    from bpfimg.errors import Error
    from bpfimg.kernel import Fd
    from bpfimg.load import Load

__all__ = ["Raced", "State", "Used", "agree", "held", "state", "swap"]

_FLAGS = {"auto": 0, "native": abi.XDP_NATIVE, "generic": abi.XDP_SKB, "offload": abi.XDP_OFFLOAD}
_TAKEN = (errno.EBUSY, errno.EEXIST)
_UPPER = "upper device"  # in the kernel's own words; the number, EEXIST, is that of a lost race
_FALLS_BACK = "--mode generic runs it in the network stack instead"


@value(frozen=True, slots=True)
class State:
    """What an interface runs: the kernel id of the program (0: none), and native, generic or offload ("" for none)."""

    program: int
    mode: str

    @property
    def by_link(self) -> bool:
        """Whether a bpf_link holds it there, which no netlink call changes; every link of the kernel is asked."""
        from bpfimg.kernel import walk

        return bool(self.program) and any(
            link.type == abi.LINK_XDP and link.prog_id == self.program for link in walk.links()
        )


@value(frozen=True, slots=True)
class Used:
    """The mode that a chain came to run in, and why, where it was left to us and the driver did not take it."""

    mode: str
    note: str = ""


def state(ifindex: int) -> State:
    """Returns what the interface runs now; KernelError ENODEV when there is none with that index."""
    found = libbpf.xdp_query(ifindex)
    return State(found.prog_id, found.mode or "")


def agree(spot: Spot, asked: str, used: str) -> None:
    """AttachError when a chain that runs in one mode is asked to run in the other: they cannot both be on."""
    if asked not in ("auto", used):
        raise AttachError(
            f"the chain of {spot.interface} runs in {used} mode, expected {asked} as this program asks",
            hint=f"all programs of an interface run in one mode: say --mode {used}, or take the others off first",
        )


def swap(spot: Spot, old: Fd | int | None, new: Fd | int | None, mode: str, plan: Plan | None = None) -> Used:
    """Puts `new` in the place of `old`, None for nothing, in one step; returns the mode that it runs in.

    `mode` is that in which `old` runs; for a first program it may be auto: native where the driver takes it, else
    generic, with the reason. `plan` is that of `new`: refusals name its members. Raced: `old` is not what runs there,
    or there is no such interface any more. Busy: a bpf_link holds the hook. AttachError, KernelError: it is refused.
    """
    try:
        _set(spot.ifindex, old, new, mode)
        return _used(spot) if mode == "auto" else Used(mode)
    except KernelError as error:
        refusal = None if new is None else _refusal(error, spot, plan)
        if mode != "auto" or refusal is None:
            raise _explained(error, spot, old, mode, refusal) from error
        note = f"in generic mode: {refusal}"
    try:
        _set(spot.ifindex, old, new, "generic")
    except KernelError as error:
        raise _explained(error, spot, old, "generic", None) from error
    return Used("generic", note)


def _set(ifindex: int, old: Fd | int | None, new: Fd | int | None, mode: str) -> None:
    flags = _FLAGS[mode] | (abi.XDP_NOEXIST if old is None else 0)
    libbpf.xdp_attach(ifindex, new, flags=flags, old_fd=old)


def _used(spot: Spot) -> Used:
    """The mode that the kernel has chosen by itself."""
    try:
        mode = libbpf.xdp_query(spot.ifindex).mode or "native"
    except KernelError:
        return Used("native")  # it runs: that it cannot be asked how is no reason to take it off
    return Used(mode, f"in generic mode: {members.has_none(_place(spot))}" if mode == "generic" else "")


def _place(spot: Spot) -> members.Place:
    return members.Place(spot.interface, spot.ifindex, spot.netns, spot.inode)


def _refusal(error: KernelError, spot: Spot, plan: Plan | None) -> members.Refusal | None:
    """What the driver means that does not take the chain natively; None for any other error."""
    without = [quoted(member.name) for member in plan.members if not member.frags] if plan else ["the program"]
    lacking = f"{' and '.join(without)} {'is' if len(without) == 1 else 'are'}"
    return members.refused_by_driver(error, _place(spot), frags=not without, lacking=lacking)


def _explained(
    error: KernelError, spot: Spot, old: Fd | int | None, mode: str, refusal: members.Refusal | None
) -> Error:
    if error.errno == errno.ENODEV:
        return Raced(f"the interface {spot.interface} has gone: {error}", errno=error.errno)
    if error.errno in _TAKEN:
        return _taken(error, spot, old, mode)
    if refusal is None:
        return KernelError(f"cannot attach to {spot.interface}: {error}", errno=error.errno, hint=error.hint)
    way = _FALLS_BACK if old is None else "take all programs off first: --mode generic runs them in the network stack"
    return AttachError(
        f"{spot.interface} does not take the chain in {mode} mode: {refusal.text}",
        hint=f"{refusal.hint}, or {way}" if refusal.hint else way,
    )


def _taken(error: KernelError, spot: Spot, old: Fd | int | None, mode: str) -> Error:
    """What stands in the way: a link, an interface above this one, the other mode; else somebody was faster."""
    try:
        there = state(spot.ifindex)
    except KernelError:
        return Raced(f"the interface {spot.interface} has gone: {error}", errno=error.errno)
    if there.by_link:
        return held(spot, there)
    if _UPPER in str(error):
        return AttachError(
            f"{spot.interface} belongs to an interface that runs an XDP program itself: {error}",
            hint="take that one off first",
        )
    if old is not None and there.mode != mode and there.program == bpf.program_info(old, memlock=False).id:
        return AttachError(
            f"the chain of {spot.interface} runs in {there.mode} mode, expected {mode} as it was read",
            hint="try again",
        )
    return Raced(f"somebody else changed what {spot.interface} runs: {error}", errno=error.errno)


def held(spot: Spot, there: State, loads: Iterable[Load] = ()) -> Busy:
    """The error for a hook whose program is no member of a chain that can be changed: whose it is, and the way out."""
    who, remedy = members.describe(there.program, loads, _place(spot))
    if there.by_link:
        who = f"{who}, held by a bpf_link"
    elif there.program and not any(there.program in load.program_ids for load in loads):
        word = {"native": "xdpdrv", "generic": "xdpgeneric", "offload": "xdpoffload"}.get(there.mode, "xdp")
        who, remedy = f"{who}, attached without a link", f"`ip link set dev {spot.interface} {word} off` takes it off"
    mode = f", in {there.mode} mode" if there.mode else ""
    return Busy(f"{spot.interface} already runs XDP{mode}: {who}", owner=who, hint=remedy)
