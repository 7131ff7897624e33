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
    child = os.fork()
    if not child:
        _answer(asked)
        return
    _, status = os.waitpid(child, 0)
    _hand_out(os.waitstatus_to_exitcode(status))
    libc.reboot(_RESTART)


def _answer(asked: dict[str, Any]) -> None:
    """Runs the module as `python -m` does, in a process of its own: a crash of it is not one of the guest.

    What it says goes to the console, past nobody who might not come to pass it on: of a kernel that dies, nothing else
    is left.
    """
    import runpy

    os.chdir(QUESTION)
    sys.path += [asked["path"], QUESTION]
    sys.argv = [asked["module"], *asked["words"]]
    runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)


def _hand_out(code: int) -> None:
    import termios
    import tty

    answer = b""
    path = os.path.join(QUESTION, ANSWER)
    if os.path.exists(path):
        with open(path, "rb") as file:
            answer = file.read()
    port = os.open(PORT, os.O_WRONLY | os.O_NOCTTY)
    tty.setraw(port, termios.TCSANOW)
    left = memoryview(b"bpfimg guest 1 %d %d\n" % (code, len(answer)) + answer)
    while left:
        left = left[os.write(port, left) :]
    termios.tcdrain(port)


if __name__ == "__main__":
    main()
