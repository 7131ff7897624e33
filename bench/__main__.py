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
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import dispatcher, host, objects, transfers, trust
from bench.processes import BPFIMG, Case, Surroundings, table
from tests.support.netns import bpffs, namespace
from tests.support.objects import example
from tests.support.registry import registry

ROOT = Path(__file__).resolve().parents[1]


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


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="cold processes per case (default 10)")
    parser.add_argument("--part", choices=tuple(PARTS), help="only these tables (default: all)")
    asked = parser.parse_args()
    for name, part in PARTS.items():
        if asked.part in (None, name):
            part(asked.runs)
    return 0


def programs(runs: int) -> None:
    """Prints the table of everything that one program takes on its way."""
    with contextlib.ExitStack() as stack:
        bench = Bench(stack, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bpfimg-bench-"))))
        bench.prepare()
        around = Surroundings(bench.folder, bench.environ)
        table(f"median of {runs} cold processes", around, list(bench.cases()), runs)
    count, size, rate = objects.lint_rate(ROOT)
    print(f"lint, one process: {rate:.0f} objects a second of CPU, {count} of {size:.0f} KiB on average (aim 500)")


PARTS: dict[str, Callable[[int], None]] = {
    "programs": programs,
    "transfers": transfers.main,
    "trust": trust.main,
    "host": host.main,
    "dispatcher": dispatcher.main,
}

if __name__ == "__main__":
    raise SystemExit(main())
