"""`bpfimg report`: one HTML page of this host, or of an image or object."""

from __future__ import annotations

import os

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.inspect import page

EPILOG = """\
The page is one file without scripts that asks nothing of anybody: it opens without a network, reads well in light and
dark, on a narrow screen and on paper.

Without REF it is about this host: what is wrong, the chain of programs on each hook, programs, maps, and who holds
what, whoever loaded it. That needs root, and may show names of processes and files: mind whom you send it to.

examples:
  bpfimg report --to host.html
  bpfimg report > host.html"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("--to", metavar="FILE", help="write the page there, in place of an older one, not to stdout")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Writes the page; a file is there whole or not at all."""
    if options.json:
        raise UsageError(
            "a report is a page for people, expected it without -o json",
            hint="`bpfimg list --all -o json`, `status`, `links`, `maps` and `inspect` have the same for programs",
        )
    text = _host(options)
    if arguments.to is None:
        print(text, end="")
        return 0
    from bpfimg.cli import _new_file
    from bpfimg.cli._parser import tell

    _new_file.replace(arguments.to, text.encode("ascii"))
    tell(options, f"wrote {arguments.to}, {len(text)} bytes")
    return 0


def _host(options: Options) -> str:
    from bpfimg import inspect
    from bpfimg.cli._doctor import findings
    from bpfimg.cli._loaded import host_of

    host = host_of(options)
    inventory = inspect.host(host, all=True, maps=True, types=True)
    return inspect.page.host(inventory, findings(host, options), _about())


def _about() -> page.About:
    import time

    from bpfimg import __version__
    from bpfimg.inspect import page

    system = os.uname()
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return page.About(system.nodename, f"{system.sysname} {system.release} {system.machine}", now, __version__)
