"""One file with logins, as docker (config.json) and podman (containers-auth.json(5)) keep it: what stands in it."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode

from bpfimg._value import field, value
from bpfimg.errors import ImageError, RegistryError, StoreError
from bpfimg.oci._json import parse_object
from bpfimg.oci._store._files import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bpfimg.oci._reference import Repository

FILE_LIMIT = 1 << 20
DOCKER_HUB = "https://index.docker.io/v1/"
"""The one spelling of Docker Hub that docker, podman, crane, cosign and oras all look for."""
_HUB_NAMES = ("docker.io", "index.docker.io", "registry-1.docker.io")


@value(frozen=True, slots=True)
class Credentials:
    """Who we are at a registry: a user and password, or a token; `origin` says where this was found."""

    origin: str
    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)

    @property
    def usable(self) -> bool:
        return bool(self.username or self.identity_token or self.registry_token)


@value(frozen=True, slots=True)
class AuthFile:
    """A parsed file: entries by their keys, and which programs keep the secrets of which registries."""

    path: str
    entries: Mapping[str, object] = field(default_factory=dict, repr=False)
    programs: Mapping[str, object] = field(default_factory=dict)
    default_program: str = ""

    @staticmethod
    def read(path: str) -> AuthFile:
        """Returns what is in the file; FileNotFoundError passes through, RegistryError says what is wrong with it."""
        try:
            return AuthFile.parse(path, parse_auth_file(read_file(path, FILE_LIMIT), path))
        except FileNotFoundError:
            raise
        except (OSError, StoreError, ImageError) as error:
            raise unusable(path, error) from error

    @staticmethod
    def parse(path: str, document: Mapping[str, object]) -> AuthFile:
        """Returns what of a document is understood; whatever else stands in it is nobody's business here."""
        if is_legacy(path):
            return AuthFile(path, document)
        auths, programs, default = (document.get(key) for key in ("auths", "credHelpers", "credsStore"))
        return AuthFile(
            path,
            auths if isinstance(auths, dict) else {},
            programs if isinstance(programs, dict) else {},
            default if isinstance(default, str) else "",
        )

    def keys_like(self, key: str) -> list[str]:
        """Returns the keys in the file that mean the same as `key`, however old versions of docker spelt them."""
        return [found for found in self.entries if bare(found) == bare(key)]

    def program(self, host: str) -> tuple[str, str]:
        """Returns the program that `credHelpers` names for a host and the key to ask it for, ("", "") for none.

        An empty name in the file says that this host's secrets are in the file, whatever `credsStore` says.
        """
        for key in _host_keys(host):
            name = self.programs.get(key)
            if isinstance(name, str):
                return name, key
        return "", ""

    def keeper(self, host: str) -> tuple[str, str]:
        """Returns the program in whose care the secret of a host is, and the key to ask for; ("", "") for the file."""
        name, key = self.program(host)
        return (name, key) if key else (self.default_program, server_key(host) if self.default_program else "")

    def entry(self, key: str) -> Credentials | None:
        """Returns what stands under `key`, however it is spelt; RegistryError when that is broken."""
        exact = [found for found in (key,) if found in self.entries]
        for found in exact or self.keys_like(key):
            credentials = _entry(self.entries[found], f"{self.path} ({found})")
            if credentials:
                return credentials
        return None


def parse_auth_file(raw: bytes, path: str) -> dict[str, object]:
    """Returns the whole document, nothing for an empty file, as docker does; ImageError for another than JSON."""
    return parse_object(raw, path, limit=FILE_LIMIT) if raw.strip() else {}


def unusable(path: str, error: Exception) -> RegistryError:
    """Returns the error for a file that cannot be read, or is none of these."""
    reason = error.strerror if isinstance(error, OSError) else str(error).replace(f"{path} ", "it ", 1)
    hint = "mend it, or name another with --authfile"
    return RegistryError(f"the auth file {path} cannot be used: {reason}", hint=hint)


def is_legacy(path: str) -> bool:
    """Says whether a file is of docker before 1.7, which has the entries and nothing else."""
    return path.endswith(".dockercfg")


def server_key(host: str) -> str:
    """Returns how a registry is called in files and towards programs: its host, but for Docker Hub."""
    return DOCKER_HUB if host == "docker.io" else host


def namespace_keys(repository: Repository) -> Iterator[str]:
    """Yields the keys that are more particular than the host, the longest first."""
    name = str(repository)
    while "/" in name:
        yield name
        name = name.rpartition("/")[0]


def bare(key: str) -> str:
    """Returns a key without what old versions of docker wrote round a host, the same for all names of Docker Hub."""
    stripped = key.removeprefix("https://").removeprefix("http://")
    host, _, path = stripped.partition("/")
    if stripped != key or path.rstrip("/") in ("", "v1", "v2"):  # an address: docker took any path for the host
        return "docker.io" if host in _HUB_NAMES else host
    return stripped.rstrip("/")


def login_entry(username: str, password: str) -> dict[str, object]:
    """Returns what stands in a file for a user and password."""
    return {"auth": b64encode(f"{username}:{password}".encode()).decode()}


def _host_keys(host: str) -> tuple[str, ...]:
    return (DOCKER_HUB, *_HUB_NAMES) if host == "docker.io" else (host, f"https://{host}")


def _entry(value: object, origin: str) -> Credentials | None:
    if not isinstance(value, dict):
        return None
    words = {name: text for name, text in value.items() if isinstance(text, str) and text}
    username, password = words.get("username", ""), words.get("password", "")
    if "auth" in words:
        username, password = _decode(words["auth"], origin)
    found = credentials(origin, username, password, words.get("identitytoken", ""), words.get("registrytoken", ""))
    return found if found.usable else None


def credentials(origin: str, username: str, password: str, identity: str = "", registry: str = "") -> Credentials:
    """Returns credentials; the user `<token>` is how programs, and files after them, spell an identity token."""
    if username == "<token>":
        username, password, identity = "", "", identity or password
    return Credentials(origin, username, password, identity, registry)


def _decode(text: str, origin: str) -> tuple[str, str]:
    try:
        username, colon, password = b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise RegistryError(f"the field auth in {origin} is not valid, expected base64 of USER:PASSWORD") from error
    if not colon:
        raise RegistryError(f"the field auth in {origin} holds no colon, expected base64 of USER:PASSWORD")
    return username, password.rstrip("\0")  # docker once padded with zero bytes
