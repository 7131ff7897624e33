"""How this command gets into registries: its options, with what the environment says."""

from __future__ import annotations

import os

from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.cli._options import Options
    from bpfimg.oci import places

__all__ = ["given_login", "one_login", "registry_options"]


def registry_options(options: Options) -> places.RegistryOptions:
    """The options for registries; raises `RegistryError` for a registries.conf that cannot be used."""
    from bpfimg.cli._parser import warn
    from bpfimg.oci import places

    username, password = given_login()
    return places.registry_options(
        os.environ,
        os.geteuid(),
        warn=warn,
        authfile=options.authfile,
        username=username,
        password=password,
        ca_file=options.ca_file,
        plain_http=options.plain_http,
        insecure_skip_tls_verify=options.insecure_skip_tls_verify,
    )


def given_login() -> tuple[str | None, str | None]:
    """User and password of `BPFIMG_USERNAME` and `BPFIMG_PASSWORD`; raises `UsageError` for one without the other."""
    username, password = (os.environ.get(name) or None for name in ("BPFIMG_USERNAME", "BPFIMG_PASSWORD"))
    if (username is None) != (password is None):
        lacking = "BPFIMG_PASSWORD" if password is None else "BPFIMG_USERNAME"
        raise UsageError(f"{lacking} is not set, expected BPFIMG_USERNAME and BPFIMG_PASSWORD together")
    return username, password


def one_login(options: Options, host: str) -> None:
    """Takes note that `host` is asked; raises `UsageError` when the login of the environment would go to a second one.

    A password for one registry is nobody else's business, whoever asks for it.
    """
    hosts = options.open.hosts(host)
    if len(hosts) > 1 and given_login()[0] is not None:
        raise UsageError(
            f"BPFIMG_USERNAME and BPFIMG_PASSWORD would go to {' and '.join(hosts)}, expected one registry",
            hint="unset them and log in to each of them with `bpfimg login`, or name a file with --authfile",
        )
