"""What the user's environment says about registries, as options: the variables are given, never read here."""

from __future__ import annotations

from bpfimg.oci._options import RegistryOptions
from bpfimg.oci._registries import Registries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


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
        auth_files=RegistryOptions.default_auth_files(environ, uid),
        username=username,
        password=password,
        program_folders=tuple(environ.get("PATH", "").split(":")),
        sudo_user=environ.get("SUDO_USER", "") if uid == 0 else "",
        ca_file=ca_file,
        system_ca=(environ.get("SSL_CERT_FILE", ""), environ.get("SSL_CERT_DIR", "")),
        certs_d=(f"{home}/.config/containers/certs.d", *system) if home else system,
        plain_http=plain_http,
        insecure_skip_tls_verify=insecure_skip_tls_verify,
        proxies=RegistryOptions.default_proxies(environ),
        warn=warn,
        registries=Registries.load(environ, uid),
    )
