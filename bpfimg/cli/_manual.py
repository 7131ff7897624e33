"""`bpfimg manual`: the man pages, made of what `--help` is made of."""

from __future__ import annotations

import os

from bpfimg.errors import Error, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = """\
Without --to the page of `bpfimg`, or of VERB, is printed in the language of man pages; with it every page, or that of
VERB, is written into a folder, and the paths are printed. Files that are there are replaced. The same version writes
the same bytes; SOURCE_DATE_EPOCH sets the date that pages show (default: none).

examples:
  bpfimg manual run > bpfimg-run.1; man ./bpfimg-run.1
  bpfimg manual --to ~/.local/share/man/man1"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("verb", metavar="VERB", nargs="?", help="only the page of this verb")
    parser.add_argument("--to", dest="folder", metavar="DIR", help="write pages into DIR, which is made if need be")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints a page, or writes them."""
    from bpfimg.cli._render import json_text

    pages = _pages(arguments.verb, all=arguments.folder is not None)
    if arguments.folder is None:
        texts = [{"id": name, "text": text} for name, text in pages.items()]
        print(
            json_text({"pages": texts}) if options.json else "".join(pages.values()), end="\n" if options.json else ""
        )
        return 0
    paths = _written(arguments.folder, pages)
    if options.json:
        print(json_text({"pages": [{"id": name, "path": path} for name, path in paths.items()]}))
    else:
        print("\n".join(paths.values()))
    return 0


def _pages(verb: str | None, *, all: bool) -> dict[str, str]:
    """File name -> text."""
    from bpfimg import __version__
    from bpfimg.cli import _manual_pages
    from bpfimg.cli._described import described, verbs
    from bpfimg.cli._main import VERBS, unknown_verb

    if verb is not None and verb not in VERBS:
        raise unknown_verb(verb)
    date = _date()
    pages = {}
    if verb is None:
        every = verbs()
        pages["bpfimg.1"] = _manual_pages.main_page(every, date, __version__)
        wanted = every if all else ()
    else:
        wanted = (described(verb),)
    for each in wanted:
        pages[f"bpfimg-{each.name}.1"] = _manual_pages.verb_page(each, VERBS, date, __version__)
    return pages


def _date() -> str:
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if not text:
        return ""
    import time

    try:
        return time.strftime("%Y-%m-%d", time.gmtime(int(text)))
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {quoted(text)}, expected seconds since 1970 as a whole number"
        ) from None


def _written(folder: str, pages: dict[str, str]) -> dict[str, str]:
    paths = {name: os.path.join(folder, name) for name in pages}
    try:
        os.makedirs(folder, exist_ok=True)
        for name, path in paths.items():
            with open(path, "w", encoding="ascii") as file:
                file.write(pages[name])
    except OSError as error:
        raise Error(f"{error.filename or folder} cannot be written: {error.strerror}") from error
    return paths
