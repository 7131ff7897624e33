"""An open object set up for the load: which of its programs, as what, with which globals."""

from __future__ import annotations

from bpfimg.errors import BytecodeError
from bpfimg.load._candidate import Candidate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

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


def select(opened: OpenObject, chosen: tuple[Candidate, ...], *, without: Sequence[str] = ()) -> None:
    """Lets these be loaded and no others, with their types and targets, and the maps but those named in `without`."""
    wanted = {candidate.name: candidate for candidate in chosen}
    for handle in opened.programs:
        candidate = wanted.get(handle.name)
        handle.set_autoload(candidate is not None)
        if candidate is not None:
            handle.set_type(candidate.type_id, candidate.attach_type_id)
            if candidate.target:
                handle.set_target(candidate.target)
    for each in opened.maps:
        if each.name in without:
            each.set_autocreate(False)
