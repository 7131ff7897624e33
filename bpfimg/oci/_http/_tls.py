"""Whom to trust for TLS: the system, a file that the user named, and what docker and podman users set up per host."""

from __future__ import annotations

import os
import re

from bpfimg.errors import RegistryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ssl import SSLContext

    from bpfimg.oci._settings._options import RegistryOptions

_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]")
_SYSTEM = "/etc/ssl/certs"
_CERTIFICATES = (".pem", ".crt", ".cer")
_MOST = 1024


def context(options: RegistryOptions, host: str) -> SSLContext:
    """Returns the TLS context for `host` (with its port); RegistryError when a certificate file cannot be used."""
    import ssl

    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.insecure_skip_tls_verify:
        found.check_hostname = False
        found.verify_mode = ssl.CERT_NONE
    else:
        _trust_system(found, *options.system_ca)
    if options.ca_file:
        _trust(found, options.ca_file)
    if folder := host_folder(options, host):
        _use_folder(found, folder)
    return found


def host_folder(options: RegistryOptions, host: str) -> str:
    """Returns the first folder of containers-certs.d(5) that there is for `host` (with its port), "" for none."""
    return next((path for path in (f"{root}/{host}" for root in options.certs_d) if os.path.isdir(path)), "")


def _trust_system(context: SSLContext, file: str, folders: str) -> None:
    """Adds the system's authorities; each of the two variables of OpenSSL stands in for its part of them."""
    for folder in (folders or _SYSTEM).split(":"):
        if _is_hashed(folder):
            # reads a certificate when it meets one that names it: 4 ms in place of 24 for the whole bundle
            context.load_verify_locations(capath=folder)
        elif folders:
            for name in _names(folder):
                if name.endswith(_CERTIFICATES):
                    _trust(context, f"{folder}/{name}")
        elif not file:
            context.load_default_certs()
    if file:
        _trust(context, file)


def _use_folder(context: SSLContext, folder: str) -> None:
    """Adds what containers-certs.d(5) describes: `*.crt` are authorities, `*.cert` with `*.key` are for this client."""
    names = _names(folder)
    for name in names:
        path = f"{folder}/{name}"
        if name.endswith(".crt"):
            _trust(context, path)
        elif name.endswith(".cert"):
            key = name.removesuffix(".cert") + ".key"
            if key not in names:
                raise RegistryError(
                    f"the client certificate {path} has no key beside it, expected {key}",
                    hint="the certificate of an authority has the ending .crt",
                )
            _identify(context, path, f"{folder}/{key}")
        elif name.endswith(".key") and name.removesuffix(".key") + ".cert" not in names:
            raise RegistryError(
                f"the client key {path} has no certificate beside it, expected {name.removesuffix('.key')}.cert"
            )


def _identify(context: SSLContext, certificate: str, key: str) -> None:
    def no_prompt() -> bytes:
        """Is asked where OpenSSL would else ask on the terminal."""
        raise RegistryError(f"the client key {key} has a passphrase, expected one without")

    try:
        context.load_cert_chain(certificate, key, password=no_prompt)
    except OSError as error:  # ssl.SSLError is one
        reason = "they are no pair" if "MISMATCH" in str(error) else error.strerror or error
        raise RegistryError(
            f"the client certificate {certificate} with its key cannot be used: {reason}, expected PEM",
        ) from error


def _trust(context: SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        raise RegistryError(
            f"the certificate file {path} cannot be used: {error.strerror or error}, expected PEM certificates",
        ) from error


def _is_hashed(folder: str) -> bool:
    return any(_HASHED.fullmatch(name) for name in _names(folder))


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))[:_MOST]
    except OSError:
        return []
