"""The figures at the end of a verifier's log: how far it went, and with what.

`processed 12 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 0`, and before that
`stack depth 8+0`: a number for each function. The kernel writes them for taken and refused programs alike.
"""

from __future__ import annotations

import re

from bpfimg._value import value

_END = 4096  # characters: the figures are the last lines
_INSNS = re.compile(r"^processed (\d{1,12}) insns\b(.*)$", re.MULTILINE)
_STATES = re.compile(r"\b(total|peak)_states (\d{1,12})\b")
_STACK = re.compile(r"^stack depth (\d{1,6}(?:\+\d{1,6}){0,1023})", re.MULTILINE)


@value(frozen=True, slots=True)
class Figures:
    """Instructions that the verifier went through; states that it had, and had to keep at once; bytes of stack, of all
    functions together. None for what the log does not say."""

    insns: int | None = None
    states: int | None = None
    peak_states: int | None = None
    stack: int | None = None


def figures(log: str) -> Figures:
    """Reads them from a log of whatever kernel."""
    end = log[-_END:]
    ends = _INSNS.findall(end)  # the last one counts: what the object says may look like it, further above
    insns, rest = ends[-1] if ends else ("", "")
    states = {name: int(number) for name, number in _STATES.findall(rest)}
    depths = _STACK.findall(end)
    return Figures(
        int(insns) if insns else None,
        states.get("total"),
        states.get("peak"),
        sum(map(int, depths[-1].split("+"))) if depths else None,
    )
