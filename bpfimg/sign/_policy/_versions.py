"""The order of version labels, for rollback protection: Semantic Versioning 2.0 section 11, else dotted numbers."""

from __future__ import annotations

import re

from bpfimg.errors import quoted
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    Key = tuple[tuple[int, ...], int, tuple[tuple[int, int, str], ...]]

_LONGEST = 256
_NUMBER = r"(?:0|[1-9][0-9]*)"
_LABEL = r"[0-9A-Za-z-]+"
_EARLY = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"  # a number in a pre-release has no leading zero
_SEMVER = re.compile(
    rf"v?({_NUMBER}\.{_NUMBER}\.{_NUMBER})(?:-({_EARLY}(?:\.{_EARLY})*))?(?:\+{_LABEL}(?:\.{_LABEL})*)?"
)
_DOTTED = re.compile(r"v?([0-9]+(?:\.[0-9]+)*)")


def version_key(text: str) -> Key:
    """Returns what to compare a version label by; raises `Junk` for what has no order (`latest`, a commit's hash).

    `1.2` is `1.2.0`; `1.2.0-rc.1` comes before it, and build metadata (`+build`) says nothing. A leading `v` is
    allowed.
    """
    if len(text) <= _LONGEST:
        if found := _SEMVER.fullmatch(text):
            early = tuple(map(_label, found[2].split("."))) if found[2] else ()
            return _numbers(found[1]), 0 if early else 1, early
        if found := _DOTTED.fullmatch(text):
            return _numbers(found[1]), 1, ()
    raise Junk(f"version {quoted(text)} has no order, expected one like '1.2.3', '1.2.3-rc.1' or '2026.01'")


def _numbers(text: str) -> tuple[int, ...]:
    found = [int(part) for part in text.split(".")]
    while found and not found[-1]:
        found.pop()
    return tuple(found)


def _label(text: str) -> tuple[int, int, str]:
    return (0, int(text), "") if text.isdigit() else (1, 0, text)
