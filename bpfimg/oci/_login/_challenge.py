"""`WWW-Authenticate`: what a server wants to see before it answers (RFC 9110, 11.6.1)."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_LIMIT = 8 << 10
_WORD = r"[\w!#$%&'*+.^`|~-]+"
_PARAMETER = re.compile(rf'[\s,]*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))', re.ASCII)
_SCHEME = re.compile(rf"[\s,]*({_WORD})(?=[\s,]|$)", re.ASCII)
_BLOB = re.compile(r"\s+[A-Za-z0-9._~+/-]+=*(?=\s*(?:,|$))", re.ASCII)
"""What stands behind some schemes in place of parameters (token68), as in `Negotiate YII=`."""


def parse_challenges(lines: Iterable[str]) -> dict[str, dict[str, str]]:
    """Returns the parameters of each scheme, names in lower case: `{"bearer": {"realm": ..., "service": ...}}`.

    Several challenges may stand in one line, with commas inside quotes; of one scheme the first counts. What cannot
    be read ends its line.
    """
    found: dict[str, dict[str, str]] = {}
    for line in lines:
        _parse_line(line[:_LIMIT], found)
    return found


def _parse_line(line: str, found: dict[str, dict[str, str]]) -> None:
    parameters: dict[str, str] = {}
    at = 0
    while at < len(line):
        if match := _PARAMETER.match(line, at):
            quoted, plain = match[2], match[3]
            text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
            parameters.setdefault(match[1].lower(), text)
        elif match := _SCHEME.match(line, at):
            parameters = found.setdefault(match[1].lower(), {})
            if parameters:
                parameters = {}  # a second challenge of this scheme: read over it
            at = match.end()
            if blob := _BLOB.match(line, at):
                at = blob.end()
            continue
        else:
            return
        at = match.end()
