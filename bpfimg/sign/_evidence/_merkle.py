"""Merkle trees of transparency logs: from one leaf and its proof to the root. Source: RFC 9162, section 2.1.3.2."""

from __future__ import annotations

import hashlib

from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_HASH = 32


def leaf_hash(body: bytes) -> bytes:
    """Returns the hash of a leaf, which no inner node can have."""
    return hashlib.sha256(b"\0" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Returns the hash of an inner node."""
    return hashlib.sha256(b"\1" + left + right).digest()


def root_hash(leaf: bytes, index: int, size: int, hashes: Sequence[bytes]) -> bytes:
    """Returns the root of the tree of `size` leaves in which `leaf` (a leaf's hash) is number `index`, if `hashes` are
    the proof; raises `Junk` when there is no such leaf, or they are too few, too many or no hashes."""
    if not 0 <= index < size:
        raise Junk(f"the inclusion proof is for leaf {index} of {size}, which is no leaf of the tree")
    if any(len(one) != _HASH for one in hashes):
        raise Junk(f"the inclusion proof has a hash that has not {_HASH} bytes")
    node, last, found = index, size - 1, leaf
    for other in hashes:
        if last == 0:
            raise Junk(f"the inclusion proof has {len(hashes)} hashes, which are too many for {size} leaves")
        if node & 1 or node == last:
            found = node_hash(other, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, other)
        node, last = node >> 1, last >> 1
    if last:
        raise Junk(f"the inclusion proof has {len(hashes)} hashes, which are too few for {size} leaves")
    return found
