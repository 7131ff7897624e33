"""`bpfimg verify`: who signed an image, and whether the policy believes it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = """\
Exit code 3 when the image is not believed; each signature that was looked at is named with the reason.

examples:
  bpfimg verify --key cosign.pub registry.example/xdp_counter:v1
  bpfimg verify --policy policy.json registry.example/xdp_counter:v1"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._trust import add_key

    parser.add_argument("reference", metavar="REF", help="the image, in the local store or in its registry")
    add_key(parser)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints what is believed and why."""
    from bpfimg import sign
    from bpfimg.cli._places import find
    from bpfimg.cli._render import block, json_text
    from bpfimg.cli._trust import policy, signer_entry
    from bpfimg.oci import Reference

    reference = Reference.parse(arguments.reference)
    trust = policy(options, arguments.key)
    place, descriptor = find(options, reference)
    verified = sign.verify(place, reference, descriptor, trust, thorough=True)
    if options.json:
        entry = {
            "id": str(descriptor.digest),
            "reference": str(reference),
            "digest": str(descriptor.digest),
            "believed": True,
            "unsigned_allowed": verified.unsafe,
            "policy": verified.policy,
            "rule": verified.rule,
            "signers": [signer_entry(signer) for signer in verified.signers],
        }
        print(json_text({"images": [entry]}))
    elif options.quiet:
        print(descriptor.digest)
    else:
        pairs = [("digest", str(descriptor.digest)), ("policy", verified.policy), ("rule", verified.rule)]
        pairs += [("signed by", f"{s.authority}, key {s.fingerprint}, {s.format} signature") for s in verified.signers]
        if verified.unsafe:
            pairs.append(("warning", "the policy allows unsigned images here"))
        print(block(f"{reference} is believed", pairs))
    return 0
