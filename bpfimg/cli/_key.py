"""`bpfimg key`: signing keys in cosign's formats."""

from __future__ import annotations

import os

from bpfimg.cli._key_source import KEY_HELP, SOURCES, add_password_file, password, signing_key
from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.sign import PublicKey

EPILOG = f"""\
`generate` writes PREFIX.key (encrypted, mode 0600) and PREFIX.pub, which cosign reads as its own.
`public` prints the public key of a private one, also of one in a token or at a cloud service.
{SOURCES}

examples:
  bpfimg key generate release
  bpfimg key public release.key
  bpfimg key public \\
    'pkcs11:token=ci;object=bpf?module-path=/usr/lib/softhsm/libsofthsm2.so'"""


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._options import add_common
    from bpfimg.cli._parser import Parser
    from bpfimg.sign import signers

    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)
    generate = actions.add_parser("generate", help="make a key pair")
    generate.add_argument(
        "prefix", metavar="PREFIX", nargs="?", default="cosign", help="path without ending (default cosign)"
    )
    generate.add_argument(
        "--type",
        choices=signers.KEY_KINDS,
        default=signers.KEY_KINDS[0],
        help="kind of key (default ecdsa-p256, the one that every verifier knows)",
    )
    public = actions.add_parser("public", help="print the public key of a private one")
    public.add_argument("key", metavar="KEY", help=KEY_HELP)
    for action in (generate, public):
        add_password_file(action)
        add_common(action)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Makes a key pair, or prints a public key."""
    from bpfimg.cli._render import json_text

    if arguments.action == "public":
        key = signing_key(arguments.key, arguments.password_file).public
        print(json_text({"keys": [_entry(key)]}) if options.json else key.pem.rstrip())
        return 0
    from bpfimg import sign
    from bpfimg.cli._new_file import create

    names = [f"{arguments.prefix}.key", f"{arguments.prefix}.pub"]
    for path in names:  # before a password is asked for
        if os.path.lexists(path):
            raise UsageError(
                f"{path} exists, expected a free name", hint="give another PREFIX; keys are never overwritten"
            )
    private, public = sign.signers.generate_key(password(arguments.password_file, confirm=True), arguments.type)
    create({names[0]: (private, 0o600), names[1]: (public, 0o644)})
    if options.json:
        files = {"private_file": names[0], "public_file": names[1]}
        print(json_text({"keys": [_entry(sign.PublicKey.load(public)) | files]}))
    else:
        print("\n".join(names))
    return 0


def _entry(key: PublicKey) -> dict[str, str]:
    return {"id": key.fingerprint, "type": key.kind, "public_key": key.pem}
