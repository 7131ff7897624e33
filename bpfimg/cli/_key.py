"""`bpfimg key`: signing keys in cosign's formats."""

from __future__ import annotations

import os
import sys

from bpfimg.errors import KeyFileError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options
    from bpfimg.sign import PrivateKey

EPILOG = """\
`generate` writes PREFIX.key (encrypted, mode 0600) and PREFIX.pub, which cosign reads as its own.
The password comes from COSIGN_PASSWORD (it may be empty), else it is asked for on a terminal.

examples:
  bpfimg key generate release
  bpfimg key public release.key"""

#: a key file is below 2 KiB; whatever is larger is something else
_KEY_LIMIT = 64 * 1024


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    from bpfimg.cli._options import add_common
    from bpfimg.cli._parser import Parser

    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)
    generate = actions.add_parser("generate", help="make a key pair")
    generate.add_argument(
        "prefix", metavar="PREFIX", nargs="?", default="cosign", help="path without ending (default cosign)"
    )
    public = actions.add_parser("public", help="print the public key of a private one")
    public.add_argument("key", metavar="KEY", help="private key file")
    for action in (generate, public):
        add_common(action)


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Makes a key pair, or prints a public key."""
    from bpfimg.cli._render import json_text

    if arguments.action == "public":
        key = private_key(arguments.key).public
        print(json_text({"public_key": key.pem, "fingerprint": key.fingerprint}) if options.json else key.pem.rstrip())
        return 0
    from bpfimg import sign

    files = [f"{arguments.prefix}.key", f"{arguments.prefix}.pub"]
    for path in files:
        if os.path.lexists(path):
            raise UsageError(
                f"{path} exists, expected a free name", hint="give another PREFIX; keys are never overwritten"
            )
    private, public = sign.generate_key(password(confirm=True))
    _write(files[0], private, 0o600)
    _write(files[1], public, 0o644)
    print(json_text({"private_key": files[0], "public_key": files[1]}) if options.json else "\n".join(files))
    return 0


def private_key(path: str) -> PrivateKey:
    """Reads a private key file; asks for its password where `COSIGN_PASSWORD` is not set."""
    from bpfimg import sign

    data = read_key(path)
    return sign.PrivateKey.load(data, password() if b"ENCRYPTED" in data else b"")


def read_key(path: str) -> bytes:
    """The bytes of a key file, bounded; raises `KeyFileError`."""
    try:
        with open(path, "rb") as file:
            data = file.read(_KEY_LIMIT + 1)
    except OSError as error:
        raise KeyFileError(f"key file {path!r} cannot be read: {error.strerror}") from error
    if len(data) > _KEY_LIMIT:
        raise KeyFileError(f"key file {path!r} is larger than {_KEY_LIMIT} bytes, expected a PEM key")
    return data


def password(*, confirm: bool = False) -> bytes:
    """The key's password: `COSIGN_PASSWORD`, else a terminal; raises `UsageError` where there is neither."""
    given = os.environ.get("COSIGN_PASSWORD")
    if given is not None:
        return given.encode()
    if not sys.stdin.isatty():
        raise UsageError("no password for the key: COSIGN_PASSWORD is not set and there is no terminal to ask on")
    from bpfimg.cli._password import ask

    first = ask("Password for the private key: ")
    if confirm and ask("The same again: ") != first:
        raise UsageError("the two passwords differ, expected the same twice")
    return first.encode()


def _write(path: str, data: bytes, mode: int) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise KeyFileError(f"key file {path!r} cannot be written: {error.strerror}") from error
    with os.fdopen(fd, "wb") as file:
        file.write(data)
