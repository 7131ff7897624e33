"""A program that the verifier refused, as one error: what it said, where in the source, what that means, what to do."""

from __future__ import annotations

from bpfimg.errors import VerifierError
from bpfimg.kernel._failure import missing_capabilities, permitted, printable, reason
from bpfimg.kernel._verifier_causes import Cause, cause
from bpfimg.kernel._verifier_log import Reading, Source, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class About(Protocol):
        """What the object itself says, which neither libbpf nor the kernel repeat."""

        def place(self, program: str, index: int, text: str) -> tuple[str, int, str]:
            """File, line and text of the source of an instruction, whose text is `text` if that is not empty."""

        def relocation(self, program: str, index: int) -> str:
            """What a CO-RE relocation asks for, and what comes near to it in this kernel; "" if there is none."""


_FIRST = 4096
_STRICTER = ("pointer-arithmetic", "leak", "stack-not-set", "bounds", "helper", "not-a-pointer", "endless-loop", "null")
_TOO_LONG = 28  # ENOSPC: before kernel 6.4 the end of a log is lost that does not fit


def verifier_error(program: str, log: str, number: int, about: About | None = None) -> VerifierError:
    """Returns the error for a program that the verifier refused."""
    reading = read(log)
    said, found = _said(reading, number)
    if found and found.word == "core":
        said = (about.relocation(program, reading.index) if about else "") or printable(found.means)
    source = _source(reading, program, about)
    place = f"{source.file}:{source.number}" if source and source.number else ""
    hints = [_meaning(reading, found), _lesser(found)]
    if source and source.text:
        hints.append(f"the source line is `{printable(source.text)}`")
    hints += [_instruction(reading), f"the verifier's log has {reading.lines} lines"]
    return VerifierError(
        f"the kernel's verifier refused program {program!r}{' at ' + printable(place) if place else ''}: {said}",
        program=program,
        log=log,
        errno=number,
        cause=found.word if found else "",
        source=place,
        hint="; ".join(hint for hint in hints if hint),
    )


def told(log: str) -> bool:
    """Returns whether a log says anything about the program: whether the verifier was reached."""
    return any(line.strip() and not line.startswith("processed ") for line in log[:_FIRST].splitlines())


def _said(reading: Reading, number: int) -> tuple[str, Cause | None]:
    if number == _TOO_LONG and not cause(reading.said):
        return "its log does not fit into 16 MiB", cause("BPF program is too large")
    return printable(reading.said) or reason(number), cause(reading.said)


def _meaning(reading: Reading, found: Cause | None) -> str:
    if found and found.word == "core":
        return found.remedy
    if reading.reason and reading.suggestion:
        return printable(f"{reading.reason} {reading.suggestion.rstrip('.')}", 600)
    return printable(f"{found.means}: {found.remedy}", 400) if found else ""


def _lesser(found: Cause | None) -> str:
    """Of a process without CAP_PERFMON the verifier takes less: no differences of pointers, nothing speculative."""
    if found is None or found.word not in _STRICTER:
        return ""
    missing = missing_capabilities(("CAP_PERFMON",), permitted())
    return "this process lacks CAP_PERFMON, without which programs may do less with pointers" if missing else ""


def _source(reading: Reading, program: str, about: About | None) -> Source | None:
    source = reading.source
    if about and reading.index >= 0 and not (source and source.number):
        file, number, text = about.place(program, reading.index, source.text if source else "")
        return Source(text, file, number)
    return source


def _instruction(reading: Reading) -> str:
    if reading.index < 0 or not reading.code:
        return ""
    state = f", with {printable(reading.state, 120)}" if reading.state else ""
    return f"instruction {reading.index} is `{printable(reading.code, 80)}`{state}"
