"""What a kernel needs to have for an object."""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode._model import BytecodeObject


@value(frozen=True, slots=True)
class Requirement:
    """One feature of the kernel; see `requirements`."""

    kind: str
    name: str
    since: str | None
    programs: tuple[str, ...]
    optional: bool


def requirements(obj: BytecodeObject) -> tuple[Requirement, ...]:
    """Nothing yet."""
    return ()
