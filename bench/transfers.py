"""Images over a loopback registry: cold processes of bpfimg and of its peers, in turn, with all storage in memory.

Every pull goes into an empty place, every push brings bytes that the registry has not seen: nothing is there already,
for anybody.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench import clients, goods
from bench.processes import PEAK
from tests.support import debian
from tests.support.registry import registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bench.clients import Case

MANY, SOME = 200, 3
_MEMORY = "/dev/shm"
_LATENCY = 0.005
"""Seconds to a registry in the same country, one way: on loopback nobody gains by asking for several things at once."""


@dataclass(slots=True)
class Figures:
    """What was measured of one case, one number for each run."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)


class Transfers:
    """A registry, and a place for every run."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        where = _MEMORY if os.access(_MEMORY, os.W_OK) else None
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bpfimg-bench-", dir=where)))
        (self.folder / "registry").mkdir()
        self.server = stack.enter_context(registry(self.folder / "registry"))
        here = str(self.folder)
        self._environ = {key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        self._environ |= {"HOME": here, "DOCKER_CONFIG": here, "XDG_RUNTIME_DIR": here, "TMPDIR": here}
        self._number = 0

    def run(self, case: Case, figures: Figures) -> None:
        """Runs a case once; raises when it fails."""
        with self._place() as place, open(place / "out", "wb") as out:
            argv = case.argv(place, self._number)
            before, asked = resource.getrusage(resource.RUSAGE_CHILDREN), len(self.server.requests())
            start = time.perf_counter()
            code = subprocess.call(argv, cwd=place, env=self._environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            wall = time.perf_counter() - start
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if code:
                raise SystemExit(f"bench: {argv} ended with {code}: {(place / 'out').read_text()[-2000:]}")
        figures.wall.append(wall * 1000)
        figures.cpu.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000)
        figures.requests.append(len(self.server.requests()) - asked)

    def peak(self, case: Case) -> float:
        """Peak resident memory in MiB of one run."""
        with self._place() as place:
            argv = [sys.executable, "-I", "-S", "-c", PEAK, *case.argv(place, self._number)]
            done = subprocess.run(argv, cwd=place, env=self._environ, capture_output=True, text=True, check=True)
        return int(done.stdout.split()[-1]) / 1024

    @contextlib.contextmanager
    def _place(self) -> Iterator[Path]:
        self._number += 1
        place = self.folder / f"run{self._number}"
        place.mkdir()
        try:
            yield place
        finally:
            shutil.rmtree(place)

    def table(self, title: str, cases: Iterable[Case], runs: int) -> None:
        """Runs the cases in turn, so that noise falls on all alike, and prints medians; the first round is not
        counted, it warms the page cache."""
        rows = [(case, Figures()) for case in cases]
        for number in range(runs + 1):
            for case, figures in rows:
                self.run(case, figures if number else Figures())
        base = statistics.median(rows[0][1].wall)
        print(f"\n{f'{title}, median of {runs}':34} {'ms':>8} {'ratio':>7} {'CPU ms':>8} {'requests':>9}")
        for case, figures in rows:
            wall, cpu = statistics.median(figures.wall), statistics.median(figures.cpu)
            asked = statistics.median(figures.requests)
            print(f"  {case.client:32} {wall:8.1f} {wall / base:6.2f}x {cpu:8.1f} {asked:9.0f}  {case.does}")

    def peaks(self, title: str, cases: Iterable[Case], *, forget: bool = False) -> None:
        """Prints peak memory and the time of one run each; with `forget` the registry loses what was pushed."""
        print(f"\n{title:34} {'ms':>8} {'peak MiB':>9}")
        for case in cases:
            figures = Figures()
            self.run(case, figures)
            print(f"  {case.client:32} {figures.wall[0]:8.0f} {self.peak(case):9.1f}")
            if forget:
                shutil.rmtree(self.server.storage / "docker", ignore_errors=True)


@contextlib.contextmanager
def away(host: str, delay: float) -> Iterator[str]:
    """The same registry under a name by which all takes `delay` seconds longer, each way."""
    argv = [sys.executable, "-m", "bench.distance", host, str(delay)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as relay:
        assert relay.stdout is not None
        try:
            yield f"127.0.0.1:{relay.stdout.readline().strip()}"
        finally:
            relay.terminate()


def main(runs: int) -> None:
    """Prints the tables of small images, of many and of a large one."""
    if debian.find("docker-registry") is None:
        print("no transfers: needs docker-registry (`make setup` unpacks it)")
        return
    load = "/".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"\ntransfers on {os.cpu_count()} CPUs, load {load}: what else runs takes its share, as the registry does")
    with contextlib.ExitStack() as stack:
        bench = Transfers(stack)
        host = bench.server.host
        small = goods.push(goods.make(bench.folder, "small", 0), host, "bench/small")
        bench.table("pull, one small image", clients.pulls(small), runs)
        bench.table("push, one small image", clients.pushes(host, "small"), runs)
        names = goods.many(host, MANY)
        bench.table(f"pull, {MANY} small images", clients.batches(bench.folder, names), SOME)
        with away(host, _LATENCY) as far:
            names = [name.replace(host, far) for name in names]
            title = f"the same {2000 * _LATENCY:.0f} ms away"
            bench.table(title, clients.batches(bench.folder, names), 1)
        large = goods.make(bench.folder, "large", 0)
        bench.peaks("pull, a layer of 256 MiB", clients.pulls(goods.push(large, host, "bench/large")))
        shutil.rmtree(large.layout)
        bench.peaks("push, a layer of 256 MiB", clients.pushes(host, "large"), forget=True)
