"""Every file that clang read for one object, from the list that it writes for make."""

from __future__ import annotations

import os
import re

from bpfimg.build._made import Source
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.build._flags import Flags

__all__ = ["TARGET", "sources"]

#: the name that the list's one rule has (`-MT`), so that it can be told from the files
TARGET = "x"

_WORD = re.compile(r"(?:\\[ #]|\$\$|\S)+")
_LIMIT = 64 * 1024 * 1024  # bytes of one file


def sources(rule: str, folder: str, flags: Flags) -> tuple[Source, ...]:
    """The C source and the headers in `rule` ("x: ./a.c \\\\\\n /usr/include/b.h"), each read again for its digest.

    The source comes first, headers follow by name. Raises BytecodeError for a file that cannot be read any more.
    """
    found: dict[str, Source] = {}
    for number, path in enumerate(_files(rule)):
        name = os.fsencode(flags.name(path)).decode("utf-8", "replace")  # to be published: bytes that are no text go
        if name not in found:
            found[name] = Source.of(name, _read(os.path.join(folder, path), name), "header" if number else "c")
    return tuple(sorted(found.values(), key=lambda source: (source.kind, source.path)))


def _files(rule: str) -> Iterator[str]:
    _, _, body = rule.partition(f"{TARGET}:")
    for word in _WORD.findall(body.replace("\\\n", " ")):
        yield re.sub(r"\\([ #])|\$(\$)", r"\1\2", word)


def _read(path: str, name: str) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(_LIMIT + 1)
    except OSError as error:
        raise BytecodeError(f"{quoted(name)}, which clang read, cannot be read again: {error.strerror}") from error
    if len(content) > _LIMIT:
        raise BytecodeError(f"{quoted(name)} has more than {_LIMIT} bytes, expected a header")
    return content
