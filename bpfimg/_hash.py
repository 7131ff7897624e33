"""SHA-256 of small content without OpenSSL: loading its library costs 2 ms, a twentieth of a whole `bpfimg run`.

The interpreter has the same function of its own (`_sha256`, from 3.12 on `_sha2`), at a sixth of the speed: good for
keys, manifests and small layers, too slow for large ones.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import _Hash

_SMALL = 256 << 10
"""Bytes that take the interpreter's own function less than a millisecond."""


def new(algorithm: str, size: int) -> _Hash:
    """A hash of that name, as hashlib's, for content of about `size` bytes."""
    if algorithm == "sha256" and size <= _SMALL and "hashlib" not in sys.modules:
        try:
            if sys.version_info >= (3, 12):
                from _sha2 import sha256  # type: ignore[import-not-found,unused-ignore]
            else:
                from _sha256 import sha256  # type: ignore[import-not-found,unused-ignore]
        except ImportError:  # an interpreter that was built without
            pass
        else:
            return sha256()  # type: ignore[no-any-return,unused-ignore]
    import hashlib

    return hashlib.sha256() if algorithm == "sha256" else hashlib.new(algorithm)


def sha256(data: bytes | bytearray | memoryview) -> _Hash:
    """SHA-256 of `data`, as hashlib's: `digest()`, `hexdigest()`."""
    found = new("sha256", len(data))
    found.update(data)
    return found
