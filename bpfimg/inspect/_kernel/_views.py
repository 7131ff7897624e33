"""What was seen on this host: plain values, each saying where it was seen. Nothing here asks anything."""

from __future__ import annotations

import time

from bpfimg._value import field, row, value
from bpfimg.kernel import abi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpfimg.dispatcher import Chain
    from bpfimg.kernel import bpf
    from bpfimg.load import LinkRecord, LoadRecord


@value(frozen=True, slots=True)
class Sample:
    """How often a program ran, and for how many nanoseconds in all, in a time of so many seconds."""

    seconds: float
    runs: int
    run_time: int

    @property
    def rate(self) -> float:
        """Runs a second."""
        return self.runs / self.seconds

    @property
    def mean(self) -> float | None:
        """Nanoseconds for one run; None when it did not run."""
        return self.run_time / self.runs if self.runs else None

    @property
    def share(self) -> float:
        """Of the time of one CPU."""
        return self.run_time / (self.seconds * 10**9)


@row(frozen=True, slots=True)
class ProgramView:
    """A program in the kernel. `load` and `record` are those of our load that it belongs to, None for others' programs.

    `name` is in full where it is known; the kernel keeps 15 characters. `type` is the kernel's word for what it was
    written as: one of ours in the slots of dispatchers is xdp or sched_cls, and its `kernel_type` ext. `info` is what
    the kernel says, None when the program has gone; sizes are bytes. `pin` is our pin of it; `held_by` the pins and
    processes that keep it, where they were looked for. `damage` says what is wrong with it, if anything. `target` is
    what a tracing program, LSM program or extension was loaded for. `sample` is there where one was asked for.
    """

    id: int
    name: str
    type: str
    info: bpf.ProgramInfo | None = None
    load: int | None = None
    record: LoadRecord | None = None
    pin: str = ""
    held_by: tuple[str, ...] = ()
    damage: str = ""
    target: str = ""
    sample: Sample | None = None

    @property
    def kernel_type(self) -> str:
        """The kernel's word for what it was loaded as."""
        return word(abi.PROGRAM_TYPES, self.info.type) if self.info else self.type

    @property
    def map_ids(self) -> tuple[int, ...]:
        """The maps that it uses."""
        return self.info.map_ids if self.info else ()

    @property
    def btf_id(self) -> int:
        """Its BTF object; 0: none."""
        return self.info.btf_id if self.info else 0

    @property
    def loaded_at(self) -> str:
        """RFC 3339."""
        return moment(self.info.loaded_at) if self.info else ""


@row(frozen=True, slots=True)
class LinkView:
    """A program on a hook. `id` is ours, None for what others attached; `kernel_id` that of the kernel's link.

    `hook` is our word for the kind of hook, for others' links too; the kernel's where we have none. `how` is link,
    clsact (also for other qdiscs), netlink (XDP), dispatcher (a member of a chain), attach (a control group, map or
    namespace without a link) or event (a perf event that a process holds). `state` is attached, or stale, and `reason`
    says why: its interface has gone, somebody took the program off. `target` is where, in words of now.

    `ifindex` is where the kernel has it now, None where it does not say; `interface` the name there. `moved` is true
    when that is in another network namespace than at first. `netns` is a path that leads to the namespace, None for
    our own or where it is not known. `position` counts from 0 in the chain on that hook. `details` are facts by name:
    of others' links from the kernel, of ours from the record. `part_ids` are the kernel's links of it but the first.

    In a chain of programs `members` is how many there are, `builder` is freplace, fused or direct, `protocol` libxdp's
    version of it (0: not libxdp's); `priority` and `proceed_on` (names of results) are those of now, `position` is that
    among the members. The dispatcher that carries them has a view of its own, with `all`: it has a `builder`, too, but
    another `how`.
    """

    id: int | None
    kernel_id: int | None
    program_id: int
    hook: str
    how: str
    target: str
    state: str
    load: int | None = None
    record: LinkRecord | None = None
    pin: str = ""
    ifindex: int | None = None
    moved: bool = False
    reason: str = ""
    type: str = ""  # the kernel's word for the kind of link
    attach_type: str = ""  # the kernel's word
    interface: str | None = None
    direction: str | None = None
    netns: str | None = None
    netns_inode: int | None = None
    priority: int | None = None
    position: int | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    held_by: tuple[str, ...] = ()
    part_ids: tuple[int, ...] = ()
    proceed_on: tuple[str, ...] = ()
    members: int | None = None
    builder: str = ""
    protocol: int = 0

    @property
    def place(self) -> str:
        """Its interface and direction, or its tracepoint; an interface that was moved has the name that it had."""
        return f"{self.target} (moved to another network namespace)" if self.moved else self.target

    @property
    def words(self) -> str:
        """The place with what it takes to find it: the hook, the network namespace, and that it does not run there."""
        words = self.place or self.hook
        if self.hook not in ("xdp", "tracepoint") or not self.target:
            words = f"{self.hook} {self.place}".strip()
        record = self.record
        if record is not None and record.netns and not self.moved and record.interface:
            words += f" in {record.netns.rpartition('/')[2]}"
        return words if self.state == "attached" else f"{words} ({self.state})"


@row(frozen=True, slots=True)
class MapView:
    """A map in the kernel; sizes are bytes, `type` is the kernel's word, `program_ids` those seen to use it.

    `btf_id`, `key_type_id` and `value_type_id` are its types; 0: none. `held_by` are pins and processes, where they
    were looked for.
    """

    id: int
    name: str
    type: str
    key_size: int
    value_size: int
    max_entries: int
    flags: int
    memlock: int | None
    frozen: bool | None
    program_ids: tuple[int, ...]
    load: int | None = None
    pin: str = ""
    btf_id: int = 0
    key_type_id: int = 0
    value_type_id: int = 0
    held_by: tuple[str, ...] = ()
    map_extra: int | None = None


@value(frozen=True, slots=True)
class BtfView:
    """A BTF object: types of the kernel or a module (`name`), or of programs and maps; `size` is bytes."""

    id: int
    name: str | None
    size: int
    kernel: bool | None
    program_ids: tuple[int, ...]
    map_ids: tuple[int, ...]
    held_by: tuple[str, ...] = ()


@value(frozen=True, slots=True)
class StructOpsView:
    """A table of operations that the kernel may call: `id` and `name` are its map's, `type` the kernel's structure.

    `state` is the kernel's word: init (not registered), inuse (registered), tobefree, ready (registered by links).
    """

    id: int
    name: str
    type: str
    state: str
    link_ids: tuple[int, ...]
    program_ids: tuple[int, ...]
    held_by: tuple[str, ...] = ()


@value(frozen=True, slots=True)
class Inventory:
    """What was found, ours first, then by id. `unfinished` names changes that are not done, in words.

    `unseen` says what could not be looked at, and why; empty when everything could. `chains` are those of programs that
    share a hook: all in sight, or, where only ours was looked at and we are in none, none.
    """

    programs: tuple[ProgramView, ...]
    links: tuple[LinkView, ...]
    maps: tuple[MapView, ...]
    unfinished: tuple[str, ...]
    unseen: tuple[str, ...] = ()
    btfs: tuple[BtfView, ...] = ()
    struct_ops: tuple[StructOpsView, ...] = ()
    chains: tuple[Chain, ...] = ()

    def by_program(self) -> dict[int, list[LinkView]]:
        """Program id -> its links. What runs in slots of dispatchers may be another instance of a program of ours: its
        link is that program's, too."""
        found: dict[int, list[LinkView]] = {}
        for link in self.links:
            found.setdefault(link.program_id, []).append(link)
        members = [link for link in self.links if link.how == "dispatcher" and link.record is not None]
        loaded = {(view.load, view.name): view.id for view in self.programs if members and _is_loaded(view)}
        for link in members:
            number = loaded.get((link.load, link.record.program_name if link.record else ""), link.program_id)
            if number != link.program_id:
                found.setdefault(number, []).append(link)
        return found


def _is_loaded(view: ProgramView) -> bool:
    """True for the very program that a load has, not another instance of it."""
    return view.record is not None and any(each.id == view.id for each in view.record.programs)


def word(words: Sequence[str], number: int) -> str:
    """The kernel's word for a number; newer kernels have numbers that we have no word for."""
    return words[number] if 0 <= number < len(words) else f"type {number}"


_moments: dict[int, str] = {}  # programs are mostly loaded many at a time


def moment(since_boot: int) -> str:
    """Nanoseconds since boot as a time of day: RFC 3339, UTC, whole seconds."""
    booted = time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    second = (booted + since_boot) // 10**9
    if second not in _moments:
        if len(_moments) > 4096:
            _moments.clear()
        _moments[second] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))
    return _moments[second]
