"""Credentials from the files that docker, podman and skopeo users have already (containers-auth.json(5))."""

from __future__ import annotations

import binascii
from base64 import b64decode

from bpfimg._value import field, value
from bpfimg.errors import ImageError, RegistryError, StoreError
from bpfimg.oci._files import read_file
from bpfimg.oci._json import parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.oci._options import RegistryOptions
    from bpfimg.oci._reference import Repository

_FILE_LIMIT = 1 << 20
_DOCKER_HUB = ("https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io")


@value(frozen=True, slots=True)
class Credentials:
    """Who we are at a registry: a user and password, or a token; `origin` says where this was found."""

    origin: str
    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
    helper: str = ""
    """The program that keeps the secret, when the file only says so."""

    @property
    def usable(self) -> bool:
        return bool(self.username or self.identity_token or self.registry_token)


def find_credentials(options: RegistryOptions, repository: Repository) -> Credentials | None:
    """Returns the first credentials for a repository, None for none.

    RegistryError when the file that the user named cannot be read; other files that cannot are passed over with a
    warning.
    """
    if options.username is not None:
        return Credentials("the options", options.username, options.password or "")
    helper: Credentials | None = None
    for path in (options.authfile,) if options.authfile else options.auth_files:
        found = _in_file(path, repository, options)
        if found and found.usable:
            return found
        helper = helper or found
    return helper


def _in_file(path: str, repository: Repository, options: RegistryOptions) -> Credentials | None:
    try:
        document = parse_object(read_file(path, _FILE_LIMIT), path, limit=_FILE_LIMIT)
    except FileNotFoundError as error:
        if path == options.authfile:
            raise RegistryError(f"the auth file {path} does not exist, expected one with credentials") from error
        return None
    except (OSError, StoreError, ImageError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        if path == options.authfile:
            raise RegistryError(f"the auth file {path} cannot be used: {reason}") from error
        options.warn(f"the auth file {path} is passed over: {reason}")
        return None
    auths, helpers = document.get("auths"), document.get("credHelpers")
    known = {_key(key): entry for key, entry in auths.items()} if isinstance(auths, dict) else {}
    for key in _keys(repository):
        found = _entry(known.get(key), f"{path} ({key})")
        if found:
            return found
    helper = helpers.get(repository.host) if isinstance(helpers, dict) else None
    helper = helper or document.get("credsStore")
    return Credentials(path, helper=f"docker-credential-{helper}") if isinstance(helper, str) and helper else None


def _keys(repository: Repository) -> Iterator[str]:
    """Yields the keys under which credentials may stand, the most particular first."""
    name = str(repository)
    while "/" in name:
        yield name
        name = name.rpartition("/")[0]
    yield name
    if repository.host == "docker.io":
        yield from map(_key, _DOCKER_HUB)


def _key(text: str) -> str:
    """Returns a key without what old versions of docker wrote round a host."""
    bare = text.removeprefix("https://").removeprefix("http://")
    return bare.removesuffix("/").removesuffix("/v1").removesuffix("/v2")


def _entry(value: object, origin: str) -> Credentials | None:
    if not isinstance(value, dict):
        return None
    words = {name: text for name, text in value.items() if isinstance(text, str) and text}
    username, password = words.get("username", ""), words.get("password", "")
    if "auth" in words:
        username, password = _decode(words["auth"], origin)
    identity = words.get("identitytoken", "")
    if username == "<token>":  # how credential helpers spell an identity token
        username, password, identity = "", "", password
    found = Credentials(origin, username, password, identity, words.get("registrytoken", ""))
    return found if found.usable else None


def _decode(text: str, origin: str) -> tuple[str, str]:
    try:
        username, colon, password = b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise RegistryError(f"the field auth in {origin} is not valid, expected base64 of USER:PASSWORD") from error
    if not colon:
        raise RegistryError(f"the field auth in {origin} holds no colon, expected base64 of USER:PASSWORD")
    return username, password.rstrip("\0")  # docker once padded with zero bytes
