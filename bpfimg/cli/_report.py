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
what, whoever loaded it. That needs root, and shows names of processes and files: mind whom you send it to.

With REF or OBJ it is about that image or object file: what it says, what is in it and what a kernel needs for it, what
lint says, the source where the object has it. Where there is a trust policy, or --key, the page says whether the image
is believed; what is merely stored beside it is listed as such.

examples:
  bpfimg report --to host.html
  bpfimg report registry.example/xdp_counter:v1 --to xdp_counter.html
  bpfimg report xdp_counter.bpf.o > xdp_counter.html"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._trust import add_trust

    parser.add_argument("what", metavar="REF|OBJ", nargs="?", help="an image, or the path of an ELF object")
    parser.add_argument("--to", metavar="FILE", help="write the page there, in place of an older one, not to stdout")
    parser.add_argument("--platform", metavar="OS/ARCH", help="which image of an index: linux/arm64")
    add_trust(parser)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Writes the page; a file is there whole or not at all."""
    if options.json:
        raise UsageError(
            "a report is a page for people, expected it without -o json",
            hint="`bpfimg list --all -o json` has it for programs; `status`, `maps`, `doctor`, `inspect`, `lint`, too",
        )
    if arguments.what is None:
        _for_images(arguments)
        text = _host(options)
    else:
        from bpfimg.cli._report_image import subject
        from bpfimg.inspect import page

        text = page.image(subject(arguments, options), _about())
    if arguments.to is None:
        print(text, end="")
        return 0
    from bpfimg.cli import _new_file
    from bpfimg.cli._parser import tell

    _new_file.replace(arguments.to, text.encode("ascii"))
    tell(options, f"wrote {arguments.to}, {len(text)} bytes")
    return 0


def _for_images(arguments: argparse.Namespace) -> None:
    from bpfimg.cli._trust import trust

    if arguments.platform is not None or trust(arguments).given:
        raise UsageError("--platform, --key and --certificate-... are for images, expected REF with them")


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
