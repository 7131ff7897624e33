"""An object on its way into the kernel: opened, configured, loaded. Nothing of it outlives `close`, or a kill.

Loading needs no lock and may take long (CO-RE, the verifier), so it happens before a `Writer` is asked for.
"""

from __future__ import annotations

from contextlib import ExitStack

from bpfimg import __version__
from bpfimg._value import replace
from bpfimg.errors import KernelError
from bpfimg.kernel import abi, bpf, libbpf
from bpfimg.load import _configure
from bpfimg.load._attach import Loaded, Unit, chains_of, configure
from bpfimg.load._decide import Plan, choose, plan
from bpfimg.load._hooks._by_section import BySection
from bpfimg.load._moment import now
from bpfimg.load._records import LoadRecord, ProgramRecord
from bpfimg.load._tail_calls import tail_calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from bpfimg.kernel import OpenObject
    from bpfimg.load._about import About
    from bpfimg.load._code import Code
    from bpfimg.load._hooks import Hook
    from bpfimg.load._host import Host
    from bpfimg.load._origin import Origin
    from bpfimg.load._sharing import Sharing

#: types of programs that chains take
_CHAINED = ("xdp", "sched_cls")
#: types of maps of which the verifier does not know how many entries there are
_BY_KEY = ("hash", "percpu_hash", "lru_hash", "lru_percpu_hash", "hash_of_maps", "devmap_hash", "stack_trace")


class Prepared:
    """An object whose chosen programs, types and globals are set; `load()` gives it to the kernel. Use it in `with`.

    `programs` are the chosen ones, in the order of the names or else of the object; `attach` are (name of one, hook)
    for each attachment that was planned. After the load `loaded` are the same programs with descriptor and kernel id,
    and `maps` are (name, descriptor); descriptors are valid until it is closed.
    """

    def __init__(self, opened: OpenObject, decided: Plan, globals: Mapping[str, str], data: bytes) -> None:
        self._object = opened
        self._data = data
        self._stack = ExitStack()  # open until it is closed: dispatchers that extensions are loaded for
        self.extensions: frozenset[str] = frozenset()
        self.keeps_code = False
        self.codes: Mapping[str, Code] = {}
        self.programs = decided.programs
        self.attach = decided.attach
        self.globals = dict(globals)
        self.loaded: tuple[Loaded, ...] = ()
        self.maps: tuple[tuple[str, int], ...] = ()
        self.global_types: Mapping[str, str] = {}
        self.sharing: Sharing | None = None
        self.shared: Mapping[str, str] = {}
        self.tables: frozenset[str] = frozenset()

    @property
    def alone(self) -> bool:
        """Whether it looks for maps by the name of its application: then `share` and `load` need the writer's lock."""
        if not any(each.pinned_by_name for each in self._object.maps):
            return False
        from bpfimg.load import _sharing

        return _sharing.wants_application(self._object, self.sharing or _sharing.Sharing())

    def share(self, host: Host, application: str, *, home: str = "") -> None:
        """Takes the maps that it shares with what is loaded on the host, before its own load; see `_sharing.share`."""
        if self.sharing or self.alone:
            from bpfimg.load import _sharing

            asked = self.sharing or _sharing.Sharing()
            self.shared = _sharing.share(self._object, host, application, asked, home=home, tables=self.tables)

    def load(self, *, measured: str = "") -> str:
        """Loads programs and maps; VerifierError, NotSupported or KernelError when the kernel will not have them.

        Returns what the verifier wrote about the program called `measured`, "" where none is.
        """
        written = self._object.load(_about, measured=measured)
        handles = {handle.name: handle for handle in self._object.programs}
        loaded = []
        for program in self.programs:
            fd = handles[program.name].fd
            number = bpf.program_info(fd, memlock=False).id
            way = handles[program.name].attach_type_id
            loaded.append(
                Loaded(
                    fd,
                    number,
                    program.name,
                    program.type,
                    program.section,
                    way,
                    program.target,
                    extension=program.name in self.extensions,
                )
            )
        self.maps = tuple(_created_maps(self._object))
        if self.keeps_code:
            self.codes = self._codes()
        self.loaded = tuple(replace(each, code=self.codes.get(each.name)) for each in loaded)
        return written

    def _codes(self) -> dict[str, Code]:
        from bpfimg.load._taken_code import taken_code

        maps = [fd for _, fd in self.maps]
        chosen = [each.name for each in self.programs if each.type in _CHAINED and each.name not in self.extensions]
        return {name: taken_code(self._object, self._data, name, maps) for name in chosen}

    def record(self, origin: Origin) -> LoadRecord:
        """What is to be written down about it; before the load the ids are 0."""
        known = [(loaded.id, loaded.attach_type) for loaded in self.loaded]
        known = known or [(0, program.attach_type_id) for program in self.programs]
        return LoadRecord(
            name=origin.name,
            programs=tuple(
                ProgramRecord(
                    program.name,
                    number,
                    program.type,
                    program.section,
                    way,
                    program.target,
                    extension=program.name in self.extensions,
                )
                for program, (number, way) in zip(self.programs, known, strict=True)
            ),
            maps=tuple((name, bpf.map_info(fd).id) for name, fd in self.maps),
            image=origin.image,
            globals=self.globals,
            metadata=dict(origin.metadata or {}),
            created=now(),
            bpfimg=__version__,
            global_types=self.global_types,
            shared=self.shared,
            map_access=self.sharing.access.to_dict() if self.sharing and self.sharing.access else {},
        )

    def limit_tables(self, entries: int) -> None:
        """Makes maps that take memory for each entry beforehand, and are looked into by key, no larger than that; to
        be called before the load."""
        for each in self._object.maps:
            if each.type_id < len(abi.MAP_TYPES) and abi.MAP_TYPES[each.type_id] in _BY_KEY:
                each.set_max_entries(entries)

    def unit(self) -> Unit:
        """What a hook may need of it beside the program."""
        return Unit(dict(self.maps), self._object)

    def infos(self) -> tuple[bpf.ProgramInfo, ...]:
        """What the kernel says about the loaded programs, in the order of `programs`."""
        return tuple(bpf.program_info(loaded.fd) for loaded in self.loaded)

    def __enter__(self) -> Prepared:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forgets the object; what is neither pinned nor attached leaves the kernel."""
        self.loaded, self.maps = (), ()
        self._object.close()
        self._stack.close()

    def extend(self, host: Host) -> None:
        """Sets up the programs whose hooks want them loaded for the slots of dispatchers; the code of others is kept,
        so that a dispatcher can contain it."""
        chains = chains_of(host)
        extensions = set()
        for program in self.programs:
            hooks = [hook for name, hook in self.attach if name == program.name]
            if hooks and chains.as_extension(host, program, hooks):
                target = chains.extend(self._object, program)
                if target is not None:
                    self._stack.enter_context(target)
                    extensions.add(program.name)
        self.extensions = frozenset(extensions)
        self.keeps_code = any(each.type in _CHAINED and each.name not in extensions for each in self.programs)


def _about(data: bytes) -> About:
    from bpfimg.load._about import About

    return About(data)


def _created_maps(opened: OpenObject) -> Iterator[tuple[str, int]]:
    for handle in opened.maps:
        try:
            fd = handle.fd
        except KernelError:
            continue  # one that nothing of what was loaded needs
        yield handle.section or handle.name, fd


def prepare(
    data: bytes,
    *,
    name: str,
    programs: Sequence[str] = (),
    hook: Hook | None = None,
    hooks: Sequence[tuple[str | None, Hook]] | BySection = (),
    globals: Mapping[str, str] | None = None,
    sharing: Sharing | None = None,
    host: Host | None = None,
) -> Prepared:
    """Opens the bytes of an object and sets it up: which programs, as what types, bound to what, with which globals.

    Programs are those named (NAME, TYPE:NAME or TYPE:NAME:TARGET), else all; for a `hook` those named that fit it are
    to be attached there, or the only one that does. `hooks` are (program, its hook), for several, or say that each of
    the programs goes where its section says. `host` is the one that it is for. The kernel is not asked for anything
    yet, but for the dispatcher that an extension is loaded for. BytecodeError, UsageError: the object, or a name or
    value that does not go with it.
    """
    from bpfimg import bytecode

    byte_order = bytecode.check_header(data)
    with ExitStack() as stack:
        opened = stack.enter_context(libbpf.open_object(data, name=name))
        found = _configure.candidates(opened)
        calls = tail_calls(opened, data)
        if isinstance(hooks, BySection):
            hooks = hooks.hooks(choose(found, programs, None), calls.called)
        decided = plan(found, programs, hook, hooks, called=calls.called)
        decided = replace(decided, programs=calls.closure(decided.programs, found))
        _configure.select(opened, decided.programs, without=calls.unused(decided.programs))
        for program, each in decided.attach:
            configure(opened, program, each)
        types: Mapping[str, str] = {}
        if globals:
            from bpfimg.load._globals import set_globals

            types = set_globals(opened, globals, byte_order)
        prepared = Prepared(opened, decided, globals or {}, data)
        if host is not None and host.chains is not None:
            prepared.extend(host)
        prepared.global_types, prepared.sharing = types, sharing
        prepared.tables = frozenset(calls.tables)
        stack.pop_all()
    return prepared
