"""Compilers and the like that tests start: here, and from a guest on the machine around it, where they are fast."""

from __future__ import annotations

import itertools
import os
import subprocess
import tempfile
from pathlib import Path

from tests.support.features import VARIABLE

#: what a word of a command stands for: a file that the tool writes, whose content is its output
OUTPUT = "{out}"
_ASKED = Path("/run/out/asked")  # in a guest
_ALLOWED = ("cc", "clang", "gcc", "ld", "llvm-", "objcopy", "strip")
_numbers = itertools.count(1)


def run(command: list[str], given: bytes = b"") -> tuple[int, bytes, bytes]:
    """The status, the output and what a tool says on standard error; it reads `given`, and `OUTPUT` is where it writes.

    Files that it reads must be visible from outside a guest: those of the checkout, none that a test wrote.
    """
    if VARIABLE not in os.environ:
        return run_here(command, given)
    from tests.support.guest.asked import ask

    return ask(_ASKED, f"{os.getpid()}-{next(_numbers)}", command, given)


def run_here(command: list[str], given: bytes) -> tuple[int, bytes, bytes]:
    """The same on this machine."""
    if not os.path.basename(command[0]).startswith(_ALLOWED):
        return 127, b"", f"{command[0]} is none of {', '.join(_ALLOWED)}".encode()
    with tempfile.TemporaryDirectory(prefix="bpfimg-tool-") as folder:
        written = Path(folder) / "out"
        words = [word.replace(OUTPUT, str(written)) for word in command]
        done = subprocess.run(words, input=given, capture_output=True, check=False)
        out = written.read_bytes() if written.exists() else done.stdout
    return done.returncode, out, done.stderr
