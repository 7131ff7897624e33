"""What was seen on this host: plain values, each saying where it was seen. Nothing here asks anything."""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load import LinkRecord, LoadRecord


@value(frozen=True, slots=True)
class ProgramView:
    """A program in the kernel. `load` and `record` are those of our load that it belongs to, None for others' programs.

    `name` is in full for ours; the kernel keeps 15 characters. `loaded_at` is RFC 3339, sizes are bytes; None where
    the kernel does not say. `pin` is our pin of it; `held_by` the pins and processes that keep it, where they were
    looked for. `damage` says what is wrong with it, if anything.
    """

    id: int
    name: str
    type: str
    tag: str = ""
    gpl: bool | None = None
    loaded_at: str = ""
    uid: int | None = None
    map_ids: tuple[int, ...] = ()
    btf_id: int = 0
    jited_size: int | None = None
    xlated_size: int | None = None
    memlock: int | None = None
    verified_insns: int | None = None
    run_time: int | None = None
    run_count: int | None = None
    load: int | None = None
    record: LoadRecord | None = None
    pin: str = ""
    held_by: tuple[str, ...] = ()
    damage: str = ""


@value(frozen=True, slots=True)
class LinkView:
    """A program on a hook. `id` is ours, None for what others attached; `kernel_id` that of the kernel's link.

    `hook` is our word for ours, else the kernel's; `how` is link, clsact or netlink. `state` is attached, or stale: its
    interface has gone, or somebody took the program off. `ifindex` is where the kernel has it now, None where it does
    not say; `moved` is true when that is in another network namespace than at first. `target` has the name of now.
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


@value(frozen=True, slots=True)
class MapView:
    """A map in the kernel; sizes are bytes, `type` is the kernel's word, `program_ids` those seen to use it."""

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


@value(frozen=True, slots=True)
class Inventory:
    """What was found, ours first, then by id. `unfinished` names changes that are not done, in words."""

    programs: tuple[ProgramView, ...]
    links: tuple[LinkView, ...]
    maps: tuple[MapView, ...]
    unfinished: tuple[str, ...]
