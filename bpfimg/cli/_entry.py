"""The two entrances. Next to nothing is imported here, so that Ctrl-C finds somebody who catches it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line (without the program's name); returns 0, 1, 2, 3 or 4, or 130 after Ctrl-C."""
    from bpfimg.cli._main import main

    return main(argv)


def command() -> NoReturn:
    """The `bpfimg` command: `main`, then the process ends at once. Ctrl-C ends it quietly, in an import too."""
    try:
        from bpfimg.cli._main import command

        command()
    except KeyboardInterrupt:
        import os

        os._exit(130)
