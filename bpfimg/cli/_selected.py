"""Selectors on the command line: `-l K=V`, `--type T`, `--application APP`."""

from __future__ import annotations

from bpfimg.errors import UsageError, quoted

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
    for word in arguments.types or []:
        _check_type(word)
    return Selector(metadata, tuple(arguments.types or ()), tuple(arguments.applications or ()))


def _check_type(word: str) -> None:
    """UsageError for what is neither a type of program nor the word of a hook."""
    from bpfimg.kernel import abi
    from bpfimg.load import hooks

    if word in abi.PROGRAM_TYPES or word in hooks.WORDS:
        return
    from difflib import get_close_matches

    near = get_close_matches(word, sorted({*abi.PROGRAM_TYPES, *hooks.WORDS}), n=3)
    raise UsageError(
        f"--type is {quoted(word)}, expected a type of program, as xdp or sched_cls, or the word of a hook",
        hint=f"near it: {', '.join(near)}" if near else "",
    )


def check_one_way(words: Sequence[str], wanted: Selector, what: str) -> None:
    """UsageError unless there are words or a selector, and not both."""
    if words and wanted:
        raise UsageError(f"{what} and a selector were given, expected one of the two")
    if not words and not wanted:
        raise UsageError(
            f"nothing says what is meant, expected {what}, or a selector: -l K=V, --type T, --application APP"
        )
