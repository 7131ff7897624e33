"""`bpfimg load`: a believed image into the kernel, attached to nothing yet."""

from __future__ import annotations

from bpfimg.cli import _help

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = f"""\
Loads every program of the image as one unit (they share maps and globals), or those named with --program.

{_help.PULL}

examples:
  bpfimg load registry.example/xdp_counter:v1
  bpfimg attach 42 xdp --iface eth0"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._asked import add_asked

    parser.add_argument(
        "reference", metavar="REF", help="the image, or a path like ./prog.o where the policy lets that"
    )
    add_asked(parser)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Loads, and shows the programs as `bpfimg get` does."""
    from bpfimg.cli._loaded import bring

    bring(arguments, None, options)
    return 0
