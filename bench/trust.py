"""What believing an image costs: whole processes beside their peers, and decisions in one process on one core."""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench.processes import BPFIMG, Case, Surroundings, table
from tests.support import debian
from tests.support.registry import registry
from tests.support.sigstack import ISSUER, SUBJECT, World
from tests.unit.sign import craft

SIGSTORE = str(Path(sys.executable).parent / "sigstore")
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


IDENTITY = ["--certificate-identity", SUBJECT, "--certificate-oidc-issuer", ISSUER]
KINDS = {"bundle, Rekor v1": {"rekor": 1}, "bundle, Rekor v2": {"rekor": 2}, ".sig, Rekor v1": {"rekor": 1}}


class Keyless:
    """Images that a private Sigstore saw being signed, one for each kind of evidence, beside the keyed one."""

    def __init__(self, keyed: Keyed) -> None:
        self.folder, self.around = keyed.folder, keyed.around
        self.world = World("bench")
        (self.folder / "root.json").write_bytes(self.world.trusted_root())
        urls = dict.fromkeys(("oidc", "fulcio", "rekor1", "rekor2", "tsa"), "http://127.0.0.1:9")
        (self.folder / "config.json").write_bytes(self.world.client_trust_config(urls))
        self.images = {}
        for number, kind in enumerate(KINDS):
            self.images[kind] = f"{keyed.server.host}/bench/keyless{number}:v1"
            self._sign(kind)
            self.around.do(BPFIMG, "push", self.images[kind])

    def _sign(self, kind: str) -> None:
        from bpfimg.oci import Layout, Reference

        reference = Reference.parse(self.images[kind])
        source = str(ROOT / "examples/bytecode/xdp_counter.bpf.c")
        self.around.do(BPFIMG, "build", "--label", f"kind={kind}", "-t", str(reference), source)
        store = Layout(str(self.folder / "store"), reference.repository)
        top = store.resolve("v1")
        name = str(reference.repository)
        if kind.startswith(".sig"):
            said = craft.payload(top.digest, name)
            craft.put_legacy(store, top.digest, (said, self.world.legacy(said, **KINDS[kind]), craft.SIG))
        else:
            bundle = self.world.bundle(craft.statement(top.digest, name), **KINDS[kind])
            craft.put_bundle(store, top, bundle)
            (self.folder / "bundle.json").write_bytes(bundle)
            (self.folder / "manifest.json").write_bytes(store.fetch(top))

    def cases(self) -> Iterator[Case]:
        """bpfimg from the store, and others with the same bundle: sigstore-python from files, cosign over loopback."""
        root = ["--trusted-root", "root.json"]
        for kind, image in self.images.items():
            yield Case(f"bpfimg verify, keyless {kind}", [BPFIMG, "verify", *IDENTITY, *root, image, "--pull", "never"])
        identity = ["--cert-identity", SUBJECT, "--cert-oidc-issuer", ISSUER]
        words = ["verify", "identity", "--offline", "--bundle", "bundle.json", *identity, "manifest.json"]
        yield Case("  sigstore-python, bundle, Rekor v2", [SIGSTORE, "--trust-config", "config.json", *words])
        if (program := debian.find("cosign3")) is not None:
            words = [program, "verify", *root, *IDENTITY, "--allow-http-registry=true", self.images["bundle, Rekor v2"]]
            yield Case("  cosign 3.1, bundle, Rekor v2, loopback", words)

    def decisions(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """The whole decision of `sign.verify` on each stored image."""
        from bpfimg.oci import Layout, Reference
        from bpfimg.sign import policies, verify

        root = str(self.folder / "root.json")
        policy = policies.given_identity("bench", subject=SUBJECT, issuer=ISSUER, root=root)
        for kind, image in self.images.items():
            reference = Reference.parse(image)
            store = Layout(str(self.folder / "store"), reference.repository)
            found = store.resolve("v1")
            yield f"keyless {kind}", partial(verify, store, reference, found, policy)


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
        keyless = Keyless(keyed)
        print()
        table(f"trust, median of {runs} cold processes", keyed.around, [*keyed.cases(), *keyless.cases()], runs)
        print(f"\n{'decisions in one process, one core':40} {'a second':>9} {'ms each':>8} {'aim':>10}")
        for aim, decisions in ((">= 1000", keyed.decisions()), ("<= 5 ms", keyless.decisions())):
            for name, decide in decisions:
                each, wall = rate(decide)
                print(f"  {name:38} {each:9.0f} {wall:8.3f} {aim:>10}")
