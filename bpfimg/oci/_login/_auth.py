"""Who we are, to one registry: nothing until it asks, then Basic or a Bearer token (distribution token spec)."""

from __future__ import annotations

from base64 import b64encode
from contextlib import closing

from bpfimg.errors import RegistryError, quoted
from bpfimg.oci._http._answers import refusal
from bpfimg.oci._http._proxy import is_loopback
from bpfimg.oci._login._credentials import find_credentials
from bpfimg.oci._login._scopes import challenged, scope_words, wanted
from bpfimg.oci._login._tokens import Tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from urllib3 import BaseHTTPResponse

    from bpfimg.oci._login._auth_file import Credentials
    from bpfimg.oci._login._scopes import Scopes
    from bpfimg.oci._reference import Repository
    from bpfimg.oci._settings._options import RegistryOptions

    Ask = Callable[[str, str, Mapping[str, str], bytes | None], BaseHTTPResponse]
    """Sends method, URL, headers and body without credentials of its own."""

_NO_POST = (400, 401, 404, 405)
"""What token servers answer that know no POST: GCR 404, Artifactory 401, ACR 400 (containerd asks with GET then)."""


class Auth:
    """The state of one repository's authentication; `ask` fetches tokens. Safe for threads.

    `actions` are `pull`, `pull,push`, ... of the repository, a whole scope (`registry:catalog:*`), or nothing.
    """

    def __init__(
        self,
        repository: Repository,
        options: RegistryOptions,
        *,
        plain_http: bool,
        ask: Ask,
        tokens: Tokens | None = None,
    ) -> None:
        self._repository = repository
        self._options = options
        self._plain_http = plain_http
        self._ask = ask
        self._tokens = tokens or Tokens()
        self._looked = False
        self._who: Credentials | None = None
        self._more: dict[tuple[str, str], Scopes] = {}

    def header(self, actions: str, mount: str = "") -> str | None:
        """Returns the `Authorization` for `actions`; None before the registry has asked for any.

        `mount` is the path of a repository from which a blob is mounted, so that it is to be read as well.
        """
        scheme, challenge = self._tokens.challenges.get(self._repository.endpoint, ("", {}))
        who = self._credentials() if scheme else None
        if scheme == "bearer":
            return f"Bearer {self._token(challenge, who, actions, mount)}"
        return _basic(who.username, who.password) if who and who.username else None

    def learn(self, response: BaseHTTPResponse, actions: str, doing: str, *, sent: str | None, mount: str = "") -> None:
        """Takes the challenges of a 401; RegistryError when we have nothing that could answer them.

        `sent` is the `Authorization` that was refused: so a token that another thread has renewed stays.
        """
        from bpfimg.oci._login._challenge import parse_challenges

        challenges = parse_challenges(response.headers.getlist("WWW-Authenticate"))
        who = self._credentials()
        refused = sent or ""
        if "realm" in challenges.get("bearer", {}):
            challenge = challenges["bearer"]
            if who and who.registry_token and refused == f"Bearer {who.registry_token}":
                raise self.refused(response, doing)
            extra = challenged(challenge.get("scope", ""), self._repository.path)
            self._more[actions, mount] = self._more.get((actions, mount), frozenset()) | extra
            self._tokens.challenges[self._repository.endpoint] = "bearer", challenge
            self._tokens.drop(self._holder(challenge, who), refused.removeprefix("Bearer "))
        elif "basic" in challenges and who and who.username and not refused.startswith("Basic "):
            self._tokens.challenges[self._repository.endpoint] = "basic", {}
        else:
            raise self.refused(response, doing)

    def refused(self, response: BaseHTTPResponse, doing: str) -> RegistryError:
        """Returns the error for a 401 or 403 that stays, saying whose credentials were tried."""
        from bpfimg.oci._login._challenge import parse_challenges
        from bpfimg.oci._login._login_hint import login_hint

        error = refusal(response, doing, self._repository.endpoint)
        if response.status not in (401, 403):
            return error
        challenge = parse_challenges(response.headers.getlist("WWW-Authenticate")).get("bearer", {})
        hint = login_hint(self._options, self._repository, self._who, challenge.get("error", ""))
        return RegistryError(str(error), status=error.status, code=error.code, hint=hint)

    def _credentials(self) -> Credentials | None:
        if not self._looked:  # two threads may both look: they find the same
            self._who = find_credentials(self._options, self._repository, self._tokens.answers)
            self._looked = True
        return self._who

    def _holder(self, challenge: Mapping[str, str], who: Credentials | None) -> Hashable:
        return self._repository.endpoint, challenge["realm"], challenge.get("service"), who

    def _token(self, challenge: Mapping[str, str], who: Credentials | None, actions: str, mount: str) -> str:
        if who and who.registry_token:
            from bpfimg.oci._login._token_answer import sendable

            return sendable(who.registry_token, who.origin)
        scopes = wanted(self._repository.path, actions, mount) | self._more.get((actions, mount), frozenset())
        return self._tokens.get(
            self._holder(challenge, who), scopes, lambda: self._fetch(challenge["realm"], challenge, who, scopes)
        )

    def _fetch(
        self, realm: str, challenge: Mapping[str, str], who: Credentials | None, scopes: Scopes
    ) -> tuple[str, float]:
        from urllib.parse import urlencode

        self._check_realm(realm)
        words = scope_words(scopes, self._repository.path)
        query = [("service", challenge["service"])] if "service" in challenge else []
        if who and who.identity_token:
            form = [*query, ("grant_type", "refresh_token"), ("refresh_token", who.identity_token)]
            form += [("client_id", "bpfimg"), *([("scope", " ".join(words))] if words else [])]
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            with closing(self._ask("POST", realm, headers, urlencode(form).encode())) as response:
                if response.status not in _NO_POST:
                    return self._read(response, realm)
        query += [("scope", word) for word in words]
        headers = {}
        if who and who.usable:
            if who.username:
                query.append(("account", who.username))  # as docker and podman do
            user, secret = (who.username, who.password) if who.username else ("<token>", who.identity_token)
            headers = {"Authorization": _basic(user, secret)}
        joint = "&" if "?" in realm else "?"
        url = f"{realm}{joint}{urlencode(query)}" if query else realm
        with closing(self._ask("GET", url, headers, None)) as response:
            return self._read(response, realm)

    def _read(self, response: BaseHTTPResponse, realm: str) -> tuple[str, float]:
        if response.status != 200:
            raise self.refused(response, f"get a token for {self._repository}")
        from bpfimg.oci._login._token_answer import read_token

        return read_token(response, realm)

    def _check_realm(self, realm: str) -> None:
        """RegistryError unless passwords may go there: over TLS, or where the registry itself is plain already."""
        from urllib.parse import urlsplit

        try:
            parts = urlsplit(realm)
            scheme, place = parts.scheme, parts.netloc.rpartition("@")[2].lower()
        except ValueError:
            scheme = place = ""
        near = is_loopback(place) or place == self._repository.endpoint or self._options.plain_http
        if not place or not (scheme == "https" or (scheme == "http" and self._plain_http and near)):
            raise RegistryError(
                f"{self._repository.endpoint} sends us for a token to {quoted(realm)}, expected an https URL",
            )


def _basic(username: str, password: str) -> str:
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()
