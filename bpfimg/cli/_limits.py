"""`--limit NAME=VALUE`: how much of what others send is looked at."""

from __future__ import annotations

import re

from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.cli._options import Options
    from bpfimg.oci import places

__all__ = ["add_limit", "limits", "parse"]

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_VALUE = r"([0-9]{1,18})(?:([kmgt])(?:i?b)?|b)?"


def add_limit(parser: argparse.ArgumentParser, *, behind_hook: bool = False) -> None:
    """Adds `--limit`; with `behind_hook` under another name, so that what stands before HOOK is not overwritten."""
    from argparse import SUPPRESS

    text = "bound what is taken from others: document=8MiB, copy=20GiB (may be repeated; a wrong NAME lists them)"
    parser.add_argument(
        "--limit",
        dest="limit_behind" if behind_hook else "limit",
        metavar="NAME=VALUE",
        action="append",
        default=SUPPRESS,
        help=SUPPRESS if behind_hook else text,
    )


def limits(options: Options) -> places.Limits:
    """The limits in force: `--limit`, then BPFIMG_LIMIT, then the defaults; UsageError for what is none."""
    return parse(options.limit)


def parse(words: Sequence[str]) -> places.Limits:
    """The default limits with `NAME=VALUE` of `words` changed, the last one for a name wins; raises UsageError."""
    from bpfimg._value import replace
    from bpfimg.oci import places

    usual = places.Limits()
    if not words:
        return usual
    known = list(places.Limits.__annotations__)
    found: dict[str, int] = {}
    for word in words:
        name, equals, text = word.partition("=")
        name = name.strip().replace("-", "_")
        value = re.fullmatch(_VALUE, text.strip(), re.IGNORECASE)
        if name not in known:
            rows = ", ".join(f"{each}={_shown(getattr(usual, each))}" for each in known)
            raise UsageError(f"there is no limit {quoted(name)}, expected one of {', '.join(known)}", hint=rows)
        if not equals or value is None:
            raise UsageError(
                f"--limit is {quoted(word)}, expected NAME=VALUE such as {name}={_shown(getattr(usual, name))}"
            )
        found[name] = int(value[1]) * _UNITS[(value[2] or "").lower()]
    return replace(usual, **found) if found else usual


def _shown(size: int) -> str:
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20)):
        if size >= factor and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
