"""Checkpoints: a log's signed word for how many leaves its tree has, and which root.

Sources: C2SP's tlog-checkpoint and signed-note: `origin`, size, base64 of the root, further lines; an empty line; lines
of an em dash, a name, and base64 of four bytes of the key's id and the signature. Witnesses sign beside the log.
"""

from __future__ import annotations

import re

from bpfimg._value import value
from bpfimg.errors import quoted
from bpfimg.sign._strict import Junk, base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.sign._evidence._logs import Log

_LIMIT = 64 * 1024
_SIGNATURES = 64
_LINE = re.compile(r"\u2014 ([^ \n+]+) ([A-Za-z0-9+/=]+)")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_TREE = re.compile(r" - [0-9]{1,20}\Z")  # what Rekor v1 adds to its name


@value(frozen=True, slots=True)
class Checkpoint:
    """A signed tree head as it was found: `signed` are the bytes that `signatures` (name, hint, signature) are over."""

    origin: str
    size: int
    root: bytes
    signed: bytes
    signatures: tuple[tuple[str, bytes, bytes], ...]

    def signed_by(self, log: Log) -> bool:
        """Says whether one of the signatures is the log's own, under the name that the tree has."""
        numbered = _TREE.search(self.origin)
        wanted = self.origin[: numbered.start()] if numbered else self.origin
        if not numbered and log.host and wanted != log.host:
            return False  # one key may sign for two trees; Rekor v2 names its own after its host
        return any(
            name == wanted and hint in log.hints(name) and log.key.verify(self.signed, signature)
            for name, hint, signature in self.signatures
        )


def checkpoint(text: str) -> Checkpoint:
    """Returns the checkpoint in a signed note, or raises `Junk`."""
    if len(text) > _LIMIT:
        raise Junk(f"the checkpoint has {len(text)} characters, expected at most {_LIMIT}")
    head, between, foot = text.partition("\n\n")
    if not between or "\n\n" in foot or not foot.endswith("\n"):
        raise Junk("the checkpoint is no signed note, expected a text, an empty line and signatures")
    lines = head.split("\n")
    if len(lines) < 3 or not lines[0] or not _SIZE.fullmatch(lines[1]):
        raise Junk("the checkpoint is malformed, expected an origin, the size of the tree and its root")
    root = base64(lines[2], "the checkpoint's root")
    if len(root) != 32:
        raise Junk(f"the checkpoint's root has {len(root)} bytes, expected 32")
    rows = foot[:-1].split("\n")
    if len(rows) > _SIGNATURES:
        raise Junk(f"the checkpoint has {len(rows)} signatures, expected at most {_SIGNATURES}")
    try:
        signed = f"{head}\n".encode()
    except UnicodeEncodeError:
        raise Junk("the checkpoint is not UTF-8") from None
    return Checkpoint(
        origin=lines[0], size=int(lines[1]), root=root, signed=signed, signatures=tuple(map(_signature, rows))
    )


def _signature(row: str) -> tuple[str, bytes, bytes]:
    found = _LINE.fullmatch(row)
    content = base64(found[2], "a signature of the checkpoint") if found else b""
    if found is None or len(content) < 5:
        raise Junk(f"the checkpoint has a line that is no signature: {quoted(row)}")
    return found[1], content[:4], content[4:]
