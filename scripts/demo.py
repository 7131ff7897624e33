"""`make demo`: object file to trusted, running program, with real parts only, leaving nothing behind.

Everything happens in a temporary folder, a network namespace of its own and a registry on loopback. Each command is
printed as a user would type it, followed by what it says.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.debian import find
from tests.support.netns import Namespace, namespace
from tests.support.registry import registry

ROOT = Path(__file__).resolve().parents[1]
BPFFS = "/sys/fs/bpf"


class Demo:
    """Runs commands and shows them; `environ` carries the folders that a real user has in standard places."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
        self.environ = {**os.environ, "PATH": path, "COSIGN_PASSWORD": "demo"}

    def run(self, line: str, *, store: str = "store", expect: int = 0) -> str:
        """Prints `$ line`, runs it, prints what it says; returns its standard output."""
        print(f"\n\033[1m$ {line}\033[0m" if sys.stdout.isatty() else f"\n$ {line}", flush=True)
        return self.quietly(line, store=store, expect=expect, show=True)

    def quietly(self, line: str, *, store: str = "store", expect: int = 0, show: bool = False) -> str:
        """Runs a line; returns its standard output."""
        environ = {**self.environ, "BPFIMG_STORE": str(self.folder / store)}
        done = subprocess.run(
            shlex.split(line), cwd=self.folder, env=environ, capture_output=True, text=True, check=False
        )
        if show:
            print(done.stdout + done.stderr, end="", flush=True)
        if done.returncode != expect:
            raise SystemExit(f"demo: `{line}` ended with {done.returncode}, expected {expect}")
        return done.stdout

    def say(self, text: str) -> None:
        """A line of explanation."""
        print(f"\n# {text}", flush=True)


@contextlib.contextmanager
def bpffs() -> Iterator[None]:
    """bpffs where everybody expects it; mounted for the demo, and only for it, when it is not."""
    if os.path.ismount(BPFFS):
        there = os.path.exists(f"{BPFFS}/bpfimg")
        yield
        if not there and os.path.exists(f"{BPFFS}/bpfimg"):
            os.rmdir(f"{BPFFS}/bpfimg")
        return
    subprocess.run(["mount", "-t", "bpf", "bpf", BPFFS], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", BPFFS], check=True)


def main() -> int:
    """The demo; 0 when everything was seen to work."""
    if os.geteuid() != 0:
        raise SystemExit("demo: loading programs into the kernel needs root: run `sudo make demo`")
    if find("docker-registry") is None:
        raise SystemExit("demo: there is no docker-registry: `make setup` says why it could not be had")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bpfimg-demo-")))
        stack.enter_context(bpffs())
        network = stack.enter_context(namespace())
        server = stack.enter_context(registry(folder))
        shutil.copy(ROOT / "examples/bytecode/xdp_counter.bpf.c", folder)
        demo = Demo(folder)
        stack.callback(_sweep, demo)
        _story(demo, f"{server.host}/demo/xdp_counter:v1", network)
    print("\n# Gone: the program, its maps and link, the namespaces, the registry, the folder.")
    return 0


def _sweep(demo: Demo) -> None:
    """Unloads what a demo that went wrong left; nothing, normally."""
    for program in demo.quietly(f"bpfimg list -q -l demo={os.getpid()}").split():
        demo.quietly(f"bpfimg unload {program}")


def _counted(demo: Demo, pin: str) -> int:
    """The packets that the example counted, as bpftool reads the map."""
    demo.run(f"bpftool map dump pinned {pin}")
    return int(json.loads(demo.quietly(f"bpftool -j map dump pinned {pin}"))[0]["formatted"]["value"]["packets"])


def _story(demo: Demo, image: str, network: Namespace) -> None:
    demo.say("A CI job: compile, build the image, sign it, push it. Built again, the image has the same digest.")
    demo.run("bpfimg key generate cosign")
    first = demo.run(f"bpfimg build -t {image} xdp_counter.bpf.c")
    if demo.run(f"bpfimg build -t {image} xdp_counter.bpf.c") != first:
        raise SystemExit("demo: two builds gave two digests")
    demo.run(f"bpfimg sign --key cosign.key {image}")
    demo.run(f"bpfimg push {image}")

    demo.say("A host with an empty store: nobody is trusted until somebody says whom (exit code 3).")
    target = f"{image} xdp --iface {network.interface} --netns {network.name}"
    demo.run(f"bpfimg pull {image}", store="host")
    demo.run(f"bpfimg run {target}", store="host", expect=3)
    demo.run(f"bpfimg verify --key cosign.pub {image}", store="host")
    demo.run(f"bpfimg run --key cosign.pub -m demo={os.getpid()} {target}", store="host")
    demo.run("bpfimg list", store="host")

    demo.say("Packets, before and after, as bpftool reads the map that bpfimg pinned.")
    entry = json.loads(demo.quietly(f"bpfimg list -o json -l demo={os.getpid()}"))["programs"][0]
    counters = entry["map_pins"]["counters"]
    before = _counted(demo, counters)
    demo.run(f"ip netns exec {network.peer} ping -c 5 -i 0.2 -q {network.address}")
    if _counted(demo, counters) < before + 5:
        raise SystemExit("demo: the counter did not rise by the packets that were sent")

    demo.say("Unload: the program goes, with its link and its maps.")
    demo.run(f"bpfimg unload {entry['id']}", store="host")
    demo.run("bpfimg list", store="host")


if __name__ == "__main__":
    raise SystemExit(main())
