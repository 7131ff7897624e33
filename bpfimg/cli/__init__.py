"""Words in, words out: the `bpfimg` command. `main()` runs one command and returns its exit code."""

from __future__ import annotations

from bpfimg.cli._main import main

__all__ = ["main"]
