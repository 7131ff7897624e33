"""One program out of many: a main function that runs the members in order, and behind it what they consist of.

Pure arithmetic on instructions. A member is called, or its main function stands in main itself (`_splice`). What else
it has, the functions that libbpf put behind it, is taken as it is: it calls them by distance.
"""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.dispatcher import _instructions as i
from bpfimg.dispatcher._tests import shifts, tested, tested_last
from bpfimg.dispatcher._unseen import is_unseen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.dispatcher._splice import Spliced
    from bpfimg.load import members

#: where main keeps the context when every register that outlives calls is taken
_KEPT = -8
_STACK = 0
_OUTLIVING, _PASSING = (6, 7, 8, 9), (2, 3, 4, 5)
_R1, _SHIFTED = 1 << 1, 1 << 1 | 1 << 2  # what a test that shifts uses
#: how far a jump to the exit at the end of main may be, with room for the test that it is in
_FAR = 32_000
_LINE = 16  # struct bpf_line_info
_NONE = -1


@value(frozen=True, slots=True)
class Part:
    """A member to be put in: `note` is what main's source line says about it."""

    code: members.Code
    mask: int
    note: str


@value(frozen=True, slots=True)
class Function:
    """Where a function begins. `part` is the index of the member that brings it, -1 for main; `type` the id of the
    FUNC in that member's BTF, 0 where it has none. `entry`: it is the member's main function; `unseen`: the verifier
    is not to know its result."""

    place: int
    part: int
    type: int
    entry: bool = False
    unseen: bool = False


@value(frozen=True, slots=True)
class Line:
    """Where a source line begins. `file` and `text` are offsets in the strings of the BTF of the member `part`;
    for -1, which is main's own, `text` is the index of the member that it is about, -1 for its beginning."""

    place: int
    part: int
    file: int
    text: int
    position: int


@value(frozen=True, slots=True)
class Assembled:
    """`insns` have 0 for descriptors of maps; `maps` are (place, index of the part, index of the map in its `Code`).

    `inlined` says of each part whether it stands in main. `spans` are (place, place behind it, part), in order: whose
    instructions those are. Places count instructions of eight bytes.
    """

    insns: bytes
    maps: tuple[tuple[int, int, int], ...]
    functions: tuple[Function, ...]
    lines: tuple[Line, ...]
    inlined: tuple[bool, ...]
    spans: tuple[tuple[int, int, int], ...]

    def part_at(self, place: int) -> int:
        """The index of the part whose instruction that is; -1 for one of main's own."""
        return next((part for start, end, part in self.spans if start <= place < end), _NONE)


def assemble(hook: str, parts: Sequence[Part], end: int, *, inline: bool) -> Assembled:
    """The program that runs the parts in order; `end` is its result when the last lets the chain go on.

    `inline`: parts stand in main where they can, else all are called.
    """
    bodies, register = _bodies(hook, parts, inline=inline)
    return _Main(hook, parts, bodies, register).assembled(end)


def inner(code: members.Code) -> int:
    """The place where the functions begin that a program calls: how long its main function is."""
    return min((place for place, _ in code.functions if place), default=len(code.insns) // 8)


def _bodies(hook: str, parts: Sequence[Part], *, inline: bool) -> tuple[list[Spliced | None], int]:
    """The main functions that are put into main, None for those that are called; and where main keeps the context for
    those behind the first: in that register, or with 0 on its stack, so that their frames begin below it.

    The cheapest place is a register that a call would clobber, if none is made; then the stack. Registers that outlive
    calls have to be saved by main itself, but leave the stack to those that it calls.
    """
    if not inline:
        return [None] * len(parts), _OUTLIVING[0]
    from bpfimg.dispatcher import _splice

    bodies = [_spliced(part, 0) for part in parts]
    before = bodies[:-1]  # behind the last nobody asks for the context
    touched = 0
    for part, body in zip(parts, before, strict=False):
        touched |= body.touched if body is not None else 0
        touched |= _SHIFTED if shifts(hook, part.mask) else 0
    free = next((each for each in (_OUTLIVING if None in before else _PASSING) if not touched >> each & 1), _STACK)
    if free != _STACK or not any(_lost(hook, parts, bodies)):
        return bodies, free
    lower = [_spliced(part, _splice.SLOT) for part in parts]
    lower[-1] = lower[-1] or bodies[-1]  # it may use the slot itself, if its frame has no room beside it
    if None in lower[:-1]:  # a frame of more than 504 bytes; 6.1 would not even call it from a main that has none
        free = next((each for each in _OUTLIVING if not touched >> each & 1), _STACK)
    return (bodies, free) if free else (lower, free)


def _lost(hook: str, parts: Sequence[Part], bodies: Sequence[Spliced | None]) -> list[bool]:
    """For each part whether the context is not in r1 any more when its turn comes."""
    found, lost = [], False
    for part, body in zip(parts, bodies, strict=True):
        found.append(lost)
        lost = body is None or bool(body.clobbered & _R1) or shifts(hook, part.mask)
    return found


def _spliced(part: Part, slot: int) -> Spliced | None:
    from bpfimg.dispatcher import _splice

    if is_unseen(part.code.insns):
        return None
    found = _splice.spliced(part.code, slot)
    return None if isinstance(found, str) else found


class _Main:
    """The main function as it grows; what is behind it has its place from the beginning."""

    def __init__(self, hook: str, parts: Sequence[Part], bodies: Sequence[Spliced | None], register: int) -> None:
        self._hook, self._parts, self._bodies, self._register = hook, parts, bodies, register
        self._lost = _lost(hook, parts, bodies)
        self._code = bytearray()
        self._maps: list[tuple[int, int, int]] = []
        self._functions = [Function(0, _NONE, 0)]
        self._lines: list[Line] = []
        self._spans: list[tuple[int, int, int]] = []

    def assembled(self, end: int) -> Assembled:
        lengths = [len(body.insns) // 8 if body else 1 for body in self._bodies]
        tests = [len(tested(self._hook, part.mask, 0)) // 8 for part in self._parts[:-1]]
        tests.append(len(tested_last(self._hook, self._parts[-1].mask, end)) // 8)
        total = sum(lengths) + sum(tests) + (1 + sum(self._lost) if any(self._lost) else 0)
        far = total > _FAR
        total += 2 * (len(tests) - 1) if far else 0
        bases = self._bases(total)
        for index, part in enumerate(self._parts):
            self._line(index if index else _NONE, index + 1)
            self._context(index)
            self._member(index, bases[index])
            self._line(index, index + 1)
            self._code += self._test(part.mask, end, total, last=index == len(self._parts) - 1, far=far)
        for index, base in enumerate(bases):
            self._behind(index, base)
        return Assembled(
            insns=bytes(self._code),
            maps=tuple(self._maps),
            functions=tuple(self._functions),
            lines=tuple(_once(self._lines)),
            inlined=tuple(body is not None for body in self._bodies),
            spans=tuple(self._spans),
        )

    @property
    def _here(self) -> int:
        return len(self._code) // 8

    def _bases(self, start: int) -> list[int]:
        """Where each part goes behind main: what of its code is not in main."""
        bases = []
        for part, body in zip(self._parts, self._bodies, strict=True):
            bases.append(start)
            start += len(part.code.insns) // 8 - (inner(part.code) if body else 0)
        return bases

    def _context(self, index: int) -> None:
        """Keeps the context before the first member, gives it to the others where it is lost."""
        if not index and any(self._lost):
            kept = i.move(self._register, 1) if self._register else i.store(i.FRAME, _KEPT, 1)
            self._code += kept
        if self._lost[index]:
            self._code += i.move(1, self._register) if self._register else i.load(1, i.FRAME, _KEPT)

    def _test(self, mask: int, end: int, total: int, *, last: bool, far: bool) -> bytes:
        if last:
            return tested_last(self._hook, mask, end)
        if far:
            return tested(self._hook, mask, 1) + i.jump(1) + i.leave()
        length = len(tested(self._hook, mask, 0)) // 8
        return tested(self._hook, mask, total - 1 - self._here - length)

    def _member(self, index: int, base: int) -> None:
        """The call of a member, or the member."""
        body, start = self._bodies[index], self._here
        if body is None:
            self._code += i.call(base - start - 1)
            return
        code, first = self._parts[index].code, inner(self._parts[index].code)
        self._code += body.insns
        for place, target in body.calls:
            at = 8 * (start + place) + 4
            distance = base + target - first - (start + place) - 1
            self._code[at : at + 4] = i.call(distance)[4:]
        self._maps += [(start + body.places[place], index, number) for place, number in code.maps if place < first]
        self._spans.append((start, self._here, index))
        gone = len(body.insns) // 8
        for place, file, text, position in _lines(code.lines):
            if place < first and body.places[place] < gone:
                self._lines.append(Line(start + body.places[place], index, file, text, position))

    def _behind(self, index: int, base: int) -> None:
        """What of a member is not in main."""
        code = self._parts[index].code
        first = inner(code) if self._bodies[index] else 0
        away = base - first
        self._code += code.insns[8 * first :]
        self._maps += [(away + place, index, number) for place, number in code.maps if place >= first]
        starts = [(place, number) for place, number in code.functions or ((0, 0),) if place >= first]
        unseen = not first and is_unseen(code.insns)
        self._functions += [
            Function(away + place, index, number, place == 0, unseen and place == 0) for place, number in starts
        ]
        if self._here > base:
            self._spans.append((base, self._here, index))
        found = [Line(away + place, *rest) for place, *rest in _of(index, code.lines) if place >= first]
        there = {line.place for line in found}
        found += [self._note(index, away + place) for place, _ in starts if away + place not in there]
        self._lines += sorted(found, key=lambda line: line.place)

    def _line(self, about: int, position: int) -> None:
        self._lines.append(Line(self._here, _NONE, 0, about, position << 10))

    def _note(self, index: int, place: int) -> Line:
        """The kernel wants a line at the beginning of each function when there is one anywhere."""
        return Line(place, _NONE, 0, index, index + 1 << 10)


def _lines(lines: bytes) -> list[tuple[int, int, int, int]]:
    numbers = memoryview(lines[: len(lines) // _LINE * _LINE]).cast("I")
    return list(zip(numbers[::4], numbers[1::4], numbers[2::4], numbers[3::4], strict=True))


def _of(index: int, lines: bytes) -> list[tuple[int, int, int, int, int]]:
    return [(place, index, file, text, position) for place, file, text, position in _lines(lines)]


def _once(lines: Sequence[Line]) -> list[Line]:
    """At most one line for an instruction, as the kernel wants it: the last that was said of it."""
    return list({line.place: line for line in lines}.values())
