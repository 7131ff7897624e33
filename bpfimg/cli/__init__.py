"""Words in, words out: the `bpfimg` command."""

from __future__ import annotations

__all__ = ["main"]


def main() -> int:
    """Runs one command; returns its exit code."""
    return 2
