"""Whom to trust for TLS: the system, a file that the user named, and what docker and podman users set up per host."""

from __future__ import annotations

import os
import re

from bpfimg.errors import RegistryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ssl import SSLContext

    from bpfimg.oci._options import RegistryOptions

CERTS_D = ("/etc/containers/certs.d", "/etc/docker/certs.d")
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]")
_SYSTEM = "/etc/ssl/certs"


def context(options: RegistryOptions, host: str, folders: tuple[str, ...] = CERTS_D) -> SSLContext:
    """Returns the TLS context for `host` (with its port); RegistryError when a certificate file cannot be used."""
    import ssl

    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.insecure_skip_tls_verify:
        found.check_hostname = False
        found.verify_mode = ssl.CERT_NONE
    elif _is_hashed(_SYSTEM):
        # reads a certificate when it meets one that names it: 4 ms in place of 24 for the whole bundle
        found.load_verify_locations(capath=_SYSTEM)
    else:
        found.load_default_certs()
    if options.ca_file:
        _trust(found, options.ca_file)
    for folder in folders:
        _use_folder(found, f"{folder}/{host}")
    return found


def _use_folder(context: SSLContext, folder: str) -> None:
    """Adds what containers-certs.d(5) describes: `*.crt` are authorities, `*.cert` with `*.key` are for this client."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        path = f"{folder}/{name}"
        if name.endswith(".crt"):
            _trust(context, path)
        elif name.endswith(".cert"):
            try:
                context.load_cert_chain(path, f"{path.removesuffix('.cert')}.key")
            except OSError as error:
                raise _unusable(path, error) from error


def _trust(context: SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        raise _unusable(path, error) from error


def _unusable(path: str, error: OSError) -> RegistryError:
    return RegistryError(
        f"the certificate file {path} cannot be used: {error.strerror or error}, expected PEM certificates",
    )


def _is_hashed(folder: str) -> bool:
    try:
        return any(_HASHED.fullmatch(name) for name in os.listdir(folder))
    except OSError:
        return False
