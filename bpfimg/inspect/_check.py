"""Whether the programs of an object can be loaded into kernels: of which only the types are here (`against`), or that
were asked themselves (`answered`, `tried`). `together` makes one table; `cases` and `remarks` are for CI systems.

`against` needs no root and no kernel. Each CO-RE relocation is resolved as libbpf does it, each requirement is looked
up in the kernel's own enums and functions, and what is lacking is held against the code: behind an
`if (bpf_core_field_exists(...))` nothing is lacking. That a program is "ok" says there that nothing speaks against it:
the verifier has not seen it (ADR 0016).
"""

from __future__ import annotations

from bpfimg.inspect._check_answer import answered
from bpfimg.inspect._check_features import ABSENT, PRESENT, Features, Known
from bpfimg.inspect._check_features import UNKNOWN as NOT_KNOWN
from bpfimg.inspect._check_model import ANSWERED, FAILS, GUARDED, OK, UNKNOWN, Answer, Cell, Check, Column, Reason
from bpfimg.inspect._check_object import Subject
from bpfimg.inspect._check_report import markdown, report
from bpfimg.inspect._check_said import cases, figures, remarks
from bpfimg.inspect._check_tried import Asked, together, tried

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.btf import KernelTypes, Resolution
    from bpfimg.bytecode import Dissection, ProgramSpec, Requirement
    from bpfimg.inspect._check_object import Question
    from bpfimg.inspect._check_reach import Code, Place

__all__ = [
    "FAILS",
    "OK",
    "UNKNOWN",
    "Asked",
    "Cell",
    "Check",
    "Column",
    "Reason",
    "against",
    "answered",
    "cases",
    "figures",
    "markdown",
    "remarks",
    "report",
    "together",
    "tried",
]

#: what a kernel's types cannot say of these is said for nobody, so it makes no program doubtful
_NEVER_KNOWN = ("isa", "feature", "ksym", "map_flag")
_PLACES = 3
_EFFECTS = (FAILS, UNKNOWN, GUARDED, ANSWERED)


def against(dissection: Dissection, kernels: Sequence[KernelTypes], programs: Sequence[str] = ()) -> Check:
    """The programs of the object (only those named, if any are) on each of the kernels.

    `BytecodeError` for a name that the object does not have, and for an object or types that are not sound.
    """
    wanted = [dissection.object.program(name) for name in programs] or list(dissection.object.programs)
    subject = Subject(dissection)
    looks = [_Look(subject, kernel) for kernel in kernels]
    columns = tuple(
        Column(
            look.kernel.name,
            look.kernel.release,
            look.kernel.types.byte_order,
            len(look.kernel.modules),
            tuple(look.cell(program) for program in wanted),
        )
        for look in looks
    )
    return Check(columns, tuple(_questions(subject, looks)), tuple(_requirements(subject, looks)))


class _Look:
    """One object on one kernel; what was found is kept."""

    def __init__(self, subject: Subject, kernel: KernelTypes) -> None:
        self.kernel = kernel
        self.subject = subject
        self.features = Features(kernel)
        self.same_order = kernel.types.byte_order == subject.object.byte_order
        self.resolutions = subject.resolved(kernel) if self.same_order else {}
        self._code: Code | None = None
        self._asked: dict[str, list[tuple[int, Question]]] = {}
        for number, question in self._numbered():
            self._asked.setdefault(question.function, []).append((number, question))
        self.at = {(q.function, q.offset): self.resolutions[n] for n, q in self._numbered() if n in self.resolutions}
        self.known = {(r.kind, r.name): self._has(r) for r in subject.requirements} if self.same_order else {}

    def _numbered(self) -> Iterator[tuple[int, Question]]:
        return enumerate(self.subject.questions)

    def _has(self, requirement: Requirement) -> Known:
        if requirement.kind == "ksym" and self.subject.typed(requirement.name):
            return self.features.variable(requirement.name)
        return self.features.has(requirement.kind, requirement.name)

    def cell(self, program: ProgramSpec) -> Cell:
        """What is lacking for that program, the worst first."""
        optional = not program.autoload
        if not self.same_order:
            mine, theirs = self.subject.object.byte_order, self.kernel.types.byte_order
            words = f"the object is {mine}-endian, the kernel {theirs}-endian"
            return Cell(program.name, FAILS, optional, {}, (Reason("byte-order", mine, FAILS, words),))
        functions = (program.name, *program.uses.calls)
        mine_ = sorted((each for name in functions for each in self._asked.get(name, ())), key=lambda each: each[0])
        counts: dict[str, int] = {}
        for number, _ in mine_:
            outcome = self.resolutions[number].outcome
            counts[outcome] = counts.get(outcome, 0) + 1
        effect = _Effect(self, program)
        reasons = [*self._core(mine_, effect), *self._required(program, effect), *self._target(program)]
        reasons.sort(key=lambda reason: _EFFECTS.index(reason.effect))
        result = next((each for each in (FAILS, UNKNOWN) if any(r.effect == each for r in reasons)), OK)
        return Cell(program.name, result, optional, counts, tuple(reasons))

    def _core(self, asked: Sequence[tuple[int, Question]], effect: _Effect) -> Iterator[Reason]:
        """One reason for each question that has no answer, however often it is asked."""
        found: dict[tuple[str, str, str, str], list[Place]] = {}
        for number, question in asked:
            resolution = self.resolutions[number]
            if resolution.outcome != "resolved":
                place = question.function, question.offset
                key = (question.subject, _effect_of(resolution, place, effect), resolution.reason, resolution.nearest)
                found.setdefault(key, []).append(place)
        for (subject, what, words, nearest), places in found.items():
            yield Reason("core", subject, what, words, nearest, self._places(places))

    def _required(self, program: ProgramSpec, effect: _Effect) -> Iterator[Reason]:
        for requirement in self.subject.requirements:
            known = self.known[requirement.kind, requirement.name]
            if known.answer == PRESENT or not self.subject.concerns(requirement, program):
                continue
            if known.answer == NOT_KNOWN and requirement.kind in _NEVER_KNOWN:
                continue
            what, places = UNKNOWN if known.answer == NOT_KNOWN else FAILS, list[tuple[str, int]]()
            if requirement.kind == "helper" or self.subject.weak(requirement):
                places = self.subject.uses(program, requirement)
                what = effect.of(places, what)
            elif requirement.optional and self.subject.replaced(requirement):
                what = ANSWERED
            yield Reason(requirement.kind, requirement.name, what, known.words, "", self._places(places))

    def _target(self, program: ProgramSpec) -> Iterator[Reason]:
        known = self.features.target(program)
        if known is not None and known.answer != PRESENT:
            what = FAILS if known.answer == ABSENT else UNKNOWN
            yield Reason("target", program.target or "", what, known.words)

    def _places(self, places: Sequence[Place]) -> tuple[str, ...]:
        words = dict.fromkeys(self.subject.where(*place) for place in places)
        return tuple(words)[:_PLACES]

    @property
    def code(self) -> Code:
        """Walks through programs on this kernel."""
        if self._code is None:
            weak = {
                extern.name: {PRESENT: True, ABSENT: False}.get(self.known[extern.kind, extern.name].answer)
                for extern in self.subject.object.externs
                if extern.weak and (extern.kind, extern.name) in self.known
            }
            from bpfimg.inspect._check_reach import Code

            self._code = Code(self.subject.facts(lambda name, offset: self.at.get((name, offset)), weak))
        return self._code


class _Effect:
    """What it means for a program that something at a place is lacking; walks the code only when asked."""

    def __init__(self, look: _Look, program: ProgramSpec) -> None:
        self._look = look
        self._program = program
        self._walked: tuple[frozenset[Place] | None, frozenset[Place] | None] | None = None

    def of(self, places: Sequence[Place], worst: str) -> str:
        """`worst` where the verifier surely gets to one of the places, "unknown" where that is not known."""
        if self._walked is None:
            code, name = self._look.code, self._program.name
            taken, other = code.reached(name, "taken"), code.reached(name, "not taken")
            surely = taken & other if taken is not None and other is not None else None
            self._walked = surely, code.reached(name, "both")
        surely, maybe = self._walked
        if surely is None or maybe is None:
            return UNKNOWN if places else GUARDED
        if any(place in surely for place in places):
            return worst
        return UNKNOWN if any(place in maybe for place in places) else GUARDED


def _effect_of(resolution: Resolution, place: Place, effect: _Effect) -> str:
    if resolution.outcome == "absent":
        return ANSWERED
    return FAILS if resolution.outcome == "refused" else effect.of([place], FAILS)


def _questions(subject: Subject, looks: Sequence[_Look]) -> Iterator[Answer]:
    """Each question once, with what each kernel answers to the first that asks it."""
    firsts: dict[tuple[str, str], int] = {}
    holders: dict[tuple[str, str], dict[str, None]] = {}
    for number, question in enumerate(subject.questions):
        key = question.kind, question.subject
        firsts.setdefault(key, number)
        holders.setdefault(key, {}).update(dict.fromkeys(subject.programs_with(question.function)))
    for key, number in firsts.items():
        question = subject.questions[number]
        answers = tuple(_outcome(look.resolutions.get(number)) for look in looks)
        yield Answer(question.kind, question.subject, question.words, tuple(holders[key]), question.optional, answers)


def _outcome(resolution: Resolution | None) -> tuple[str, int | None]:
    if resolution is None:
        return "unknown", None
    return resolution.outcome, resolution.value if resolution.outcome in ("resolved", "absent") else None


def _requirements(subject: Subject, looks: Sequence[_Look]) -> Iterator[Answer]:
    for requirement in subject.requirements:
        key = requirement.kind, requirement.name
        answers = tuple((look.known[key].answer if key in look.known else NOT_KNOWN, None) for look in looks)
        words = next((look.known[key].words for look in looks if key in look.known and look.known[key].words), "")
        programs, optional = requirement.programs, requirement.optional
        yield Answer(requirement.kind, requirement.name, words, programs, optional, answers, requirement.since)
