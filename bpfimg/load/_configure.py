"""An open object set up for the load: which of its programs, as what, with which globals."""

from __future__ import annotations

from bpfimg.errors import BytecodeError, quoted
from bpfimg.load._candidate import Candidate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.kernel import OpenObject


def candidates(opened: OpenObject) -> tuple[Candidate, ...]:
    """The programs of the object, in its order; BytecodeError when two have the same name."""
    if len({handle.name for handle in opened.programs}) != len(opened.programs):
        raise BytecodeError("the object has two programs of the same name, expected each name once")
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


def select(opened: OpenObject, chosen: tuple[Candidate, ...]) -> None:
    """Lets these be loaded and no others, with their types and targets."""
    wanted = {candidate.name: candidate for candidate in chosen}
    for handle in opened.programs:
        candidate = wanted.get(handle.name)
        handle.set_autoload(candidate is not None)
        if candidate is not None:
            handle.set_type(candidate.type_id, candidate.attach_type_id)
            if candidate.target:
                handle.set_target(candidate.target)


def set_globals(opened: OpenObject, texts: Mapping[str, str], byte_order: str) -> None:
    """Gives globals their values; UsageError for a name or value that does not go with the object."""
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
