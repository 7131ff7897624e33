"""What somebody meant perhaps, who wrote a word that is none."""

from __future__ import annotations

import argparse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bpfimg.cli._options import Options

__all__ = ["near", "near_image", "near_option"]

_ALIKE = 0.8  # names of images share a registry, a path and a tag by nature: 0.6 would take any for any other


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
    """`hint` about an image that the local store lacks, behind which of its images was meant perhaps.

    Who leaves out the registry, the path before the last word or the tag is answered with the whole name.
    """
    from difflib import get_close_matches

    from bpfimg.errors import Error
    from bpfimg.oci import Repository, places

    try:
        stored = [each.name for each in places.stores.listing(options.store)]
    except Error:
        return hint
    known: dict[str, str] = {}
    for full in stored:
        short = full.removeprefix("docker.io/library/")
        known |= {full: full, short: short}
        if not Repository.has_host(name):
            known |= {word: short for word in _ends(full) if word not in known}
    meant = get_close_matches(name, known, n=1, cutoff=_ALIKE)
    return " ".join(filter(None, (f"did you mean `{known[meant[0]]}`?" if meant else "", hint)))


def _ends(name: str) -> Iterator[str]:
    """What people write for `name` who leave out its beginning, or its tag, too."""
    while "/" in name:
        name = name.partition("/")[2]
        yield name
        yield name.partition("@")[0].rpartition(":")[0] or name
