"""`python -m tests.fuzz`: a million inputs in two processes; 1 when one of them fails.

One process mutates objects, and documents of the room of trust, by their structure, the other lets atheris look for
new code to reach; without atheris both do the former. Counts, the slowest input and the peak of memory of each process
are printed. What fails is kept, as small as it can be made, in tests/fuzz/regressions, which every test run replays.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import threading
import time

from tests.fuzz.inputs import TRUST

_MIB = 1 << 20
#: Of the inputs; each takes longer where branches are counted.
_COVERAGE_SHARE = 0.3


class Process:
    """One worker and what it said last."""

    def __init__(self, engine: str, inputs: int, seconds: float, seed: int, trust: float) -> None:
        self.name = f"{engine} {seed}"
        module = "tests.fuzz.coverage" if engine == "atheris" else "tests.fuzz.worker"
        command = [sys.executable, "-m", module, f"--inputs={inputs}", f"--seconds={seconds}", f"--seed={seed}"]
        command.append(f"--trust={trust}")
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.counts: dict[str, object] = {}
        self.failures: list[dict[str, object]] = []
        self._stderr = ""
        self._readers = [threading.Thread(target=self._listen), threading.Thread(target=self._drain)]
        for reader in self._readers:
            reader.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if not line.startswith("{"):
                continue
            said = json.loads(line)
            if "failure" in said:
                self.failures.append(said)
                print(f"{self.name}: {said['failure']}: tests/fuzz/regressions/{said['file']}", flush=True)
            else:
                self.counts = said

    def _drain(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._stderr = (self._stderr + line)[-4000:]

    def running(self) -> bool:
        return self._process.poll() is None

    def inputs(self) -> int:
        count = self.counts.get("inputs", 0)
        return count if isinstance(count, int) else 0

    def finish(self) -> bool:
        """Waits for the end; whether all is well. A process that ends before it is done has crashed."""
        code = self._process.wait()
        for reader in self._readers:
            reader.join()
        if not self.counts.get("done"):
            print(f"{self.name}: ended with {code} after {self.inputs()} inputs: {self._stderr.strip()[-1500:]}")
            return False
        return code == 0 and not self.failures


def main() -> int:
    """Starts the workers, prints how far they are, adds up."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="in all (default: a million)")
    parser.add_argument("--seconds", type=float, default=3600, help="stop after that time (default: an hour)")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers; 0: another one every time")
    parser.add_argument("--trust", type=float, default=TRUST, help="share of the room of trust (default: %(default)s)")
    parser.add_argument("--engine", choices=("both", "mutate", "atheris"), default="both")
    arguments = parser.parse_args()
    seed = arguments.seed or int(time.time())
    engines = _engines(arguments.engine)
    started = time.monotonic()
    share = int(arguments.inputs * _COVERAGE_SHARE) if engines[0] != engines[1] else arguments.inputs // 2
    processes = [
        Process(engines[0], arguments.inputs - share, arguments.seconds, seed, arguments.trust),
        Process(engines[1], share, arguments.seconds, seed + 1, arguments.trust),
    ]
    while any(process.running() for process in processes):
        time.sleep(1)
        done = sum(process.inputs() for process in processes)
        if sys.stdout.isatty():
            print(f"\r{done:,} inputs in {time.monotonic() - started:.0f} s", end="", flush=True)
    well = [process.finish() for process in processes]
    total = sum(process.inputs() for process in processes)
    for process in processes:
        counts = process.counts
        memory = counts.get("memory", 0)
        mebibytes = memory // _MIB if isinstance(memory, int) else 0
        print(
            f"{process.name}: {process.inputs():,} inputs, {counts.get('trust', 0):,} of them of the room of trust, "
            f"{counts.get('read', 0):,} readable, "
            f"the slowest took {counts.get('slowest_seconds')} s of CPU, peak {mebibytes} MiB"
        )
    failures = sum(len(process.failures) for process in processes)
    print(f"{total:,} inputs in {time.monotonic() - started:.0f} s, {failures} kinds of failure, seed {seed}")
    return 0 if all(well) else 1


def _engines(wanted: str) -> tuple[str, str]:
    there = importlib.util.find_spec("atheris") is not None
    if wanted == "atheris" and not there:
        raise SystemExit("atheris is not installed: pip install -r requirements/fuzz.txt")
    if wanted == "both" and not there:
        print("atheris is not installed, both processes mutate by structure", flush=True)
    if wanted == "mutate" or not there:
        return "mutate", "mutate"
    return ("atheris", "atheris") if wanted == "atheris" else ("mutate", "atheris")


if __name__ == "__main__":
    sys.exit(main())
