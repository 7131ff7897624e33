"""Who we are, to one registry: nothing until it asks, then Basic or a Bearer token (distribution token spec)."""

from __future__ import annotations

import re
import time
from base64 import b64encode

from bpfimg.errors import ImageError, RegistryError, quoted
from bpfimg.oci._answers import read_limited, refusal
from bpfimg.oci._challenge import parse_challenges
from bpfimg.oci._credentials import Credentials, find_credentials
from bpfimg.oci._json import parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from urllib3 import BaseHTTPResponse

    from bpfimg.oci._options import RegistryOptions
    from bpfimg.oci._reference import Repository

    Ask = Callable[[str, str, Mapping[str, str], bytes | None], BaseHTTPResponse]
    """Sends method, URL, headers and body without credentials of its own."""

_TOKEN_LIMIT = 1 << 20
_LIFETIME, _MARGIN = 60.0, 10.0
"""Seconds that a token lives when its answer does not say, and before whose end it is renewed."""
_LONGEST = 86400.0
_SENDABLE = re.compile(r"[\x21-\x7e]+")
_WIDE = "pull,push"


class Auth:
    """The state of one repository's authentication; `ask` fetches tokens."""

    def __init__(self, repository: Repository, options: RegistryOptions, *, plain_http: bool, ask: Ask) -> None:
        self._repository = repository
        self._options = options
        self._plain_http = plain_http
        self._ask = ask
        self._wanted: tuple[str, Mapping[str, str]] | None = None
        self._credentials: Credentials | None = None
        self._tokens: dict[str, tuple[str, float]] = {}

    def header(self, actions: str) -> str | None:
        """Returns the `Authorization` for `pull` or `pull,push`; None before the registry has asked for any."""
        if self._wanted is None:
            return None
        scheme, challenge = self._wanted
        if scheme == "basic":
            assert self._credentials is not None
            return _basic(self._credentials.username, self._credentials.password)
        return f"Bearer {self._token(challenge, actions)}"

    def learn(self, response: BaseHTTPResponse, actions: str, doing: str) -> None:
        """Takes the challenges of a 401; RegistryError when we have nothing that could answer them."""
        challenges = parse_challenges(response.headers.getlist("WWW-Authenticate"))
        self._tokens.pop(actions, None)
        self._tokens.pop(_WIDE, None)
        self._credentials = find_credentials(self._options, self._repository)
        if "realm" in challenges.get("bearer", {}):
            self._wanted = "bearer", challenges["bearer"]
        elif "basic" in challenges and self._credentials and self._credentials.username:
            self._wanted = "basic", {}
        else:
            raise self.refused(response, doing)

    def refused(self, response: BaseHTTPResponse, doing: str) -> RegistryError:
        """Returns the error for a 401 or 403 that stays, saying whose credentials were tried."""
        error = refusal(response, doing, self._repository.endpoint)
        who = self._credentials
        if who is None:
            return error
        if not who.usable:
            hint = f"{who.origin} leaves the credentials to {who.helper}, which is not asked: use --authfile"
        else:
            hint = f"the credentials come from {who.origin}: check them, or log in again"
        return RegistryError(str(error), status=error.status, code=error.code, hint=hint)

    def _token(self, challenge: Mapping[str, str], actions: str) -> str:
        for scope in (_WIDE, actions):  # what may push may pull
            token, end = self._tokens.get(scope, ("", 0.0))
            if token and time.monotonic() < end:
                return token
        if self._credentials and self._credentials.registry_token:
            return _sendable(self._credentials.registry_token, self._credentials.origin)
        token, lifetime = self._fetch_token(challenge, actions)
        self._tokens[actions] = token, time.monotonic() + lifetime - _MARGIN
        return token

    def _fetch_token(self, challenge: Mapping[str, str], actions: str) -> tuple[str, float]:
        from urllib.parse import urlencode

        realm = challenge["realm"]
        if not realm.startswith("https://") and not (realm.startswith("http://") and self._plain_http):
            raise RegistryError(
                f"{self._repository.endpoint} sends us for a token to {quoted(realm)}, expected an https URL",
            )
        query = {"scope": f"repository:{self._repository.path}:{actions}"}
        if "service" in challenge:
            query["service"] = challenge["service"]
        who = self._credentials
        if who and who.identity_token:
            form = {**query, "grant_type": "refresh_token", "refresh_token": who.identity_token, "client_id": "bpfimg"}
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            response = self._ask("POST", realm, headers, urlencode(form).encode())
            if response.status not in (404, 405):
                return self._read_token(response, realm)
            response.close()
        headers = {"Authorization": _basic(*_login(who))} if who and who.usable else {}
        joint = "&" if "?" in realm else "?"
        return self._read_token(self._ask("GET", f"{realm}{joint}{urlencode(query)}", headers, None), realm)

    def _read_token(self, response: BaseHTTPResponse, realm: str) -> tuple[str, float]:
        try:
            if response.status != 200:
                raise self.refused(response, f"get a token for {self._repository}")
            raw = read_limited(response, _TOKEN_LIMIT)
        finally:
            response.close()
        try:
            answer = parse_object(raw, "the token answer", limit=_TOKEN_LIMIT)
        except ImageError as error:
            raise RegistryError(f"{quoted(realm)} gives no token: {error}") from error
        token = answer.get("token") or answer.get("access_token")
        lifetime = answer.get("expires_in")
        seconds = min(lifetime, _LONGEST) if isinstance(lifetime, int | float) and lifetime > 0 else _LIFETIME
        return _sendable(token, quoted(realm)), seconds


def _login(who: Credentials) -> tuple[str, str]:
    return ("<token>", who.identity_token) if who.identity_token else (who.username, who.password)


def _basic(username: str, password: str) -> str:
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


def _sendable(token: object, origin: str) -> str:
    if not isinstance(token, str) or not _SENDABLE.fullmatch(token):
        raise RegistryError(f"{origin} gives no token that can be sent, expected printable text")
    return token
