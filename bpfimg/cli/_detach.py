"""`bpfimg detach`: a link goes, its program stays loaded."""

from __future__ import annotations

from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.load import LinkRecord

EPILOG = """\
It works when the interface has gone, too.

examples:
  bpfimg detach 43
  bpfimg links"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("links", metavar="LINK", nargs="+", help="id of a link, as `bpfimg links` shows it")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Detaches one after the other; prints the ids of the links that went."""
    from bpfimg import run as running
    from bpfimg.cli._loaded import host_of
    from bpfimg.cli._render import json_text

    numbers = [_number(word) for word in arguments.links]
    host = host_of(options)
    gone: list[dict[str, object]] = []
    try:
        for number in numbers:
            load, record = running.detach(host, number)
            gone.append({"id": number, "program_id": record.program_id if record else None, "load": load.id})
            if not options.json:
                print(number if options.quiet or record is None else f"{number} ({_was(record)})")
    finally:  # what went is said although a later one failed
        if options.json and gone:
            print(json_text({"links": gone}))
    return 0


def _was(record: LinkRecord) -> str:
    return f"{record.program_name} was on {record.hook} {record.target}"


def _number(word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= 10):
        raise UsageError(f"the link is {quoted(word)}, expected its id, a number", hint="`bpfimg links` shows the ids")
    return int(word)
