"""What `check` answers: values, for text, JSON and Markdown alike."""

from __future__ import annotations

from bpfimg._value import value

#: results of a program on a kernel
OK, FAILS, UNKNOWN = "ok", "fails", "unknown"
#: what the lack of something does beside FAILS and UNKNOWN: nothing, because no path leads there, or because to be
#: there or not was the question
GUARDED, ANSWERED = "guarded", "answered"


@value(frozen=True, slots=True)
class Reason:
    """What a kernel lacks for a program, or what is not known of it.

    kind      "core" for a CO-RE relocation, "target" for a function to be attached to, "byte-order", else the kind of
              a requirement: helper, kfunc, map_type, ...; of a kernel that was asked what `load.trial` has, "budget"
              for a program that costs too much, "guest" for a kernel that gave no answer
    subject   "task_struct.state", "bpf_loop"; "null" for what the verifier found
    effect    fails, unknown, guarded or answered
    words     what is the matter: "struct task_struct has no field 'state'"
    nearest   what the kernel has instead, "" where nothing is like it
    places    where the program needs it: "trace.bpf.c:33", or "trace+24" without source lines; at most a few
    """

    kind: str
    subject: str
    effect: str
    words: str
    nearest: str = ""
    places: tuple[str, ...] = ()


@value(frozen=True, slots=True)
class Trial:
    """What a kernel's verifier said of a program that it was given, and that was let go again at once.

    loaded    whether the kernel took it
    errno     why it did not, 0 where it did; what the number means is in `error`
    error     the sentence with the reason, "" where it was loaded: the verifier's line that matters, or what is lacking
    source    the line of the source that it is about, "" where unknown: "trace.bpf.c:33: *p = 1;"
    hint      what a person can do, or ""
    insns     instructions that the verifier went through, out of a million; None where the log does not say
    states    states that it looked at in all, `peak_states` those it had to keep at once
    stack     bytes of stack, sub-programs included, None where the log does not say
    size      bytes of the program as the kernel keeps it (`xlated`), `jited` as machine code; 0 where unknown
    log       the end of the verifier's log, "" where it was loaded
    """

    loaded: bool
    errno: int = 0
    error: str = ""
    source: str = ""
    hint: str = ""
    insns: int | None = None
    states: int | None = None
    peak_states: int | None = None
    stack: int | None = None
    size: int = 0
    jited: int = 0
    log: str = ""


@value(frozen=True, slots=True)
class Cell:
    """A program on a kernel. `result`: "ok" is that nothing speaks against it. `relocations` counts outcomes.

    `trial` is there where a real kernel was asked; `result` is then what that one said, over budgets too.
    """

    program: str
    result: str
    optional: bool
    relocations: dict[str, int]
    reasons: tuple[Reason, ...]
    trial: Trial | None = None


@value(frozen=True, slots=True)
class Answer:
    """One question of the object, or requirement, and what each kernel answers, in their order.

    `answers` are outcomes ("resolved", "absent", "unresolved", "refused") with their values for questions, "present",
    "absent" and "unknown" for requirements. `since` is the first mainline version, for requirements.
    """

    kind: str
    subject: str
    words: str
    programs: tuple[str, ...]
    optional: bool
    answers: tuple[tuple[str, int | None], ...]
    since: str | None = None


@value(frozen=True, slots=True)
class Column:
    """One kernel: what its types are called, their release ("" if unknown), how many modules were given, its cells.

    `by` says who answered: "types" (its BTF alone) or "verifier" (it ran, here or in QEMU). `package` is where that
    kernel came from, with its version: "Debian linux-image-6.1.0-49-amd64 6.1.177-1", or "".
    """

    name: str
    release: str
    byte_order: str
    modules: int
    cells: tuple[Cell, ...]
    by: str = "types"
    package: str = ""


@value(frozen=True, slots=True)
class Check:
    """The whole table: kernels by programs, the questions and the requirements behind it.

    Questions and requirements are those of the kernels of which the types were looked at, in their order. `max_insns`
    is what a program may cost kernels that were asked, None where nobody set a limit.
    """

    kernels: tuple[Column, ...]
    questions: tuple[Answer, ...]
    requirements: tuple[Answer, ...]
    max_insns: int | None = None

    def worst(self) -> str:
        """ "fails" if a program that is loaded unasked fails on some kernel, else "unknown", else "ok"."""
        results = {cell.result for column in self.kernels for cell in column.cells if not cell.optional}
        return next((result for result in (FAILS, UNKNOWN) if result in results), OK)
