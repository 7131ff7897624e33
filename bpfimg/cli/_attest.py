"""`bpfimg attest`: a signed statement about an image, in both of cosign's formats, beside it."""

from __future__ import annotations

from bpfimg.cli import _help
from bpfimg.cli._given_file import read_given
from bpfimg.cli._key_source import SOURCES
from bpfimg.cli._signer import KEYLESS, add_signer, formats, prepared, tell_where
from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._attest_attached import Saying
    from bpfimg.cli._options import Options
    from bpfimg.cli._places import Found

EPILOG = f"""\
The predicate is a JSON object that says something about the image: an SBOM, its provenance, a
report. It is put into an in-toto statement about the image's digest and signed. Types, and what
stands in the statement:
  slsaprovenance   https://slsa.dev/provenance/v0.2
  slsaprovenance1  https://slsa.dev/provenance/v1
  spdxjson         https://spdx.dev/Document
  cyclonedx        https://cyclonedx.org/bom
  vuln             https://cosign.sigstore.dev/attestation/vuln/v1
  openvex          https://openvex.dev/ns
  link             https://in-toto.io/Link/v1
  custom           https://cosign.sigstore.dev/attestation/v1
  compatibility    urn:bpfimg:compatibility:1: what `bpfimg check -o json` says
  any URI          itself
What is said of an image for several architectures holds for each of them. Saying the same twice adds nothing.

--attached signs what `bpfimg build --sbom --provenance` has put beside an image in the local store.

{_help.TRANSPORTS}

{KEYLESS}

{SOURCES}

examples:
  bpfimg attest --key cosign.key --type spdxjson --predicate sbom.spdx.json \\
    registry.example/xdp_counter:v1
  bpfimg check -o json registry.example/xdp_counter:v1 --btf /boot/vmlinuz-6.1 \\
    >report.json
  bpfimg attest --key cosign.key --type compatibility --predicate report.json \\
    registry.example/xdp_counter:v1
  bpfimg attest --key cosign.key --attached registry.example/xdp_counter:v1"""

_LIMIT = 16 * 1024 * 1024


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("reference", metavar="REF", help="the image")
    parser.add_argument("--type", metavar="TYPE|URI", help="what kind of statement it is")
    text = "the statement's content, a JSON object; - is stdin"
    parser.add_argument("--predicate", metavar="FILE", help=text)
    text = "sign the SBOMs and the provenance that the image was built with, instead"
    parser.add_argument("--attached", action="store_true", help=text)
    add_signer(parser)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Attests, prints `REF@sha256:...` of what the statement is about."""
    from bpfimg import sign
    from bpfimg.cli._parser import note, warn
    from bpfimg.cli._places import located
    from bpfimg.cli._render import print_image

    given = _given(arguments)
    ready = prepared(arguments, options)
    found = located(options, arguments.reference, writes=True)
    said = _attached(found, options) if given is None else [(found.descriptor, *given)]
    signer = ready()
    attested = [
        each
        for subject, kind, predicate in said
        for each in sign.attest(
            found.place,
            subject,
            signer,
            predicate_type=kind,
            predicate=predicate,
            formats=formats(arguments),
            warn=warn,
        )
    ]
    for each in attested:
        what = "added" if each.new else "was there already"
        note(options, f"{each.descriptor.digest}: {each.format} attestation {what}")
    options.open.publish()
    tell_where(options, found)
    print_image(options, found.reference, found.descriptor)
    return 0


def _given(arguments: argparse.Namespace) -> tuple[str, bytes] | None:
    """The type and the content of the one statement; None for those that are attached."""
    from bpfimg.sign import signers

    missing = [f"--{word}" for word in ("type", "predicate") if getattr(arguments, word) is None]
    if arguments.attached:
        if len(missing) < 2:
            raise UsageError("--attached is given with --type or --predicate, expected it alone")
        return None
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise UsageError(
            f"{' and '.join(missing)} {verb} missing, expected --type TYPE --predicate FILE, or --attached"
        )
    if arguments.predicate == arguments.identity_token == "-":
        raise UsageError("--predicate and --identity-token are both -, expected one of them on stdin")
    kind = signers.predicate_type(arguments.type)
    return kind, read_given(arguments.predicate, "--predicate", _LIMIT, stdin=True)


def _attached(found: Found, options: Options) -> list[Saying]:
    from bpfimg.cli._attest_attached import sayings

    return sayings(found, options)
