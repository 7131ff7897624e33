"""`bpfimg sign`: signatures in both of cosign's formats, beside the image."""

from __future__ import annotations

from bpfimg.cli import _help
from bpfimg.cli._key_source import KEY_HELP, SOURCES, add_password_file, signing_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = f"""\
{_help.TRANSPORTS} It is
signed where it is found; `push`, `pull` and `copy` carry signatures along. An image for several architectures is signed
as a whole and each part of it.
Signing twice with one key adds nothing.
{SOURCES}

examples:
  bpfimg sign --key cosign.key registry.example/xdp_counter:v1
  bpfimg sign --key cosign.key --format legacy registry.example/xdp_counter:v1"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("reference", metavar="REF", help="the image")
    parser.add_argument("--key", metavar="KEY", required=True, help=KEY_HELP)
    add_password_file(parser)
    parser.add_argument(
        "--format", choices=("both", "bundle", "legacy"), default="both", help="which signatures (default both)"
    )


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Signs, prints `REF@sha256:...` of what was signed."""
    from bpfimg import sign
    from bpfimg.cli._parser import note
    from bpfimg.cli._places import located
    from bpfimg.cli._render import print_image

    key = signing_key(arguments.key, arguments.password_file)
    found = located(options, arguments.reference, writes=True)
    formats = ("bundle", "legacy") if arguments.format == "both" else (arguments.format,)
    for signed in sign.image(found.place, found.descriptor, key, formats=formats):
        note(
            options,
            f"{signed.descriptor.digest}: {signed.format} signature {'added' if signed.new else 'was there already'}",
        )
    options.open.publish()
    print_image(options, found.reference, found.descriptor)
    return 0
