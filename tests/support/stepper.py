"""Kills a process at the entry of its n-th system call that changes something: a server of forks, warm and traced.

One line of JSON in, one out: `{"host": [BPFFS, TC], "verb": …, "words": […], "at": n}`, with `child_run`'s verbs; more
words in `host`: `unlinked` is a kernel without links for maps of sockets, `chains` a host with chains. The fork is
killed when it is about to make its n-th such call, which the kernel then does not make; the answer says which
call that was, or that the fork ended before (`"call": null`), how, and how many calls it made.
"""

from __future__ import annotations

import ctypes
import errno
import importlib
import json
import os
import platform
import signal
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).resolve().parents[2]

#: number of each call that changes what outlives the process, or could
_CALLS = {
    "x86_64": (
        "321 bpf 83 mkdir 258 mkdirat 84 rmdir 87 unlink 263 unlinkat 82 rename 264 renameat 316 renameat2 73 flock "
        "44 sendto 46 sendmsg 88 symlink 266 symlinkat 90 chmod 268 fchmodat 91 fchmod 92 chown 93 fchown 260 fchownat "
        "298 perf_event_open"
    ),
    "aarch64": (
        "280 bpf 34 mkdirat 35 unlinkat 38 renameat 276 renameat2 32 flock 206 sendto 211 sendmsg 36 symlinkat "
        "53 fchmodat 52 fchmod 54 fchownat 55 fchown 241 perf_event_open"
    ),
}
_QUIET = {"bpf": {1, 4, 7, 11, 12, 13, 14, 15, 16, 19, 23, 30, 31}}  # commands that only look

_TRACEME, _SETOPTIONS, _SYSCALL, _GET_INFO = 0, 0x4200, 24, 0x420E
_OPTIONS = 1 | 8 | 1 << 20  # TRACESYSGOOD, TRACECLONE, EXITKILL
_WALL = 0x40000000
_ENTRY = 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def calls() -> dict[int, str]:
    """The calls that are counted here; {} on a machine whose numbers nobody wrote down."""
    words = _CALLS.get(platform.machine(), "").split()
    return dict(zip(map(int, words[::2]), words[1::2], strict=True))


class Stepper:
    """The server, for tests."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, host: tuple[str, ...], verb: str, words: list[str], at: int) -> dict[str, Any]:
        """Runs one change and kills it at its `at`-th call; 0 lets it finish."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"host": host, "verb": verb, "words": words, "at": at}) + "\n")
        stdin.flush()
        answer = stdout.readline()
        assert answer, "the stepper died"
        found: dict[str, Any] = json.loads(answer)
        return found


@contextmanager
def stepper() -> Iterator[Stepper]:
    """A running server."""
    argv = [sys.executable, "-m", "tests.support.stepper"]
    with subprocess.Popen(argv, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Stepper(process)
        assert process.stdin is not None
        process.stdin.close()


def can_trace() -> bool:
    """Whether this machine lets a process trace its children, and the numbers of its calls are known."""
    if not calls():
        return False
    child = os.fork()
    if child == 0:
        os._exit(0 if _libc.ptrace(_TRACEME, 0, None, None) == 0 else 1)
    return os.waitpid(child, 0)[1] == 0


def _serve() -> None:
    from bpfimg.kernel import libbpf
    from tests.support import child_run

    libbpf.version()
    for line in sys.stdin:
        job = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _be_traced(child_run, job, writing)
        os.close(writing)
        done = _step(child, job["at"])
        with open(reading, encoding="ascii") as imported:
            for name in imported.read().split():
                importlib.import_module(name)  # so that the next fork has it
        print(json.dumps(done), flush=True)


def _be_traced(child_run: Any, job: dict[str, Any], imported: int) -> None:
    from bpfimg import dispatcher
    from bpfimg.load import Host
    from tests.support.sockmaps import unlinked

    code = 1
    try:
        mount, tc, *words = job["host"]
        host = dispatcher.host(mount, tc=tc) if "chains" in words else Host(mount, tc=tc)
        _libc.ptrace(_TRACEME, 0, None, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        with unlinked() if "unlinked" in words else nullcontext():
            child_run.change(host, job["verb"], job["words"])
        code = 0
        os.write(imported, " ".join(name for name in sys.modules if name.startswith("bpfimg.")).encode())
    except BaseException as error:  # noqa: BLE001  # said, and the fork ends whatever it was
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)


def _step(child: int, at: int) -> dict[str, Any]:
    """Lets the child and its threads run from call to call."""
    known = calls()
    os.waitpid(child, 0)
    _ptrace(_SETOPTIONS, child, _OPTIONS)
    _ptrace(_SYSCALL, child, 0)
    threads, made = {child}, 0
    while True:
        thread, status = os.waitpid(-1, _WALL)
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            threads.discard(thread)
            if thread == child:
                return {"call": None, "made": made, "status": os.waitstatus_to_exitcode(status)}
            continue
        pass_on = 0
        if os.WSTOPSIG(status) == signal.SIGTRAP | 0x80:
            word = _entered(thread, known)
            made += bool(word)
            if word and made == at:
                os.kill(child, signal.SIGKILL)
                while True:
                    gone, ended = os.waitpid(-1, _WALL)
                    if gone == child and (os.WIFEXITED(ended) or os.WIFSIGNALED(ended)):
                        return {"call": word, "made": made, "status": os.waitstatus_to_exitcode(ended)}
        elif thread not in threads:
            threads.add(thread)  # its first stop
        elif status >> 16 == 0:
            pass_on = os.WSTOPSIG(status)
        _ptrace(_SYSCALL, thread, pass_on)


def _entered(thread: int, known: dict[int, str]) -> str:
    """The name of the call that the thread is about to make, if it is one that counts."""
    info = ctypes.create_string_buffer(88)
    if _libc.ptrace(_GET_INFO, thread, len(info), ctypes.addressof(info)) < 0 or info.raw[0] != _ENTRY:
        return ""
    number, first = (int.from_bytes(info.raw[at : at + 8], sys.byteorder) for at in (24, 32))
    word = known.get(number, "")
    return "" if first in _QUIET.get(word, ()) else word


def _ptrace(request: int, thread: int, data: int) -> None:
    if _libc.ptrace(request, thread, None, data) < 0 and ctypes.get_errno() != errno.ESRCH:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    _serve()
