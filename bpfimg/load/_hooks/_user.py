"""Hooks in programs of user space: functions and static probes of executables and libraries."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import UsageError, quoted
from bpfimg.load._hooks import _checks as check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._candidate import Candidate

#: the attach type of a program that one link attaches to many functions, and that of one for entry and return
UPROBE_MULTI, UPROBE_SESSION = 48, 57
_PID_LIMIT = 1 << 22  # PID_MAX_LIMIT


@value(frozen=True, slots=True)
class Uprobe:
    """A function of an executable or library, at its entry plus `offset` bytes, or with `ret` at its return.

    `target` is a path, the name of a program (`bash`) or of a shared library (`c`, `libssl`). `function` may have a
    version (`memcpy@GLIBC_2.2.5`). Without a function `offset` is that in the file. `pattern` (`*` and `?` as in the
    shell) is every function that fits. `pid` narrows to a process; `container_pid` is a process in whose root
    directory `target` is looked up.
    """

    target: str
    function: str | None = None
    offset: int = 0
    ret: bool = False
    pid: int | None = None
    container_pid: int | None = None
    pattern: str | None = None

    def __post_init__(self) -> None:
        _check_target(self.target, self.pid, self.container_pid)
        check.natural("offset", self.offset)
        if self.function is not None and self.pattern is not None:
            raise UsageError("a uprobe takes a function or a pattern, expected one of the two")
        for what in ("function", "pattern"):
            text = getattr(self, what)
            if text is not None and not (0 < len(text) < 4096 and text.isprintable()):
                raise UsageError(f"{what} {quoted(text)} is not a name, expected 1 to 4095 printable characters")
        if self.function is None and self.pattern is None and not self.offset:
            raise UsageError(f"a {self.word} needs a function, a pattern or an offset in the file")
        if self.offset and (self.pattern is not None or (self.ret and self.function is not None)):
            raise UsageError("an offset goes with the entry of one function, or is one in the file; expected none")

    @property
    def word(self) -> str:
        """`uprobe` or `uretprobe`."""
        return "uretprobe" if self.ret else "uprobe"

    @staticmethod
    def takes(type: str, attach_type: str | None) -> bool:
        """True for programs of that type and attach type (the kernel's words; None: the section names none)."""
        return type == "kprobe" and attach_type in (None, "trace_uprobe_multi", "trace_uprobe_session")

    def load_attach_type(self, candidate: Candidate) -> int | None:
        """A program for many functions is loaded so that one link can do it."""
        return UPROBE_MULTI if self.pattern is not None and candidate.attach_type is None else None


@value(frozen=True, slots=True)
class Usdt:
    """A static probe (`provider`, `name`) of an executable or library, at every place where it is; see Uprobe."""

    target: str
    provider: str
    name: str
    pid: int | None = None
    container_pid: int | None = None

    def __post_init__(self) -> None:
        _check_target(self.target, self.pid, self.container_pid)
        check.word("provider", self.provider, extra="_-.")
        check.word("probe", self.name, extra="_-.")

    @property
    def word(self) -> str:
        """`usdt`, on the command line and in records."""
        return "usdt"

    @staticmethod
    def takes(type: str, attach_type: str | None) -> bool:
        """True for programs of that type and attach type (the kernel's words; None: the section names none)."""
        return type == "kprobe" and attach_type is None


def _check_target(target: str, pid: int | None, container_pid: int | None) -> None:
    check.path("target", target)
    for what, number in (("pid", pid), ("container_pid", container_pid)):
        check.natural(what, number, below=_PID_LIMIT + 1)
        if number == 0:
            raise UsageError(f"{what} 0 is not a process, expected a number from 1 on")
