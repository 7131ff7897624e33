"""Readers for the parts of a policy: each returns what it names or raises a `Junk` that says where and what."""

from __future__ import annotations

import re

from bpfimg._json import json_kind
from bpfimg.errors import quoted
from bpfimg.sign._strict import Junk, items, mapping, string

_NAME = re.compile(r"[a-z0-9-]{1,63}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def named(value: object, what: str) -> dict[str, object]:
    """Returns an object whose keys are names: of authorities, of trusted roots; `what` is in the plural."""
    found = mapping(value, what)
    for name in found:
        if not _NAME.fullmatch(name):
            raise Junk(f"{what} holds {quoted(name)}, which is not a name, expected 1 to 63 of a-z, 0-9 and '-'")
    return found


def one_of(value: object, what: str, words: tuple[str, ...]) -> str:
    """Returns one of the `words`."""
    if type(value) is not str or value not in words:
        raise Junk(f"{what} is {quoted(value)}, expected {' or '.join(words)}")
    return value


def boolean(value: object, what: str) -> bool:
    """Returns true or false."""
    if type(value) is not bool:
        raise Junk(f"{what} is {json_kind(value)}, expected a boolean")
    return value


def text(value: object, what: str, *, most: int) -> str:
    """Returns a string of 1 to `most` characters."""
    found = string(value, what)
    if not 1 <= len(found) <= most:
        raise Junk(f"{what} has {len(found)} characters, expected 1 to {most}")
    return found


def texts(value: object, what: str, *, least: int = 0, most: int = 100_000) -> tuple[str, ...]:
    """Returns a list of different strings."""
    found = tuple(string(item, f"an entry of {what}") for item in items(value, what, least=least, most=most))
    if len(set(found)) != len(found):
        raise Junk(f"{what} holds an entry twice")
    return found


def either(found: dict[str, object], what: str, first: str, second: str) -> str:
    """Returns which of two fields is there; both or neither is `Junk`."""
    if (first in found) == (second in found):
        raise Junk(f"{what} has both or neither of {first} and {second}, expected one of them")
    return first if first in found else second


def digest(value: str, what: str) -> str:
    """Returns a SHA-256 digest as it is written."""
    if not _DIGEST.fullmatch(value):
        raise Junk(f"{what} holds {quoted(value)}, expected 'sha256:' and 64 hex digits")
    return value


def path(value: str, what: str) -> str:
    """Returns an absolute path."""
    if not value.startswith("/"):
        raise Junk(f"{what} is {quoted(value)}, expected an absolute path")
    return value
