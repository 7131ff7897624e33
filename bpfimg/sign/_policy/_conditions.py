"""Conditions on the predicate of an attestation: one place in it (RFC 6901), and what must be there."""

from __future__ import annotations

import re

from bpfimg._value import value
from bpfimg.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.sign._policy._patterns import Pattern

EQUALS, ONE_OF, MATCHES, EXISTS = "equals", "oneOf", "matches", "exists"
POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_NOTHING = object()


@value(frozen=True, slots=True, eq=False)
class Condition:
    """What `pointer` leads to must pass the `test`: be equal to `wanted`, be one of them, fit the pattern, or exist
    (`wanted` is a boolean: false asks for its absence). What does not exist passes no other test."""

    pointer: str
    test: str
    wanted: str | float | bool | tuple[object, ...] | Pattern | None

    def holds(self, predicate: object) -> bool:
        """Says whether `predicate`, parsed JSON, is as it must be."""
        found = at(predicate, self.pointer)
        if self.test == EXISTS:
            return (found is not _NOTHING) is self.wanted
        if self.test == MATCHES:
            from bpfimg.sign._policy._patterns import Pattern

            return isinstance(self.wanted, Pattern) and type(found) is str and self.wanted.fullmatch(found)
        choices = self.wanted if isinstance(self.wanted, tuple) else (self.wanted,)
        return any(same(found, choice) for choice in choices)

    def __str__(self) -> str:
        place = quoted(self.pointer, 200)
        if self.test == EXISTS:
            return f"{place} is there" if self.wanted else f"{place} is not there"
        if self.test == MATCHES:
            return f"{place} fits {getattr(self.wanted, 'text', '')}"
        choices = self.wanted if isinstance(self.wanted, tuple) else (self.wanted,)
        return f"{place} is {' or '.join(quoted(one, 200) if isinstance(one, str) else _json(one) for one in choices)}"


def at(document: object, pointer: str) -> object:
    """Returns what an RFC 6901 pointer leads to in `document`, or something that is equal to nothing in JSON."""
    found = document
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if type(found) is dict and name in found:
            found = found[name]
        elif type(found) is list and _INDEX.fullmatch(name) and int(name) < len(found):
            found = found[int(name)]
        else:
            return _NOTHING
    return found


def scalar(value: object) -> bool:
    """Says whether a parsed JSON value is a text, a number, a boolean or null."""
    return value is None or type(value) in (str, int, float, bool)


def same(found: object, wanted: object) -> bool:
    """JSON's equality: 1 is 1.0 but not true."""
    if type(found) in (int, float) and type(wanted) in (int, float):
        return found == wanted
    return scalar(found) and type(found) is type(wanted) and found == wanted


def _json(value: object) -> str:
    return {None: "null", True: "true", False: "false"}[value] if value is None or type(value) is bool else str(value)
