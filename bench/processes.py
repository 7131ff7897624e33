"""Whole processes, started again every time, the cases in turn so that noise falls on all alike."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BPFIMG = str(Path(sys.executable).parent / "bpfimg")


def nothing() -> None:
    """Between two runs there is nothing to put back."""


@dataclass(frozen=True, slots=True)
class Case:
    """One line of a table: the process that is measured, and what puts things back after it."""

    name: str
    argv: list[str]
    aim: str = ""
    after: Callable[[], None] = nothing


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the processes of a table run, and in which environment."""

    folder: Path
    environ: dict[str, str]

    def do(self, *argv: str) -> str:
        """What a command that is not measured prints; raises when it fails."""
        done = subprocess.run(argv, cwd=self.folder, env=self.environ, check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"bench: {argv} ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
        return done.stdout

    def measure(self, argv: list[str]) -> float:
        """Wall time in milliseconds of one process; raises when it fails."""
        with (self.folder / "out").open("wb") as out:
            start = time.perf_counter()
            code = subprocess.call(
                argv, cwd=self.folder, env=self.environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
            wall = (time.perf_counter() - start) * 1000
        if code:
            raise SystemExit(f"bench: {argv} ended with {code}: {(self.folder / 'out').read_text()[-2000:]}")
        return wall

    def peak(self, argv: list[str]) -> float:
        """Peak resident memory in MiB of one process; nothing below that of a bare Python can be told."""
        return int(self.do(sys.executable, "-I", "-S", "-c", PEAK, *argv).splitlines()[-1]) / 1024


#: Linux carries the high-water mark of the parent's memory over into what it starts, so a small parent has to ask
PEAK = """
import os, sys
pid = os.fork() or (os.dup2(2, 1), os.execvp(sys.argv[1], sys.argv[1:]))
_, status, used = os.wait4(pid, 0)
print(used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def table(title: str, around: Surroundings, cases: list[Case], runs: int) -> dict[str, float]:
    """Prints medians and ratios to the first case; returns the medians in milliseconds by name."""
    figures: dict[str, list[float]] = {case.name: [] for case in cases}
    peaks: dict[str, float] = {}
    for case in cases:  # this round also warms the page cache
        peaks[case.name] = around.peak(case.argv)
        case.after()
    for _ in range(runs):
        for case in cases:
            figures[case.name].append(around.measure(case.argv))
            case.after()
    medians = {name: statistics.median(walls) for name, walls in figures.items()}
    base = medians[cases[0].name]
    print(f"{title:40} {'ms':>8} {'ratio':>7} {'aim':>7} {'peak MiB':>9}")
    for case in cases:
        wall = medians[case.name]
        print(f"{case.name:40} {wall:8.1f} {wall / base:6.1f}x {case.aim:>7} {peaks[case.name]:9.1f}")
    return medians
