"""Which file of the repository a compiler's file name means.

Line information names files as the compiler was told of them: absolute, from another machine, or relative to the folder
that it ran in. A name is taken for a file of the checkout only when one file fits best and has that very line.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Checkout"]

#: what runners call the top of the checkout
_TOPS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")
_FILES = 200_000
_LARGE = 4 * 1024 * 1024
_PASSED_OVER = frozenset(("node_modules", "target", "__pycache__"))


class Checkout:
    """The files below `top`. They are listed once, when the first name needs it."""

    def __init__(self, top: str, folder: str) -> None:
        self.top, self.folder = os.path.realpath(top), os.path.realpath(folder)
        self._named: dict[str, list[str]] | None = None
        self._lines: dict[str, list[bytes]] = {}

    @classmethod
    def here(cls, environ: Mapping[str, str] = os.environ) -> Checkout:
        """That of the CI job, else the repository that the working folder is in, else this folder."""
        folder = os.path.realpath(os.curdir)
        for name in _TOPS:
            top = environ.get(name, "")
            if os.path.isdir(top) and _inside(folder, os.path.realpath(top)):
                return cls(top, folder)
        top = folder
        while not os.path.exists(os.path.join(top, ".git")):
            if top == os.path.dirname(top):
                return cls(folder, folder)
            top = os.path.dirname(top)
        return cls(top, folder)

    def place(self, file: str, line: int = 0, text: str = "") -> str:
        """The path of `file` from the top on, with / between its parts; "" when no file is surely meant.

        `text` is what stands in that line, where the compiler has noted it.
        """
        if not file or "\0" in file:
            return ""
        for path in self._said(file):
            if _inside(path, self.top) and os.path.isfile(path):
                found = os.path.relpath(path, self.top)
                return found if self._reads(found, line, text) else ""
            if os.path.isabs(file) and os.path.exists(path):
                return ""  # a file of the machine, not of the repository: a system header
        return self._best(file, line, text)

    def _said(self, file: str) -> Iterator[str]:
        """Where the name leads as it stands: from the working folder, from the top."""
        for folder in dict.fromkeys((self.folder, self.top)):
            yield os.path.realpath(os.path.join(folder, file))

    def _best(self, file: str, line: int, text: str) -> str:
        """The file with the longest common end of its path, if it is one alone."""
        parts = [part for part in file.split("/") if part not in ("", ".", "..")]
        if not parts:
            return ""
        scored: dict[int, list[str]] = {}
        for path in self._files().get(parts[-1], ()):
            own = path.split("/")
            common = _common(parts, own)
            # without a text to compare with (clang finds no source behind -ffile-prefix-map) all of the path has to fit
            sure = bool(text.strip()) or common == len(own) > 1 or (len(parts) == 1 and not os.path.isabs(file))
            if sure and self._reads(path, line, text):
                scored.setdefault(common, []).append(path)
        best = scored[max(scored)] if scored else []
        return best[0] if len(best) == 1 else ""

    def _files(self) -> dict[str, list[str]]:
        if self._named is None:
            self._named = {}
            for path in _below(self.top):
                self._named.setdefault(os.path.basename(path), []).append(path)
        return self._named

    def _reads(self, path: str, line: int, text: str) -> bool:
        """Whether that line of the file is this text, but for blanks around it."""
        if path not in self._lines:
            content = _content(os.path.join(self.top, path))
            self._lines[path] = content.splitlines() if len(content) <= _LARGE else []
        lines = self._lines[path]
        if not text.strip():
            return line <= len(lines)
        return 0 < line <= len(lines) and lines[line - 1].strip() == text.strip().encode("utf-8", "surrogateescape")


def _content(path: str) -> bytes:
    """What is in a file; nothing of what is none, which a link in the repository may lead to. Never waits."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with open(fd, "rb") as opened:
            return opened.read(_LARGE + 1) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    except OSError:
        return b""


def _below(top: str) -> Iterator[str]:
    count = 0
    for folder, inner, names in os.walk(top):
        inner[:] = sorted(name for name in inner if not name.startswith(".") and name not in _PASSED_OVER)
        for name in sorted(names):
            count += 1
            if count > _FILES:
                return
            yield os.path.relpath(os.path.join(folder, name), top)


def _inside(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip("/") + "/")


def _common(one: Iterable[str], other: Iterable[str]) -> int:
    """How many parts at the end are the same."""
    count = 0
    for left, right in zip(reversed(list(one)), reversed(list(other)), strict=False):
        if left != right:
            break
        count += 1
    return count
