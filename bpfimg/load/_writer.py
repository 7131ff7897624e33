"""The writer: the lock of the host, and the only object with mutators."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress

from bpfimg._value import replace
from bpfimg.errors import Busy, Error, KernelError, UsageError, quoted
from bpfimg.kernel import bpf, bpffs
from bpfimg.load import _publish, _remove
from bpfimg.load._attach import MEMBER, Loaded, Scene, Unit, attach, chains_of
from bpfimg.load._code import code_of
from bpfimg.load._host import Host, Load
from bpfimg.load._map_way import close_way
from bpfimg.load._origin import Origin, check_words
from bpfimg.load._paths import LINKS, is_id, pin_names
from bpfimg.load._replace import taken_over
from bpfimg.load._sweep import finish, sweep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bpfimg.load._hooks import Hook
    from bpfimg.load._object import Prepared
    from bpfimg.load._records import LinkRecord, ProgramRecord


@contextmanager
def opened(host: Host) -> Iterator[Writer]:
    """See `Host.writer`."""
    bpffs.require(host.bpffs)
    with bpffs.lock(host.directory, timeout=host.lock_timeout):
        sweep(host)
        writer = Writer(host)
        try:
            yield writer
        finally:
            writer.expire()
            close_way(host.directory)


class Writer:
    """Changes this host; comes only from `with host.writer()`, holds the lock, and is of no use afterwards."""

    def __init__(self, host: Host) -> None:
        self._host: Host | None = host

    def expire(self) -> None:
        """The lock has gone: nothing can be changed any more."""
        self._host = None

    def load(self, prepared: Prepared, origin: Origin) -> Load:
        """Pins a loaded object and records it."""
        record = prepared.record(origin)
        path = _publish.publish_load(self._locked, prepared, record)
        return Load(record.id, path, record)

    def run(self, prepared: Prepared, origin: Origin, hooks: Hook | Sequence[tuple[str, Hook]] | None = None) -> Load:
        """Pins a loaded object and attaches its programs: all of it or nothing.

        `hooks` are (name of a program, its hook), each as it was given to `prepare`; None: all that was given there.
        For a single hook: the programs that were chosen for it.
        """
        return self._run(prepared, origin, _pairs(prepared, hooks), None)

    def bring(
        self,
        prepared: Prepared,
        origin: Origin,
        *,
        replaces: Load | None = None,
        allow_gap: bool = False,
        alone: bool = False,
    ) -> Load:
        """Publishes a loaded object with all the hooks that `prepare` was given, if any: `run`, `load` or `replace`.

        `allow_gap` lets the old one go first where it would be in the way. `alone`: Error when another load has that
        name by now.
        """
        old = replaces.id if replaces is not None else 0
        meanwhile = [load.id for load in self._locked.loads() if alone and load.name == origin.name and load.id != old]
        if meanwhile:
            raise Error(
                f"{quoted(origin.name)} was loaded by another command meanwhile (load {meanwhile[0]}), expected none of"
                " that name",
                hint="do it again: what runs by then is compared anew",
            )
        if replaces is not None:
            try:
                return self.replace(replaces, prepared, origin)
            except Busy as error:
                if not allow_gap:
                    error.hint = "--allow-gap lets the old program go first: for a moment nothing runs there"
                    raise
                self.unload(replaces.id)
        return self.run(prepared, origin) if prepared.attach else self.load(prepared, origin)

    def replace(self, old: Load, prepared: Prepared, origin: Origin) -> Load:
        """Puts a loaded object in the place of `old`, which goes: attached as it was given to `prepare`, or not at all.

        Links whose program the kernel can exchange are taken over, so that no packet is missed; what else is new is
        attached before the old goes. Busy where neither can be: then everything is as before.
        """
        host = self._locked
        if old.id not in [load.id for load in host.loads()]:
            raise Error(f"load {old.id} ({quoted(old.name)}) is not there any more, expected it to be replaced")
        new = self._run(prepared, origin, prepared.attach, old)
        with suppress(KernelError):  # the new one runs: the next writer takes away what is left of the old one
            finish(host, new)
        return new

    def _run(self, prepared: Prepared, origin: Origin, pairs: Sequence[tuple[str, Hook]], old: Load | None) -> Load:
        host = self._locked
        record = replace(prepared.record(origin), replaces=old.id if old else 0)
        words = check_words("metadata", origin.metadata or {})
        loaded = {program.name: program for program in prepared.loaded}
        scene = Scene.of(host, prepared.unit())
        if old is not None:  # what goes is in nobody's way
            scene = replace(scene, loads=[load for load in scene.loads if load.id != old.id])
        taken: list[int] = []
        with ExitStack() as stack:
            for name, hook in pairs:
                made = taken_over(old, hook, loaded[name], taken, scene) if old else None
                if made is not None:
                    taken.append(made.record.replaces[1])
                else:
                    made = attach(loaded[name], hook, scene)
                stack.enter_context(made)
                scene = replace(scene, opened=(*scene.opened, made))
            if not pairs:
                return Load(record.id, _publish.publish_load(host, prepared, record), record)
            path, links = _publish.publish_run(host, prepared, record, scene.opened, words)
        return Load(record.id, path, record, links)

    def attach(
        self, load: int | str, hook: Hook, *, program: str | None = None, metadata: Mapping[str, str] | None = None
    ) -> tuple[Load, LinkRecord]:
        """Attaches a program of what is loaded (by id or name) to a hook; returns the load as it was, and the link.

        `program` chooses where the load has several that fit; an id that is not the load's own chooses as well.
        """
        host = self._locked
        words = check_words("metadata", metadata or {})
        found = host.find(load)
        number = int(load) if is_id(str(load)) else None
        chosen, pin = _program_for(found, hook, program, number)
        with bpf.get(pin) as fd, Unit(_maps(found)) as unit:
            loaded = Loaded(
                fd.fileno(),
                chosen.id,
                chosen.name,
                chosen.type,
                chosen.section,
                chosen.attach_type,
                chosen.target,
                extension=chosen.extension,
                code=code_of(found, chosen) if host.chains is not None and host.chains.takes(hook) else None,
            )
            with attach(loaded, hook, Scene.of(host, unit)) as attachment:
                link = _publish.publish_link(host, found.path, attachment, words)
        return found, link

    def detach(self, link: int) -> tuple[Load, LinkRecord | None]:
        """Detaches a link; no error when its interface or namespace has gone. Returns its load, and what it was.

        The record is None when it was damaged.
        """
        load, record = self._locked.find_link(link)
        _remove.remove_link(self._locked, f"{load.path}/{LINKS}/{link}")
        return load, record

    def change(
        self, link: int, *, priority: int | None = None, proceed_on: Sequence[str] | None = None
    ) -> tuple[Load, LinkRecord]:
        """Gives a member of a chain another priority, or other results after which the chain goes on, in one step.

        No packet is missed, and what is not given stays. Returns the load and the record of the link as it was
        written when it was attached. UsageError: the link is not of a chain, or an action is unknown.
        """
        host = self._locked
        load, record = host.find_link(link)
        if record is None:
            raise Error(f"link {link} is damaged, expected one that can be read", hint=f"bpfimg detach {link}")
        if record.how != MEMBER:
            raise _unmoved(record)
        chains_of(host).change(host, record, priority, None if proceed_on is None else tuple(proceed_on))
        return load, record

    def evict(self, interface: str, program: int, *, netns: str | None = None) -> None:
        """Takes a program that somebody else has put into the XDP chain of an interface out of it, in one step.

        `program` is its kernel id. UsageError: it is ours, and has a link to be detached. AttachError: it is not there.
        """
        chains_of(self._locked).evict(self._locked, interface, program, netns)

    def collect(self) -> tuple[str, ...]:
        """Removes what is pinned of libxdp's dispatchers, also of others, that no interface in sight runs any more;
        returns the directories that went."""
        host = self._locked
        return () if host.chains is None else host.chains.collect(host)

    def unload(self, word: int | str) -> Load:
        """Unloads a load, with all its programs, maps and links; returns what it was.

        `word` is the kernel id of any of its programs (programs of one object share maps and go together: compare
        `program_ids` of the result), or its name if no other load has it.
        """
        host = self._locked
        load = host.find(word)
        _remove.remove_load(host, load.path)
        return load

    @property
    def _locked(self) -> Host:
        if self._host is None:
            raise Error("this writer's lock has been given back, expected its use inside `with host.writer()`")
        return self._host


def _pairs(prepared: Prepared, hooks: Hook | Sequence[tuple[str, Hook]] | None) -> Sequence[tuple[str, Hook]]:
    if hooks is None:
        pairs: Sequence[tuple[str, Hook]] = prepared.attach
    elif isinstance(hooks, list | tuple):
        pairs = hooks
    else:
        pairs = [(name, hook) for name, hook in prepared.attach if hook == hooks]
    if not pairs:
        raise UsageError("no program of what was prepared is for a hook, expected at least one")
    return pairs


def _unmoved(record: LinkRecord) -> UsageError:
    if record.hook in ("tcx", "netkit"):
        return UsageError(
            f"link {record.id} ({record.hook}) is in the kernel's own chain, which moves no link and goes on only after"
            " unspec, expected one of an xdp or tc hook",
            hint="the tc hook can move it; here detach it, and attach it with the other priority: for a moment it does"
            " not run",
        )
    return UsageError(
        f"link {record.id} ({record.hook}) is not in a chain of bpfimg's, expected one of an xdp or tc hook",
        hint="detach it, and attach it with the other priority",
    )


def _maps(load: Load) -> dict[str, int | str]:
    """Name of each map of a load -> its pin."""
    record = load.record
    return {} if record is None else dict(zip((name for name, _ in record.maps), load.map_pins(), strict=True))


def _program_for(load: Load, hook: Hook, name: str | None, number: int | None) -> tuple[ProgramRecord, str]:
    if load.record is None:
        raise Error(
            f"what is loaded as {load.id} is damaged: {load.damage}", hint=f"unload it: bpfimg unload {load.id}"
        )
    programs = load.record.programs
    pins = pin_names("prog", [(p.name, p.id) for p in programs])
    paired = [(p, f"{load.path}/{pin}") for p, pin in zip(programs, pins, strict=True)]
    if name is not None:
        paired = [(p, pin) for p, pin in paired if p.name == name]
    elif number is not None and number != load.id:
        paired = [(p, pin) for p, pin in paired if p.id == number]
    fitting = [(p, pin) for p, pin in paired if hook.takes(p.type, _attach_type(p))]
    if len(fitting) == 1 or (fitting and fitting[0][0].id == number):  # the load's own id is its first program's
        return fitting[0]
    listed = ", ".join(f"{p.name} ({p.type}, id {p.id})" for p in programs)
    if not fitting:
        raise UsageError(
            f"{quoted(load.name)} has no program for hook {hook.word}{f' called {quoted(name)}' if name else ''},"
            " expected one that fits",
            hint=f"it has: {listed}",
        )
    raise UsageError(
        f"{len(fitting)} programs of {quoted(load.name)} fit hook {hook.word}, expected one",
        hint=f"choose with --program: {listed}",
    )


def _attach_type(program: ProgramRecord) -> str | None:
    from bpfimg import bytecode

    rule = bytecode.section_rule(program.section)
    return rule.attach_type if rule else None
