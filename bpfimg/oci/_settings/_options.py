"""How to reach registries: everything that the caller may decide, in one value."""

from __future__ import annotations

from bpfimg._value import field, value
from bpfimg.oci._limits import DEFAULT, Limits
from bpfimg.oci._settings._registries import NONE, Registries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _silent(sentence: str) -> None:
    """Nobody listens."""


@value(frozen=True, slots=True)
class RegistryOptions:
    """Options of `Registry`; nothing is read from the environment behind the caller's back: see `registry_options`."""

    authfile: str | None = None
    """One file with credentials that the user named: it must be readable. Then `auth_files` are not looked at."""
    auth_files: tuple[str, ...] = ()
    """Files with credentials, first match wins; those that do not exist are passed over."""
    login_file: str = ""
    """The one of them into which `login` writes, unless another before it already knows the registry."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    program_folders: tuple[str, ...] = ()
    """Folders with credential programs (`docker-credential-...`): what is not in them is not started."""
    program_environ: Mapping[str, str] | None = field(default=None, repr=False)
    """The variables that those programs get; None: this process's."""
    sudo_user: str = ""
    """Who became root to run this: their logins are not root's, which a hint says."""
    ca_file: str | None = None
    """PEM certificates to trust beside the system's."""
    system_ca: tuple[str, str] = ("", "")
    """A file, and folders with : between them, in place of the system's (`SSL_CERT_FILE`, `SSL_CERT_DIR`)."""
    certs_d: tuple[str, ...] = ("/etc/containers/certs.d", "/etc/docker/certs.d")
    """Folders with a folder for each HOST:PORT (containers-certs.d(5)): the first that has it counts."""
    plain_http: bool = False
    """Speak HTTP without TLS. Loopback registries get it by themselves, unless a `ca_file` is given."""
    insecure_skip_tls_verify: bool = False
    proxies: Mapping[str, str] = field(default_factory=dict)
    """Proxy URLs by scheme, and under `no` the hosts to reach without."""
    warn: Callable[[str], None] = _silent
    """Takes sentences for people: a retry, a danger."""
    waits: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    """Seconds to wait before each further try of a request; as many tries more as there are numbers."""
    patience: float = 60.0
    """Seconds after which no further try is made; each MiB of content that came gives as many again."""
    connect: float = 10.0
    """Seconds for a connection, and for its TLS, to come up."""
    silence: float = 60.0
    """Seconds within which all headers of an answer must be there, then each next piece of its content; and within
    which a piece that is sent must be taken."""
    grace: float = 60.0
    """Seconds of waiting for content after which it must have come at `slowest` bytes a second."""
    slowest: int = 4096
    whole: int = 64 << 20
    """Bytes up to which a blob is sent with one request; proxies before a registry may take less."""
    chunk: int = 64 << 20
    """Bytes of each request for a larger one. After an error the registry may want them all again."""
    limits: Limits = DEFAULT
    registries: Registries = NONE
    """Mirrors, insecure and blocked registries of the user: `Registries.load`."""
