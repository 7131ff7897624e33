"""Who signs, by the options of `sign` and `attest`: a key, or the identity of a CI job or a person."""

from __future__ import annotations

import os
import sys

from bpfimg._value import replace
from bpfimg.cli._given_file import read_given
from bpfimg.cli._key_source import KEY_HELP, add_password_file, signing_key
from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from bpfimg.cli._options import Options
    from bpfimg.cli._places import Found
    from bpfimg.sign import signers

__all__ = ["KEYLESS", "add_signer", "formats", "prepared", "tell_where"]

KEYLESS = """\
Without --key the signature is in the name of an identity, by a certificate that lives for minutes: that of the CI job
(GitHub, GitLab, Google Cloud, Buildkite, CircleCI), of --identity-token or SIGSTORE_ID_TOKEN, or of a person who logs
in with a browser. The services are Sigstore's public ones, where the name stays in a public log for good, or those of
--trust-config (or --signing-config with --trusted-root). With --key and such a file, its logs and timestamp authorities
say when the key has signed. What services say is verified before anything is written."""

_TOKEN_VARIABLE = "SIGSTORE_ID_TOKEN"  # noqa: S105 (the name of cosign's variable)
_TOKEN, _FILE = 64 * 1024, 4 * 1024 * 1024
_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")


def add_signer(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say who signs, and in which formats."""
    parser.add_argument("--key", metavar="KEY", help=KEY_HELP)
    add_password_file(parser)
    add = parser.add_argument
    add("--trust-config", metavar="FILE", help="services to sign with and their trusted root (Sigstore's JSON)")
    add("--signing-config", metavar="FILE", help="the services alone, as cosign keeps them")
    add("--trusted-root", metavar="FILE", help="the trusted root that goes with --signing-config")
    add("--identity-token", metavar="FILE", help="file with an OpenID Connect token to sign with; - is stdin")
    add("--no-browser", action="store_true", help="open no browser to log in: show the address, and ask for the code")
    add("--format", choices=("both", "bundle", "legacy"), default="both", help="which signatures (default both)")


def formats(arguments: argparse.Namespace) -> tuple[str, ...]:
    """The formats that `--format` asks for."""
    return ("bundle", "legacy") if arguments.format == "both" else (arguments.format,)


def prepared(arguments: argparse.Namespace, options: Options) -> Callable[[], signers.Signer]:
    """What makes the signer, once it is known that there is something to sign: logging in comes last.

    Keys and files are read at once. Raises `UsageError`, `KeyFileError`.
    """
    from bpfimg.cli._parser import tell
    from bpfimg.sign import signers

    config = _config(arguments)
    if arguments.key is not None:
        for given, word in ((arguments.identity_token, "--identity-token"), (arguments.no_browser, "--no-browser")):
            if given:
                raise UsageError(f"--key and {word} are both given, expected one of them: a key needs no identity")
        key = signing_key(arguments.key, arguments.password_file)
        if config is None:
            return lambda: signers.KeySigner(key, None)
        services = _services(config, options)

        def with_services() -> signers.Signer:
            if config.public:
                tell(options, f"signing with {config.origin}, where everybody can read digest and public key for good")
            return signers.KeySigner(key, services)

        return with_services
    if arguments.password_file is not None:
        raise UsageError("--password-file is given without --key, expected the key that it opens")
    chosen = config or signers.public_good(_now())
    services = _services(chosen, options)
    given = _given(arguments.identity_token)

    def signer() -> signers.Signer:
        found = signers.Keyless(services, given or _login(chosen, browser=not arguments.no_browser))
        _tell(options, found, chosen)
        return found

    return signer


def tell_where(options: Options, found: Found) -> None:
    """Says when it is the local store that was signed in: whoever pushed before signing would not miss it."""
    from bpfimg.cli._parser import tell
    from bpfimg.oci import Layout

    if isinstance(found.place, Layout) and found.place.path == options.store:
        tell(options, f"signed in the local store; `bpfimg push {found.name}` takes it to the registry")


def _config(arguments: argparse.Namespace) -> signers.TrustConfig | None:
    from bpfimg.sign import signers

    both, signing, root = arguments.trust_config, arguments.signing_config, arguments.trusted_root
    if both is not None and (signing is not None or root is not None):
        raise UsageError("--trust-config and half of one are both given, expected it alone")
    if (signing is None) != (root is None):
        given = "--signing-config" if root is None else "--trusted-root"
        raise UsageError(f"{given} is given alone, expected --signing-config and --trusted-root, or --trust-config")
    if both is not None:
        return signers.TrustConfig.parse(read_given(both, "--trust-config", _FILE), both, _now())
    if signing is not None:
        halves = read_given(signing, "--signing-config", _FILE), read_given(root, "--trusted-root", _FILE)
        return signers.TrustConfig.of(*halves, signing, root, _now())
    return None


def _services(config: signers.TrustConfig, options: Options) -> signers.Services:
    from bpfimg.cli._access import registry_options
    from bpfimg.cli._limits import limits
    from bpfimg.sign import signers

    # the same as those to registries, whoever of them opens them first
    shared = options.open.connections(lambda: replace(registry_options(options), limits=limits(options)))
    return signers.Services(config, shared)


def _given(source: str | None) -> str:
    """The token that is given, "" when none is: a file, stdin, or cosign's variable. Never a word of the command."""
    if source is None:
        return os.environ.get(_TOKEN_VARIABLE, "")
    if source.startswith("eyJ") and source.count(".") == 2:  # a JSON Web Token (RFC 7519): cosign takes it here
        raise UsageError(
            "--identity-token is a token itself, which everybody on this machine can read, expected a file",
            hint="or - for stdin, or the variable SIGSTORE_ID_TOKEN",
        )
    data = read_given(source, "--identity-token", _TOKEN, stdin=True)
    text = data.decode("ascii", "replace").strip()
    if not text:
        raise UsageError(f"--identity-token {source} is empty, expected a token")
    return text


def _login(config: signers.TrustConfig, *, browser: bool) -> str:
    """The token of the job that this runs in, or of the person before it."""
    from bpfimg.sign import signers

    ambient = signers.ambient_token()
    if ambient is not None:
        return ambient
    screen = browser and any(os.environ.get(name) for name in _SCREENS)
    if not screen and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "there is no identity to sign with: this is no CI job that gives one, and nobody is here to log in",
            hint="sign with --key KEY, or with --identity-token FILE",
        )
    if config.public:  # for who asks for silence, too: a person is there, and logging in is what agrees to it
        sys.stderr.write(
            "bpfimg: the name that you log in with (an e-mail address) will stand in a public log for good\n"
        )
    return signers.browser_token(config, browser=screen)


def _tell(options: Options, signer: signers.Keyless, config: signers.TrustConfig) -> None:
    """Says who is about to sign before the certificate authority is asked: it publishes what it certifies."""
    from bpfimg.cli._parser import tell

    who, issuer = signer.expected
    where = ", where everybody can read that name for good" if config.public else ""
    tell(options, f"signing as {who} (by {issuer}) with {config.origin}{where}")
    subject = signer.identity.subject
    if subject != who:  # a workflow's file, where the token says a repository
        tell(options, f"the certificate names {subject}")


def _now() -> float:
    import time

    return time.time()
