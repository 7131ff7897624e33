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
              a requirement: helper, kfunc, map_type, ...
    subject   "task_struct.state", "bpf_loop"
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
class Cell:
    """A program on a kernel. `result`: "ok" is that nothing speaks against it. `relocations` counts outcomes."""

    program: str
    result: str
    optional: bool
    relocations: dict[str, int]
    reasons: tuple[Reason, ...]


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
    """One kernel: what its types are called, their release ("" if unknown), how many modules were given, its cells."""

    name: str
    release: str
    byte_order: str
    modules: int
    cells: tuple[Cell, ...]


@value(frozen=True, slots=True)
class Check:
    """The whole table: kernels by programs, the questions and the requirements behind it."""

    kernels: tuple[Column, ...]
    questions: tuple[Answer, ...]
    requirements: tuple[Answer, ...]

    def worst(self) -> str:
        """ "fails" if a program that is loaded unasked fails on some kernel, else "unknown", else "ok"."""
        results = {cell.result for column in self.kernels for cell in column.cells if not cell.optional}
        return next((result for result in (FAILS, UNKNOWN) if result in results), OK)
