"""The kernel's licence words as SPDX expressions: what an SBOM may claim of an object, and no more."""

from __future__ import annotations

from bpfimg._value import field, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["License", "known_expression", "license_of"]

_EITHER = "the kernel's word does not say whether a later version may be chosen; version 2 may be in either case"
_VARIANT = "the kernel's word does not say which {} licence is meant: see the sources"

#: kernel's word (include/linux/license.h, Documentation/process/license-rules.rst) -> expression, what it leaves open
_WORDS: dict[str, tuple[str, str]] = {
    "GPL": ("GPL-2.0-only", _EITHER),
    "GPL v2": ("GPL-2.0-only", _EITHER),
    "GPL and additional rights": ("GPL-2.0-only", f"{_EITHER}; the additional rights are in the sources"),
    "Dual BSD/GPL": ("GPL-2.0-only OR LicenseRef-Linux-BSD", f"{_EITHER}; {_VARIANT.format('BSD')}"),
    "Dual MIT/GPL": ("GPL-2.0-only OR MIT", _EITHER),
    "Dual MPL/GPL": ("GPL-2.0-only OR LicenseRef-Linux-MPL", f"{_EITHER}; {_VARIANT.format('MPL')}"),
}
_REFERENCES = {"LicenseRef-Linux-BSD": "Dual BSD/GPL", "LicenseRef-Linux-MPL": "Dual MPL/GPL"}
_OWN = "LicenseRef-Object"


@value(frozen=True, slots=True)
class License:
    """`expression` is an SPDX expression, None where the object says nothing; `comment` what it leaves open.

    `texts` has the words behind each `LicenseRef-` in it.
    """

    expression: str | None
    comment: str = ""
    texts: Mapping[str, str] = field(default_factory=dict, hash=False)


def license_of(word: str) -> License:
    """What SPDX says for the string in an object's section `license`.

    "GPL" becomes GPL-2.0-only: the kernel's word stands for version 2 with or without "or later", and version 2 is
    what a recipient surely has. For the BSD in "Dual BSD/GPL" SPDX has many names and the word chooses none, so it
    stays a reference. Any other word is kept as it is.
    """
    if not word:
        return License(None, "the object has no licence section")
    if word in _WORDS:
        expression, comment = _WORDS[word]
        return License(expression, comment, {ref: text for ref, text in _REFERENCES.items() if ref in expression})
    known = known_expression(word)
    if known:
        return License(known, "the kernel does not know this word, so it counts as not GPL-compatible there")
    return License(_OWN, "not a word that the kernel or SPDX knows", {_OWN: word})


def known_expression(text: str) -> str | None:
    """`text` in today's names when each is in SPDX's list (`GPL-2.0` is `GPL-2.0-only` now), else None."""
    from license_expression import ExpressionError, get_spdx_licensing

    try:
        found = get_spdx_licensing().parse(text, validate=True, strict=True)
    except (ExpressionError, AssertionError, IndexError):  # the last two: its parser on words in no sensible order
        return None
    return str(found) if found is not None else None
