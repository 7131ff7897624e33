"""One fuzzing process: feeds inputs, guards time and memory, keeps the smallest form of what fails.

Time is the process's own CPU time, so that a busy machine fails nobody: over `SLOW` seconds is a failure, and after
`HANG` seconds the input is stopped. Memory is bounded by the kernel (RLIMIT_AS), and its peak is checked at the end.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz import targets
from tests.fuzz.inputs import TRUST, Inputs
from tests.fuzz.trust.mutate import HEAD

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

REGRESSIONS = Path(__file__).with_name("regressions")
SLOW, HANG = 1.0, 5.0
MEMORY = 512 << 20
_REPORT_EVERY = 2000
_MINIMISE_STEPS = 300


class Hang(BaseException):
    """Raised by the alarm: no `except Exception` of anybody keeps it."""


def _alarm(_number: int, _frame: FrameType | None) -> None:
    raise Hang


class Guard:
    """Feeds inputs to `exercise` and counts. Mutable: one for each process."""

    def __init__(self, *, every: bool, folder: Path = REGRESSIONS, slow: float = SLOW) -> None:
        self.inputs = self.read = self.trust = 0
        self.slowest = 0.0
        self.failures: dict[str, str] = {}  # signature -> file
        self._every = every
        self._folder = folder
        self._slow = slow
        signal.signal(signal.SIGVTALRM, _alarm)

    def feed(self, data: bytes) -> None:
        """Exercises the input; keeps it, as small as it can be made, if it fails in a way that is new."""
        self.inputs += 1
        self.trust += data.startswith(HEAD)
        signature, seconds, read = self.outcome(data)
        self.read += read
        self.slowest = max(self.slowest, seconds)
        if signature is not None and signature not in self.failures:
            self.failures[signature] = str(self._keep(signature, data))

    def outcome(self, data: bytes) -> tuple[str | None, float, bool]:
        """How the input fails (None: it does not), its CPU seconds, and whether it could be read."""
        signature: str | None = None
        read = False
        start = time.process_time()
        signal.setitimer(signal.ITIMER_VIRTUAL, HANG)
        try:
            read = targets.exercise(data, every=self._every)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 (every kind of failure is what is looked for; panics of Rust, too)
            signature = _signature(error)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        seconds = time.process_time() - start
        if signature is None and seconds > self._slow:
            signature = "slow"
        return signature, seconds, read

    def _keep(self, signature: str, data: bytes) -> Path:
        small = minimised(data, lambda shorter: self.outcome(shorter)[0] == signature)
        path = self._folder / f"{hashlib.sha256(small).hexdigest()[:16]}.bin"
        self._folder.mkdir(exist_ok=True)
        path.write_bytes(small)
        print(json.dumps({"failure": signature, "file": path.name, "bytes": len(small)}), flush=True)
        return path

    def counts(self) -> dict[str, object]:
        """What was done so far; `memory` is the peak of this process in bytes."""
        return {
            "inputs": self.inputs,
            "read": self.read,
            "trust": self.trust,
            "slowest_seconds": round(self.slowest, 3),
            "memory": peak(),
            "failures": self.failures,
        }


def peak() -> int:
    """The most memory this process ever had, in bytes: getrusage(2) would count that of its parent before exec(2)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _signature(error: BaseException) -> str:
    """The same for two inputs that fail at the same place."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/bpfimg/" in frame.filename]
    if isinstance(error, Hang):
        return "hang"
    place = f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else str(error)[:60]
    return f"{type(error).__name__} in {place}"


def minimised(data: bytes, fails: Callable[[bytes], bool]) -> bytes:
    """A smaller or plainer input that fails in the same way: the end cut off, pieces taken out or made zero."""
    steps = 0
    for plain in (False, True):
        size = len(data) // 2
        while size >= 4:
            at = 0
            while at < len(data) and steps < _MINIMISE_STEPS:
                steps += 1
                piece = bytes(min(size, len(data) - at)) if plain else b""
                shorter = data[:at] + piece + data[at + size :]
                if shorter != data and fails(shorter):
                    data = shorter
                    at += size if plain else 0
                else:
                    at += size
            size //= 2
        steps = 0
    return data


def limit_memory() -> None:
    """From here on an allocation beyond 512 MiB in all fails, and with it the input that asked for it."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def main() -> int:
    """Runs `--inputs` inputs, or as many as fit in `--seconds`; one JSON line of counts at times, and the last at the
    end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument(
        "--compiled-only", action="store_true", help="no objects of packages: the same on every machine"
    )
    parser.add_argument("--trust", type=float, default=TRUST, help="share of inputs that are of the room of trust")
    arguments = parser.parse_args()
    inputs = Inputs(arguments.seed, trust=arguments.trust, packages=not arguments.compiled_only)
    guard = Guard(every=False)
    limit_memory()
    end = time.monotonic() + arguments.seconds
    while guard.inputs < arguments.inputs and time.monotonic() < end:
        guard.feed(inputs.next())
        if not guard.inputs % _REPORT_EVERY:
            print(json.dumps(guard.counts()), flush=True)
    print(json.dumps({**guard.counts(), "done": True}), flush=True)
    return 1 if guard.failures or peak() > MEMORY else 0


if __name__ == "__main__":
    sys.exit(main())
