"""A question to several kernels: as many guests side by side as there are processors, one boot for each."""

from __future__ import annotations

import os
import re
import selectors
import time
from contextlib import ExitStack

from bpfimg._value import field, value
from bpfimg.errors import Error, KernelError, quoted
from bpfimg.guest import _kernel
from bpfimg.guest._machine import Machine, question_files, tools
from bpfimg.guest._userland import userland

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpfimg.guest._kernel import Kernel
    from bpfimg.guest._machine import Tools

__all__ = ["Outcome", "Question", "ask"]

_ANSWER_MAX = 16 << 20
_HEAD_MAX = 64
_HEAD = re.compile(rb"bpfimg guest 1 (-?\d{1,9}) (\d{1,9})\n")
_STEP = 0.5
#: guests side by side at most, each with some 400 MB: a container may show more processors than it has memory for
_BESIDE = 4
_BEFORE, _AFTER = 3, 12
_LINES, _LINE = _BEFORE + _AFTER, 160
_TROUBLE = re.compile(r"Kernel panic|BUG:|Oops|general protection|VFS: |not syncing|Out of memory|oom-kill|^qemu")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@value(frozen=True, slots=True)
class Question:
    """What a guest shall do: run that module of bpfimg, as `python -m` does, with these words and files.

    It starts in a folder with the files, as root, and leaves its answer there in a file called `answer`. It has the
    rooms of bpfimg from `load` downward; the module may also be one of the files.
    """

    module: str
    words: tuple[str, ...] = ()
    files: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)


@value(frozen=True, slots=True)
class Outcome:
    """What came of it on one kernel. `answer` are the guest's own bytes: a program that took the guest over may have
    written them. Where there is none, `error` says why: the kernel crashed, time was up, the module failed."""

    kernel: Kernel
    answer: bytes = field(repr=False)
    error: Error | None
    seconds: float


def ask(
    kernels: Sequence[Kernel],
    question: Question,
    *,
    timeout: float = 300.0,
    libbpf: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[Outcome, ...]:
    """Boots each kernel once with that question; the outcomes are in the order of the kernels.

    Each has `timeout` seconds. `libbpf` is the path of the one to load programs with, else the system's. `say` is told
    when a kernel begins and ends. No guest goes on when this ends, also when this process is killed. Raises
    NotSupported where there can be no guests.
    """
    if not all(_NAME.fullmatch(name) for name, _ in question.files):
        raise ValueError(f"names of a question's files are {[name for name, _ in question.files]}, expected plain ones")
    found = tools()
    shared = userland(libbpf).archive()
    waiting = list(enumerate(kernels))[::-1]
    outcomes: dict[int, Outcome] = {}
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        running: dict[int, _Asked] = {}
        stack.callback(lambda: [asked.machine.stop() for asked in running.values()])
        while waiting or running:
            while waiting and len(running) < min(_BESIDE, len(os.sched_getaffinity(0))):
                number, kernel = waiting.pop()
                say(f"booting {kernel.name} ({kernel.release})")
                asked = running[number] = _Asked(found, kernel, question, shared)
                for fd in (asked.machine.console_fd, asked.machine.answer_fd):
                    selector.register(fd, selectors.EVENT_READ, asked)
            for key, _ in selector.select(_STEP):
                if not key.data.machine.read(key.fd):
                    selector.unregister(key.fd)
            for number, asked in list(running.items()):
                fds = {asked.machine.console_fd, asked.machine.answer_fd} & {*selector.get_map()}
                outcome = asked.outcome(timeout, ended=not fds)
                if outcome is None:
                    continue
                for fd in fds:
                    selector.unregister(fd)
                del running[number]
                asked.machine.stop()
                outcomes[number] = outcome
                say(f"{outcome.kernel.name}: {outcome.error or 'answered'} ({outcome.seconds:.1f} s)")
    return tuple(outcomes[number] for number in range(len(kernels)))


class _Asked:
    """A guest that is at work on the question."""

    def __init__(self, found: Tools, kernel: Kernel, question: Question, shared: bytes) -> None:
        loaded = _kernel.read(kernel.image)
        own = question_files(question, _first(), kernel.release, loaded.config).archive()
        self.kernel = kernel
        self.machine = Machine(found, loaded.image, shared + own)

    def outcome(self, timeout: float, *, ended: bool) -> Outcome | None:
        """What came of it; None as long as it is at work."""
        seconds = time.monotonic() - self.machine.began
        try:
            found = _answer(self.machine.answer)
        except KernelError as error:
            return Outcome(self.kernel, b"", error, seconds)
        if found is not None:
            code, answer = found
            if answer and not code:
                return Outcome(self.kernel, answer, None, seconds)
            return Outcome(self.kernel, b"", _failure(code, self.machine.console), seconds)
        if ended:
            what = f"the guest with kernel {self.kernel.release} ended without an answer"
        elif seconds > timeout:
            what = f"the guest with kernel {self.kernel.release} was stopped after {timeout:g} seconds"
        else:
            return None
        line, tail = _trouble(self.machine.console)
        hint = tail or ("" if ended else "--kernels-timeout gives it more, where this machine is busy")
        return Outcome(self.kernel, b"", KernelError(f"{what}{line and ': ' + line}", hint=hint), seconds)


def _answer(written: bytearray) -> tuple[int, bytes] | None:
    """Exit code and answer in what a guest wrote; None as long as it is not whole. KernelError: it will not be one.

    The guest says how much it will write, within bounds; what comes behind that is not looked at.
    """
    head = _HEAD.match(written)
    if head is None:
        if b"\n" in written[:_HEAD_MAX] or len(written) > _HEAD_MAX:
            raise KernelError(f"the guest wrote {quoted(bytes(written[:_HEAD_MAX]))}, expected an answer")
        return None
    code, size = map(int, head.groups())
    if size > _ANSWER_MAX:
        raise KernelError(f"the guest has an answer of {size} bytes, expected at most {_ANSWER_MAX}")
    if len(written) < head.end() + size:
        return None
    return code, bytes(written[head.end() : head.end() + size])


def _failure(code: int, console: list[str]) -> KernelError:
    what = f"ended with {code}" if code else "gave no answer"
    line = quoted(console[-1], _LINE) if console else "it said nothing"
    return KernelError(f"what loads programs in the guest {what}: {line}", hint=_shown(console))


def _trouble(console: list[str]) -> tuple[str, str]:
    """The line of a console that says what happened ("" where none does), and the lines around it."""
    for at, line in enumerate(console):
        if _TROUBLE.search(line):
            return re.sub(r"^\[ *[\d.]+\] ", "", line)[:_LINE], _shown(console[max(0, at - _BEFORE) : at + _AFTER])
    return "", _shown(console)


def _shown(lines: list[str]) -> str:
    text = "\n".join(line[:_LINE] for line in lines[-_LINES:])
    return f"its last words:\n{text}" if text else ""


def _first() -> bytes:
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "_inside.py"), "rb") as file:
        return file.read()
