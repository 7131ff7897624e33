"""What changed about an object as a whole, its programs, and what it asks of a kernel."""

from __future__ import annotations

from bpfimg.bytecode import requirements as required
from bpfimg.inspect._diff_model import Of
from bpfimg.inspect._places import code_of, section_of
from bpfimg.inspect._rules_license import GPL_COMPATIBLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.bytecode import BytecodeObject, Dissection, ProgramSpec, Requirement
    from bpfimg.inspect._diff_model import Change


def whole(before: Dissection, after: Dissection) -> Iterator[Change]:
    """Byte order, licence, BTF, CO-RE."""
    old, new, this = before.object, after.object, Of("object", "")
    yield from this.field(
        "byte order", old.byte_order, new.byte_order, "breaking", "Machines of the other byte order cannot load it."
    )
    was, now = old.license in GPL_COMPATIBLE, new.license in GPL_COMPATIBLE
    effect, reason = "informational", "The kernel treats both alike."
    if was and not now:
        effect, reason = "breaking", "GPL-only helper functions and kfuncs are refused to it from now on."
    elif now and not was:
        effect, reason = "compatible", "GPL-only helper functions and kfuncs are open to it now."
    yield from this.field("licence", old.license or None, new.license or None, effect, reason)
    lost = old.has_btf and not new.has_btf
    reason = "Globals and map types have no names any more, CO-RE is off." if lost else "Types have names now."
    yield from this.field("BTF", old.has_btf, new.has_btf, "breaking" if lost else "compatible", reason)
    core = old.has_core_relocations and not new.has_core_relocations
    reason = "No access adapts itself to the kernel any more." if core else "Accesses adapt themselves to the kernel."
    yield from this.field("CO-RE", old.has_core_relocations, new.has_core_relocations, "informational", reason)


def programs(before: Dissection, after: Dissection) -> Iterator[Change]:
    """Programs by name."""
    old = {program.name: program for program in before.object.programs}
    new = {program.name: program for program in after.object.programs}
    for name in old.keys() - new.keys():
        yield Of("program", name).removed(
            _words(old[name]), "breaking", "Whoever loads or attaches it by name finds it no more."
        )
    for name in new.keys() - old.keys():
        yield Of("program", name).added(_words(new[name]), "compatible", "One more program is there to attach.")
    for name in old.keys() & new.keys():
        yield from _program(old[name], new[name])
        yield from _code(before, after, old[name], new[name])


def _words(program: ProgramSpec) -> str:
    return program.type if program.section == program.type else f"{program.type} ({program.section})"


def _program(old: ProgramSpec, new: ProgramSpec) -> Iterator[Change]:
    this = Of("program", old.name)
    yield from this.field("type", old.type, new.type, "breaking", "It can be attached to other hooks only.")
    yield from this.field(
        "attach type", old.attach_type, new.attach_type, "breaking", "It is attached in another way, or elsewhere."
    )
    yield from this.field("target", old.target, new.target, "breaking", "It is attached to something else by default.")
    reason = "Only hooks that may sleep take it now." if new.sleepable else "It may not sleep any more."
    yield from this.field("sleepable", old.sleepable, new.sleepable, _worse(new.sleepable), reason)
    reason = "It takes packets of several fragments." if new.frags else "Interfaces with jumbo frames refuse it."
    yield from this.field("frags", old.frags, new.frags, _worse(old.frags), reason)
    yield from this.field("multi", old.multi, new.multi, "breaking", "It is attached by another kind of link.")
    reason = "It is loaded with the others." if new.autoload else "It is loaded only by those who ask for it."
    yield from this.field("autoload", old.autoload, new.autoload, _worse(old.autoload), reason)
    alike = (old.type, old.attach_type, old.target) == (new.type, new.attach_type, new.target)
    if alike:
        reason = "The section has another name for the same."
        yield from this.field("section", old.section, new.section, "informational", reason)


def _worse(condition: bool) -> str:
    return "breaking" if condition else "compatible"


def _code(before: Dissection, after: Dissection, old: ProgramSpec, new: ProgramSpec) -> Iterator[Change]:
    """Its length, and where that is the same, whether the instructions are."""
    this = Of("program", old.name)
    if old.instructions != new.instructions:
        more = new.instructions > old.instructions
        reason = f"The program is {'longer' if more else 'shorter'}; the verifier decides whether it still takes it."
        yield from this.field("instructions", old.instructions, new.instructions, "informational", reason)
    elif before.object.byte_order == after.object.byte_order and _bytes(before, old) != _bytes(after, new):
        yield from this.field("code", "", "other", "informational", "As many instructions, but others.")


def _bytes(dissection: Dissection, program: ProgramSpec) -> bytes:
    return code_of(dissection, section_of(program), program.offset, program.instructions)


def requirements(before: BytecodeObject, after: BytecodeObject) -> Iterator[Change]:
    """What a kernel has to have."""
    old = {(each.kind, each.name): each for each in required(before)}
    new = {(each.kind, each.name): each for each in required(after)}
    for key in old.keys() - new.keys():
        yield _need(key).removed(_since(old[key]), "compatible", "Kernels without it can load the object now.")
    for key in new.keys() - old.keys():
        if new[key].optional:
            yield _need(key).added(_since(new[key]), "compatible", "The object uses it where the kernel has it.")
        else:
            yield _need(key).added(_since(new[key]), "breaking", "Kernels without it cannot load the object any more.")
    for key in old.keys() & new.keys():
        reason = (
            "Kernels without it can load the object." if new[key].optional else "Kernels without it cannot load it."
        )
        effect = _worse(old[key].optional)
        yield from _need(key).field("optional", old[key].optional, new[key].optional, effect, reason)


def _need(key: tuple[str, str]) -> Of:
    return Of("requirement", f"{key[0]} {key[1]}")


def _since(each: Requirement) -> str:
    return f"since {each.since}" if each.since else "version not known"
