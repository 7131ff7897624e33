"""The same driven by atheris: libFuzzer keeps what reaches new code in bpfimg, and mutates that further."""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

_STARTERS = 150  # objects that libFuzzer begins with: it runs each of them first
_OURS = 0.6  # share of inputs that our own mutator makes, of the seeds or of what libFuzzer found


def main() -> int:
    """Runs `--inputs` inputs, or as many as fit in `--seconds`; counts as `tests.fuzz.worker` prints them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--trust", type=float, default=None, help="as in `tests.fuzz.worker`")
    arguments = parser.parse_args()

    import atheris

    with atheris.instrument_imports(include=["bpfimg"]):
        from tests.fuzz import targets, worker
        from tests.fuzz.inputs import TRUST, Inputs

        inputs = Inputs(arguments.seed, trust=TRUST if arguments.trust is None else arguments.trust)
        for starter in inputs.starters:  # every room is imported, and instrumented, before memory is bounded
            targets.exercise(starter)

    chosen = random.Random(arguments.seed)
    guard = worker.Guard(every=False, slow=4 * worker.SLOW)  # every branch is counted, which takes its time
    worker.limit_memory()
    end = time.monotonic() + arguments.seconds

    def one(data: bytes) -> None:
        guard.feed(data)
        finished = guard.inputs >= arguments.inputs or time.monotonic() > end
        if finished or not guard.inputs % 500:
            print(json.dumps({**guard.counts(), "done": finished}), flush=True)
        if finished:
            sys.stdout.flush()
            import os

            os._exit(1 if guard.failures or worker.peak() > worker.MEMORY else 0)

    def mutated(data: bytes, max_size: int, seed: int) -> bytes:
        chosen.seed(seed)
        if chosen.random() > _OURS:
            return bytes(atheris.Mutate(data, max_size))
        inputs.reseed(seed)
        made = inputs.next() if chosen.random() < 0.5 else inputs.changed(data)
        return made[:max_size]

    with tempfile.TemporaryDirectory() as folder:
        for number, starter in enumerate(chosen.sample(inputs.starters, min(_STARTERS, len(inputs.starters)))):
            (Path(folder) / str(number)).write_bytes(starter)
        # libFuzzer's own clock and memory limit are off: those of the guard tell what is wrong
        options = ["-max_len=16384", "-rss_limit_mb=0", "-timeout=600", "-verbosity=0", f"-seed={arguments.seed}"]
        atheris.Setup(["fuzz", *options, folder], one, custom_mutator=mutated)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
