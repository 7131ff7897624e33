"""Which files git leaves out of the tree, as far as `.gitignore` files say so: such an object has to be made in CI."""

from __future__ import annotations

import re

from bpfimg.inspect._tree_model import File, folder_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["NAME", "ignored"]

NAME = ".gitignore"

_LINES = 2000  # of all files together: each is a pattern to try


def ignored(files: Sequence[File]) -> Callable[[str], bool]:
    """A function that says whether a path is left out; of the rules that fit a path the last one counts."""
    rules: list[tuple[bool, re.Pattern[str]]] = []
    for file in sorted((file for file in files if file.path.rpartition("/")[2] == NAME), key=_depth):
        for line in file.text.splitlines()[: _LINES - len(rules)]:
            if rule := _rule(line, folder_of(file.path)):
                rules.append(rule)

    def says(path: str) -> bool:
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            part = "/".join(parts[:end]) + ("/" if end < len(parts) else "")
            left = False
            for keeps, pattern in rules:
                if pattern.fullmatch(part):
                    left = not keeps
            if left:  # what is in a folder that is left out cannot be taken back
                return True
        return False

    return says


def _depth(file: File) -> int:
    return file.path.count("/")


def _rule(line: str, folder: str) -> tuple[bool, re.Pattern[str]] | None:
    text = line.rstrip()
    if not text or text.startswith("#"):
        return None
    keeps = text.startswith("!")
    text = text.removeprefix("!")
    only_folders = text.endswith("/")
    text = text.rstrip("/")
    anchored = "/" in text
    body = _pattern(text.removeprefix("/"))
    before = re.escape(f"{folder}/") if folder else ""
    anywhere = "" if anchored else "(?:.*/)?"
    try:
        return keeps, re.compile(f"{before}{anywhere}{body}{'/' if only_folders else '/?'}")
    except re.error:
        return None


def _pattern(text: str) -> str:
    """git's glob as an expression. What follows a star is found at the first place where it can be and kept there
    (an atomic group): no pattern takes long."""
    out = []
    for piece in re.findall(r"\*\*/|\*+|\?|\[[^\]]*\]|\\.|.", text):
        if piece == "**/":
            out.append("(?>(?:[^/]+/)*?")
        elif piece.startswith("*"):
            out.append("(?>.*?" if len(piece) > 1 else "(?>[^/]*?")
        elif piece == "?":
            out.append("[^/]")
        elif piece.startswith("[") and len(piece) > 2:
            out.append("[" + piece[1:-1].replace("\\", "\\\\").replace("!", "^", 1) + "]")
        else:
            out.append(re.escape(piece[1:] if len(piece) > 1 else piece))
    return _closed(out)


def _closed(pieces: list[str]) -> str:
    """Each star's group ends before the next star; that of the last one at the end of the name."""
    text, opened = "", False
    for piece in pieces:
        star = piece.startswith("(?>")
        text += (")" if star and opened else "") + piece
        opened = opened or star
    return f"{text}(?=/?$))" if opened else text
