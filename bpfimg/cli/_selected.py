"""Selectors on the command line: `-l K=V`, `--type T`, `--application APP`."""

from __future__ import annotations

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.load import Selector

__all__ = ["add_selector", "check_one_way", "selector"]


def add_selector(parser: argparse.ArgumentParser) -> None:
    """Adds the options; each may be repeated."""
    parser.add_argument(
        "-l",
        "--selector",
        dest="selected",
        metavar="K=V",
        action="append",
        help="with that metadata (may be repeated)",
    )
    parser.add_argument(
        "--type", dest="types", metavar="T", action="append", help="of that type: xdp, tc, kprobe (may be repeated)"
    )
    parser.add_argument(
        "--application", "--name", dest="applications", metavar="APP", action="append", help="of that application"
    )


def selector(arguments: argparse.Namespace) -> Selector:
    """The selector that they ask for, one that takes everything where none is given; raises `UsageError`."""
    from bpfimg.cli._parser import key_values
    from bpfimg.load import Selector

    metadata = key_values(arguments.selected, "-l")
    return Selector(metadata, tuple(arguments.types or ()), tuple(arguments.applications or ()))


def check_one_way(words: Sequence[str], wanted: Selector, what: str) -> None:
    """UsageError unless there are words or a selector, and not both."""
    if words and wanted:
        raise UsageError(f"{what} and a selector were given, expected one of the two")
    if not words and not wanted:
        raise UsageError(
            f"nothing says what is meant, expected {what}, or a selector: -l K=V, --type T, --application APP"
        )
