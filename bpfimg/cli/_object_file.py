"""Object files where a command is given their path."""

from __future__ import annotations

from bpfimg.errors import BytecodeError

__all__ = ["read_object"]

#: an object file above the spec's limit is refused after this much was read
_READ_LIMIT = 64 * 1024 * 1024 + 1


def read_object(path: str) -> bytes:
    """The bytes of an object file, bounded; raises `BytecodeError`."""
    try:
        with open(path, "rb") as file:
            return file.read(_READ_LIMIT)
    except OSError as error:
        raise BytecodeError(f"{path!r} cannot be read: {error.strerror}") from error
