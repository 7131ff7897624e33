"""What the kernel's verifier wrote about a program that it refused, read into values.

Two formats: one line after another (https://docs.kernel.org/bpf/verifier.html), and since kernel 7.3 a report after
those lines, with sections `Reason:`, `At:`, `Causal path:` and `Suggestion:` (kernel/bpf/diagnostics.c). Logs come
from the kernel, but quote names of the object: everything is bounded, and nothing is taken for more than text.
"""

from __future__ import annotations

import re

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_INSTRUCTION = re.compile(r"(\d{1,7}): (?:\([0-9a-f]{2}\) )?((?![ (]*(?:frame\d+: ?)?R\d+(?:_\w)?=)\S.*)")
_STATE = re.compile(r"(?:from \d+ to \d+.*?:|\d{1,7}:)? ?(?:frame\d+:)? ?(?:R\d+(?:_\w)?=|safe$)")
_PLACE = re.compile(r"(?:(\S+) @ )?(\S+):(\d+):(\d+)$")
_AT_INSTRUCTION = re.compile(r"insn (\d+)")
_REGISTER = re.compile(r"\bR\d+\b")
_FINDING = "Verification failed:"
#: what is not about the cause: figures, walks between states, functions that were verified apart
_ASIDE = (
    "processed ",
    "verification time ",
    "stack depth ",
    "insns processed ",
    "max_states",
    "cur state:",
    "old state:",
    "Validating ",
    "Func#",
    "func#",
    "mark_precise:",
    "caller:",
    "callee:",
    "returning from callee:",
    "to caller at ",
    "propagating ",
    "Global function ",
    "arg#0 reference type",
    "-- ",
)
_SAID_MAX = 3  # lines
_STATE_LINES = 200


@value(frozen=True, slots=True)
class Source:
    """A line of the program's source: `file` and `number` are "" and 0 where the log does not have them."""

    text: str
    file: str = ""
    number: int = 0


@value(frozen=True, slots=True)
class Reading:
    """A log, read.

    said         what the verifier refused it for, in its own words; "" if the log does not get there
    index, code  the instruction where it stood: its number in the program (-1: none), and its text
    state        what the verifier knew of the register that it names: "R0=map_value_or_null(id=1,...)"
    source       the line of the source that the instruction belongs to
    reason, suggestion  of a kernel that explains itself
    lines        how many there are
    """

    said: str
    index: int
    code: str
    state: str
    source: Source | None
    reason: str
    suggestion: str
    lines: int


def read(log: str) -> Reading:
    """Reads a log of whatever kernel; what cannot be made sense of is left empty."""
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    report = next((at for at, line in enumerate(lines) if line.startswith(_FINDING)), len(lines))
    walk, explained = lines[:report], lines[report:]
    at, index, code = _last_instruction(walk)
    said = [line.strip() for line in walk[at + 1 :] if not _aside(line)]
    sections = _sections(explained)
    source = _reported_source(sections.get("At", ())) or _source(walk)
    named = _AT_INSTRUCTION.search(said[0]) if said else None
    if named and said[0].startswith(("infinite loop", "unreachable", "back-edge")):
        index, code = int(named[1]), ""
    if not said and explained:
        said = [explained[0].removeprefix(_FINDING).strip()]
    return Reading(
        said="; ".join(said[:_SAID_MAX]),
        index=index,
        code=code,
        state=_state(walk[: at + 1], said[0]) if said else "",
        source=source,
        reason=_joined(sections.get("Reason", ())),
        suggestion=_joined(sections.get("Suggestion", ())),
        lines=len(log.splitlines()),
    )


def _last_instruction(walk: Sequence[str]) -> tuple[int, int, str]:
    """Where the last instruction stands in the log, its number and its text."""
    for at in range(len(walk) - 1, -1, -1):
        found = None if walk[at].startswith(";") else _INSTRUCTION.match(walk[at])
        if found:
            return at, int(found[1]), found[2].partition(";")[0].strip()
    return -1, -1, ""


def _state(walk: Sequence[str], said: str) -> str:
    """What was last known of the register that the verifier names: "R0=map_value_or_null(id=1,...)"."""
    named = _REGISTER.search(said)
    if named is None:
        return ""
    wanted = re.compile(rf"(?:^|[ :]){named[0]}(?:_\w+)?=(.*?)(?= R\d+(?:_\w+)?=| fp-?\d| refs=|$)")
    for line in reversed(walk[-_STATE_LINES:]):
        found = None if line.startswith(";") else wanted.search(line.partition(";")[2] or line)
        if found:
            return f"{named[0]}={found[1]}"
    return ""


def _aside(line: str) -> bool:
    return line.startswith((";", *_ASIDE)) or bool(_STATE.match(line))


def _source(walk: Iterable[str]) -> Source | None:
    """The last source line of the walk; the kernel writes it before the first of its instructions."""
    for line in reversed(list(walk)):
        if line.startswith(";"):
            text, at, place = line[1:].rpartition(" @ ")
            file, _, number = place.rpartition(":")
            if not at or not number.isdigit():  # before 6.9
                text, file, number = line[1:], "", "0"
            if text.strip():
                return Source(text.strip(), file, int(number))
    return None


def _sections(explained: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    name = ""
    for line in explained:
        if line.endswith(":") and not line.startswith(" "):
            name = line[:-1]
        elif line.startswith("  ") and name:
            found.setdefault(name, []).append(line[2:])
        else:
            name = ""
    return found


def _reported_source(at: Sequence[str]) -> Source | None:
    """From "FUNCTION @ FILE:LINE:COLUMN", and the line that begins with ">>> LINE | "."""
    place = _PLACE.match(at[0]) if at else None
    if place is None:
        return None
    mark = f">>> {place[3]} | "
    text = next((line.strip()[len(mark) :].strip() for line in at if line.strip().startswith(mark)), "")
    return Source(text, place[2].rpartition("/")[2], int(place[3]))


def _joined(lines: Sequence[str]) -> str:
    return " ".join(line.strip() for line in lines)
