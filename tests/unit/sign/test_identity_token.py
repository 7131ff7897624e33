"""Identity tokens: what is none is refused in one sentence, and never quoted."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import pytest

from bpfimg.errors import UsageError
from bpfimg.sign._services._identity import read_token

pytest.importorskip("sigstore")

SECRET = "c2VjcmV0LXNpZ25hdHVyZQ"


def _token(**changes: Any) -> str:
    now = int(time.time())
    claims = {"aud": "sigstore", "iss": "https://idp.example", "sub": "me", "iat": now, "nbf": now, "exp": now + 600}
    parts = ({"alg": "RS256", "typ": "JWT"}, {**claims, **changes})
    return ".".join([*(urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in parts), SECRET])


def test_a_token_says_who_signs() -> None:
    assert (read_token(_token()).identity, read_token(_token()).issuer) == ("me", "https://idp.example")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": ["https://idp.example"]},
        {"iss": {}},
        {"iss": 5},
        {"sub": None},
        {"exp": "soon"},
        {"aud": {}},
        {"aud": "somebody"},
        {"exp": 1},
        {"iss": "https://oauth2.sigstore.dev/auth", "email": "a@b", "email_verified": True, "federated_claims": "x"},
    ],
)
def test_claims_of_other_kinds_are_refused_and_not_quoted(changes: dict[str, Any]) -> None:
    token = _token(**changes)
    with pytest.raises(UsageError, match="identity token cannot be used") as refused:
        read_token(token)
    assert SECRET not in str(refused.value)
    assert token.split(".")[1] not in str(refused.value)
