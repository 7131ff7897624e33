"""The key to sign with, wherever it is, and the secret that opens it, wherever that comes from.

Secrets come from variables, files and the terminal, never from the command line, which everybody can list.
"""

from __future__ import annotations

import os
import sys

from bpfimg.errors import KeyFileError, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg import sign
    from bpfimg.sign import signers

__all__ = ["KEY_HELP", "SOURCES", "add_password_file", "password", "public_key", "read_key", "signing_key"]

KEY_HELP = (
    "private key file, as `bpfimg key` or cosign makes it, or a URI: env://NAME, pkcs11:, hsm:, gcpkms:, awskms:, "
    "azurekms:, hv:"
)
SOURCES = """\
The password of a key file is that in --password-file, else BPFIMG_KEY_PASSWORD, else COSIGN_PASSWORD (it may be empty),
else it is asked for on a terminal. The PIN of a token comes from --password-file, BPFIMG_PIN, or the terminal."""

_PASSWORDS = ("BPFIMG_KEY_PASSWORD", "COSIGN_PASSWORD")
_PIN = ("BPFIMG_PIN",)
_VARIABLE = "env://"
_MODULE = "PYKCS11LIB"  # as securesystemslib, PyKCS11 and TUF's tools have it
#: a key file is below 4 KiB; whatever is larger than this is something else
_LIMIT = 64 * 1024


def add_password_file(parser: argparse.ArgumentParser) -> None:
    """Adds `--password-file`."""
    text = "file with the password of the key, or the PIN of the token; one line end at its end does not count"
    parser.add_argument("--password-file", metavar="FILE", help=text)


def signing_key(text: str, password_file: str | None = None) -> signers.SigningKey:
    """The key that `--key TEXT` means, a file or a URI; asks for its password or PIN where it needs one.

    Raises `KeyFileError`, and `UsageError` where there is nobody to ask.
    """
    from bpfimg import sign

    if sign.signers.is_key_uri(text):
        module = os.environ.get(_MODULE, "")
        return sign.signers.remote_key(text, lambda what: _pin(what, password_file), module=module)
    scheme, there, _ = text.partition("://")
    if there and scheme != "env":  # cosign has more of them
        raise KeyFileError(
            f"keys of {quoted(scheme)} are kept where bpfimg does not look, expected a file or one of "
            "env://, pkcs11:, hsm:, gcpkms:, awskms:, azurekms:, hv:"
        )
    data = read_key(text)
    sealed = b"ENCRYPTED" in data.partition(b"\n")[0]
    secret = password(password_file) if sealed else b""
    try:
        return sign.PrivateKey.load(data, secret)
    except KeyFileError as error:
        raise _of(text, error) from error


def public_key(text: str) -> sign.PublicKey:
    """The public key in the file, or the variable, that `--key TEXT` names; raises `KeyFileError`."""
    from bpfimg import sign

    data = read_key(text)
    try:
        return sign.PublicKey.load(data)
    except KeyFileError as error:
        raise _of(text, error) from error


def _of(text: str, error: KeyFileError) -> KeyFileError:
    """The error with the name of the file."""
    kind, name = ("variable", text.removeprefix(_VARIABLE)) if text.startswith(_VARIABLE) else ("key file", text)
    return KeyFileError(f"{kind} {quoted(name)}: {error}", hint=error.hint)


def read_key(path: str) -> bytes:
    """The bytes of a key file, bounded, or of the variable in cosign's `env://NAME`; raises `KeyFileError`."""
    if "-----BEGIN" in path:
        raise KeyFileError(
            "the key itself is given, which everybody on this machine can read, expected the path of its file",
            hint="or keep it in a variable: --key env://NAME",
        )
    if path.startswith(_VARIABLE):
        name = path.removeprefix(_VARIABLE)
        data = os.environb.get(name.encode(errors="surrogateescape"))
        if data is None:
            raise KeyFileError(f"variable {quoted(name)} is not set, expected a PEM key in it")
        return data
    return _read(path, f"key file {quoted(path)}", "a PEM key")


def password(file: str | None, *, confirm: bool = False) -> bytes:
    """The password of a private key; raises `UsageError` where it is nowhere."""
    return _secret("password", "the private key", file, _PASSWORDS, confirm=confirm)


def _pin(what: str, file: str | None) -> str:
    try:
        return _secret("PIN", what, file, _PIN).decode()
    except UnicodeDecodeError:
        raise UsageError(f"the PIN for {what} is not UTF-8, expected text") from None


def _secret(word: str, what: str, file: str | None, variables: tuple[str, ...], *, confirm: bool = False) -> bytes:
    if file is not None:
        return _read(file, "--password-file", f"a {word}").removesuffix(b"\n").removesuffix(b"\r")
    for name in variables:
        given = os.environb.get(name.encode())
        if given is not None:
            return given
    if not sys.stdin.isatty():
        raise UsageError(
            f"no {word} for {what}: {' or '.join(variables)} is not set, and there is no terminal to ask on",
            hint="or put it into a file: --password-file FILE",
        )
    from bpfimg.cli._password import ask

    first = ask(f"{word[0].upper()}{word[1:]} for {what}: ")
    if confirm and ask("The same again: ") != first:
        raise UsageError(f"the two {word}s differ, expected the same twice")
    return first.encode(errors="surrogateescape")


def _read(path: str, what: str, expected: str) -> bytes:
    """`what` does not repeat the path of a password: it may be the password, typed in the wrong place."""
    try:
        with open(path, "rb") as file:
            data = file.read(_LIMIT + 1)
    except OSError as error:
        raise KeyFileError(f"{what} cannot be read: {error.strerror}") from error
    except ValueError:  # a NUL in the path
        raise KeyFileError(f"{what} cannot be read: it is no path") from None
    if len(data) > _LIMIT:
        raise KeyFileError(f"{what} is larger than {_LIMIT} bytes, expected {expected}")
    return data
