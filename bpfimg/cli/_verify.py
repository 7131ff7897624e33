"""`bpfimg verify`: who signed an image, and whether the policy believes it."""

from __future__ import annotations

from bpfimg.cli import _help
from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.cli._places import Found
    from bpfimg.sign import Attestation, Policy, VerifiedImage

EPILOG = f"""\
Exit code 3 when the image is not believed; each signature that was looked at is named with the reason. What was not in
the local store is fetched there, and the bytes that were verified are those that `run` takes from it.

With --attestation the believed statements of that type are printed, one JSON document a line. TYPE is a URI or
one of the words that `bpfimg attest --help` explains. Whoever the policy's rule names for the type may have signed
them; where it names nobody for it, whoever may sign the image.

{_help.PULL}

examples:
  bpfimg verify --key cosign.pub registry.example/xdp_counter:v1
  bpfimg verify --policy policy.json --pull always \\
    registry.example/xdp_counter:v1
  bpfimg verify --certificate-identity me@corp.example \\
    --certificate-oidc-issuer https://accounts.google.com NAME
  bpfimg verify --key cosign.pub --attestation spdxjson \\
    registry.example/xdp_counter:v1
  bpfimg verify --key cosign.pub \\
    oci-archive:/media/usb/images.tar:registry.example/xdp_counter:v1"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._asked import DOWNGRADE
    from bpfimg.cli._fetched import add_pull
    from bpfimg.cli._limits import add_limit
    from bpfimg.cli._trust import add_trust

    parser.add_argument("reference", metavar="REF", help="the image")
    add_trust(parser)
    what = "ask for a believed attestation of this type, and print it; may be repeated"
    parser.add_argument("--attestation", metavar="TYPE", action="append", default=[], help=what)
    parser.add_argument("--allow-downgrade", action="store_true", help=DOWNGRADE)
    add_pull(parser, usual="missing")
    add_limit(parser)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints what is believed and why."""
    from bpfimg import sign
    from bpfimg.cli._believed import check_downgrade, tell_report, unsafe, wanted_image
    from bpfimg.cli._elsewhere import elsewhere
    from bpfimg.cli._local import means_object
    from bpfimg.cli._parser import warn
    from bpfimg.cli._trust import policy, trust
    from bpfimg.oci import Platform

    if means_object(arguments.reference):
        raise UsageError(
            f"{quoted(arguments.reference)} is a local file, which nobody signs, expected an image",
            hint="`bpfimg policy explain FILE` says whether the policy lets it in; to have a signature: bpfimg build",
        )
    types = [sign.signers.predicate_type(word) for word in arguments.attestation]
    decides = policy(options, trust(arguments))
    found = wanted_image(options, arguments.reference, arguments.pull, "missing", lenient=True, trust=decides)
    check_downgrade(arguments.allow_downgrade, found)
    verified = sign.verify(
        found.place,
        found.reference,
        found.descriptor,
        decides,
        thorough=True,
        platform=Platform.host(),
        elsewhere=elsewhere(options, found),
        history=sign.History(options.state, lock_timeout=options.lock_timeout),
        allow_downgrade=arguments.allow_downgrade,
    )
    if verified.unsafe:  # whoever looks at the exit code alone should know, too
        warn(unsafe(verified))
    attested = tuple(one for each in types for one in _attestations(options, found, decides, each))
    _print(options, found, verified, attested)
    tell_report(options, found, decides)
    return 0


def _attestations(options: Options, found: Found, decides: Policy, predicate_type: str) -> tuple[Attestation, ...]:
    from bpfimg import sign
    from bpfimg.cli._elsewhere import elsewhere
    from bpfimg.oci import Platform

    return sign.attestations(
        found.place,
        found.reference,
        found.descriptor,
        decides,
        predicate_type,
        platform=Platform.host(),
        elsewhere=elsewhere(options, found),
    )


def _print(options: Options, found: Found, verified: VerifiedImage, attested: tuple[Attestation, ...]) -> None:
    from bpfimg.cli._verified import document, text

    if options.json:
        from bpfimg.cli._render import json_text

        print(json_text({"images": [document(found, verified, attested)]}))
    elif options.quiet:
        print(found.descriptor.digest)
    elif attested:
        import json

        from bpfimg.cli._parser import tell

        for line in text(found, verified, attested).splitlines():
            tell(options, line)
        for one in attested:
            print(json.dumps(one.document))
    else:
        print(text(found, verified, attested))
