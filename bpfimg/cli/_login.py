"""`bpfimg login`: credentials for a registry, checked and kept."""

from __future__ import annotations

import sys

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.cli._options import Options

EPILOG = """\
The registry is asked whether it knows user and password before anything is written. The password comes from stdin or
from a terminal; user and password may also come as BPFIMG_USERNAME and BPFIMG_PASSWORD, which every verb uses.

The login is kept in the first of these that applies: the file of --authfile; that of REGISTRY_AUTH_FILE; a file that
already has a login for this registry; docker's config.json, where there is one (docker, podman, skopeo, crane, cosign
and oras read it); podman's $XDG_RUNTIME_DIR/containers/auth.json, which is gone when the machine starts anew. Where
credHelpers or credsStore of that file names a program, the program keeps the password and the file does not.

HOST/NAMESPACE keeps a login for a part of a registry, as podman understands it.

examples:
  bpfimg login -u me registry.example
  bpfimg login -u robot --password-stdin registry.example:5000 < token
  bpfimg login -u me quay.io/team"""

_LIMIT = 64 << 10


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("registry", metavar="REGISTRY", help="HOST[:PORT][/NAMESPACE]")
    parser.add_argument("-u", "--username", metavar="USER", help="whom to log in (default BPFIMG_USERNAME)")
    parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Asks the registry, then keeps the login."""
    from bpfimg._value import replace
    from bpfimg.cli._access import given_login, registry_options
    from bpfimg.cli._parser import tell
    from bpfimg.cli._render import json_text
    from bpfimg.oci import places

    given, secret = given_login()
    username = arguments.username or given
    if username is None:
        raise UsageError("nobody is named to log in, expected -u USER or BPFIMG_USERNAME")
    if arguments.password_stdin:
        secret = _from_stdin()
    elif arguments.username is not None or secret is None:
        secret = _from_terminal(username, arguments.registry)
    access = replace(registry_options(options), username=None, password=None)
    kept = places.login(arguments.registry, username, secret, access, lock_timeout=options.lock_timeout)
    if options.json:
        entry = {"id": kept.registry, "username": username, "file": kept.file, "program": kept.program}
        print(json_text({"logins": [entry]}))
        return 0
    place = kept.program or f"{kept.file}, which you alone can read and which is not encrypted"
    tell(options, f"logged in to {arguments.registry} as {username}; kept in {place}")
    return 0


def _from_stdin() -> str:
    data = sys.stdin.buffer.read(_LIMIT + 1)
    try:
        if len(data) > _LIMIT:
            raise UsageError(f"standard input has more than {_LIMIT} bytes, expected a password")
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise UsageError("standard input is not UTF-8, expected a password") from error


def _from_terminal(username: str, registry: str) -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            "no password: standard input is no terminal to ask on, expected --password-stdin",
            hint="or set BPFIMG_USERNAME and BPFIMG_PASSWORD",
        )
    from bpfimg.cli._password import ask
    from bpfimg.cli._render import clean

    return ask(f"Password of {clean(username)} at {clean(registry)}: ")
