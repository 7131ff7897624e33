"""The hooks that a program can be attached to: a closed union of frozen values, valid from birth.

Priorities go from 0 to 2^31-1 and the lower runs first; that is the range that libxdp's and bpfman's dispatchers
store. Ties keep the order in which they were attached. Names of actions and defaults are those of libxdp (xdp) and
bpfman (tc); `dispatcher_return` is always among them, because a chain that does not go on after an emptied slot
would end there.
"""

from __future__ import annotations

from bpfimg._value import replace, value
from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn, TypeAlias

#: action name -> the number that a program returns for it
XDP_ACTIONS = {"aborted": 0, "drop": 1, "pass": 2, "tx": 3, "redirect": 4, "dispatcher_return": 31}
TC_ACTIONS = {
    "unspec": -1,
    "ok": 0,
    "reclassify": 1,
    "shot": 2,
    "pipe": 3,
    "stolen": 4,
    "queued": 5,
    "repeat": 6,
    "redirect": 7,
    "trap": 8,
    "dispatcher_return": 30,
}
MODES = ("auto", "native", "generic", "offload")
DIRECTIONS = ("ingress", "egress")
MAX_PRIORITY = 2**31 - 1


@value(frozen=True, slots=True)
class Xdp:
    """The receive path of an interface, before the kernel's network stack.

    `mode`: auto (native where the driver has it, else generic), native, generic, offload. `netns`: a path, or a
    name below /var/run/netns; None is the caller's own.
    """

    interface: str
    priority: int = 50
    proceed_on: tuple[str, ...] = ("pass", "dispatcher_return")
    mode: str = "auto"
    netns: str | None = None

    def __post_init__(self) -> None:
        _interface(self.interface)
        _priority(self.priority)
        _one_of("XDP mode", self.mode, MODES)
        _netns(self.netns)
        object.__setattr__(self, "proceed_on", _actions(self.proceed_on, XDP_ACTIONS))


@value(frozen=True, slots=True)
class Tc:
    """Traffic control of an interface, in one direction: a TCX link where the kernel has it, a clsact filter otherwise.

    One of ours for each interface and direction. `netns` as for Xdp.
    """

    interface: str
    direction: str
    priority: int = 50
    proceed_on: tuple[str, ...] = ("pipe", "dispatcher_return")
    netns: str | None = None

    def __post_init__(self) -> None:
        _interface(self.interface)
        _one_of("direction", self.direction, DIRECTIONS)
        _priority(self.priority)
        _netns(self.netns)
        object.__setattr__(self, "proceed_on", _actions(self.proceed_on, TC_ACTIONS))


@value(frozen=True, slots=True)
class Tcx:
    """A TCX link on an interface, in one direction: any number, ordered by priority among ours. `netns` as for Xdp."""

    interface: str
    direction: str
    priority: int = 50
    netns: str | None = None

    def __post_init__(self) -> None:
        _interface(self.interface)
        _one_of("direction", self.direction, DIRECTIONS)
        _priority(self.priority)
        _netns(self.netns)


@value(frozen=True, slots=True)
class Tracepoint:
    """A kernel tracepoint: `group` and `name` as below /sys/kernel/tracing/events, for every process and CPU."""

    group: str
    name: str

    def __post_init__(self) -> None:
        for what, word in (("group", self.group), ("name", self.name)):
            if not (word.isascii() and word.replace("_", "").replace("-", "").isalnum()):
                raise UsageError(
                    f"tracepoint {what} {quoted(word)} is not a name, expected GROUP/NAME",
                    hint="`ls /sys/kernel/tracing/events` shows the groups, and each group its tracepoints",
                )

    @classmethod
    def parse(cls, text: str) -> Tracepoint:
        """Reads `GROUP/NAME` (a colon between them will do, as perf and bpftrace write it)."""
        group, slash, name = text.partition("/" if "/" in text else ":")
        if not slash:
            raise UsageError(f"{quoted(text)} is not a tracepoint, expected GROUP/NAME, as in sched/sched_switch")
        return cls(group, name)


Hook: TypeAlias = "Xdp | Tc | Tcx | Tracepoint"


def never(hook: NoReturn) -> NoReturn:
    """Ends every `match` on a hook, so that the type checker lists the kinds that were forgotten."""
    raise AssertionError(hook)


def kind(hook: Hook) -> str:
    """The hook's word on the command line and in records: xdp, tc, tcx, tracepoint."""
    return type(hook).__name__.lower()


def program_type(hook: Hook) -> str:
    """The kernel's word for the programs that fit the hook."""
    match hook:
        case Xdp():
            return "xdp"
        case Tc() | Tcx():
            return "sched_cls"
        case Tracepoint():
            return "tracepoint"
        case _:
            never(hook)


def with_netns(hook: Hook, path: str | None) -> Hook:
    """The same hook with `netns` as a path that other processes understand too."""
    return hook if isinstance(hook, Tracepoint) else replace(hook, netns=path)


def _interface(name: str) -> None:
    # The kernel's dev_valid_name(): below IFNAMSIZ, not a path component of sysfs, no '/', ':' or blank.
    bad = (
        not name
        or len(name.encode(errors="replace")) > 15
        or name in (".", "..")
        or any(c in "/:" or c.isspace() for c in name)
    )
    if bad or not name.isprintable():
        raise UsageError(
            f"{quoted(name)} is not an interface name, expected at most 15 bytes without '/', ':' or blanks"
        )


def _priority(priority: int) -> None:
    if not 0 <= priority <= MAX_PRIORITY:
        raise UsageError(f"priority {priority} is out of range, expected 0 to {MAX_PRIORITY} (the lower runs first)")


def _netns(path: str | None) -> None:
    if path is not None and (not path or not path.isprintable()):
        raise UsageError(f"{quoted(path)} is not a network namespace, expected a path or a name below /var/run/netns")


def _one_of(what: str, word: str, words: Sequence[str]) -> None:
    if word not in words:
        raise UsageError(f"{quoted(word)} is not a {what}, expected {', '.join(words)}")


def _actions(names: Sequence[str], known: dict[str, int]) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            raise UsageError(f"proceed-on {quoted(name)} is not an action of this hook, expected {', '.join(known)}")
    wanted = {*names, "dispatcher_return"}
    return tuple(name for name in known if name in wanted)
