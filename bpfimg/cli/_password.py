"""A password, asked for on the terminal: the only question that a command asks."""

from __future__ import annotations

import sys

from bpfimg.errors import UsageError

__all__ = ["ask"]


def ask(prompt: str) -> str:
    """What is typed, without an echo; UsageError when it is the end of input (Ctrl-D) in place of a password."""
    from getpass import getpass

    try:
        return getpass(prompt, stream=sys.stderr)
    except EOFError:
        sys.stderr.write("\n")  # the prompt has no end of line
        raise UsageError("no password was typed: the input ended, expected a password") from None
