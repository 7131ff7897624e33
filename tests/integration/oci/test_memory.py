"""A large blob passes through: 256 MiB in a process that never has 32."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import Descriptor, Digest, Layout, Manifest, Repository
from tests.support.registry import Server, registry
from tests.support.targets import CONFIG, LAYER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1 << 20
COUNT, MOST = 256, 32 * MIB

#: runs a command line and says what the process had at most; VmHWM, as ru_maxrss counts what the parent had, too
PROBE = """
import sys
from bpfimg.cli import main
code = main(sys.argv[1:])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
sys.exit(code)
"""


def pieces() -> Iterator[bytes]:
    for number in range(COUNT):
        yield number.to_bytes(4, "big") * (MIB // 4)


def peak(folder: Path, *words: str) -> int:
    # as users have it: with compiled modules
    environ = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ |= {"HOME": str(folder), "BPFIMG_STORE": str(folder / "store"), "TMPDIR": str(folder)}
    words = ("-c", PROBE, *words)
    done = subprocess.run(
        [sys.executable, *words], env=environ, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stderr.splitlines()[-1]) * 1024


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    with ExitStack() as stack:
        folders = [tmp_path_factory.mktemp("registry") for _ in range(2)]
        for each in folders:
            stack.callback(shutil.rmtree, each)  # pytest would keep it for three runs
        first, second = (stack.enter_context(registry(each)) for each in folders)
        yield first, second


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, servers: tuple[Server, Server]) -> Iterator[Path]:
    """A store with an image of one large layer."""
    folder = tmp_path_factory.mktemp("large")
    place = Layout(str(folder / "store"), Repository(servers[0].host, "large/image"), short_names=False)
    digest = hashlib.sha256()
    for piece in pieces():
        digest.update(piece)
    layer = Descriptor(LAYER, Digest("sha256", digest.hexdigest()), COUNT * MIB)
    place.push(Descriptor.of(b"{}", CONFIG), b"{}")
    place.push_stream(layer, pieces)
    manifest = Manifest.build(config=Descriptor.of(b"{}", CONFIG), layers=[layer])
    place.push(manifest.descriptor, manifest.raw, tag="v1")
    peak(folder, "images")  # compiles what is not yet
    yield folder
    shutil.rmtree(folder)


def test_through_memory_of_32_mib(folder: Path, servers: tuple[Server, Server]) -> None:
    name, other = f"{servers[0].host}/large/image:v1", f"{servers[1].host}/large/image:v1"
    steps = {
        "store to registry": ("push", name),
        "registry to store": ("pull", "--store", "second", name),
        "registry to registry": ("copy", f"registry:{name}", other),
        "registry to archive": ("copy", f"registry:{name}", "oci-archive:large.tar"),
        "archive to layout": ("copy", "oci-archive:large.tar", "oci:large"),
    }
    found = {step: peak(folder, *words) for step, words in steps.items()}
    assert {step: size for step, size in found.items() if size >= MOST} == {}, found
