"""The first program of a guest: it mounts what the kernel shows of itself, lets a module answer, and hands that out.

Only a guest's kernel runs this file, with the Python that was copied there (`python -I -S`). It imports nothing of
bpfimg, and is the one file outside `bpfimg.kernel` that calls C: mount(2), reboot(2) and nothing else, in a machine of
its own.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

QUESTION = "/question"
ANSWER, ASKED = "answer", "/asked.json"
#: what is said at most, its end
SAID_MAX = 64 << 10
PORT = "/dev/ttyS1"
MOUNTS = (
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("bpf", "/sys/fs/bpf"),
    ("tracefs", "/sys/kernel/tracing"),
    ("debugfs", "/sys/kernel/debug"),
    ("securityfs", "/sys/kernel/security"),
    ("cgroup2", "/sys/fs/cgroup"),
)
_RESTART = 0x01234567  # LINUX_REBOOT_CMD_RESTART; QEMU was told not to start anew


def main() -> None:
    """From power-on to the end."""
    libc = ctypes.CDLL(None, use_errno=True)
    for kind, place in MOUNTS:
        if os.path.isdir(place):  # a kernel without one of them can do less, and its programs' loading says so
            libc.mount(kind.encode(), place.encode(), kind.encode(), 0, None)
    with open(ASKED, encoding="ascii") as file:
        asked = json.load(file)
    heard, said = os.pipe()
    child = os.fork()
    if not child:
        _answer(asked, said)
        return
    os.close(said)
    words = _listen(heard)
    _, status = os.waitpid(child, 0)
    _hand_out(os.waitstatus_to_exitcode(status), _bytes(os.path.join(QUESTION, ANSWER)), words)
    libc.reboot(_RESTART)


def _answer(asked: dict[str, Any], said: int) -> None:
    """Runs the module as `python -m` does, in a process of its own: a crash of it is not one of the guest."""
    import runpy

    os.dup2(said, 1)
    os.dup2(said, 2)
    os.close(said)
    os.chdir(QUESTION)
    sys.path += [asked["path"], QUESTION]
    sys.argv = [asked["module"], *asked["words"]]
    runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)


def _listen(heard: int) -> bytes:
    """The end of what is said, all of it; at once on the console, too: a kernel that dies leaves nothing else."""
    words = b""
    while piece := os.read(heard, SAID_MAX):
        os.write(1, piece)
        words = (words + piece)[-SAID_MAX:]
    return words


def _hand_out(code: int, answer: bytes, said: bytes) -> None:
    import termios
    import tty

    port = os.open(PORT, os.O_WRONLY | os.O_NOCTTY)
    tty.setraw(port, termios.TCSANOW)
    data = memoryview(b"bpfimg guest 1 %d %d %d\n" % (code, len(answer), len(said)) + answer + said)
    while data:
        data = data[os.write(port, data) :]
    termios.tcdrain(port)


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


if __name__ == "__main__":
    main()
