"""`bpfimg verify`: who signed an image, and whether the policy believes it."""

from __future__ import annotations

from bpfimg.cli import _help

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.cli._places import Found
    from bpfimg.sign import VerifiedImage

EPILOG = f"""\
Exit code 3 when the image is not believed; each signature that was looked at is named with the reason. What was not in
the local store is fetched there, and the bytes that were verified are those that `run` takes from it.

{_help.PULL}

examples:
  bpfimg verify --key cosign.pub registry.example/xdp_counter:v1
  bpfimg verify --policy policy.json --pull always registry.example/xdp_counter:v1
  bpfimg verify --key cosign.pub oci-archive:/media/usb/images.tar:registry.example/xdp_counter:v1"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._fetched import add_pull
    from bpfimg.cli._limits import add_limit
    from bpfimg.cli._trust import add_key

    parser.add_argument("reference", metavar="REF", help="the image")
    add_key(parser)
    add_pull(parser, usual="missing")
    add_limit(parser)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints what is believed and why."""
    from bpfimg import sign
    from bpfimg.cli._believed import wanted_image
    from bpfimg.cli._trust import policy

    trust = policy(options, arguments.key)
    found = wanted_image(options, arguments.reference, arguments.pull, "missing", lenient=True)
    verified = sign.verify(found.place, found.reference, found.descriptor, trust, thorough=True)
    _print(options, found, verified)
    return 0


def _print(options: Options, found: Found, verified: VerifiedImage) -> None:
    from bpfimg.cli._render import block, json_text
    from bpfimg.cli._trust import signer_entry

    digest = str(found.descriptor.digest)
    if options.json:
        entry = {
            "id": digest,
            "reference": found.name,
            "digest": digest,
            "believed": True,
            "unsigned_allowed": verified.unsafe,
            "policy": verified.policy,
            "rule": verified.rule,
            "signers": [signer_entry(signer) for signer in verified.signers],
        }
        print(json_text({"images": [entry]}))
    elif options.quiet:
        print(digest)
    else:
        pairs = [("digest", digest), ("policy", verified.policy), ("rule", verified.rule)]
        pairs += [("signed by", f"{s.authority}, key {s.fingerprint}, {s.format} signature") for s in verified.signers]
        if verified.unsafe:
            pairs.append(("warning", "the policy allows unsigned images here"))
        print(block(f"{found.name} is believed", pairs))
