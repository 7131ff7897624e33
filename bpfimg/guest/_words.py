"""What people call kernels: words for those of Debian's releases; everything else is a path."""

from __future__ import annotations

import os
import re

from bpfimg._value import value
from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SUITES", "Suite", "meant", "split"]

#: codename -> its number, and the series of its kernel where that does not change any more
_RELEASES = {"bookworm": ("12", "6.1"), "trixie": ("13", "6.12"), "forky": ("14", ""), "sid": ("unstable", "")}
#: what an archive may call its suites in a machine's apt configuration
SUITES = ("stable", "testing", "unstable", "oldstable", "bullseye", *_RELEASES)
_BACKPORTS = "-backports"


@value(frozen=True, slots=True)
class Suite:
    """A suite of Debian's archive, whose newest kernel is meant: "bookworm", "trixie-backports"."""

    name: str


def split(given: Sequence[str]) -> list[str]:
    """The words of a comma list that may be given several times. A path may have a comma: one that is there is one."""
    words: list[str] = []
    for text in given:
        words += [text] if "," in text and os.path.exists(text) else text.split(",")
    if not all(words) or not words:
        raise UsageError("--kernels has an empty word, expected kernels with commas between them", hint=_hint())
    return list(dict.fromkeys(words))


def meant(word: str) -> Suite | str:
    """The suite that a word stands for, else the path that it is. Raises UsageError with the words where it is none."""
    plain = word.removeprefix("debian:")
    name, backports = (plain.removesuffix(_BACKPORTS), _BACKPORTS) if plain.endswith(_BACKPORTS) else (plain, "")
    for codename, (number, series) in _RELEASES.items():
        if name in (codename, number) or (name == series and series and not backports):
            if backports and codename == "sid":
                break
            return Suite(codename + backports)
    if plain == word and os.path.exists(word):
        return word
    expected = "a word or the path of a kernel"
    if os.sep not in word and re.fullmatch(r"v?\d+(\.\d+)+\S*", word):
        expected = "one that Debian has, or the path of a kernel"
    raise UsageError(f"there is no kernel {quoted(word)}, expected {expected}", hint=_hint())


def _hint() -> str:
    series = [each for _, each in _RELEASES.values() if each]
    words = [*series, *_RELEASES, *(f"debian:{number}" for number, _ in list(_RELEASES.values())[:2])]
    return f"words: {', '.join(words)}, bookworm-backports; or a vmlinuz, a folder of them, a linux-image-*.deb"
