"""`python -m tests.fuzz.loader`: broken objects that our reader takes, given to libbpf and this kernel, in children.

Each child prepares, loads, publishes and unloads one object as `bpfimg load` does, and may die of it: libbpf is C. What
it may not do is leave anything: after each batch programs, maps, BTF and links of this kernel are compared with those
before, and so are our directory in a bpffs of its own and the descriptors of the parent. An exception that is none of
ours is a failure, too; deaths by a signal are counted and shown. Nothing is ever attached. Needs root.

The children share a memory cgroup where there is one, so that a map of a gigabyte harms nobody.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bpfimg import bytecode
from bpfimg.errors import BytecodeError, Error
from bpfimg.kernel import bpf
from bpfimg.load import Host, Origin, prepare
from tests.fuzz import mutate
from tests.fuzz.seeds import seeds
from tests.support.netns import bpffs

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = 500
SECONDS = 20  # of a child's CPU time; the kernel's verifier has its own limit
_CGROUPS = Path("/sys/fs/cgroup/memory")
_LIMIT = 1 << 30
_MOST_MAP_BYTES = 64 << 20
_FINE, _REFUSED, _BROKEN = 0, 1, 70


class LeakError(AssertionError):
    """Something is left of objects that nobody kept."""


@contextmanager
def cage() -> Iterator[None]:
    """The process and its children in a memory cgroup of their own, where that version of cgroups is."""
    folder = _CGROUPS / f"bpfimg-fuzz-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError:
        yield
        return
    home = next(
        (line.split(":")[2] for line in Path("/proc/self/cgroup").read_text().split() if ":memory:" in line), "/"
    )
    try:
        (folder / "memory.limit_in_bytes").write_text(str(_LIMIT))
        (folder / "cgroup.procs").write_text(str(os.getpid()))
        yield
    finally:
        (_CGROUPS / home.lstrip("/") / "cgroup.procs").write_text(str(os.getpid()))
        for _ in range(50):
            with suppress(OSError):
                folder.rmdir()
                break
            time.sleep(0.1)


def modest(data: bytes) -> bool:
    """Whether our reader takes the object, and its maps are no larger than a machine can spare."""
    try:
        found = bytecode.parse(data)
    except BytecodeError:
        return False
    cpus = os.cpu_count() or 1
    size = sum((m.value_size * cpus + m.key_size) * max(m.max_entries, 1) for m in found.maps)
    return size <= _MOST_MAP_BYTES


def child(data: bytes, host: Host) -> int:
    """Loads, publishes and unloads; says by its exit code how that went."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with prepare(data, name="fuzz") as prepared:
            prepared.load()
            with host.writer() as writer:
                loaded = writer.load(prepared, Origin("fuzz"))
                writer.unload(loaded.id)
    except Error:
        return _REFUSED
    except BaseException:  # noqa: BLE001 (whatever it is, it is what is looked for)
        traceback.print_exc()
        return _BROKEN
    return _FINE


def tried(data: bytes, host: Host, errors: int) -> int:
    """Runs `child` in a process of its own; its exit code, or minus the signal that ended it."""
    process = os.fork()
    if not process:
        os.dup2(errors, 2)
        os._exit(child(data, host))
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def state() -> set[str]:
    """Every program, map and link of this kernel; who else is at work here has some, too."""
    kinds = (("program", bpf.program_ids()), ("map", bpf.map_ids()), ("link", bpf.link_ids()))
    return {f"{kind} {number}" for kind, ids in kinds for number in ids}


class Watch:
    """What children may not leave. Mutable: one for each run.

    A name in our directory or a descriptor is a leak at once. Of kernel objects those that are new after a batch are
    remembered: what others load meanwhile comes and goes, and in the end all of them must have gone.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._before, self._descriptors = state(), len(os.listdir("/proc/self/fd"))
        self._suspects: set[str] = set()

    def look(self) -> None:
        """After a batch; raises `LeakError`."""
        with self._host.writer():
            pass  # sweeps what a child that died left
        if names := [name for _, folders, files in os.walk(self._host.directory) for name in (*folders, *files)]:
            raise LeakError(f"left behind in bpffs: {', '.join(names[:20])}")
        if (number := len(os.listdir("/proc/self/fd"))) != self._descriptors:
            raise LeakError(f"{number} descriptors are open, expected {self._descriptors}")
        self._suspects |= state() - self._before

    def end(self, seconds: float = 900) -> None:
        """Waits until all that was new has gone; raises `LeakError`."""
        end = time.monotonic() + seconds
        while (left := self._suspects & state()) and time.monotonic() < end:
            time.sleep(0.5)
        if left:
            raise LeakError(f"left behind: {', '.join(sorted(left)[:20])}")


def fuzz(inputs: int, seed: int, host: Host) -> dict[str, object]:
    """Feeds `inputs` objects that our reader takes; returns the counts."""
    mutator = mutate.Mutator(seeds(packages=True), random.Random(seed))
    counts: collections.Counter[str] = collections.Counter()
    broken: dict[str, int] = {}
    with host.writer():
        pass
    started = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        watch = Watch(host)
        while counts["given"] < inputs:
            data = mutator.input()
            counts["made"] += 1
            if not modest(data):
                continue
            counts["given"] += 1
            code = tried(data, host, errors.fileno())
            counts[_word(code)] += 1
            if code == _BROKEN:
                errors.seek(0)
                text = errors.read().decode(errors="replace").strip()
                print(text, flush=True)
                said = text.splitlines()[-1:]
                broken[" ".join(said)[:200]] = broken.get(" ".join(said)[:200], 0) + 1
                errors.truncate(0)
                errors.seek(0)
            if not counts["given"] % BATCH:
                watch.look()
                counts["batches"] += 1
                print(json.dumps({**counts, "seconds": round(time.monotonic() - started)}), flush=True)
        watch.look()
        watch.end()
    return {**counts, "broken": broken, "seed": seed, "seconds": round(time.monotonic() - started)}


def _word(code: int) -> str:
    words = {_FINE: "loaded", _REFUSED: "refused", _BROKEN: "broken"}
    return words.get(code) or (f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with {code}")


def main() -> int:
    """Prints counts as it goes; 1 when something broke or was left."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.loader", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="that pass our reader (default: 100,000)")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers; 0: another one every time")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("needs root: objects are loaded into this kernel")
    with cage(), bpffs() as mount:
        found = fuzz(arguments.inputs, arguments.seed or int(time.time()), Host(mount))
    print(json.dumps({**found, "done": True}))
    return 1 if found["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
