"""`--report FORMAT=FILE`: one look, written down in as many forms as a pipeline has readers."""

from __future__ import annotations

import os

from bpfimg.errors import Error, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

__all__ = ["Reports", "add_reports", "reports", "write"]

Reports = tuple[tuple[str, str], ...]
"""Forms, and the files that they go to."""


def add_reports(
    parser: argparse.ArgumentParser, text: str = "write a form of --format to FILE, too (may be repeated)"
) -> None:
    """Adds the option."""
    parser.add_argument("--report", metavar="FORMAT=FILE", action="append", default=[], help=text)


def reports(words: Sequence[str], formats: Sequence[str]) -> Reports:
    """What `--report` asks for; UsageError now for what could not be written at the end."""
    found = []
    for word in words:
        form, equals, path = word.partition("=")
        if not equals or not path or form not in formats:
            raise UsageError(f"--report is {quoted(word)}, expected FORMAT=FILE with one of {', '.join(formats)}")
        folder = os.path.dirname(path) or "."
        if os.path.isdir(path) or not os.path.isdir(folder):
            raise UsageError(f"--report {form} goes to {quoted(path)}, expected a file in a folder that is there")
        found.append((form, path))
    return tuple(found)


def write(wanted: Reports, render: Callable[[str], str]) -> None:
    """Writes each form to its file, whole or not at all; `render` gives the text of a form.

    A link to a file is not followed: who made the tree may have put it there.
    """
    from bpfimg.cli import _new_file

    for form, path in wanted:
        content = render(form).encode("utf-8", "backslashreplace")
        if not _streams(path):
            _new_file.replace(path, content)
            continue
        try:
            with open(path, "wb") as file:
                file.write(content)
        except OSError as error:
            raise Error(f"--report {form} cannot be written to {quoted(path)}: {error.strerror}") from error


def _streams(path: str) -> bool:
    """Whether it is a pipe or a device, such as /dev/stderr and what shells make of `>(...)`."""
    import stat

    try:
        return not stat.S_ISREG(os.stat(path).st_mode) or path.startswith(("/dev/", "/proc/self/fd/"))
    except OSError:
        return False
