"""`make bench`: cold start figures as medians and as ratios to `python3 -c pass`, all taken in one run.

Each case is a whole process, started again every time, the cases in turn so that noise falls on all alike. Absolute
times say something about this machine only; the ratios are what is compared. Peak memory is the process's maximum
resident set.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.netns import bpffs, namespace
from tests.support.registry import registry

ROOT = Path(__file__).resolve().parents[1]
BPFIMG = str(Path(sys.executable).parent / "bpfimg")


def nothing() -> None:
    """Between two runs there is nothing to put back."""


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table: the process that is measured, and what puts things back after it."""

    name: str
    argv: list[str]
    aim: str = ""
    after: Callable[[], None] = nothing


class Bench:
    """A store, a registry and a namespace for the time of the run."""

    def __init__(self, stack: contextlib.ExitStack, folder: Path) -> None:
        self.folder = folder
        self.server = stack.enter_context(registry(folder))
        self.network = stack.enter_context(namespace())
        bpf = stack.enter_context(bpffs())
        self.environ = {
            **{key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
            "COSIGN_PASSWORD": "",
            "BPFIMG_STORE": str(folder / "store"),
            "BPFIMG_BPFFS": bpf,
        }
        self.image = f"{self.server.host}/bench/xdp_counter:v1"

    def bpfimg(self, *words: str) -> str:
        """Runs a command that is not measured."""
        argv = [BPFIMG, *words]
        return subprocess.run(
            argv, cwd=self.folder, env=self.environ, check=True, capture_output=True, text=True
        ).stdout

    def prepare(self) -> None:
        """An image built, signed and pushed."""
        self.bpfimg("key", "generate", "k")
        self.bpfimg("build", "-t", self.image, str(ROOT / "examples/bytecode/xdp_counter.bpf.c"))
        self.bpfimg("sign", "--key", "k.key", self.image)
        self.bpfimg("push", self.image)

    def unload(self) -> None:
        """Unloads what the measured `run` loaded."""
        for program in self.bpfimg("list", "-q").split():
            self.bpfimg("unload", program)

    def forget(self) -> None:
        """Empties the store into which the measured `pull` wrote."""
        subprocess.run(["rm", "-rf", str(self.folder / "empty")], check=True)

    def cases(self) -> Iterator[Case]:
        """What is measured."""
        hook = ["xdp", "--iface", self.network.interface, "--netns", self.network.name]
        yield Case("python3 -c pass", [sys.executable, "-c", "pass"])
        yield Case("bpfimg --help", [BPFIMG, "--help"])
        yield Case("bpfimg list", [BPFIMG, "list"], "<= 4x")
        run = [BPFIMG, "run", "--key", "k.pub", "--pull", "never", self.image, *hook]
        yield Case("bpfimg run, stored image", run, "<= 8x", self.unload)
        pull = [BPFIMG, "--store", str(self.folder / "empty"), "pull", self.image]
        yield Case("bpfimg pull, loopback", pull, "<= 9x", self.forget)


def measure(bench: Bench, argv: list[str]) -> tuple[float, int]:
    """Wall time in milliseconds and peak memory in KiB of one process; raises when it fails."""
    with open(bench.folder / "out", "wb") as out:
        start = time.perf_counter()
        process = subprocess.Popen(argv, cwd=bench.folder, env=bench.environ, stdout=out, stderr=out)
        _, status, usage = os.wait4(process.pid, 0)
        wall = (time.perf_counter() - start) * 1000
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench: {argv} ended with {process.returncode}: {(bench.folder / 'out').read_text()}")
    return wall, usage.ru_maxrss


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="cold processes per case (default 15)")
    runs = parser.parse_args().runs
    with contextlib.ExitStack() as stack:
        bench = Bench(stack, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bpfimg-bench-"))))
        bench.prepare()
        cases = list(bench.cases())
        figures: dict[str, list[tuple[float, int]]] = {case.name: [] for case in cases}
        for _ in range(runs + 1):
            for case in cases:
                figures[case.name].append(measure(bench, case.argv))
                case.after()
    base = statistics.median(wall for wall, _ in figures[cases[0].name][1:])
    print(f"{'median of ' + str(runs) + ' cold processes':28} {'ms':>8} {'ratio':>7} {'aim':>7} {'peak MiB':>9}")
    for case in cases:
        kept = figures[case.name][1:]  # the first round warms the page cache
        wall, peak = statistics.median(w for w, _ in kept), statistics.median(m for _, m in kept) / 1024
        print(f"{case.name:28} {wall:8.1f} {wall / base:6.1f}x {case.aim:>7} {peak:9.1f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
