"""What a person writes for a value, as a plain value: JSON, a little relaxed."""

from __future__ import annotations

import re

from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf._value_read import Value

_NUMBER = re.compile(r"([+-]?)(0x[0-9a-f]+|0o[0-7]+|0b[01]+|[0-9]+)", re.IGNORECASE)
_BASES = {"0x": 16, "0o": 8, "0b": 2}
_TOKEN = re.compile(r'\s*([\[\]{},:]|"(?:[^"\\]|\\.)*"|[^\s\[\]{},:"](?:[^\[\]{},"]*[^\s\[\]{},"])?)', re.DOTALL)
_KEY = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^\s\[\]{},:"]+)\s*:')
_MAX_DIGITS = 80  # more than any 128-bit number has; int() is quadratic
_DEPTH = 32
_TEXT_MAX = 4 << 20


def parse_number(text: str) -> int | None:
    """A whole number, decimal or 0x, 0o, 0b; leading zeros do not change the base. None for anything else."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None or len(text) > _MAX_DIGITS:
        return None
    sign, digits = match[1], match[2].lower()
    value = int(digits, _BASES.get(digits[:2], 10))
    return -value if sign == "-" else value


def parse(text: str) -> Value:
    """Returns the value that `text` writes; words that are no JSON (0x10, RED, 10.0.0.1) become text.

    UsageError: brackets, commas or quotes that do not go together.
    """
    if len(text) > _TEXT_MAX:
        raise UsageError(f"a value of {len(text)} characters, expected at most {_TEXT_MAX}")
    parser = _Parser(text)
    value = parser.value(0)
    if text[parser.at :].strip():
        raise parser.unexpected("the end")
    return value


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def unexpected(self, wanted: str) -> UsageError:
        rest = self.text[self.at :].strip()
        found = quoted(rest[:20]) if rest else "the end"
        return UsageError(f"{quoted(self.text[:80])} is no value: {found} stands where {wanted} is expected")

    def _next(self) -> str:
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            raise self.unexpected("a value")
        self._before, self.at = self.at, match.end()
        return match[1]

    def _peek(self, word: str) -> bool:
        match = _TOKEN.match(self.text, self.at)
        if match is None or match[1] != word:
            return False
        self.at = match.end()
        return True

    def value(self, level: int) -> Value:
        if level > _DEPTH:
            raise UsageError(f"{quoted(self.text[:80])} is nested more than {_DEPTH} deep")
        word = self._next()
        if word == "[":
            return self._list(level)
        if word == "{":
            return self._members(level)
        if word in ("]", "}", ",", ":"):
            self.at = self._before
            raise self.unexpected("a value")
        return self._unquoted(word) if word.startswith('"') else _word(word)

    def _unquoted(self, word: str) -> str:
        import json

        try:
            text: str = json.loads(word, strict=False)
        except ValueError:
            self.at = self._before
            raise self.unexpected("text") from None
        return text

    def _list(self, level: int) -> list[Value]:
        found: list[Value] = []
        if self._peek("]"):
            return found
        while True:
            found.append(self.value(level + 1))
            if self._peek("]"):
                return found
            if not self._peek(","):
                raise self.unexpected("a comma or ]")

    def _members(self, level: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        if self._peek("}"):
            return found
        while True:
            match = _KEY.match(self.text, self.at)
            if match is None:
                raise self.unexpected('a name and a colon, such as "rate":')
            self._before, self.at = self.at, match.end()
            name = self._unquoted(match[1]) if match[1].startswith('"') else match[1]
            if name in found:
                raise UsageError(f"{quoted(self.text[:80])} gives {quoted(name)} twice, expected one value")
            found[name] = self.value(level + 1)
            if self._peek("}"):
                return found
            if not self._peek(","):
                raise self.unexpected("a comma or }")


def _word(word: str) -> Value:
    if word in ("true", "false"):
        return word == "true"
    number = parse_number(word)
    return word if number is None else number


def shown(value: Value) -> Value:
    """The value as JSON can hold it: numbers of more than 64 bits, and floats that JSON has not, become text."""
    if isinstance(value, dict):
        return {name: shown(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shown(each) for each in value]
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return hex(value)
    return value
