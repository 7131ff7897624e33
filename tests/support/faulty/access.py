"""Who may do what: Basic, Bearer with a token service, identity tokens; scopes are really checked."""

from __future__ import annotations

import re
import secrets
import time
from base64 import b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from tests.support.faulty.messages import Reply, Request, as_json, refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

_NAME = re.compile(r"/v2/(.+?)/(?:manifests|blobs|referrers|tags)/.*")
_ACTIONS = {"GET": {"pull"}, "HEAD": {"pull"}, "DELETE": {"delete"}}

Access = tuple[str, str, str]
"""Type, name and action: ("repository", "acme/xdp", "pull")."""


@dataclass(slots=True)
class Accounts:
    """Users of a registry and the tokens that they were given."""

    kind: Literal["basic", "bearer"] = "bearer"
    users: dict[str, str] = field(default_factory=dict)
    identity_tokens: dict[str, str] = field(default_factory=dict)
    """The user of each."""
    anonymous: bool = True
    """Whoever has no password may pull."""
    oauth: bool = True
    """The token service takes POST (else 404, as older ones)."""
    lifetime: int = 300
    realm: str = ""
    """Where tokens are given; "" is `/token` of this server."""
    service: str = "registry.test"
    given: dict[str, tuple[frozenset[Access], float]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """The scopes of each token that was given, in their order, blanks between them."""

    def refusal(self, request: Request, host: str) -> Reply | None:
        """Returns the 401 for a request that may not be done, None when it may."""
        wanted = set(_wanted(request))
        scheme, _, credential = request.header("Authorization").partition(" ")
        if self.kind == "basic":
            if scheme.lower() == "basic" and self._user(credential) is not None:
                return None
            return refused(401, "UNAUTHORIZED", {"WWW-Authenticate": 'Basic realm="test"'})
        granted, end = self.given.get(credential, (frozenset(), 0.0)) if scheme.lower() == "bearer" else ((), 0.0)
        if wanted and wanted <= set(granted) and time.monotonic() < end:
            return None
        if not wanted and scheme.lower() == "bearer" and credential in self.given:
            return None
        challenge = f'Bearer realm="{self.realm or f"{host}/token"}",service="{self.service}"'
        if wanted:
            challenge += f',scope="{" ".join(_scopes(wanted))}"'
        if credential:
            challenge += ',error="insufficient_scope"' if granted else ',error="invalid_token"'
        return refused(401, "UNAUTHORIZED", {"WWW-Authenticate": challenge})

    def token(self, request: Request, body: bytes) -> Reply:
        """Returns what the token service answers."""
        if request.method == "POST":
            return self._exchange(parse_qs(body.decode()))
        query = parse_qs(request.path.partition("?")[2])
        scheme, _, credential = request.header("Authorization").partition(" ")
        user = self._user(credential) if scheme.lower() == "basic" else None
        if scheme and user is None:
            return refused(401, "UNAUTHORIZED")
        return self._give(user, query.get("scope", []), "token")

    def _exchange(self, form: dict[str, list[str]]) -> Reply:
        if not self.oauth:
            return Reply(404, b"404 page not found\n")
        kind = form.get("grant_type", [""])[0]
        user = self.identity_tokens.get(form.get("refresh_token", [""])[0]) if kind == "refresh_token" else None
        if kind == "password":
            name, password = form.get("username", [""])[0], form.get("password", [""])[0]
            user = name if self.users.get(name) == password else None
        if user is None or not form.get("client_id") or not form.get("service"):
            return refused(401, "UNAUTHORIZED")
        return self._give(user, form.get("scope", []), "access_token")

    def _give(self, user: str | None, scopes: list[str], name: str) -> Reply:
        if user is None and not self.anonymous:
            return refused(401, "UNAUTHORIZED")
        self.asked.append(" ".join(scopes))
        granted = {
            access for scope in " ".join(scopes).split() for access in _read(scope) if user or access[2] == "pull"
        }
        token = secrets.token_hex(16)
        self.given[token] = frozenset(granted), time.monotonic() + self.lifetime
        return as_json({name: token, "expires_in": self.lifetime})

    def _user(self, credential: str) -> str | None:
        try:
            name, _, password = b64decode(credential, validate=True).decode().partition(":")
        except ValueError:
            return None
        if name == "<token>":
            return self.identity_tokens.get(password)
        return name if self.users.get(name) == password else None


def _wanted(request: Request) -> Iterator[Access]:
    if request.where == "/v2/_catalog":
        yield "registry", "catalog", "*"
    found = _NAME.fullmatch(request.where)
    if found is None:
        return
    for action in _ACTIONS.get(request.method, {"pull", "push"}):
        yield "repository", found[1], action
    origin = request.query("from")
    if origin:
        yield "repository", origin, "pull"


def _scopes(wanted: set[Access]) -> list[str]:
    places = sorted({(kind, name) for kind, name, _ in wanted})
    return [
        f"{kind}:{name}:{','.join(sorted(action for one, other, action in wanted if (one, other) == (kind, name)))}"
        for kind, name in places
    ]


def _read(scope: str) -> list[Access]:
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    return [(kind, name, action) for action in actions.split(",")]
