"""An object on its way into the kernel: opened, configured, loaded. Nothing of it outlives `close`, or a kill.

Loading needs no lock and may take long (CO-RE, the verifier), so it happens before a `Writer` is asked for.
"""

from __future__ import annotations

from contextlib import ExitStack

from bpfimg import __version__
from bpfimg.errors import BytecodeError, KernelError, quoted
from bpfimg.kernel import bpf, libbpf
from bpfimg.load._attach import Loaded
from bpfimg.load._decide import Candidate, choose
from bpfimg.load._moment import now
from bpfimg.load._records import LoadRecord, ProgramRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    from bpfimg.kernel import OpenObject
    from bpfimg.load._hooks import Hook
    from bpfimg.load._origin import Origin


class Prepared:
    """An object whose chosen programs, types and globals are set; `load()` gives it to the kernel. Use it in `with`.

    `programs` are the chosen ones, in the order of the names or else of the object. After the load `loaded` are the
    same with descriptor and kernel id, and `maps` are (name, descriptor); descriptors are valid until it is closed.
    """

    def __init__(self, opened: OpenObject, programs: tuple[Candidate, ...], globals: Mapping[str, str]) -> None:
        self._object = opened
        self.programs = programs
        self.globals = dict(globals)
        self.loaded: tuple[Loaded, ...] = ()
        self.maps: tuple[tuple[str, int], ...] = ()

    def load(self) -> None:
        """Loads programs and maps; VerifierError, NotSupported or KernelError when the kernel will not have them."""
        self._object.load()
        handles = {handle.name: handle for handle in self._object.programs}
        loaded = []
        for program in self.programs:
            fd = handles[program.name].fd
            loaded.append(Loaded(fd, bpf.program_info(fd, memlock=False).id, program.name))
        self.loaded = tuple(loaded)
        self.maps = tuple(_created_maps(self._object))

    def record(self, origin: Origin) -> LoadRecord:
        """What is to be written down about it; before the load the ids are 0."""
        ids = [loaded.id for loaded in self.loaded] or [0] * len(self.programs)
        return LoadRecord(
            name=origin.name,
            programs=tuple(
                ProgramRecord(program.name, number, program.type, program.section)
                for program, number in zip(self.programs, ids, strict=True)
            ),
            maps=tuple((name, bpf.map_info(fd).id) for name, fd in self.maps),
            image=origin.image,
            globals=self.globals,
            metadata=dict(origin.metadata or {}),
            created=now(),
            bpfimg=__version__,
        )

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
    globals: Mapping[str, str] | None = None,
) -> Prepared:
    """Opens the bytes of an object and sets it up: which programs, as what types, with which globals.

    Programs are those named (NAME or TYPE:NAME), else all; for a hook the one that fits. The kernel is not asked for
    anything yet. BytecodeError, UsageError: the object, or a name or value that does not go with it.
    """
    from bpfimg import bytecode

    byte_order = bytecode.check_header(data)
    with ExitStack() as stack:
        opened = stack.enter_context(libbpf.open_object(data, name=name))
        chosen = choose(_candidates(opened), programs, hook)
        _select(opened, chosen)
        if globals:
            _set_globals(opened, globals, byte_order)
        prepared = Prepared(opened, chosen, globals or {})
        stack.pop_all()
    return prepared


def _candidates(opened: OpenObject) -> tuple[Candidate, ...]:
    return tuple(_candidate(handle.name, handle.section, handle.autoload) for handle in opened.programs)


def _candidate(name: str, section: str, autoload: bool) -> Candidate:
    """The program by our own table of section names: older versions of libbpf know fewer of them."""
    from bpfimg import bytecode

    rule = bytecode.section_rule(section)
    if rule is None:
        return Candidate(name, section, "", 0, autoload=autoload)
    # Type 0 serves TCX and clsact alike, and kernels before TCX refuse its attach types at load.
    attach_type_id = 0 if rule.program_type == "sched_cls" else rule.attach_type_id
    return Candidate(
        name, section, rule.program_type, rule.program_type_id, rule.attach_type, attach_type_id, autoload=autoload
    )


def _select(opened: OpenObject, chosen: tuple[Candidate, ...]) -> None:
    wanted = {candidate.name: candidate for candidate in chosen}
    if len({handle.name for handle in opened.programs}) != len(opened.programs):
        raise BytecodeError("the object has two programs of the same name, expected each name once")
    for handle in opened.programs:
        candidate = wanted.get(handle.name)
        handle.set_autoload(candidate is not None)
        if candidate is not None:
            handle.set_type(candidate.type_id, candidate.attach_type_id)


def _set_globals(opened: OpenObject, texts: Mapping[str, str], byte_order: str) -> None:
    from bpfimg import bytecode
    from bpfimg.load._globals import encode_globals

    btf = opened.btf()
    specs = bytecode.variables(btf, byte_order=byte_order) if btf else ()
    sections = {handle.section: handle for handle in opened.maps if handle.section}
    for spec, value in encode_globals(specs, texts, byte_order):
        handle = sections.get(spec.section)
        if handle is None:
            raise BytecodeError(f"global {quoted(spec.name)} is in section {quoted(spec.section)}, which has no map")
        handle.set_initial(spec.offset, value)
