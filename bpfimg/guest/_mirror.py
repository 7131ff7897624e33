"""Where this machine's apt has Debian from, by its own configuration: the same mirror, and the same keys."""

from __future__ import annotations

import os
import re

from bpfimg._value import value
from bpfimg.errors import UsageError, quoted
from bpfimg.guest._words import SUITES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Mirror", "given", "mirror", "sources"]

_KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg", "/etc/apt/trusted.gpg.d/debian-archive-keyring.gpg")
_FILE_MAX = 1 << 20
_ADDRESS = re.compile(r"[a-z0-9+]+:[^\s\[\]\"]+")
_LINE = re.compile(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)")


@value(frozen=True, slots=True)
class Mirror:
    """The address of a copy of Debian's archive, and the file of the keys that it is signed with."""

    address: str
    keyring: str

    def line(self, suite: str) -> str:
        """The line for `sources.list` with one suite of it."""
        return f"deb [signed-by={self.keyring}] {self.address} {suite} main\n"


def given(address: str) -> Mirror:
    """A mirror that somebody names, with the keys of the package debian-archive-keyring. Raises UsageError."""
    if not _ADDRESS.fullmatch(address):
        raise UsageError(f"the mirror is {quoted(address)}, expected the address of a Debian archive")
    return Mirror(address, _keyring())


def sources(folder: str = "/etc/apt") -> dict[str, str]:
    """The files that say where apt has packages from, in its order: name to text."""
    parts = os.path.join(folder, "sources.list.d")
    names = [os.path.join(folder, "sources.list")]
    if os.path.isdir(parts):
        names += [os.path.join(parts, name) for name in sorted(os.listdir(parts))]
    found = {}
    for name in names:
        if name.endswith((".list", ".sources")) and os.path.isfile(name):
            with open(name, encoding="utf-8", errors="replace") as file:
                found[name] = file.read(_FILE_MAX)
    return found


def mirror(texts: Mapping[str, str]) -> Mirror | None:
    """The first archive of Debian among them; None where there is none, as on Ubuntu."""
    for name, text in texts.items():
        for address, suites, components, keyring in _stanzas(text) if name.endswith(".sources") else _lines(text):
            if {*suites} & {*SUITES} and "main" in components and _ADDRESS.fullmatch(address):
                return Mirror(address, keyring or _keyring())
    return None


def _keyring() -> str:
    return next(filter(os.path.exists, _KEYRINGS), _KEYRINGS[0])


def _stanzas(text: str) -> Iterator[tuple[str, list[str], list[str], str]]:
    """The entries of a file as sources.list(5) calls "deb822"."""
    for stanza in re.split(r"\n\s*\n", re.sub(r"^#.*\n?", "", text, flags=re.M)):
        fields = {key.lower(): said.strip() for key, said in re.findall(r"^([\w-]+):(.*(?:\n[ \t].*)*)", stanza, re.M)}
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        signed = fields.get("signed-by", "")  # may be the key itself, over many lines
        keyring = signed if re.fullmatch(r"/\S+", signed) else ""
        for address in fields.get("uris", "").split():
            yield address, fields.get("suites", "").split(), fields.get("components", "").split(), keyring


def _lines(text: str) -> Iterator[tuple[str, list[str], list[str], str]]:
    for line in text.splitlines():
        found = _LINE.fullmatch(line.partition("#")[0].strip())
        if found:
            signed = re.search(r"signed-by=(/[^\s,]+)", found[1] or "")
            yield found[2], [found[3]], found[4].split(), signed[1] if signed else ""
