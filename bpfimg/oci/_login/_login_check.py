"""Asks a registry whether it knows a user with that password, before anybody believes it."""

from __future__ import annotations

import binascii
import os
from base64 import urlsafe_b64decode

from bpfimg._json import NotStrict, strict_object
from bpfimg._value import replace
from bpfimg.errors import RegistryError, quoted
from bpfimg.oci._http._answers import finish
from bpfimg.oci._http._connections import Connections
from bpfimg.oci._http._wire import Wire
from bpfimg.oci._reference import Repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._settings._options import RegistryOptions

_CLAIMS = 64 << 10


def check_login(host: str, username: str, password: str, options: RegistryOptions) -> bool:
    """Says whether the registry knows this user with this password: False when it lets everybody in and so cannot tell.

    RegistryError when it does not, or cannot be asked.
    """
    ours = replace(options, username=username, password=password)
    scheme, token = _enter(host, ours, "")
    if scheme == "bearer":
        _check_token(host, token, options)
        return True
    if scheme:
        return True
    # not asked for credentials: some check those that come unasked
    return _refuses_strangers(host, options) and bool(_enter(host, ours, "basic")[0])


def _check_token(host: str, token: str, options: RegistryOptions) -> None:
    """RegistryError when the token server gives the same to anybody: there are those that take a wrong password for
    none. To see that, it is asked for a token for nobody, and only where that says nothing with a wrong password."""
    none = replace(options.registries, helpers=())
    nobody = replace(options, username=None, authfile=None, auth_files=(), registries=none)
    try:
        _, other = _enter(host, nobody, "")
    except RegistryError as error:
        if error.status in (401, 403):
            return
        raise
    subject = _subject(token)
    if subject and subject != _subject(other):
        return
    if not _refuses_strangers(host, options):
        raise RegistryError(f"cannot log in to {host}: it takes any password, so this one cannot be checked")


def _refuses_strangers(host: str, options: RegistryOptions) -> bool:
    """Says whether a user who is not there, and whom nobody's lock-out hits, is kept out."""
    stranger = replace(options, username=f"nobody-{os.urandom(4).hex()}", password=os.urandom(16).hex())
    try:
        _enter(host, stranger, "basic")
    except RegistryError as error:
        if error.status in (401, 403):
            return True
        raise
    return False


def _enter(host: str, options: RegistryOptions, unasked: str) -> tuple[str, str]:
    """Returns the scheme by which the registry lets us in ("": by none) and the token; RegistryError when it does not.

    `unasked` is the scheme by which credentials are sent before it asks for any.
    """
    repository = Repository(host, "login")  # the request is about none: its path is never sent
    insecure = options.registries.destination(repository).insecure
    with Connections(options) as connections:
        if unasked:
            connections.tokens.challenges[repository.endpoint] = unasked, {}
        wire = Wire(repository, options, connections, insecure=insecure)
        try:
            finish(wire.request("GET", "/v2/", f"log in to {host}", actions=""))
        except RegistryError as error:
            if error.status not in (401, 403):
                raise
            raise RegistryError(
                f"cannot log in to {host}: it does not know {quoted(options.username)} with this password"
                f"{error.code and f' ({error.code})'}, HTTP {error.status}",
                status=error.status,
                code=error.code,
                hint="check user and password; some registries want an access token in its place",
            ) from error
        scheme, _ = connections.tokens.challenges.get(repository.endpoint, ("", {}))
        return scheme, wire.authorization("") or ""


def _subject(token: str) -> str:
    """Returns whom a token is for, if it is a JSON Web Token that says so (RFC 7519, 4.1.2); it is not verified."""
    _, _, rest = token.removeprefix("Bearer ").partition(".")
    claims = rest.partition(".")[0]
    try:
        found = strict_object(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)), limit=_CLAIMS)
    except (NotStrict, binascii.Error, ValueError):
        return ""
    subject = found.get("sub")
    return subject if isinstance(subject, str) else ""
