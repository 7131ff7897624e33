"""Words in, words out. `main()` runs one command and returns its exit code; `command()` is the `bpfimg` command."""

from __future__ import annotations

from bpfimg.cli._entry import command, main

__all__ = ["command", "main"]
