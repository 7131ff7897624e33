"""`check --attest`: what was found, signed as a compatibility attestation to the image, in the same step."""

from __future__ import annotations

import os

from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bpfimg.cli._check_subject import Looked
    from bpfimg.cli._options import Options
    from bpfimg.inspect import check
    from bpfimg.sign import signers

__all__ = ["add_attest", "attest", "check_attest", "prepared"]

_SIGNING = ("password_file", "trust_config", "signing_config", "identity_token", "no_browser")


def add_attest(parser: argparse.ArgumentParser) -> None:
    """Adds `--attest` and what says who signs, beside `--key` and `--trusted-root`, which are there already."""
    from bpfimg.cli._key_source import add_password_file

    add = parser.add_argument
    add("--attest", action="store_true", help="sign what was found as an attestation to the image")
    add_password_file(parser)
    add("--trust-config", metavar="FILE", help="services to sign with and their trusted root (Sigstore's JSON)")
    add("--signing-config", metavar="FILE", help="the services alone; --trusted-root goes with it")
    add("--identity-token", metavar="FILE", help="file with an OpenID Connect token to sign with; - is stdin")
    add("--no-browser", action="store_true", help="open no browser to log in: show the address, and ask for the code")


def check_attest(arguments: argparse.Namespace, *, elsewhere: bool) -> None:
    """UsageError for options that say something about a signature that is neither asked for nor looked at."""
    if arguments.attest:
        if arguments.program:
            raise UsageError(
                "--program is given with --attest, expected one of them: what is signed is taken for all programs of "
                "the image"
            )
        _check_image(arguments.what)
        return
    for name in _SIGNING:
        if getattr(arguments, name):
            raise UsageError(f"--{name.replace('_', '-')} is given without --attest, expected both")
    if not elsewhere:
        return
    from bpfimg.cli._trust import trust

    if trust(arguments).given:
        raise UsageError(
            "whom to believe is given (--key, --certificate-identity, --trusted-root), and no program comes into this "
            "machine's kernel, expected no such option",
            hint="without --btf and --kernels the kernel that runs here is asked, after the image is verified; with "
            "--attest, --key signs",
        )


def _check_image(word: str) -> None:
    from bpfimg.cli._object_file import means_file

    if os.path.isdir(word) or means_file(word):
        raise UsageError(
            f"--attest is given and {quoted(word)} is a file, expected an image: an attestation is about its digest",
            hint="make one of it first: bpfimg build -t NAME FILE",
        )


def prepared(arguments: argparse.Namespace, options: Options) -> Callable[[], signers.Signer] | None:
    """What makes the signer, with its keys read now; None where nothing is to be signed."""
    if not arguments.attest:
        return None
    from bpfimg.cli._signer import prepared as signer

    return signer(arguments, options)


def attest(
    subject: Looked,
    arguments: argparse.Namespace,
    options: Options,
    found: check.Check,
    signer: Callable[[], signers.Signer],
) -> None:
    """Signs the document that `-o json` prints, and puts it beside the image; says so on stderr."""
    from bpfimg import sign
    from bpfimg.cli._check_forms import document
    from bpfimg.cli._parser import tell, warn
    from bpfimg.cli._places import Found
    from bpfimg.cli._render import json_text
    from bpfimg.cli._signer import tell_where

    assert subject.place is not None
    assert subject.reference is not None
    assert subject.manifest is not None
    attested = sign.attest(
        subject.place,
        subject.manifest,
        signer(),
        predicate_type=sign.signers.predicate_type("compatibility"),
        predicate=json_text(document(arguments, found)).encode(),
        warn=warn,
    )
    new = "attested" if any(each.new for each in attested) else "was attested already"
    options.open.publish()
    kernels = f"{len(found.kernels)} kernel{'' if len(found.kernels) == 1 else 's'}"
    tell(options, f"{subject.manifest.digest} {new}: {found.worst()} on {kernels}")
    tell_where(options, Found(subject.place, arguments.what, subject.reference, subject.manifest))
