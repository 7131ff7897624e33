"""What the user's environment says about registries, as options: the variables are given, never read here."""

from __future__ import annotations

import os

from bpfimg.oci._settings._options import RegistryOptions
from bpfimg.oci._settings._registries import Registries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_OURS = (
    "BPFIMG_KEY_PASSWORD",
    "BPFIMG_PASSWORD",
    "BPFIMG_PIN",
    "COSIGN_PASSWORD",
    "COSIGN_PRIVATE_KEY",
    "SIGSTORE_ID_TOKEN",
)
"""Variables with secrets for bpfimg itself: no program that keeps others needs them."""


def registry_options(
    environ: Mapping[str, str],
    uid: int,
    *,
    warn: Callable[[str], None],
    authfile: str | None = None,
    username: str | None = None,
    password: str | None = None,
    ca_file: str | None = None,
    plain_http: bool = False,
    insecure_skip_tls_verify: bool = False,
) -> RegistryOptions:
    """Returns the options of user `uid`, as docker and podman would have them; RegistryError for a bad registries.conf.

    Credentials of the files and programs of docker and podman, proxies, `SSL_CERT_FILE` and `SSL_CERT_DIR`, certs.d,
    registries.conf and who called sudo.
    """
    home = environ.get("HOME", "")
    system = RegistryOptions().certs_d
    return RegistryOptions(
        authfile=authfile,
        auth_files=auth_files(environ, uid),
        login_file=_login_file(environ, uid),
        username=username,
        password=password,
        program_folders=tuple(environ.get("PATH", "").split(":")),
        program_environ={name: text for name, text in environ.items() if name not in _OURS},
        sudo_user=environ.get("SUDO_USER", "") if uid == 0 else "",
        ca_file=ca_file,
        system_ca=(environ.get("SSL_CERT_FILE", ""), environ.get("SSL_CERT_DIR", "")),
        certs_d=(f"{home}/.config/containers/certs.d", *system) if home else system,
        plain_http=plain_http,
        insecure_skip_tls_verify=insecure_skip_tls_verify,
        proxies=proxies(environ),
        warn=warn,
        registries=Registries.load(environ, uid),
    )


def auth_files(environ: Mapping[str, str], uid: int) -> tuple[str, ...]:
    """Returns the files in which podman, skopeo and docker keep credentials, in their order."""
    home, docker, settings = environ.get("HOME", ""), _docker(environ), user_settings(environ)
    runtime = environ.get("XDG_RUNTIME_DIR")
    files = (
        environ.get("REGISTRY_AUTH_FILE"),
        f"{runtime}/containers/auth.json" if runtime else f"/run/containers/{uid}/auth.json",
        settings and f"{settings}/containers/auth.json",
        docker and f"{docker}/config.json",
        home and f"{home}/.dockercfg",
    )
    return tuple(filter(None, files))


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the proxies that `https_proxy`, `http_proxy` and `no_proxy` name; lower case wins."""
    found: dict[str, str] = {}
    for word in ("http", "https", "no"):
        value = environ.get(f"{word}_proxy") or environ.get(f"{word.upper()}_PROXY")
        if value:
            found[word] = value
    return found


def user_settings(environ: Mapping[str, str]) -> str:
    """Returns the folder of the user's settings, "" for none."""
    home = environ.get("HOME", "")
    return environ.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")


def _docker(environ: Mapping[str, str]) -> str:
    """The folder of docker's settings, "" for none."""
    home = environ.get("HOME", "")
    return environ.get("DOCKER_CONFIG") or (f"{home}/.docker" if home else "")


def _login_file(environ: Mapping[str, str], uid: int) -> str:
    """Returns where a login is found by as many tools as possible.

    Docker's file where docker's is in use, because crane, cosign and oras look there, and podman and skopeo as well;
    else podman's, which crane and cosign read where docker's is not there. Podman's is gone after the next start of
    the machine; where it cannot be, the one in the user's settings, which podman reads next.
    """
    docker, runtime, settings = _docker(environ), environ.get("XDG_RUNTIME_DIR", ""), user_settings(environ)
    if named := environ.get("REGISTRY_AUTH_FILE"):
        return named
    if docker and (environ.get("DOCKER_CONFIG") or os.path.exists(f"{docker}/config.json")):
        return f"{docker}/config.json"
    if runtime and os.path.isdir(runtime):
        return f"{runtime}/containers/auth.json"
    if settings and uid:
        return f"{settings}/containers/auth.json"
    return f"/run/containers/{uid}/auth.json"
