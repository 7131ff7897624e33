"""Inclusion proofs, for every leaf of every tree up to 64 leaves, beside what sigstore-python says."""

from __future__ import annotations

import base64
import hashlib
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore.errors import VerificationError

from bpfimg.sign._evidence._merkle import leaf_hash, root_hash
from bpfimg.sign._strict import Junk
from tests.support.sigstack import Tree

SIZES = range(1, 65)


def tree(size: int) -> Tree:
    found = Tree()
    for number in range(size):
        found.add(body(number))
    return found


def body(number: int) -> bytes:
    return b"leaf %d" % number


BIG = tree(64)


def theirs(number: int, index: int, size: int, hashes: list[bytes], root: bytes) -> bool:
    """Whether sigstore-python believes the same proof."""
    proof = SimpleNamespace(log_index=index, tree_size=size, hashes=hashes, root_hash=root)
    entry: Any = SimpleNamespace(_inner=SimpleNamespace(inclusion_proof=proof, canonicalized_body=body(number)))
    try:
        verify_merkle_inclusion(entry)
    except (VerificationError, ValueError):
        return False
    return True


def ours(number: int, index: int, size: int, hashes: list[bytes], root: bytes) -> bool:
    try:
        return root_hash(leaf_hash(body(number)), index, size, hashes) == root
    except Junk:
        return False


def test_every_leaf_of_every_tree_up_to_64_is_proven() -> None:
    for size in SIZES:
        for index in range(size):
            proof = BIG.proof(index, size)
            assert ours(index, index, size, proof, BIG.root(size))
            assert theirs(index, index, size, proof, BIG.root(size))


def test_no_leaf_is_proven_where_another_stands() -> None:
    for size in range(2, 33):
        for index in range(size):
            proof, root = BIG.proof(index, size), BIG.root(size)
            for other in set(range(size + 2)) - {index}:
                assert not ours(index, other, size, proof, root)
                assert not ours(other, index, size, proof, root)


def test_no_proof_is_believed_with_a_hash_more_or_less_or_changed() -> None:
    for size in SIZES:
        index = size * 2 // 3
        proof, root = BIG.proof(index, size), BIG.root(size)
        for at in range(len(proof) + 1):
            for added in (root, proof[at - 1] if proof else leaf_hash(b""), b"\0" * 32):
                assert not ours(index, index, size, [*proof[:at], added, *proof[at:]], root)
        for at, one in enumerate(proof):
            assert not ours(index, index, size, [*proof[:at], *proof[at + 1 :]], root)
            assert not ours(index, index, size, [*proof[:at], one[::-1], *proof[at + 1 :]], root)
            assert not ours(index, index, size, [*proof[:at], one[:31], *proof[at + 1 :]], root)
            assert not ours(index, index, size, [*proof[:at], one + b"\0", *proof[at + 1 :]], root)


def test_trees_without_leaves_and_leaves_outside_have_no_proof() -> None:
    root = BIG.root(4)
    for index, size in ((0, 0), (-1, 4), (4, 4), (0, -1), (-1, 0), (2**63, 4), (1, 1)):
        with pytest.raises(Junk, match="is no leaf of the tree"):
            root_hash(leaf_hash(body(0)), index, size, [])
        assert not ours(0, index, size, BIG.proof(0, 4), root)


def test_a_tree_of_one_leaf_is_its_leaf_and_has_no_hashes() -> None:
    assert root_hash(leaf_hash(body(0)), 0, 1, []) == leaf_hash(body(0)) == BIG.root(1)
    with pytest.raises(Junk, match="too many"):
        root_hash(leaf_hash(body(0)), 0, 1, [b"\0" * 32])


def test_an_inner_node_is_never_taken_for_a_leaf() -> None:
    """The attack that the prefixes are for: two leaf hashes, glued together, as the body of a leaf."""
    left, right = leaf_hash(body(0)), leaf_hash(body(1))
    forged = left + right
    assert hashlib.sha256(b"\1" + forged).digest() == BIG.root(2)
    assert root_hash(leaf_hash(forged), 0, 2, BIG.proof(0, 4)[1:]) != BIG.root(4)


@given(st.integers(1, 2**62), st.data())
def test_numbers_of_any_size_end_in_a_verdict(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(-2, size + 2))
    hashes = data.draw(st.lists(st.binary(min_size=32, max_size=32), max_size=64))
    root = data.draw(st.binary(min_size=32, max_size=32))
    assert not ours(0, index, size, hashes, root) or root == leaf_hash(body(0))


@given(st.integers(1, 64), st.data())
def test_the_verdict_is_that_of_sigstore_python(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof, root = BIG.proof(index, size), BIG.root(size)
    said_size = data.draw(st.sampled_from([size, size, max(1, size - 1), size + 1, size * 2]))
    said_index = data.draw(st.sampled_from([index, index, index ^ 1, index + 1]))
    hashes = data.draw(st.sampled_from([proof, proof, proof[:-1], proof[1:], proof[::-1], [*proof, root]]))
    mine = ours(index, said_index, said_size, hashes, root)
    if said_index < said_size:  # sigstore-python does not ask whether there is such a leaf
        assert mine == theirs(index, said_index, said_size, hashes, root)
    else:
        assert not mine


def test_real_bytes_have_the_known_root() -> None:
    """A tree of RFC 9162's own shape, hashed by hand."""
    assert (
        BIG.root(3)
        == hashlib.sha256(
            b"\1" + hashlib.sha256(b"\1" + leaf_hash(body(0)) + leaf_hash(body(1))).digest() + leaf_hash(body(2))
        ).digest()
    )
    assert base64.b64encode(leaf_hash(b"")).decode() == "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0="
