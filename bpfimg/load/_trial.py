"""What the kernel that runs says of each program of an object: loaded one by one, and let go again.

One refusal does not hide others, and nothing stays: no program, no map, no descriptor; nothing is pinned or attached.
Each is loaded as `bpfimg load --program NAME` loads it: with the object's maps, with the programs that it jumps to,
with the globals that the object has.
"""

from __future__ import annotations

import errno
import os

from bpfimg._value import replace, value
from bpfimg.errors import AttachError, BytecodeError, KernelError, NotSupported, UsageError, VerifierError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bpfimg.load._candidate import Candidate
    from bpfimg.load._tail_calls import TailCalls

__all__ = ["KINDS", "LOADED", "LOG_END", "REFUSED", "RESULTS", "UNKNOWN", "Tried", "each"]

LOADED, REFUSED, UNKNOWN = RESULTS = ("loaded", "refused", "unknown")
#: what it was refused for: by the verifier, by a kernel that lacks something, by whatever else fails; a program that
#: it jumps to; or why nothing is known: what it replaces, is bound to or is comes from who loads it
KINDS = ("", "verifier", "not-supported", "kernel", "object", "tail-call", "partner", "target", "type")
LOG_END = 4000
"""Characters of a log that are kept: its end says why."""
_WORDS_END = 1000
_TABLES = 'libbpf knows SEC(".struct_ops.link") from 1.2 on, SEC(".struct_ops") before'
_FEW = 1024
_FEWER = f"its tables were made for {_FEW} entries: this machine has not the memory for those of the object"
#: features without which no program of any object can be tried
_NOWHERE = ("libbpf", "bpf")


@value(frozen=True, slots=True)
class Tried:
    """A program, and what came of the trial; figures are None, and sizes 0, where nothing says them.

    result    loaded, refused or unknown
    kind      of KINDS; "" where it was loaded
    subject   the cause of a refusal (docs/refusals.md), the feature that is lacking, the program that it jumps to
    error     one sentence, "" where it was loaded
    source    "FILE:LINE" that the verifier complains of, "" where unknown
    insns     instructions that the verifier went through, states it had in all and at once, bytes of stack
    size      bytes as the kernel keeps it, `jited` as machine code
    log       the end of the verifier's log of a refusal
    """

    program: str
    section: str
    type: str
    optional: bool
    result: str
    kind: str = ""
    subject: str = ""
    error: str = ""
    source: str = ""
    hint: str = ""
    errno: int = 0
    insns: int | None = None
    states: int | None = None
    peak_states: int | None = None
    stack: int | None = None
    size: int = 0
    jited: int = 0
    log: str = ""


def each(
    data: bytes, *, name: str, programs: Sequence[str] = (), say: Callable[[str], None] = lambda program: None
) -> tuple[Tried, ...]:
    """Tries every program of the object (only those named, if any are), in its order; `say` hears which is next.

    What this kernel will not have is in the answer. Raises BytecodeError for an object that libbpf does not open,
    UsageError for a name that it does not have, NotSupported without libbpf or bpf(2), and KernelError where this
    process may not load programs.
    """
    from bpfimg import bytecode
    from bpfimg.kernel import libbpf
    from bpfimg.load._candidate import named
    from bpfimg.load._configure import candidates
    from bpfimg.load._tail_calls import tail_calls

    bytecode.check_header(data)
    with libbpf.open_object(data, name=name) as opened:
        found = candidates(opened)
        calls = tail_calls(opened, data)
        tables = bool(opened.tables())
    wanted = [named(found, word) for word in programs] or found
    callers = _callers(found, calls)
    tried = []
    for candidate in dict.fromkeys(wanted):
        say(candidate.name)
        like = callers.get(candidate.name, candidate)
        tried.append(_Trial(data, name, candidate, like, tables=tables).answer())
    return tuple(tried)


def _callers(found: Sequence[Candidate], calls: TailCalls) -> Mapping[str, Candidate]:
    """For programs whose sections say no type, one that jumps to them and has one."""
    callers: dict[str, Candidate] = {}
    for caller in found:
        if caller.type:
            for program in calls.closure((caller,), found):
                callers.setdefault(program.name, caller)
    return {each.name: callers[each.name] for each in found if not each.type and each.name in callers}


class _Trial:
    """One program of an object."""

    def __init__(self, data: bytes, name: str, candidate: Candidate, like: Candidate, *, tables: bool) -> None:
        self._data, self._name, self._candidate, self._tables = data, name, candidate, tables
        self._asked = Tried(candidate.name, candidate.section, like.type, not candidate.autoload, UNKNOWN)
        self._word = candidate.name
        if candidate.target:
            self._word = f"{candidate.type}:{candidate.name}:{candidate.target}"
        elif not candidate.type:
            self._word = f"{like.section.lstrip('?')}:{candidate.name}"

    def answer(self) -> Tried:
        """Loads it, and once more without figures when that fails: only so libbpf asks for the whole log.

        A small machine, as guests are, has not the memory for maps of a large one; the verifier does not look at it.
        """
        why = self._untriable()
        if why is not None:
            return why
        try:
            try:
                return self._loaded(measured=self._candidate.name)
            except KernelError as error:
                if error.errno == errno.ENOMEM:
                    return replace(self._loaded(measured=self._candidate.name, entries=_FEW), hint=_FEWER)
                return self._loaded()
        except KernelError as error:
            return self._refused(error)
        except (AttachError, BytecodeError, UsageError) as error:
            kind = "not-supported" if isinstance(error, AttachError) else "object"
            return replace(self._asked, result=REFUSED, kind=kind, error=_cut(str(error)), hint=_cut(error.hint))

    def _untriable(self) -> Tried | None:
        """Why it cannot be tried alone; None for most."""
        asked, candidate = self._asked, self._candidate
        if not asked.type:
            said = f"its section {quoted(asked.section)} says nothing about its type, which comes from who loads it"
            return replace(asked, kind="type", error=said, hint=f"say it: --program TYPE:{candidate.name}")
        if asked.type == "ext":
            said = "it replaces a function of another program, which is named only when it is attached"
            return replace(asked, kind="partner", error=said)
        if asked.type == "struct_ops" and not self._tables:
            from bpfimg.kernel import libbpf

            said = f"libbpf {libbpf.version()} finds no table of operations in the object that it belongs to"
            return replace(asked, kind="partner", error=said, hint=_TABLES)
        if candidate.lacks_target:
            said = f"its section {quoted(asked.section)} names nothing to be bound to, which comes from who loads it"
            hint = f"say it: --program {candidate.type}:{candidate.name}:TARGET"
            return replace(asked, kind="target", error=said, hint=hint)
        return None

    def _loaded(self, *, measured: str = "", entries: int = 0) -> Tried:
        from bpfimg.kernel import bpf, libbpf
        from bpfimg.load._object import prepare

        with prepare(self._data, name=self._name, programs=(self._word,)) as prepared:
            if entries:
                prepared.limit_tables(entries)
            found = libbpf.figures(prepared.load(measured=measured))
            fd = next(each.fd for each in prepared.loaded if each.name == self._candidate.name)
            kept = bpf.program_info(fd, memlock=False)
        return replace(
            self._asked,
            result=LOADED,
            insns=found.insns if found.insns is not None else kept.verified_insns,
            states=found.states,
            peak_states=found.peak_states,
            stack=found.stack,
            size=kept.xlated_size,
            jited=kept.jited_size,
        )

    def _refused(self, error: KernelError) -> Tried:
        asked = replace(self._asked, result=REFUSED, error=_cut(str(error)), hint=_cut(error.hint), errno=error.errno)
        match error:
            case VerifierError() if error.program != self._candidate.name:
                said = f"it jumps to program {quoted(error.program)}, which cannot be loaded: {error}"
                return replace(asked, kind="tail-call", subject=error.program, error=_cut(said))
            case VerifierError():
                from bpfimg.kernel import libbpf

                found = libbpf.figures(error.log)
                return replace(
                    asked,
                    kind="verifier",
                    subject=error.cause,
                    error=_cut(str(error).partition(": ")[2]),
                    source=_cut(error.source),
                    insns=found.insns,
                    states=found.states,
                    peak_states=found.peak_states,
                    stack=found.stack,
                    log=_end(error.log),
                )
            case NotSupported() if error.feature in _NOWHERE:
                raise error
            case NotSupported():
                return replace(asked, kind="not-supported", subject=_cut(error.feature))
            case _:
                if error.errno == errno.EPERM and os.geteuid() != 0:
                    raise error
                return replace(asked, kind="kernel")


def _cut(text: str) -> str:
    return text if len(text) <= _WORDS_END else f"{text[: _WORDS_END - 1]}…"


def _end(log: str) -> str:
    """The last whole lines."""
    return log if len(log) <= LOG_END else log[-LOG_END:].partition("\n")[2]
