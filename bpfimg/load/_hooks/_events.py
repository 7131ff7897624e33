"""Events of perf(1) by their words, and the kernel's numbers for them (enum perf_type_id, perf_sw_ids, perf_hw_id)."""

from __future__ import annotations

from bpfimg.errors import UsageError, quoted

HARDWARE, SOFTWARE, RAW = 0, 1, 4
_SOFTWARE = (  # noqa: SIM905  # words, not 12 lines
    "cpu-clock task-clock page-faults context-switches cpu-migrations minor-faults major-faults alignment-faults "
    "emulation-faults dummy bpf-output cgroup-switches"
).split()
_HARDWARE = (  # noqa: SIM905
    "cycles instructions cache-references cache-misses branches branch-misses bus-cycles stalled-cycles-frontend "
    "stalled-cycles-backend ref-cycles"
).split()
_OTHER_WORDS = {
    "faults": "page-faults",
    "cs": "context-switches",
    "migrations": "cpu-migrations",
    "cpu-cycles": "cycles",
    "branch-instructions": "branches",
}


def numbers(event: str) -> tuple[int, int]:
    """(Type, number) of an event by its word, or by `r` and a number in hexadecimal as the processor has it.

    UsageError for another.
    """
    word = _OTHER_WORDS.get(event, event)
    if word in _SOFTWARE:
        return SOFTWARE, _SOFTWARE.index(word)
    if word in _HARDWARE:
        return HARDWARE, _HARDWARE.index(word)
    if word.startswith("r") and 1 < len(word) <= 17 and all(c in "0123456789abcdefABCDEF" for c in word[1:]):
        return RAW, int(word[1:], 16)
    from difflib import get_close_matches

    near = get_close_matches(word, [*_SOFTWARE, *_HARDWARE, *_OTHER_WORDS], 3)
    raise UsageError(
        f"event {quoted(event)} is not known, expected one of {', '.join([*_SOFTWARE[:6], *_HARDWARE[:6]])} or rXXXX",
        hint=f"near it: {', '.join(near)}" if near else "",
    )


def is_seldom(event: str) -> bool:
    """True for what is worth a sample each time: events of the kernel that are no clocks."""
    return numbers(event)[0] == SOFTWARE and "clock" not in event
