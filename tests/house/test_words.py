"""Words that rooms, which may not import each other's files, each have a list of: the lists are the same."""

from __future__ import annotations

from bpfimg.bytecode import _requirements
from bpfimg.cli import _inspect_text
from bpfimg.image import _compare


def test_kinds_of_requirements() -> None:
    kinds = set(_requirements._KINDS)
    assert kinds == set(_inspect_text._KINDS)
    assert kinds == set(_compare.KINDS)
