"""Hooks in programs of user space: functions and static probes of executables and libraries."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import UsageError
from bpfimg.load._hooks import _checks as check


@value(frozen=True, slots=True)
class Uprobe:
    """A function of an executable or library, at its entry plus `offset` bytes, or with `ret` at its return.

    `target` is a path or the name of a shared library (`c`, `libssl`). Without a function `offset` is that in the file.
    `pattern` is every function that fits. `pid` narrows to a process; `container_pid` is a process in whose root
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
        check.path("target", self.target)
        if self.function is not None and self.pattern is not None:
            raise UsageError("a uprobe takes a function or a pattern, expected one of the two")
        for what in ("offset", "pid", "container_pid"):
            check.natural(what, getattr(self, what))
        if self.function is None and self.pattern is None and not self.offset:
            raise UsageError("a uprobe needs a function, a pattern or an offset in the file")

    @property
    def word(self) -> str:
        """`uprobe` or `uretprobe`."""
        return "uretprobe" if self.ret else "uprobe"

    @staticmethod
    def takes(type: str, attach_type: str | None) -> bool:
        """True for programs of that type."""
        return type == "kprobe"


@value(frozen=True, slots=True)
class Usdt:
    """A static probe (`provider`, `name`) of an executable or library, at every place where it is; see Uprobe."""

    target: str
    provider: str
    name: str
    pid: int | None = None
    container_pid: int | None = None

    def __post_init__(self) -> None:
        check.path("target", self.target)
        check.word("provider", self.provider, extra="_-")
        check.word("probe", self.name, extra="_-")
        check.natural("pid", self.pid)
        check.natural("container_pid", self.container_pid)

    @property
    def word(self) -> str:
        """`usdt`, on the command line and in records."""
        return "usdt"

    @staticmethod
    def takes(type: str, attach_type: str | None) -> bool:
        """True for programs of that type and attach type (the kernel's words; None: the section names none)."""
        return type == "kprobe"
