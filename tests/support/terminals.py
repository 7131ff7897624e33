"""A command whose output is a terminal."""

from __future__ import annotations

import os
import subprocess
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def on_terminal(argv: Sequence[str], folder: Path, environ: Mapping[str, str], width: int) -> str:
    """What the command writes on stdout, a terminal of that many columns; fails with what it says on stderr."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (50, width))
    modes = termios.tcgetattr(slave)
    modes[1] &= ~termios.OPOST  # ends of lines as they are written
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    kept = {name: text for name, text in os.environ.items() if name not in ("COLUMNS", "LANG")}
    kept = {name: text for name, text in kept.items() if not name.startswith(("BPFIMG_", "LC_"))}
    process = subprocess.Popen(
        argv, cwd=folder, env={**kept, **environ}, stdin=subprocess.DEVNULL, stdout=slave, stderr=subprocess.PIPE
    )
    os.close(slave)
    written = b""
    try:
        while piece := os.read(master, 65536):
            written += piece
    except OSError:  # EIO: nobody has the other end any more
        pass
    finally:
        os.close(master)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return written.decode()
