"""What each client is asked in `make bench`, and what it does on the way that others do not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.goods import NAME, make
from bench.processes import BPFIMG
from tests.support import debian

ORAS_PY = [sys.executable, str(Path(__file__).with_name("oras_py.py"))]


@dataclass(frozen=True, slots=True)
class Case:
    """A client and what it does beside the task. `argv` is given an empty folder and a number that no other run has;
    what it makes there belongs to nobody's time."""

    client: str
    does: str
    argv: Callable[[Path, int], list[str]]


def pulls(reference: str) -> Iterator[Case]:
    """Clients that bring an image of the registry into an empty place."""

    def bpfimg(at: Path, _: int) -> list[str]:
        return [BPFIMG, "--store", f"{at}/store", "pull", reference]

    def oras_py(at: Path, _: int) -> list[str]:
        return [*ORAS_PY, "pull", reference, str(at)]

    yield Case("bpfimg pull", "asks for signatures and referrers, hashes, fsyncs, locks", bpfimg)
    yield Case("oras-py", "no config, checks no byte, unpacks the layer", oras_py)
    for peer, command in _there("skopeo", "newer-skopeo"):

        def skopeo(at: Path, _: int, command: tuple[str, ...] = command) -> list[str]:
            words = ["--insecure-policy", "copy", "-q", "--src-tls-verify=false"]
            return [*command, *words, f"docker://{reference}", f"oci:{at}/layout:v1"]

        yield Case(f"{peer} copy", "hashes", skopeo)
    for _, command in _there("crane"):

        def crane(at: Path, _: int, command: tuple[str, ...] = command) -> list[str]:
            return [*command, "pull", "--format=oci", reference, f"{at}/layout"]

        yield Case("crane pull", "hashes", crane)
    for _, command in _there("oras"):

        def oras(at: Path, _: int, command: tuple[str, ...] = command) -> list[str]:
            words = ["copy", "--no-tty", "--from-plain-http", reference]
            return [*command, *words, "--to-oci-layout", f"{at}/layout:v1"]

        yield Case("oras copy", "hashes", oras)


def pushes(host: str, kind: str) -> Iterator[Case]:
    """Clients that bring an image into the registry, none of whose bytes it has seen, and which they have not either:
    skopeo remembers what it has seen where, and mounts it."""

    def bpfimg(at: Path, number: int) -> list[str]:
        made = make(at, kind, number)
        return [BPFIMG, "--store", str(made.layout), "push", f"{NAME}:v1", f"{host}/bench/push{number}:v1"]

    def oras_py(at: Path, number: int) -> list[str]:
        return [*ORAS_PY, "push", f"{host}/bench/push{number}:v1", str(make(at, kind, number).layer)]

    yield Case("bpfimg push", "looks for signatures, hashes", bpfimg)
    yield Case("oras-py", "the layer and an empty config, hashes", oras_py)
    for peer, command in _there("skopeo", "newer-skopeo"):

        def skopeo(at: Path, number: int, command: tuple[str, ...] = command) -> list[str]:
            source = f"oci:{make(at, kind, number).layout}:{NAME}:v1"
            words = ["--insecure-policy", "copy", "-q", "--dest-tls-verify=false"]
            return [*command, *words, source, f"docker://{host}/bench/push{number}:v1"]

        yield Case(f"{peer} copy", "hashes", skopeo)
    for _, command in _there("crane"):

        def crane(at: Path, number: int, command: tuple[str, ...] = command) -> list[str]:
            return [*command, "push", str(make(at, kind, number).layout), f"{host}/bench/push{number}:v1"]

        yield Case("crane push", "does not hash", crane)
    for _, command in _there("oras"):

        def oras(at: Path, number: int, command: tuple[str, ...] = command) -> list[str]:
            words = ["copy", "--no-tty", "--from-oci-layout-path", str(make(at, kind, number).layout), f"{NAME}:v1"]
            return [*command, *words, "--to-plain-http", f"{host}/bench/push{number}:v1"]

        yield Case("oras copy", "hashes", oras)


def batches(folder: Path, names: list[str]) -> Iterator[Case]:
    """Clients that bring many images of the registry into an empty place, in one process where they can."""
    listed, bare = folder / "list", folder / "names"
    listed.write_text("".join(f"registry:{name} store:{name}\n" for name in names))
    bare.write_text("".join(f"{name}\n" for name in names))

    def bpfimg(at: Path, _: int) -> list[str]:
        return [BPFIMG, "--store", f"{at}/store", "copy", "--from-file", str(listed)]

    def alone(at: Path, _: int) -> list[str]:
        return [BPFIMG, "--store", f"{at}/store", "copy", "--no-referrers", "--from-file", str(listed)]

    yield Case("bpfimg copy --from-file", "one process, 8 requests at a time; as pull", bpfimg)
    yield Case("  --no-referrers", "the same, but asks for no signatures", alone)
    for threads in (1, 8):

        def oras_py(at: Path, _: int, threads: int = threads) -> list[str]:
            return [*ORAS_PY, "many", str(bare), str(at), str(threads)]

        how = "one after the other" if threads == 1 else f"{threads} threads"
        yield Case(f"oras-py, {how}", "one process; as above", oras_py)
    for _, command in _there("crane"):
        pull = " ".join((*command, "pull", "--format=oci"))
        loop = f'n=0; while read -r name; do n=$((n+1)); {pull} "$name" "$1/$n"; done <"$2"'

        def crane(at: Path, _: int, loop: str = loop) -> list[str]:
            return ["sh", "-ec", loop, "sh", str(at), str(bare)]

        yield Case("crane pull, in a loop", "a process and a layout for each", crane)


def _there(*names: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name in names:
        if command := debian.command(name):
            yield name, command
