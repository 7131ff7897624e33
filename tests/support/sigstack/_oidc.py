"""An OpenID provider: discovery, keys, tokens for the asking, the browser's flow with PKCE, and GitHub's endpoint.

Sources: OpenID Connect Core and Discovery 1.0; RFC 7636 (PKCE); GitHub's "OpenID Connect reference".
"""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.sigstack._service import Answer, RefusedError, Request, document
from tests.support.sigstack._world import SUBJECT

GITHUB_SECRET = "a-runner-asks"


@cache
def _key() -> rsa.RSAPrivateKey:
    """cosign knows a raw token by RS256 only. One for all stacks of a process: making it takes the longest."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(slots=True)
class Provider:
    """Gives tokens. `issuers` are the names that Fulcio believes tokens of this provider's key under; `claims` are
    what a person who logs in by browser, or a job that asks GitHub's endpoint, gets."""

    url: str = ""
    issuers: set[str] = field(default_factory=set)
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": SUBJECT})
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def token(self, **claims: Any) -> str:
        """A signed token; `claims` come before the usual ones, None takes one away."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": "sigstore", "sub": SUBJECT, "iat": now, "nbf": now - 5, "exp": now + 600}
        said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(said, _key(), "RS256", headers={"kid": "one"})

    def believed(self, token: str, *, audience: str = "sigstore") -> dict[str, Any]:
        """The claims of a token of one of the issuers; `RefusedError` for any other."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                _key().public_key(),
                algorithms=["RS256"],
                audience=audience,
                options={"require": ["iss", "aud", "sub", "exp", "iat"]},
            )
        except jwt.InvalidTokenError as error:
            raise RefusedError(401, f"the token is not believed: {error}") from error
        if claims["iss"] not in self.issuers:
            raise RefusedError(401, f"the issuer {claims['iss']!r} is not known")
        return claims

    def respond(self, request: Request) -> Answer:
        """Answers one request."""
        match request.method, request.path:
            case "GET", "/.well-known/openid-configuration":
                return document(self._discovery())
            case "GET", "/keys":
                return document({"keys": [_jwk()]})
            case "GET", "/auth":
                return self._login(request.query)
            case "POST", "/token":
                return self._exchange({name: each[0] for name, each in parse_qs(request.body.decode()).items()})
            case "GET", "/github":
                if request.headers.get("Authorization", "").lower() != f"bearer {GITHUB_SECRET}":
                    raise RefusedError(401, "not the runner's")
                return document({"value": self.token(**self.claims, aud=request.query["audience"])})
        raise RefusedError(404, f"{request.method} {request.path}")

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/auth",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "email"],
        }

    def _login(self, query: dict[str, str]) -> Answer:
        """The browser's page: whoever opens it is logged in, and sent back with a code."""
        if query.get("code_challenge_method") != "S256" or query.get("response_type") != "code":
            raise RefusedError(400, "expected a code flow with PKCE")
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        back = urlencode({"code": code, "state": query.get("state", "")})
        return Answer(status=302, headers={"Location": f"{query['redirect_uri']}?{back}"})

    def _exchange(self, form: dict[str, str]) -> Answer:
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or form.get("redirect_uri") != asked["redirect_uri"]:
            raise RefusedError(400, "no such code")
        challenge = urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=")
        if challenge.decode() != asked["code_challenge"]:
            raise RefusedError(400, "the verifier is not that of the challenge")
        token = self.token(**self.claims, nonce=asked.get("nonce"))
        # sigstore-python takes the access token for the identity: Dex, which Sigstore runs, gives the same one twice
        return document({"access_token": token, "token_type": "Bearer", "id_token": token, "expires_in": 600})


def _jwk() -> dict[str, str]:
    numbers = _key().public_key().public_numbers()

    def text(number: int) -> str:
        return urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()

    return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one", "n": text(numbers.n), "e": text(numbers.e)}
