"""Many commands at once lose nothing, and one takes little memory."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import bpfimg
from tests.support import loads
from tests.support.features import native, needs
from tests.support.netns import tracefs
from tests.support.objects import EXAMPLES
from tests.support.trusting import with_policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cli import Cli
    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel

CROWD = 64
MOST_MEMORY = 31 << 10  # KiB of a `run` whose image is in the store; what builds chains is 2 MiB of it

# libbpf reads the kernel's types into memory, and copies them, before it forgets them again.
_TYPES = "/sys/kernel/btf/vmlinux"
COPIES = 2

# The command as it is installed, which says in the end how much memory it took at most.
_MEASURED = """
import os, sys
from bpfimg.cli import command
end = os._exit
def said(code):
    with open("/proc/self/status") as file:
        print("peak", next(line.split()[1] for line in file if line.startswith("VmHWM")), file=sys.stderr)
    end(code)
os._exit = said
command()
"""


@pytest.fixture
def local(host: Cli) -> Iterator[Cli]:
    (host.folder / "tc.o").write_bytes(loads.tc())
    (host.folder / "tp.o").write_bytes(loads.tracepoint())
    with tracefs():
        yield with_policy(host, keys={}, authorities={}, localFiles="insecure-allow-unsigned")
    assert loads.programs_left() == []


def together(cli: Cli, commands: list[list[str]]) -> list[str]:
    """What they print, once all of them have ended well."""
    running = [cli.start(*words, "-q", "--lock-timeout", "300") for words in commands]
    said = [process.communicate(timeout=500) for process in running]
    assert [process.returncode for process in running] == [0] * len(commands), said
    return [out for out, _ in said]


@native("starts 128 processes")
def test_sixty_four_at_once_lose_nothing(local: Cli, network: Namespace) -> None:
    """Half of them stand in one chain of one interface; then all are unloaded at once."""
    needs("tcx")
    tcx = ["run", "./tc.o", "tcx", "-i", network.interface, "-d", "ingress", "--netns", network.path]
    trace = ["run", "./tp.o", "tracepoint", "syscalls/sys_enter_getpid"]
    ids = [int(text) for text in together(local, [tcx if number % 2 else trace for number in range(CROWD)])]
    assert len(set(ids)) == CROWD
    listed = local.json("programs", "list")["programs"]
    assert sorted(entry["id"] for entry in listed) == sorted(ids)
    assert all(len(entry["links"]) == 1 and not entry["damage"] for entry in listed)
    assert sorted(loads.chain(network, "ingress")) == sorted(ids[1::2])
    gone = together(local, [["unload", str(number)] for number in ids])
    assert [int(text) for text in gone] == ids
    assert local.json("programs", "list")["programs"] == []
    assert loads.chain(network, "ingress") == []


def peak(host: Cli, name: str, *words: str) -> int:
    """What a `run` of an example that is in the store takes at most, in KiB."""
    image = f"example.test/{name}:v1"
    host("key", "generate", "k")
    host("build", "-t", image, str(EXAMPLES / f"{name}.bpf.c"))
    host("sign", "--key", "k.key", image)
    # as users have it: with compiled modules
    environ = {key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"} | host.environ
    package = os.path.dirname(bpfimg.__file__)
    subprocess.run([sys.executable, "-m", "compileall", "-q", package], env=environ, check=True)
    argv = [sys.executable, "-c", _MEASURED, "run", "--key", "k.pub", image, *words]
    done = subprocess.run(argv, cwd=host.folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = int(done.stderr.split()[-1])
    print(f"peak memory: {found} KiB")
    return found


def test_a_run_of_a_stored_image_takes_little_memory(host: Cli, network: Namespace) -> None:
    assert peak(host, "xdp_counter", "xdp", "-i", network.interface, "--netns", network.path) <= MOST_MEMORY


def test_one_that_reads_kernel_types_takes_what_libbpf_needs_for_them_and_no_more(host: Cli) -> None:
    needs("tp-btf")
    assert peak(host, "tp_btf_counter", "tp_btf") <= MOST_MEMORY + COPIES * os.stat(_TYPES).st_size // 1024
