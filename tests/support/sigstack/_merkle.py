"""A Merkle tree that only grows, with the proof of each leaf (RFC 6962, section 2.1)."""

from __future__ import annotations

import hashlib


class Tree:
    """Leaves are added at the end; `root` and `proof` are of the tree as it is now, or was at `size`."""

    def __init__(self) -> None:
        self._leaves: list[bytes] = []
        self._known: dict[tuple[int, int], bytes] = {}

    def __len__(self) -> int:
        return len(self._leaves)

    def add(self, body: bytes) -> int:
        """Adds a leaf; returns its index."""
        self._leaves.append(leaf_hash(body))
        return len(self._leaves) - 1

    def root(self, size: int | None = None) -> bytes:
        """The hash of the tree of the first `size` leaves."""
        size = len(self) if size is None else size
        return self._hash(0, size) if size else hashlib.sha256().digest()

    def proof(self, index: int, size: int | None = None) -> list[bytes]:
        """The hashes beside the way from leaf `index` up to `root(size)`, lowest first."""
        return self._path(index, 0, len(self) if size is None else size)

    def _path(self, index: int, start: int, size: int) -> list[bytes]:
        if size == 1:
            return []
        left = _split(size)
        if index < left:
            return [*self._path(index, start, left), self._hash(start + left, size - left)]
        return [*self._path(index - left, start + left, size - left), self._hash(start, left)]

    def _hash(self, start: int, size: int) -> bytes:
        if size == 1:
            return self._leaves[start]
        found = self._known.get((start, size))
        if found is None:
            left = _split(size)
            found = node_hash(self._hash(start, left), self._hash(start + left, size - left))
            if size & (size - 1) == 0:  # a full subtree never changes
                self._known[start, size] = found
        return found


def leaf_hash(body: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\0" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node."""
    return hashlib.sha256(b"\1" + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
