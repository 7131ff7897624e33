"""Object files where a command is given their path."""

from __future__ import annotations

import os

from bpfimg.errors import BytecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode import Dissection

__all__ = ["dissected", "means_file", "read_object", "shown"]

#: an object file above the spec's limit is refused after this much was read
_READ_LIMIT = 64 * 1024 * 1024 + 1


def means_file(word: str) -> bool:
    """Whether a file is meant rather than an image: there is one of that name, or it can be no image's name.

    A misspelt `prog.bpf.o` is not asked of a registry.
    """
    return (
        (os.path.lexists(word) and not os.path.isdir(word))
        or word.startswith(("./", "../", "/"))
        or word.endswith((".o", ".elf"))
    )


def shown(path: str) -> str:
    """The path as JSON may carry it: octets that are no UTF-8 are spelt out."""
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "backslashreplace")


def dissected(data: bytes, name: str) -> Dissection:
    """What is in an object file; raises `BytecodeError`, which names the file."""
    from bpfimg.bytecode import dissect

    try:
        return dissect(data)
    except BytecodeError as error:
        hint = "that is a C source: `bpfimg build` compiles it" if name.endswith(".c") else error.hint
        raise BytecodeError(f"{name!r}: {error}", hint=hint) from error


def read_object(path: str) -> bytes:
    """The bytes of an object file, bounded; raises `BytecodeError`."""
    try:
        with open(path, "rb") as file:
            return file.read(_READ_LIMIT)
    except OSError as error:
        raise BytecodeError(f"{path!r} cannot be read: {error.strerror}") from error
