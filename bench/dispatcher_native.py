"""What a fused chain costs a packet on this machine: nanoseconds, with calls and inlined, above direct attach.

Time of the thread, not of the clock on the wall: a test run of XDP begins and ends with waits for other processors that
have nothing to do with the program. The least of many runs, since whatever disturbs a run makes it longer.
"""

from __future__ import annotations

import os
import time

from bpfimg.kernel import Fd, bpf, features
from tests.support.fused import Chain

COUNTS = (1, 2, 5, 10)
_PACKET, _REPEAT = bytes(64), 500_000
#: a result that the verifier does not know, and no more; or a look into a map, a count, and that result
_MEMBERS = {
    "trivial": 'SEC("xdp") int member(CTX *ctx) { int two; asm volatile("%0 = 2; %0 = le64 %0;" : "=r"(two));'
    " return two; }\n",
    "counting": 'SEC("xdp") int member(CTX *ctx) { count(0); return verdict; }\n',
}


def main(runs: int) -> None:
    """Prints a table for each kind of member; `runs` times each figure is taken, at least twenty times."""
    if os.geteuid() != 0 or features.has("xdp") is not True:
        print("dispatchers on this machine: not measured, needs root and XDP")
        return
    for name, body in _MEMBERS.items():
        base, rows = measured(body, max(runs, 20))
        title = f"{name} members here, ns above direct ({base:.1f})"
        print(f"{title:50}" + "".join(f"{count:>14}" for count in COUNTS) + f"{'each':>14}")
        for way, figures in rows.items():
            above = [figure - base for figure in figures]
            # what one more member costs, its own work with it
            each = (figures[-1] - figures[0]) / (COUNTS[-1] - COUNTS[0])
            print(f"{way:50}" + "".join(f"{number:>14.2f}" for number in [*above, each]))


def measured(body: str, runs: int) -> tuple[float, dict[str, list[float]]]:
    """Nanoseconds of one member attached by itself; of chains of `COUNTS` members, by way of building them."""
    programs: dict[str, list[Fd | int]] = {"fused, calls": [], "fused, inlined": []}
    with Chain("xdp") as chain:
        for number in range(1, COUNTS[-1] + 1):
            chain.compiled(body)
            if number in COUNTS:
                for way, found in programs.items():
                    found.append(chain.build(inline=way == "fused, inlined").dispatcher)
        every = [chain.programs[0], *(program for found in programs.values() for program in found)]
        base, *rest = least(every, runs)
    size = len(COUNTS)
    return base, {way: rest[at * size : (at + 1) * size] for at, way in enumerate(programs)}


def least(programs: list[Fd | int], runs: int) -> list[float]:
    """The least nanoseconds per packet of each program, which take turns so that what disturbs meets them alike."""
    nothing = min(taken(programs[0], 2) for _ in range(runs))
    found = [float("inf")] * len(programs)
    for _ in range(runs):
        for at, program in enumerate(programs):
            found[at] = min(found[at], (taken(program, _REPEAT) - nothing) / _REPEAT)
    return found


def taken(program: Fd | int, repeat: int) -> int:
    """Nanoseconds of this thread for so many packets."""
    began = time.thread_time_ns()
    bpf.test_run(program, _PACKET, repeat)
    return time.thread_time_ns() - began
