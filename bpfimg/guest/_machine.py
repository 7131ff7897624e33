"""One guest: QEMU, which this file starts and ends. It emulates; KVM is never used, since it hangs where a machine has
it only half.

A guest is hostile from the moment that it loads a stranger's program. It has no network, no disk, no file of this
machine, and two serial ports out of which it can only write. QEMU, should it be broken out of, may start no program,
and is nobody where bpfimg is root.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time

from bpfimg._value import value
from bpfimg.errors import KernelError, NotSupported
from bpfimg.guest._cpio import Tree
from bpfimg.guest._userland import FIRST, LIBBPF, PACKAGE, PYTHON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.guest._ask import Question

__all__ = ["Machine", "Tools", "command", "question_files", "tools"]

_MEMORY = "1G"
_LESS = ("--reuid", "65534", "--regid", "65534", "--clear-groups")
_PROGRAMS = {"qemu-system-x86_64": "qemu-system-x86", "setpriv": "util-linux"}
_CONSOLE_MAX = 64 << 10
_PIECE, _PIECES_MAX = 64 << 10, 64
# mitigations=off: nothing is leaked to anybody in there. no_timer_check: on a busy machine the guest's clock ticks too
# late for its test of the timer. panic=-1: starts anew at once, which -no-reboot makes an end.
_KERNEL = "console=ttyS0 quiet panic=-1 oops=panic mitigations=off random.trust_cpu=on no_timer_check"
_MACHINE = (
    *("-machine", "pc", "-cpu", "max", "-accel", "tcg,thread=multi", "-smp", "1", "-m", _MEMORY),
    *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-net", "none"),
    *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
)


@value(frozen=True, slots=True)
class Tools:
    """The paths of the programs that a guest needs, and whether QEMU is started as nobody."""

    qemu: str
    setpriv: str
    nobody: bool


def tools() -> Tools:
    """Those of this machine. Raises NotSupported where one is lacking."""
    found = {}
    for program, package in _PROGRAMS.items():
        path = shutil.which(program) or shutil.which(program, path="/usr/bin:/bin:/usr/sbin:/sbin")
        if path is None:
            raise NotSupported(
                f"guests need {program}, which this machine does not have",
                feature="qemu",
                hint=f"apt-get install --no-install-recommends {package}",
            )
        found[program] = path
    setpriv = found["setpriv"]
    return Tools(found["qemu-system-x86_64"], setpriv, os.geteuid() == 0 and _may_become_nobody(setpriv))


def _may_become_nobody(setpriv: str) -> bool:
    """Tried, not asked: who is root in a container may have no other user to become."""
    argv = [setpriv, *_LESS, "true"]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0  # noqa: S603


def command(found: Tools, kernel: int, files: int, console: int, answer: int) -> list[str]:
    """The words that start a guest with the kernel and files behind two descriptors, writing to two others.

    It ends with the thread that started it, also when that is killed.
    """
    less = _LESS if found.nobody else ()
    argv = [found.setpriv, "--pdeathsig", "KILL", *less, "--no-new-privs", found.qemu, *_MACHINE]
    for number, (name, fd) in enumerate((("console", console), ("answer", answer)), 1):
        argv += ["-add-fd", f"fd={fd},set={number}"]
        argv += ["-chardev", f"file,id={name},path=/dev/fdset/{number},append=on", "-serial", f"chardev:{name}"]
    first = f"rdinit={PYTHON} LD_LIBRARY_PATH={LIBBPF} PYTHONDONTWRITEBYTECODE=1 -- -I -S {FIRST}"
    return [*argv, "-kernel", f"/dev/fd/{kernel}", "-initrd", f"/dev/fd/{files}", "-append", f"{_KERNEL} {first}"]


def question_files(question: Question, first: bytes, release: str, config: bytes) -> Tree:
    """What a guest has beside its userland: its first program, the question, and how its kernel was configured."""
    tree = Tree()
    for folder in ("proc", "sys", "dev", "run", "tmp", "question"):
        tree.folder(f"/{folder}")
    tree.device("/dev/console", 5, 1)
    tree.device("/dev/null", 1, 3)
    tree.device("/dev/ttyS1", 4, 65)
    tree.file(FIRST, first)
    asked = {"path": PACKAGE, "module": question.module, "words": question.words}
    tree.file("/asked.json", json.dumps(asked).encode("ascii"))
    for name, content in question.files:
        tree.file(f"/question/{name}", content)
    if config:
        tree.file(f"/boot/config-{release}", config)
    return tree


class Machine:
    """A guest that runs: what it wrote so far, and its end. Not a value: it grows until it is stopped."""

    def __init__(self, found: Tools, kernel: bytes, files: bytes) -> None:
        """Starts it. Raises KernelError where QEMU cannot be started."""
        self.began = time.monotonic()
        self.answer = bytearray()
        self._console = bytearray()
        pipes = [os.pipe(), os.pipe()]
        given = [_memory("kernel", kernel), _memory("files", files)]
        inner = [write for _, write in pipes]
        self.console_fd, self.answer_fd = [read for read, _ in pipes]
        try:
            self._qemu = subprocess.Popen(  # noqa: S603 (an argument list of our own words)
                command(found, *given, *inner),
                cwd="/",
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=inner[0],
                stderr=inner[0],
                pass_fds=(*given, *inner),
            )
        except OSError as error:
            os.close(self.console_fd)
            os.close(self.answer_fd)
            raise KernelError(f"{found.setpriv} cannot be started: {error.strerror or error}") from error
        finally:
            for fd in (*given, *inner):
                os.close(fd)

    def read(self, fd: int) -> bool:
        """Takes what is there behind one of its descriptors; False at the end. Of the console only the end is kept."""
        piece = os.read(fd, _PIECE)
        if fd == self.answer_fd:
            self.answer += piece
        else:
            self._console += piece
            del self._console[:-_CONSOLE_MAX]
        return bool(piece)

    @property
    def console(self) -> list[str]:
        """The last lines of the console so far, in printable ASCII."""
        for _ in range(_PIECES_MAX):  # it may never stop to write
            if not select.select([self.console_fd], [], [], 0)[0] or not self.read(self.console_fd):
                break
        text = self._console.decode("ascii", "replace").replace("\r", "")
        return ["".join(c if " " <= c <= "~" else "?" for c in line.expandtabs()) for line in text.split("\n") if line]

    def stop(self) -> int:
        """Ends it, whatever it is doing; returns QEMU's exit code."""
        self._qemu.kill()
        code = self._qemu.wait()
        os.close(self.console_fd)
        os.close(self.answer_fd)
        return code


def _memory(name: str, content: bytes) -> int:
    """A descriptor of a file that is only in memory: nothing is left of it, however this ends."""
    fd = os.memfd_create(f"bpfimg-{name}", os.MFD_CLOEXEC)
    with open(os.dup(fd), "wb") as file:
        file.write(content)
    return fd
