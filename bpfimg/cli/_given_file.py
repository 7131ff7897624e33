"""Files that options name: read as a whole, within bounds, or one sentence about why not."""

from __future__ import annotations

import sys

from bpfimg.errors import UsageError

__all__ = ["read_given"]


def read_given(path: str, option: str, limit: int, *, stdin: bool = False) -> bytes:
    """The content of the file `path` that `option` names, at most `limit` bytes; where it may be `stdin`, that is `-`.

    Raises `UsageError`.
    """
    try:
        if stdin and path == "-":
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"{option} {path!r} cannot be read: {error.strerror}") from error
    except ValueError:  # a NUL in the path
        raise UsageError(f"{option} {path!r} cannot be read: it is no path") from None
    if len(data) > limit:
        raise UsageError(f"{option} {path!r} has more than {limit} bytes, expected at most that")
    return data
