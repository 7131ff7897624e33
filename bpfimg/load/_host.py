"""This host as bpfimg sees it: reading what was loaded, without a lock; `writer()` for changing it."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.errors import DamagedRecord, Error, KernelError, UsageError, quoted
from bpfimg.kernel import bpffs
from bpfimg.load._paths import DIRECTORY, LINK, LINKS, RECORD, UNFINISHED, is_id, listed, pin_names
from bpfimg.load._records import LinkRecord, LoadRecord, decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from bpfimg.load._chains import Chains
    from bpfimg.load._hooks import Hook
    from bpfimg.load._map import Map
    from bpfimg.load._unfinished import Unfinished
    from bpfimg.load._writer import Writer


@value(frozen=True, slots=True)
class Load:
    """A loaded object as it was found in bpffs: what is here runs.

    `id` is the name of its directory `path`. `record` is None and `damage` says why when somebody else has been at
    it; `damaged_links` are those that are attached but whose record cannot be read.
    """

    id: int
    path: str
    record: LoadRecord | None
    links: tuple[LinkRecord, ...] = ()
    damaged_links: tuple[int, ...] = ()
    damage: str = ""

    @property
    def name(self) -> str:
        """The name that it was loaded under; empty when damaged."""
        return self.record.name if self.record else ""

    @property
    def program_ids(self) -> tuple[int, ...]:
        """Kernel ids of its programs."""
        return tuple(program.id for program in self.record.programs) if self.record else (self.id,)

    def program_pins(self) -> tuple[str, ...]:
        """Paths of the pins of its programs, in the order of the record."""
        programs = self.record.programs if self.record else ()
        return tuple(f"{self.path}/{name}" for name in pin_names("prog", [(p.name, p.id) for p in programs]))

    def map_pins(self) -> tuple[str, ...]:
        """Paths of the pins of its maps, in the order of the record."""
        return tuple(f"{self.path}/{name}" for name in pin_names("map", self.record.maps if self.record else ()))

    def link_pin(self, link: int) -> str:
        """Path of the pin of one of its links."""
        return f"{self.path}/{LINKS}/{link}/{LINK}"


class Host:
    """What bpfimg has loaded on this host, below `bpffs`/bpfimg; the kernel is the database.

    `lock_timeout` is how many seconds a writer waits for another. `tc` chooses how Tc hooks are attached: "auto" is
    TCX where the kernel has it, else clsact; "tcx" and "clsact" insist. `chains` lets XDP and Tc hooks take many
    programs: `dispatcher.host()` is a Host that has it; without, each takes one of ours.
    """

    def __init__(
        self,
        bpffs: str = "/sys/fs/bpf",
        *,
        lock_timeout: float = 30.0,
        tc: str = "auto",
        chains: Chains | None = None,
    ) -> None:
        if tc not in ("auto", "tcx", "clsact"):
            raise UsageError(f"tc is {tc!r}, expected auto, tcx or clsact")
        self.bpffs = os.path.abspath(bpffs)
        self.directory = f"{self.bpffs}/{DIRECTORY}"
        self.lock_timeout = lock_timeout
        self.tc = tc
        self.chains = chains

    def writer(self) -> AbstractContextManager[Writer]:
        """The lock, and the only object that changes the host; first it sweeps what killed writers left.

        LockTimeout when another writer holds the lock for too long; KernelError when bpffs is not mounted.
        """
        from bpfimg.load._writer import opened

        return opened(self)

    def loads(self) -> tuple[Load, ...]:
        """Everything that is loaded, by id. What comes or goes meanwhile is in or out, never half."""
        found = [read_load(f"{self.directory}/{name}") for name in self._names() if is_id(name)]
        replaced = {load.record.replaces for load in found if load is not None and load.record is not None}
        there = (load for load in found if load is not None and load.id not in replaced)
        return tuple(sorted(there, key=lambda load: load.id))

    def unfinished(self) -> tuple[Unfinished, ...]:
        """Changes that a killed writer left for the next one to sweep, and which programs still run from them."""
        self._names()
        from bpfimg.load import _unfinished

        return _unfinished.found(self)

    def has_filter(self, link: LinkRecord) -> bool:
        """True while what has no kernel link of its own is on its hook: a clsact filter, a member of a chain."""
        from bpfimg.load._attach import is_attached

        return is_attached(self, link)

    def changed(self, link: LinkRecord) -> str:
        """Says what has become of the file that a probe is in, or of netfilter's namespace; empty while it is there."""
        if link.hook == "netfilter":
            from bpfimg.load._families._netfilter import changed as namespace_changed

            return namespace_changed(link)
        from bpfimg.load._families._target import changed

        return changed(link)

    def foresee(self, hook: Hook) -> str:
        """Says in words how an attachment there would be, as far as that can be known; nothing is changed.

        AttachError, Busy or NotSupported where the hook is absent, taken, or not this kernel's.
        """
        from bpfimg.load._foresee import foresee

        return foresee(hook, self)

    def map(self, load: Load | int | str, name: str) -> Map:
        """Opens a map of a load by its name, with its types: `with host.map(running.load, "hits") as hits: hits[0]`."""
        from bpfimg.load._maps import of_load

        return of_load(self, load, name)

    def find(self, word: int | str) -> Load:
        """The load with a program of that kernel id, or of that name; Error when there is none or several."""
        loads = self.loads()
        text = str(word)
        if is_id(text):
            found = [load for load in loads if int(text) in (load.id, *load.program_ids)]
        else:
            found = [load for load in loads if load.name == text]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(str(load.id) for load in found)
            raise UsageError(f"{len(found)} programs are called {text!r}, expected one", hint=f"give an id: {ids}")
        what = f"program {text}" if is_id(text) else f"program called {text[:64]!r}"
        raise Error(f"bpfimg has loaded no {what}", hint=_near_name(text, [load.name for load in loads]))

    def find_link(self, link: int) -> tuple[Load, LinkRecord | None]:
        """The link with that id and its load; the record is None when it is damaged. Error when there is none."""
        for load in self.loads():
            for record in load.links:
                if record.id == link:
                    return load, record
            if link in load.damaged_links:
                return load, None
        for load in self.loads():
            if link in load.program_ids:
                links = ", ".join(str(record.id) for record in load.links) or "none"
                raise Error(f"{link} is a program, expected the id of a link", hint=f"its load's links: {links}")
        raise Error(f"bpfimg has no link {link}", hint="`bpfimg links` shows those that it has")

    def _names(self) -> list[str]:
        bpffs.require(self.bpffs)
        try:
            return listed(self.directory)
        except KernelError as error:
            if error.errno != 13:
                raise
            raise KernelError(str(error), errno=13, hint="only root may look into it") from error


def read_load(path: str) -> Load | None:
    """What is published at `path`; None when it has vanished, or is not finished and so not there yet."""
    entries = listed(path)
    if not entries:
        return None
    links, damaged, open_ends = _read_links(f"{path}/{LINKS}", done=UNFINISHED not in entries)
    if UNFINISHED in entries and (open_ends or not (links or damaged)):
        # Done meanwhile, and a link of it has been taken off since we looked: then it is to be read again.
        return read_load(path) if UNFINISHED not in listed(path) else None
    number = int(os.path.basename(path))
    try:
        record = LoadRecord.from_dict(decode(bpffs.read_record(f"{path}/{RECORD}")))
    except (KernelError, DamagedRecord) as error:
        if not os.path.isdir(path):
            return None
        return Load(number, path, None, links, damaged, damage=str(error))
    return Load(number, path, record, links, damaged)


def _read_links(folder: str, *, done: bool) -> tuple[tuple[LinkRecord, ...], tuple[int, ...], bool]:
    """Links, the ids of damaged ones, and whether there is one that is not attached yet, or not any more.

    What is `done` has all that it took over, whoever is about to take it over in turn.
    """
    links, damaged, open_ends = [], [], False
    for name in listed(folder):
        path = f"{folder}/{name}"
        if not is_id(name) or not os.path.lexists(f"{path}/{LINK}"):
            open_ends = open_ends or is_id(name)
            continue
        try:
            link = read_link(path)
            if link.replaces and link.how == "link" and not done and not runs(f"{path}/{LINK}", link.program_id):
                open_ends = True  # the link is another load's still
            else:
                links.append(link)
        except (KernelError, DamagedRecord):
            if os.path.lexists(f"{path}/{LINK}"):
                damaged.append(int(name))
    return tuple(sorted(links, key=lambda link: link.id)), tuple(sorted(damaged)), open_ends


def is_committed(path: str) -> bool:
    """True when what the link directory at `path` stands for is attached, as far as its pin says so.

    A link that takes the place of another counts once the kernel runs its program there, and from then on: the next
    one to take its place may be about to do so.
    """
    pin = f"{path}/{LINK}"
    if not os.path.lexists(pin):
        return False
    try:
        link = read_link(path)
    except (KernelError, DamagedRecord, ValueError):
        return True
    done = not os.path.lexists(f"{os.path.dirname(os.path.dirname(path))}/{UNFINISHED}")
    return not link.replaces or link.how != "link" or done or runs(pin, link.program_id)


def runs(pin: str, program: int) -> bool:
    """True when the kernel link that is pinned there runs that program."""
    from bpfimg.kernel import bpf

    try:
        with bpf.get(pin) as fd:
            return bpf.kind(fd) == "link" and bpf.link_info(fd).prog_id == program
    except KernelError:
        return False


def read_link(path: str) -> LinkRecord:
    """The record in a link's directory; KernelError or DamagedRecord when there is none."""
    return LinkRecord.from_dict(decode(bpffs.read_record(f"{path}/{RECORD}")), int(os.path.basename(path)))


def _near_name(wanted: str, names: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(wanted[:128], dict.fromkeys(names), 1)
    return f"did you mean {quoted(near[0])}?" if near else "`bpfimg list` shows what it has loaded"
