"""The shape of a parsed `bpfimg.toml`, key by key: what schemas/project.schema.json says, with sentences.

A checker takes a value and the name that it stands under, and raises UsageError.
"""

from __future__ import annotations

from bpfimg.build._flags import CPUS, check_compiler, check_define
from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["check"]

_TEXT = 4096  # characters of a value


def check(document: Mapping[str, object]) -> None:
    """UsageError unless a parsed document has the shape of the schema."""
    _table(document, "", _TOP, required="inputs")


def _table(entry: object, where: str, keys: Mapping[str, Callable[[object, str], None]], required: str = "") -> None:
    if not isinstance(entry, dict):
        raise _wrong(where, entry, "a table")
    for key, inner in entry.items():
        name = f"{where}.{key}" if where else key
        if key not in keys:
            from difflib import get_close_matches

            near = get_close_matches(key, keys, n=1, cutoff=0.7)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(keys)}"
            raise UsageError(f"there is no key {quoted(name)}, expected one that is known", hint=hint)
        keys[key](inner, name)
    if required and required not in entry:
        raise UsageError(f"the key {required!r} is missing, expected at least one file")


def _wrong(where: str, entry: object, expected: str) -> UsageError:
    return UsageError(f"{quoted(where)} is {quoted(entry)}, expected {expected}")


def _string(entry: object, where: str) -> str:
    if not isinstance(entry, str) or len(entry) > _TEXT or any(c < " " or c == "\x7f" for c in entry):
        raise _wrong(where, entry, f"a string of at most {_TEXT} characters without control characters")
    return entry


def _value(entry: object, where: str) -> None:
    _string(entry, where)


def _text(entry: object, where: str) -> None:
    if not _string(entry, where):
        raise _wrong(where, entry, "a string that is not empty")


def _flag(entry: object, where: str) -> None:
    if not isinstance(entry, bool):
        raise _wrong(where, entry, "true or false")


def _among(*words: object) -> Callable[[object, str], None]:
    def chosen(entry: object, where: str) -> None:
        number = isinstance(entry, int | float) and not isinstance(entry, bool)
        if not (isinstance(entry, str) or number) or entry not in words:
            raise _wrong(where, entry, " or ".join(map(str, words)))

    return chosen


def _list(inner: Callable[[object, str], None], most: int, least: int = 0) -> Callable[[object, str], None]:
    def every(entry: object, where: str) -> None:
        if not isinstance(entry, list) or not least <= len(entry) <= most:
            raise _wrong(where, entry, f"an array of {least} to {most} entries")
        for number, each in enumerate(entry):
            inner(each, f"{where}[{number}]")

    return every


def _pairs(key: Callable[[object, str], None], inner: Callable[[object, str], None]) -> Callable[[object, str], None]:
    def every(entry: object, where: str) -> None:
        if not isinstance(entry, dict) or len(entry) > 256:
            raise _wrong(where, entry, "a table of at most 256 entries")
        for name, each in entry.items():
            key(name, where)
            inner(each, f"{where}.{name}")

    return every


def _platform(entry: object, where: str) -> None:
    words = _string(entry, where).split("/")
    if words[0] != "linux" or len(words) not in (2, 3) or not all(map(_is_word, words)):
        raise _wrong(where, entry, "linux/ARCH")


def _is_word(word: str) -> bool:
    return 0 < len(word) <= 64 and word.isascii() and all(c.isalnum() or c in "._-" for c in word)


def _compiler(entry: object, where: str) -> None:
    check_compiler(_string(entry, where))


def _macro(entry: object, where: str) -> None:
    name = _string(entry, where)
    if "=" in name:
        raise _wrong(where, name, "the name of a macro")
    check_define(name)


def _macro_value(entry: object, where: str) -> None:
    if isinstance(entry, str):
        _string(entry, where)
    elif entry is not True and not _is_whole(entry):
        raise _wrong(where, entry, "a string, a whole number of 64 bits, or true")


def _is_whole(entry: object) -> bool:
    """As JSON Schema has it, 1.0 is a whole number."""
    if isinstance(entry, float) and not entry.is_integer():
        return False
    return isinstance(entry, int | float) and not isinstance(entry, bool) and -(1 << 63) <= entry < 1 << 63


_COMPILE = {
    "compiler": _compiler,
    "cpu": _among(*CPUS),
    "includes": _list(_text, 64),
    "defines": _pairs(_macro, _macro_value),
}


def _compile(entry: object, where: str) -> None:
    _table(entry, where, _COMPILE)


_TOP: dict[str, Callable[[object, str], None]] = {
    "schema": _among(1),
    "tags": _list(_text, 64),
    "inputs": _list(_text, 256, 1),
    "platforms": _list(_platform, 64),
    "link": _flag,
    "strip": _flag,
    "variant": _among("image", "artifact"),
    "git": _flag,
    "sbom": _among("spdx", "cyclonedx"),
    "provenance": _flag,
    "compile": _compile,
    "labels": _pairs(_text, _value),
    "annotations": _pairs(_text, _value),
}
