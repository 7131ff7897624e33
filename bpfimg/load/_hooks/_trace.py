"""Hooks of the kernel itself: tracepoints, functions, events, operations."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import UsageError, quoted
from bpfimg.load._hooks import _checks as check
from bpfimg.load._hooks import _events as events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._candidate import Candidate

TRACING = ("fentry", "fexit", "fmod_ret", "lsm", "tp_btf")


@value(frozen=True, slots=True)
class Tracepoint:
    """A kernel tracepoint: `group` and `name` as below /sys/kernel/tracing/events, for every process and CPU."""

    group: str
    name: str

    def __post_init__(self) -> None:
        for what, text in (("group", self.group), ("name", self.name)):
            if not (text.isascii() and text.replace("_", "").replace("-", "").isalnum()):
                raise UsageError(
                    f"tracepoint {what} {quoted(text)} is not a name, expected GROUP/NAME",
                    hint="`ls /sys/kernel/tracing/events` shows the groups, and each group its tracepoints",
                )

    @classmethod
    def parse(cls, text: str) -> Tracepoint:
        """Reads `GROUP/NAME` (a colon between them will do, as perf and bpftrace write it)."""
        group, slash, name = text.partition("/" if "/" in text else ":")
        if not slash:
            raise UsageError(f"{quoted(text)} is not a tracepoint, expected GROUP/NAME, as in sched/sched_switch")
        return cls(group, name)

    @property
    def word(self) -> str:
        """`tracepoint`, on the command line and in records."""
        return "tracepoint"

    @staticmethod
    def takes(type: str, attach_type: str | None) -> bool:
        """True for programs of that type and attach type (the kernel's words; None: the section names none)."""
        return type == "tracepoint"


@value(frozen=True, slots=True)
class RawTracepoint:
    """A tracepoint by its bare name, with the arguments as the kernel passes them; `sched_switch`."""

    name: str

    def __post_init__(self) -> None:
        check.word("raw tracepoint", self.name)

    @property
    def word(self) -> str:
        """`raw_tracepoint`, on the command line and in records."""
        return "raw_tracepoint"

    @staticmethod
    def takes(type: str, attach_type: str | None) -> bool:
        """True for programs of that type and attach type (the kernel's words; None: the section names none)."""
        return type in ("raw_tracepoint", "raw_tracepoint_writable")


@value(frozen=True, slots=True)
class Kprobe:
    """A function of the kernel or of a module, at its entry plus `offset` bytes, or with `ret` at its return.

    `pattern` in place of `function` (`*` and `?` as in the shell) is every function that fits. `module` narrows both.
    """

    function: str | None = None
    offset: int = 0
    ret: bool = False
    module: str | None = None
    pattern: str | None = None

    def __post_init__(self) -> None:
        if (self.function is None) == (self.pattern is None):
            raise UsageError("a kprobe takes a function or a pattern, expected one of the two")
        if self.function is not None:
            check.word("function", self.function, extra="_.$")
        if self.pattern is not None:
            check.word("pattern", self.pattern.replace("*", "x").replace("?", "x"), extra="_.$")
        if self.module is not None:
            check.word("module", self.module, extra="_")
        check.natural("offset", self.offset)
        if self.offset and (self.ret or self.pattern is not None):
            raise UsageError("an offset goes with the entry of one function only, expected none")

    @property
    def word(self) -> str:
        """`kprobe` or `kretprobe`."""
        return "kretprobe" if self.ret else "kprobe"

    @property
    def shown(self) -> str:
        """The function or pattern for a person, as the kernel writes it: `vfs_read+0x4`, `ext4:ext4_*`."""
        name = f"{self.module}:" if self.module else ""
        return f"{name}{self.function or self.pattern}{f'+{self.offset:#x}' if self.offset else ''}"

    def takes(self, type: str, attach_type: str | None) -> bool:
        """True for programs of that type, but those for user space alone; a session is entry and return in one."""
        fits = (None, "trace_kprobe_multi") if self.ret else (None, "trace_kprobe_multi", "trace_kprobe_session")
        return type == "kprobe" and attach_type in fits

    def load_attach_type(self, program: Candidate) -> int | None:
        """For a pattern that of many functions in one link, where the kernel has such links; else that of one."""
        if program.attach_type == "trace_kprobe_session":
            return None
        from bpfimg.kernel import abi, features

        many = self.pattern is not None and features.has("kprobe-multi")
        return abi.ATTACH_TYPES.index("trace_kprobe_multi") if many else 0


@value(frozen=True, slots=True)
class Ksyscall:
    """A system call by its name in the manual (`openat`), at its entry, or with `ret` at its return."""

    name: str
    ret: bool = False

    def __post_init__(self) -> None:
        check.word("system call", self.name)

    @property
    def word(self) -> str:
        """`ksyscall` or `kretsyscall`."""
        return "kretsyscall" if self.ret else "ksyscall"

    @staticmethod
    def takes(type: str, attach_type: str | None) -> bool:
        """True for programs of that type, but those that take many functions at once."""
        return type == "kprobe" and attach_type is None


@value(frozen=True, slots=True)
class Tracing:
    """A function (fentry, fexit, fmod_ret), LSM hook (lsm) or tracepoint (tp_btf) that the program is bound to at load.

    `target` None is the one that the program's section names. `module` says that it is to be that module's.
    """

    kind: str
    target: str | None = None
    module: str | None = None

    def __post_init__(self) -> None:
        check.one_of("kind", self.kind, TRACING)
        if self.target is not None:
            check.word("target", self.target, extra="_.$")
        if self.module is not None:
            check.word("module", self.module, extra="_")
            if self.target is None:
                raise UsageError(f"module {self.module} without a function, expected the name of one in it")

    @property
    def word(self) -> str:
        """`fentry`, `fexit`, `fmod_ret`, `lsm` or `tp_btf`."""
        return self.kind

    @property
    def load_target(self) -> str | None:
        """What the program is bound to when it is loaded; None leaves that to its section."""
        return self.target

    def takes(self, type: str, attach_type: str | None) -> bool:
        """True for programs of that type and attach type."""
        wanted = {
            "fentry": ("tracing", "trace_fentry"),
            "fexit": ("tracing", "trace_fexit"),
            "fmod_ret": ("tracing", "modify_return"),
            "lsm": ("lsm", "lsm_mac"),
            "tp_btf": ("tracing", "trace_raw_tp"),
        }
        return (type, attach_type) == wanted[self.kind]


@value(frozen=True, slots=True)
class PerfEvent:
    """Samples of an event of perf(1), on every CPU (or `cpu`), of every process (or `pid`).

    Either `frequency` samples a second or one each `period` events.
    """

    event: str = "cpu-clock"
    frequency: int | None = None
    period: int | None = None
    cpu: int | None = None
    pid: int | None = None

    def __post_init__(self) -> None:
        events.numbers(self.event)
        for what in ("frequency", "period", "cpu", "pid"):
            check.natural(what, getattr(self, what))
        if self.frequency is not None and self.period is not None:
            raise UsageError("a perf event takes a frequency or a period, expected one of the two")

    @property
    def word(self) -> str:
        """`perf_event`, on the command line and in records."""
        return "perf_event"

    @staticmethod
    def takes(type: str, attach_type: str | None) -> bool:
        """True for programs of that type and attach type (the kernel's words; None: the section names none)."""
        return type == "perf_event"


@value(frozen=True, slots=True)
class StructOps:
    """A table of operations that the kernel calls (a TCP congestion control, a scheduler): the map that holds it.

    `map` None is the object's only one. Its operations are programs of the object: they go together.
    """

    map: str | None = None

    def __post_init__(self) -> None:
        if self.map is not None:
            check.word("map", self.map)

    @property
    def word(self) -> str:
        """`struct_ops`, on the command line and in records."""
        return "struct_ops"

    @property
    def takes_all(self) -> bool:
        """One attachment is for all of the object's programs that fit: the functions in the map."""
        return True

    @staticmethod
    def takes(type: str, attach_type: str | None) -> bool:
        """True for programs of that type and attach type (the kernel's words; None: the section names none)."""
        return type == "struct_ops"
