"""What believing an image costs: whole processes beside their peers, and decisions in one process on one core."""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.processes import BPFIMG, Case, Surroundings, table
from tests.support import debian
from tests.support.registry import registry

ROOT = Path(__file__).resolve().parents[1]
_OFFLINE = ["--insecure-ignore-tlog=true", "--allow-http-registry=true"]


class Keyed:
    """One image, signed with a key in both formats: in a store and in a registry on loopback."""

    def __init__(self, stack: contextlib.ExitStack, folder: Path) -> None:
        self.folder = folder
        self.server = stack.enter_context(registry(folder))
        environ = {key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environ |= {"COSIGN_PASSWORD": "", "BPFIMG_STORE": str(folder / "store"), "HOME": str(folder)}
        self.around = Surroundings(folder, environ)
        self.image = f"{self.server.host}/bench/xdp_counter:v1"
        self.around.do(BPFIMG, "key", "generate", "k")
        self.around.do(BPFIMG, "build", "-t", self.image, str(ROOT / "examples/bytecode/xdp_counter.bpf.c"))
        self.around.do(BPFIMG, "sign", "--key", "k.key", self.image)
        self.around.do(BPFIMG, "push", self.image)

    def cases(self) -> Iterator[Case]:
        """bpfimg from the store and over the network, and what cosign needs for the same over the network."""
        yield Case("python3 -c pass", [sys.executable, "-c", "pass"])
        verify = [BPFIMG, "verify", "--key", "k.pub", self.image]
        yield Case("bpfimg verify, key, stored image", [*verify, "--pull", "never"], "<= 6x")
        yield Case("  the same over loopback", [*verify, "--pull", "always"])
        for name, peer in (("2.5", "cosign"), ("3.1", "cosign3")):
            if (program := debian.find(peer)) is not None:
                words = [program, "verify", "--key", "k.pub", *_OFFLINE, "--new-bundle-format=false", self.image]
                yield Case(f"  cosign {name}, .sig, loopback", words)
        if (program := debian.find("cosign3")) is not None:
            (self.folder / "empty.json").write_text(
                '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'
            )
            words = [program, "verify", "--key", "k.pub", *_OFFLINE, "--trusted-root", "empty.json", self.image]
            yield Case("  cosign 3.1, bundle, loopback", words)

    def decisions(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """The whole decision of `sign.verify` on the stored image, each format alone and both."""
        from bpfimg.oci import Layout, Reference
        from bpfimg.sign import Policy, PublicKey, verify

        reference = Reference.parse(self.image)
        store = Layout(str(self.folder / "store"), reference.repository)
        found = store.resolve("v1")
        policy = Policy.for_key(PublicKey.load((self.folder / "k.pub").read_bytes()), "k.pub")
        yield "key, what is enough", lambda: verify(store, reference, found, policy)
        yield "key, every signature (both formats)", lambda: verify(store, reference, found, policy, thorough=True)


def rate(decide: Callable[[], object], seconds: float = 1.0) -> tuple[float, float]:
    """(decisions per second of CPU, median milliseconds of wall time of one) after a first one, which imports."""
    decide()
    walls: list[float] = []
    start = time.process_time()
    while (used := time.process_time() - start) < seconds:
        before = time.perf_counter()
        decide()
        walls.append((time.perf_counter() - before) * 1000)
    return len(walls) / used, statistics.median(walls)


def main(runs: int) -> None:
    """Prints the tables of whole processes, and of decisions in one process."""
    if debian.find("docker-registry") is None:
        print("no trust: needs docker-registry (`make setup` unpacks it)")
        return
    with contextlib.ExitStack() as stack:
        keyed = Keyed(stack, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bpfimg-bench-"))))
        print()
        table(f"trust, median of {runs} cold processes", keyed.around, list(keyed.cases()), runs)
        print(f"\n{'decisions in one process, one core':40} {'a second':>9} {'ms each':>8} {'aim':>10}")
        for name, decide in keyed.decisions():
            each, wall = rate(decide)
            print(f"  {name:38} {each:9.0f} {wall:8.3f} {'>= 1000':>10}")
