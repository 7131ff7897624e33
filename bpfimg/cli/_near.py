"""What somebody meant perhaps, who wrote a word that is none."""

from __future__ import annotations

import argparse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bpfimg.cli._options import Options

__all__ = ["near", "near_image", "near_option"]


def near(word: str, known: Iterable[str], shown: str = "{}") -> str:
    """`did you mean X?`, where X is the nearest of `known`, as `shown` has it; "" when none is near."""
    from difflib import get_close_matches

    found = get_close_matches(word, list(known), n=1)
    return f"did you mean {shown.format(found[0])}?" if found else ""


def near_option(parser: argparse.ArgumentParser, words: Sequence[str]) -> str:
    """The same for the first long option among `words` that is none of the parser's, nor of those that it went into."""
    known = set(_flags(parser))
    for word in words:
        if word == "--":
            break
        name = word.partition("=")[0]
        if name.startswith("--") and name not in known:
            return near(name, sorted(known))
    return ""


def _flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for made in action.choices.values():
                if made is not None:  # hooks are made when they are asked for
                    yield from _flags(made)
        yield from (flag for flag in action.option_strings if flag.startswith("--"))


def near_image(options: Options, name: str, hint: str) -> str:
    """`hint` about an image that the local store lacks, behind which of its images was meant perhaps."""
    from bpfimg.errors import Error
    from bpfimg.oci import places

    try:
        stored = [each.name for each in places.stores.listing(options.store)]
    except Error:
        return hint
    known = dict.fromkeys(short for full in stored for short in (full, full.removeprefix("docker.io/library/")))
    return " ".join(filter(None, (near(name, known, "`{}`"), hint)))
