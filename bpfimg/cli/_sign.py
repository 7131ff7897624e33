"""`bpfimg sign`: signatures in both of cosign's formats, beside the image."""

from __future__ import annotations

from bpfimg.cli import _help
from bpfimg.cli._key_source import SOURCES
from bpfimg.cli._signer import KEYLESS, add_signer, formats, prepared, tell_where

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = f"""\
{_help.TRANSPORTS} It is
signed where it is found; `push`, `pull` and `copy` carry signatures along. An image for several architectures is signed
as a whole and each part of it. Signing twice with one key, or as the same identity, adds nothing.

{KEYLESS}

{SOURCES}

examples:
  bpfimg sign --key cosign.key registry.example/xdp_counter:v1
  bpfimg sign --key cosign.key -a org.opencontainers.image.version=1.4.0 \\
    registry.example/xdp_counter:v1
  bpfimg sign --key 'pkcs11:token=release;object=bpf' --trust-config corp.json \\
    registry.example/xdp_counter:v1
  bpfimg sign registry.example/xdp_counter:v1
  bpfimg sign --trust-config corp.json --identity-token token.jwt \\
    registry.example/xdp_counter:v1"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("reference", metavar="REF", help="the image")
    add_signer(parser)
    text = "claim to sign with the image; rollback protection reads org.opencontainers.image.version"
    parser.add_argument("-a", "--annotation", metavar="K=V", action="append", help=text)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Signs, prints `REF@sha256:...` of what was signed."""
    from bpfimg import sign
    from bpfimg.cli._parser import key_values, note, warn
    from bpfimg.cli._places import located
    from bpfimg.cli._render import print_image

    claims = key_values(arguments.annotation, "--annotation")
    signer = prepared(arguments, options)
    found = located(options, arguments.reference, writes=True)
    signed = sign.image(
        found.place, found.descriptor, signer(), formats=formats(arguments), annotations=claims, warn=warn
    )
    for each in signed:
        what = "added" if each.new else "was there already"
        note(options, f"{each.descriptor.digest}: {each.format} signature {what}")
    options.open.publish()
    tell_where(options, found)
    print_image(options, found.reference, found.descriptor)
    return 0
