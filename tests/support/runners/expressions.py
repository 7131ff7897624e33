"""GitHub's expressions, as far as the recipes use them. Source: "Evaluate expressions in workflows and actions"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||[=!]=|[!(),]|[\w.-]+)")
_IN_TEXT = re.compile(r"\$\{\{(.*?)\}\}", re.S)


@dataclass(slots=True)
class _Reader:
    tokens: list[str]
    contexts: Mapping[str, Any]
    functions: Mapping[str, Callable[..., Any]]

    def take(self) -> str:
        return self.tokens.pop(0)

    def next(self, *wanted: str) -> bool:
        return bool(self.tokens) and self.tokens[0] in wanted

    def either(self) -> Any:
        left = self.both()
        while self.next("||"):
            self.take()
            right = self.both()
            left = left or right
        return left

    def both(self) -> Any:
        left = self.compared()
        while self.next("&&"):
            self.take()
            right = self.compared()
            left = left and right
        return left

    def compared(self) -> Any:
        left = self.single()
        while self.next("==", "!="):
            equal = self.take() == "=="
            left = (str(left).lower() == str(self.single()).lower()) is equal
        return left

    def single(self) -> Any:
        token = self.take()
        if token == "!":
            return not self.single()
        if token == "(":
            found = self.either()
            assert self.take() == ")"
            return found
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if self.next("("):
            return self.functions[token](*self.arguments())
        if token in ("true", "false"):
            return token == "true"
        found = self.contexts
        for part in token.split("."):
            found = found.get(part, "") if isinstance(found, dict) else ""
        return found

    def arguments(self) -> list[Any]:
        found: list[Any] = []
        self.take()
        while not self.next(")"):
            found.append(self.either())
            if self.next(","):
                self.take()
        self.take()
        return found


def evaluate(text: str, contexts: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]]) -> Any:
    """The value of one expression, with or without its braces."""
    inner = _IN_TEXT.fullmatch(text.strip())
    text = inner[1] if inner else text
    tokens = _TOKEN.findall(text)
    assert "".join(tokens) == re.sub(r"\s+(?=(?:[^']*'[^']*')*[^']*$)", "", text), f"{text!r} is beyond this evaluator"
    reader = _Reader(tokens, contexts, functions)
    found = reader.either()
    assert not reader.tokens, text
    return found


def filled(text: Any, contexts: Mapping[str, Any]) -> str:
    """A text with its expressions evaluated."""

    def shown(found: re.Match[str]) -> str:
        value = evaluate(found[1], contexts, {})
        return str(value).lower() if isinstance(value, bool) else str(value)

    return _IN_TEXT.sub(shown, str(text).lower() if isinstance(text, bool) else str(text))
