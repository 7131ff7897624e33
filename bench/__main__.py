"""`make bench`: cold start figures as medians and as ratios to `python3 -c pass`, all taken in one run.

Each case is a whole process, started again every time, the cases in turn so that noise falls on all alike. Absolute
times say something about this machine only; the ratios are what is compared. Peak memory is the process's maximum
resident set.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import objects, transfers
from tests.support.netns import bpffs, namespace
from tests.support.objects import example
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


PEER = """set -e
bpftool prog load peer.o {pin}
nsenter --net=/var/run/netns/{name} bpftool net attach xdp pinned {pin} dev {interface}
"""


class Bench:
    """A store, a registry and a namespace for the time of the run."""

    def __init__(self, stack: contextlib.ExitStack, folder: Path) -> None:
        self.folder = folder
        self.server = stack.enter_context(registry(folder))
        self.network = stack.enter_context(namespace())
        self.mount = stack.enter_context(bpffs())
        self.environ = {
            **{key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
            "COSIGN_PASSWORD": "",
            "BPFIMG_STORE": str(folder / "store"),
            "BPFIMG_BPFFS": self.mount,
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

    def take_off(self) -> None:
        """Takes bpftool's program off again."""
        net = f"--net=/var/run/netns/{self.network.name}"
        argv = ["nsenter", net, "bpftool", "net", "detach", "xdp", "dev", self.network.interface]
        subprocess.run(argv, check=True)
        os.unlink(f"{self.mount}/peer")

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
        yield from self.looks()
        if shutil.which("skopeo"):
            copy = ["skopeo", "copy", "--src-tls-verify=false", f"docker://{self.image}", f"oci:{self.folder}/empty:v1"]
            yield Case("skopeo copy, without signatures", copy, "", self.forget)
        if shutil.which("bpftool"):
            (self.folder / "peer.sh").write_text(
                PEER.format(name=self.network.name, interface=self.network.interface, pin=f"{self.mount}/peer")
            )
            object_file = self.folder / "peer.o"
            object_file.write_bytes(example("xdp_counter"))
            yield Case("bpftool load + attach, unverified", ["sh", "peer.sh"], "", self.take_off)

    def looks(self) -> Iterator[Case]:
        """Building and looking at objects; `llvm-objdump -h` reads headers only, `bpftool gen skeleton` everything."""
        for name, content in (("data", objects.with_data()), ("programs", objects.with_programs())):
            (self.folder / f"{name}.o").write_bytes(content)
            yield Case(f"bpfimg inspect, 1 MiB of {name}", [BPFIMG, "inspect", f"{name}.o"])
            if shutil.which("bpftool"):
                yield Case(f"  bpftool gen skeleton, {name}", ["bpftool", "gen", "skeleton", f"{name}.o"])
            if shutil.which("llvm-objdump"):
                yield Case(f"  llvm-objdump -h, {name}", ["llvm-objdump", "-h", f"{name}.o"])
        (self.folder / "one.o").write_bytes(example("xdp_counter"))
        yield Case("bpfimg build, one object", [BPFIMG, "build", "-t", "bench/one:v1", "one.o"], "<= 6x")
        yield Case("bpfimg lint, one object", [BPFIMG, "lint", "one.o"])
        if os.path.exists("/sys/kernel/btf/vmlinux"):
            yield Case(
                "bpfimg check, this kernel's types", [BPFIMG, "check", "one.o", "--btf", "/sys/kernel/btf/vmlinux"]
            )


def measure(bench: Bench, argv: list[str]) -> float:
    """Wall time in milliseconds of one process; raises when it fails."""
    with open(bench.folder / "out", "wb") as out:
        start = time.perf_counter()
        code = subprocess.call(argv, cwd=bench.folder, env=bench.environ, stdout=out, stderr=out)
        wall = (time.perf_counter() - start) * 1000
    if code:
        raise SystemExit(f"bench: {argv} ended with {code}: {(bench.folder / 'out').read_text()}")
    return wall


#: Linux carries the high-water mark of the parent's memory over into what it starts, so a small parent has to ask
_PEAK = """
import os, sys
pid = os.fork() or os.execvp(sys.argv[1], sys.argv[1:])
_, status, used = os.wait4(pid, 0)
print(used.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak(bench: Bench, argv: list[str]) -> float:
    """Peak resident memory in MiB of one process; nothing below that of a bare Python can be told."""
    asked = [sys.executable, "-I", "-S", "-c", _PEAK, *argv]
    done = subprocess.run(asked, cwd=bench.folder, env=bench.environ, capture_output=True, text=True, check=True)
    return int(done.stderr.split()[-1]) / 1024


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="cold processes per case (default 10)")
    parser.add_argument("--part", choices=("programs", "transfers"), help="only these tables (default: both)")
    asked = parser.parse_args()
    if asked.part != "transfers":
        programs(asked.runs)
    if asked.part != "programs":
        transfers.main(asked.runs, _PEAK)
    return 0


def programs(runs: int) -> None:
    """Prints the table of everything that one program takes on its way."""
    with contextlib.ExitStack() as stack:
        bench = Bench(stack, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bpfimg-bench-"))))
        bench.prepare()
        cases = list(bench.cases())
        figures: dict[str, list[float]] = {case.name: [] for case in cases}
        peaks: dict[str, float] = {}
        for case in cases:  # this round also warms the page cache
            peaks[case.name] = peak(bench, case.argv)
            case.after()
        for _ in range(runs):
            for case in cases:
                figures[case.name].append(measure(bench, case.argv))
                case.after()
    base = statistics.median(figures[cases[0].name])
    print(f"{'median of ' + str(runs) + ' cold processes':34} {'ms':>8} {'ratio':>7} {'aim':>7} {'peak MiB':>9}")
    for case in cases:
        wall = statistics.median(figures[case.name])
        print(f"{case.name:34} {wall:8.1f} {wall / base:6.1f}x {case.aim:>7} {peaks[case.name]:9.1f}")
    count, size, rate = objects.lint_rate(ROOT)
    print(f"lint, one process: {rate:.0f} objects a second of CPU, {count} of {size:.0f} KiB on average (aim 500)")


if __name__ == "__main__":
    raise SystemExit(main())
