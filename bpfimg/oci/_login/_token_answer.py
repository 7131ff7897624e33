"""What a token server answers (distribution token spec, "Token Response Fields"; RFC 6749, 5.1)."""

from __future__ import annotations

import re

from bpfimg.errors import ImageError, RegistryError, quoted
from bpfimg.oci._http._answers import read_whole
from bpfimg.oci._json import parse_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_LIMIT = 1 << 20
_LIFETIME, _MARGIN, _LONGEST = 60.0, 10.0, 86400.0
"""Seconds that a token lives when its answer does not say, before whose end it is renewed, and at most."""
_SENDABLE = re.compile(r"[\x21-\x7e]{1,65536}")


def read_token(response: BaseHTTPResponse, realm: str) -> tuple[str, float]:
    """Returns the token and for how many seconds it may be used; RegistryError when there is none, Interrupted when
    the answer breaks off."""
    raw = read_whole(response, _LIMIT, "get a token", quoted(realm))
    try:
        answer = parse_object(raw, "the token answer", limit=_LIMIT)
    except ImageError as error:
        raise RegistryError(f"{quoted(realm)} gives no token: {error}") from error
    lifetime, seconds = answer.get("expires_in"), _LIFETIME
    if isinstance(lifetime, int | float) and not isinstance(lifetime, bool) and lifetime > 0:
        seconds = float(min(lifetime, _LONGEST))
    token = sendable(answer.get("token") or answer.get("access_token"), quoted(realm))
    return token, seconds - _age(answer.get("issued_at"), response.headers.get("Date", "")) - _MARGIN


def sendable(token: object, origin: str) -> str:
    """Returns `token` when it can stand in a header; RegistryError, naming where it is from, when not."""
    if not isinstance(token, str) or not _SENDABLE.fullmatch(token):
        raise RegistryError(f"{origin} gives no token that can be sent, expected printable text")
    return token


def _age(issued: object, now: str) -> float:
    """Returns the seconds since a token was issued, by the server's clocks alone: ours may be wrong.

    A server that keeps its tokens hands out old ones.
    """
    from datetime import datetime
    from email.utils import parsedate_to_datetime

    try:
        age = (parsedate_to_datetime(now) - datetime.fromisoformat(str(issued))).total_seconds()
    except (TypeError, ValueError):  # none, or one without a time zone
        return 0.0
    return max(age, 0.0)
