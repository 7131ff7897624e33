"""A step's log as GitHub's runner reads it: workflow commands, and what stops them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_COMMAND = re.compile(r"::([\w-]+)(?: ([^:]*(?::(?!:)[^:]*)*))?::(.*)")
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotation as the pages of GitHub show it."""

    level: str
    message: str
    properties: dict[str, str]

    @property
    def place(self) -> str:
        """FILE:LINE."""
        return f"{self.properties.get('file', '')}:{self.properties.get('line', '')}"


@dataclass(slots=True)
class Read:
    """What the runner made of a log; `dropped` counts annotations that are not shown."""

    annotations: list[Annotation] = field(default_factory=list)
    dropped: int = 0
    groups: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def read(log: str) -> Read:
    """Reads the log of one step."""
    found, stopped = Read(), ""
    for each in log.splitlines():
        line = each.lstrip()  # the runner trims, too
        if stopped:
            stopped = "" if line == f"::{stopped}::" else stopped
            continue
        match = _COMMAND.fullmatch(line)
        if match is None:
            continue
        name, words, said = match[1], match[2] or "", match[3]
        if name == "stop-commands":
            stopped = said
        elif name in ("error", "warning", "notice"):
            properties = dict(word.split("=", 1) for word in words.split(",") if word)
            shown = {key: _plain(text, ":,") for key, text in properties.items()}
            if sum(one.level == name for one in found.annotations) < SHOWN:
                found.annotations.append(Annotation(name, _plain(said), shown))
            else:
                found.dropped += 1
        elif name == "group":
            found.groups.append(said)
        elif name not in ("endgroup", "debug"):
            found.unknown.append(line)
    return found


def _plain(text: str, more: str = "") -> str:
    for c in "\r\n" + more:
        text = text.replace(f"%{ord(c):02X}", c)
    return text.replace("%25", "%")
