"""Regular expressions of a policy: Python's syntax and meaning for a part of it, matched in bounded time.

`re` backtracks: `(a+)+b` on 2 KiB that strangers chose (the subject of a certificate is theirs) takes longer than
anybody waits. Here a pattern becomes its Glushkov automaton, and a match one pass over the text: at most as many steps
as the text has characters, each at most as many as the pattern has positions. What no automaton can do
(back-references, look-around, possessive quantifiers) is refused when the policy is read, and so is what would only
make a pattern harder to review (flags, `\\b`). A test holds every other pattern to what `re.fullmatch` says.
"""

from __future__ import annotations

import re

from bpfimg._value import value
from bpfimg.errors import quoted
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LONGEST = 1024
LONGEST_INPUT = 2048
_POSITIONS = 2000  # after `{3}` is written out three times
_TOO_LARGE = f"it is too large, expected at most {_POSITIONS} characters when repetitions are written out"
_DIGITS = 4
_DEPTH = 32
_SETS = "dDsSwW"
_COUNT = re.compile(r"\{([0-9]*)(,?)([0-9]*)\}")
# `re` plans another meaning for these in a set, and warns
_RESERVED = re.compile(r"\[|--|&&|~~|\|\|")


@value(frozen=True, slots=True, eq=False)
class Pattern:
    """A regular expression; `text` is how it is written. It fits a text as a whole or not at all."""

    text: str
    _accepts: tuple[Callable[[str], object], ...]
    _first: int
    _last: int
    _follow: tuple[int, ...]
    _empty: bool

    @classmethod
    def parse(cls, text: str, what: str) -> Pattern:
        """Returns the pattern, or raises `Junk`: `what` names the place."""
        if not 1 <= len(text) <= LONGEST:
            raise Junk(f"{what} has {len(text)} characters, expected 1 to {LONGEST}")
        try:
            tree = _Reader(text).whole()
            built = _Automaton()
            empty, first, last = built.add(tree)
        except _Refused as error:
            raise Junk(f"{what} is {quoted(text)}, which cannot be used: {error}") from None
        return cls(text, tuple(built.accepts), first, last, tuple(built.follow), empty)

    def fullmatch(self, text: str) -> bool:
        """Says whether the whole of `text` fits; never what is longer than 2 KiB."""
        if len(text) > LONGEST_INPUT:
            return False
        if not text:
            return self._empty
        takers: dict[str, int] = {}
        after: dict[int, int] = {}
        live, could = 0, self._first
        for char in text:
            mask = takers.get(char)
            if mask is None:
                mask = takers[char] = sum(1 << i for i, accepts in enumerate(self._accepts) if accepts(char))
            live = could & mask
            if not live:
                return False
            known = after.get(live)
            could = after[live] = self._union(live) if known is None else known
        return bool(live & self._last)

    def _union(self, live: int) -> int:
        found = 0
        while live:
            lowest = live & -live
            found |= self._follow[lowest.bit_length() - 1]
            live ^= lowest
        return found

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


class _Refused(ValueError):  # noqa: N818  # it becomes a Junk one frame up
    pass


@value(frozen=True, slots=True, eq=False)
class _Node:
    """`kind` "one" (a character that `accepts`), "all" (`parts` one after the other), "any" (one of them), "again"."""

    kind: str
    parts: tuple[_Node, ...] = ()
    accepts: Callable[[str], object] | None = None
    least: int = 1
    most: int | None = 1


class _Reader:
    """Recursive descent over the text; the grammar is that of `re` without what is refused."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def whole(self) -> _Node:
        found = self._choice()
        if self._at < len(self._text):
            raise _Refused(f"the ')' at {self._at} closes nothing")
        return found

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _choice(self) -> _Node:
        parts = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else _Node("any", tuple(parts))

    def _sequence(self) -> _Node:
        parts: list[_Node] = []
        if not self._depth and self._peek() == "^":  # says what holds anyway: the whole text must fit
            self._at += 1
        while (char := self._peek()) and char not in "|)":
            if char == "$" and not self._depth and self._text[self._at + 1 : self._at + 2] in ("", "|"):
                self._at += 1
                break
            parts.append(self._repeated(self._one(char)))
        return _Node("all", tuple(parts))

    def _one(self, char: str) -> _Node:
        at = self._at
        if char == "(":
            return self._group()
        if char == "[":
            return self._set()
        if char in "^$":
            raise _Refused(f"the {char!r} at {at} is neither at the beginning nor at the end, expected '\\{char}'")
        if char in "*+?{":
            raise _Refused(f"the {char!r} at {at} repeats nothing, expected '\\{char}'")
        self._at += 1
        if char == ".":
            return _Node("one", accepts="\n".__ne__)
        if char == "\\":
            return _Node("one", accepts=self._escape())
        return _Node("one", accepts=char.__eq__)

    def _escape(self) -> Callable[[str], object]:
        char = self._peek()
        self._at += 1
        if char and char in _SETS:
            return re.compile(f"\\{char}").match
        if not char or not char.isascii() or char.isalnum():
            raise _Refused(
                f"there is no '\\{quoted(char)[1:-1]}' (only \\d \\s \\w \\D \\S \\W and escaped punctuation)"
            )
        return char.__eq__

    def _group(self) -> _Node:
        start = self._at
        self._at += 1
        if self._peek() == "?":
            if self._text[self._at : self._at + 2] != "?:":
                raise _Refused(f"the group at {start} is of a kind that is not there, expected '(' or '(?:'")
            self._at += 2
        self._depth += 1
        if self._depth > _DEPTH:
            raise _Refused(f"it nests deeper than {_DEPTH} groups")
        found = self._choice()
        if self._peek() != ")":
            raise _Refused(f"the group at {start} is not closed")
        self._at += 1
        self._depth -= 1
        return found

    def _set(self) -> _Node:
        start = self._at
        self._at += 2 if self._text.startswith("[^", start) else 1
        if self._peek() == "]":  # the first one stands for itself
            self._at += 1
        while (char := self._peek()) != "]":
            self._at += 1
            if not char:
                raise _Refused(f"the set at {start} is not closed")
            if char == "\\":
                self._escape()
        self._at += 1
        text = self._text[start : self._at]
        if _RESERVED.search(re.sub(r"\\.", "", text[1:-1])):
            raise _Refused(f"the set at {start} holds '[', '--', '&&', '~~' or '||', expected them with '\\'")
        try:
            return _Node("one", accepts=re.compile(text).match)
        except re.error as error:
            raise _Refused(f"the set at {start} is none: {quoted(error.msg)[1:-1]}") from None

    def _repeated(self, node: _Node) -> _Node:
        at, char = self._at, self._peek()
        if not char or char not in "*+?{":
            return node
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(char, (0, 0))
        self._at += 1
        if char == "{":
            count = _COUNT.match(self._text, at)
            if not count or not (count[1] or count[3]):
                raise _Refused(f"the '{{' at {at} begins no number of times, expected '\\{{'")
            if max(len(count[1]), len(count[3])) > _DIGITS:
                raise _Refused(_TOO_LARGE)
            least = int(count[1] or 0)
            most = (int(count[3]) if count[3] else None) if count[2] else least
            if most is not None and most < least:
                raise _Refused(f"the number of times at {at} ends before it begins")
            self._at = count.end()
        if self._peek() == "?":  # lazy: finds the same whole texts
            self._at += 1
        if self._peek() and self._peek() in "*+?{":
            raise _Refused(f"the {self._peek()!r} at {self._at} repeats a repetition, expected a group around it")
        return _Node("again", (node,), least=least, most=most)


class _Automaton:
    """Positions (each accepts one character) and which may follow which: sets of positions are bits of numbers."""

    def __init__(self) -> None:
        self.accepts: list[Callable[[str], object]] = []
        self.follow: list[int] = []
        self._steps = 0

    def add(self, node: _Node) -> tuple[bool, int, int]:
        """Returns whether `node` may be empty, the positions it may begin with, and those it may end with."""
        self._steps += 1
        if len(self.accepts) >= _POSITIONS or self._steps > 4 * _POSITIONS:
            raise _Refused(_TOO_LARGE)
        if node.accepts is not None:
            self.accepts.append(node.accepts)
            self.follow.append(0)
            own = 1 << len(self.accepts) - 1
            return False, own, own
        if node.kind == "any":
            found = [self.add(part) for part in node.parts]
            return any(one[0] for one in found), _or(one[1] for one in found), _or(one[2] for one in found)
        if node.kind == "all":
            return self._chain(node.parts)
        return self._again(node)

    def _chain(self, parts: tuple[_Node, ...]) -> tuple[bool, int, int]:
        empty, first, last = True, 0, 0
        for part in parts:
            piece = self.add(part)
            empty, first, last = self._joined((empty, first, last), piece)
        return empty, first, last

    def _again(self, node: _Node) -> tuple[bool, int, int]:
        (part,) = node.parts
        found = (True, 0, 0)
        for _ in range(node.least):
            found = self._joined(found, piece := self.add(part))
        if node.most is None:
            if not node.least:
                piece = self.add(part)
                found = (True, piece[1], piece[2])
            self._link(piece[2], piece[1])
            return found
        for _ in range(node.most - node.least):
            piece = self.add(part)
            found = self._joined(found, (True, piece[1], piece[2]))
        return found

    def _joined(self, before: tuple[bool, int, int], after: tuple[bool, int, int]) -> tuple[bool, int, int]:
        self._link(before[2], after[1])
        first = before[1] | (after[1] if before[0] else 0)
        last = after[2] | (before[2] if after[0] else 0)
        return before[0] and after[0], first, last

    def _link(self, before: int, after: int) -> None:
        while before:
            lowest = before & -before
            self.follow[lowest.bit_length() - 1] |= after
            before ^= lowest


def _or(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found
