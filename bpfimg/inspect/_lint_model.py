"""What lint says and what it is told: plain values."""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpfimg.bytecode import Dissection

SEVERITIES = ("error", "warning", "note")
MIB = 1 << 20


@value(frozen=True, slots=True)
class Context:
    """What is known of an object beside its bytes.

    `name` is the file name or reference as the caller has it. `platforms` are those that this very object is for
    ("linux/amd64"), () where nobody says. `shipped`: it is in an image, so no loader of its own comes with it. `memory`
    is how many bytes of kernel memory one map may ask for, on a machine of `cpus` CPUs.
    """

    name: str = ""
    platforms: tuple[str, ...] = ()
    shipped: bool = False
    memory: int = 64 * MIB
    cpus: int = 64


@value(frozen=True, slots=True)
class Found:
    """What a rule has to say, before the rule's number is put on it.

    `kind` is what it is about (object, program, function, map, global, section, label), `about` its name, "" for the
    object. `place` is the section and byte of an instruction whose source line is worth showing. `severity` is "" for
    that of the rule.
    """

    message: str
    kind: str = "object"
    about: str = ""
    hint: str = ""
    severity: str = ""
    place: tuple[str, int] | None = None


@value(frozen=True, slots=True)
class Problem:
    """One finding. `rule` is its stable number, `name` what people call the rule; `severity` is error, warning or note.

    `message` is one sentence, `hint` (may be empty) what to do. `kind` and `about` say what it is about. `file` is a
    source file as the compiler was told of it, with `line` and `column` from 1; "" and 0 where they are not known, and
    `text` is what stands in that line. `platforms` are those that the object is for.
    """

    rule: str
    name: str
    severity: str
    message: str
    hint: str
    kind: str
    about: str
    file: str = ""
    line: int = 0
    column: int = 0
    platforms: tuple[str, ...] = ()
    text: str = ""


@value(frozen=True, slots=True)
class Rule:
    """One row of the table. `severity` is the usual one; `check` is None where the caller finds out, not the object."""

    id: str
    name: str
    severity: str
    summary: str
    check: Callable[[Dissection, Context], Iterator[Found]] | None
