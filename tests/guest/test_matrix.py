"""`bpfimg.guest` on Debian's kernels: what a guest sees, how it answers, and that it ends, whatever it does."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpfimg import guest
from tests.support.guest.seeded import kernels_cache

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]

#: what a guest says of itself
SEES = """
import json, os
mounts = [line.split()[:3] for line in open("/proc/mounts")]
document = {
    "release": os.uname().release,
    "user": os.getuid(),
    "root": sorted(os.listdir("/")),
    "kinds": sorted({kind for _, _, kind in mounts}),
    "links": os.listdir("/sys/class/net"),
    "disks": os.listdir("/sys/block"),
    "virtio": os.path.exists("/sys/bus/virtio") and os.listdir("/sys/bus/virtio/devices"),
    "config": os.path.exists(f"/boot/config-{os.uname().release}"),
    "found": [name for name in ("/etc/passwd", "/home", "/var", "/usr/bin/env") if os.path.exists(name)],
}
open("answer", "w").write(json.dumps(document))
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kernels_cache(tmp_path_factory.mktemp("kernels"))


def asked(cache: Path, word: str, code: str, **more: float) -> tuple[guest.Outcome, ...]:
    question = guest.Question("agent", (), (("agent.py", textwrap.dedent(code).encode()),))
    return guest.ask(guest.find([word], str(cache)), question, **more)


def test_two_kernels_answer_and_see_nothing_of_this_machine(cache: Path) -> None:
    outcomes = asked(cache, "6.1,6.12", SEES)
    assert [outcome.error for outcome in outcomes] == [None, None]
    for outcome, word in zip(outcomes, ("6.1", "6.12"), strict=True):
        seen = json.loads(outcome.answer)
        assert outcome.kernel.name == word
        assert outcome.kernel.package.startswith("Debian linux-image-")
        assert seen["release"] == outcome.kernel.release
        assert seen["user"] == 0
        assert seen["links"] == ["lo"]
        assert [disk for disk in seen["disks"] if not disk.startswith(("loop", "ram"))] == []
        assert not seen["virtio"]
        assert seen["found"] == []
        assert seen["config"]
        assert {"bpf", "proc", "rootfs", "sysfs", "tracefs"} <= {*seen["kinds"]}
        assert not {"9p", "ext4", "virtiofs", "overlay"} & {*seen["kinds"]}


@pytest.mark.parametrize(
    ("code", "words", "shown"),
    [
        (
            'print("trying x", flush=True); open("/proc/sysrq-trigger", "w").write("c")',
            "Kernel panic - not",
            "trying x",
        ),
        ('raise ValueError("\\x1b[31mred")', r"ended with 1: 'ValueError: \?\[31mred'", "Traceback"),
        ('f = open("/dev/ttyS1", "wb", 0)\nwhile True: f.write(b"A" * 65536)', "wrote 'AAAA.*expected an answer", ""),
    ],
    ids=["panic", "failure", "flood"],
)
def test_a_guest_that_does_not_answer_says_why(cache: Path, code: str, words: str, shown: str) -> None:
    (outcome,) = asked(cache, "6.12", code)
    assert outcome.answer == b""
    assert outcome.error is not None
    with pytest.raises(type(outcome.error), match=words):
        raise outcome.error
    assert shown in outcome.error.hint
    assert outcome.error.hint.replace("\n", "").isprintable()


def test_a_guest_that_takes_too_long_is_stopped(cache: Path) -> None:
    (outcome,) = asked(cache, "6.12", "while True: pass", timeout=0.5)
    assert "was stopped after 0.5 seconds" in str(outcome.error)
    assert machines(os.getpid()) == []


@pytest.mark.parametrize("inside", [[], ["unshare", "--user", "--map-root-user"]], ids=["root", "root of its own"])
def test_qemu_is_nobody_where_there_is_one_to_become(inside: list[str]) -> None:
    if os.geteuid() and not inside:
        pytest.skip("needs root")
    code = "from bpfimg.guest import _machine; print(_machine.tools().nobody)"
    done = subprocess.run([*inside, sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    if inside and "Operation not permitted" in done.stderr:
        pytest.skip("needs user namespaces")
    assert (done.stdout.strip(), done.stderr) == (str(not inside), "")


def machines(parent: int) -> list[int]:
    """The QEMUs that a process has started, and that run."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            words = (path / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z" and b"qemu-system" in words:
            found.append(int(path.name))
    return found


@pytest.fixture
def asking(cache: Path) -> Iterator[subprocess.Popen[str]]:
    """A command that asks both kernels what they never answer."""
    code = """
        import sys
        from bpfimg import guest
        question = guest.Question("agent", (), (("agent.py", b"while True: pass"),))
        guest.ask(guest.find(["6.1,6.12"], sys.argv[1]), question)
    """
    argv = [sys.executable, "-c", textwrap.dedent(code), str(cache)]
    with subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True, process_group=0) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_guest_outlives_its_command(asking: subprocess.Popen[str], how: signal.Signals) -> None:
    wanted = min(2, len(os.sched_getaffinity(0)))
    deadline = time.monotonic() + 60
    while len(running := machines(asking.pid)) < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    descriptors = [os.pidfd_open(pid) for pid in running]
    os.kill(asking.pid, how)  # not its group: QEMU hears nothing of it
    asking.wait(60)
    for fd, pid in zip(descriptors, running, strict=True):
        done = _ended(fd)
        os.close(fd)
        assert done, f"QEMU {pid} goes on"


def _ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(30_000))
