"""Asking a service: one request, one bounded answer in time, or one sentence about why there is none."""

from __future__ import annotations

from bpfimg._json import loose_value
from bpfimg.errors import RegistryError, ServiceError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.oci import places

JSON = "application/json"
LIMIT = 4 * 1024 * 1024
_SAID = 300


def post(
    connections: places.Connections,
    url: str,
    doing: str,
    body: bytes,
    *,
    kind: str = JSON,
    accept: str = JSON,
    token: str = "",
) -> bytes:
    """Returns the content of a good answer (200 or 201); raises `ServiceError`.

    `token` (a secret) goes into the header `Authorization` and nowhere else.
    """
    headers = {"Content-Type": kind, "Accept": accept}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    status, content, _ = _asked(connections, "POST", url, doing, body=body, headers=headers)
    if status not in (200, 201):
        raise refused(doing, url, status, content)
    return content


def post_once(connections: places.Connections, url: str, doing: str, body: bytes) -> tuple[bytes, str]:
    """Returns the content of a good answer and "", or b"" and where (`Location`) the same thing is already (409)."""
    sent = {"Content-Type": JSON, "Accept": JSON}
    status, content, headers = _asked(connections, "POST", url, doing, body=body, headers=sent)
    location = headers.get("Location", "")
    if status == 409 and location:
        return b"", location
    if status not in (200, 201):
        raise refused(doing, url, status, content)
    return content, ""


def get(connections: places.Connections, url: str, doing: str) -> bytes:
    """Returns the content of a good answer; raises `ServiceError`."""
    status, content, _ = _asked(connections, "GET", url, doing, body=None, headers={"Accept": JSON})
    if status != 200:
        raise refused(doing, url, status, content)
    return content


def refused(doing: str, url: str, status: int, content: bytes) -> ServiceError:
    """Returns the error for an answer that is not a good one, with what the service says about it."""
    said = _message(content)
    return ServiceError(f"cannot {doing}: HTTP {status} from {host(url)}{f' ({said})' if said else ''}")


def host(url: str) -> str:
    """Returns the host of a URL, with its port, for messages."""
    from urllib.parse import urlsplit

    return quoted(urlsplit(url).netloc.rpartition("@")[2])[1:-1]


def _asked(
    connections: places.Connections,
    method: str,
    url: str,
    doing: str,
    *,
    body: bytes | None,
    headers: Mapping[str, str],
) -> tuple[int, bytes, Mapping[str, str]]:
    try:
        answer = connections.ask(method, url, doing, body=body, headers=headers, limit=LIMIT)
    except RegistryError as error:
        hint = error.hint if "--ca-file" in error.hint else "the trust configuration says where the services are"
        raise ServiceError(str(error), hint=hint) from error
    return answer.status, answer.content, answer.headers


def _message(content: bytes) -> str:
    """Returns the sentence in an error of Fulcio or Rekor (`{"code": N, "message": TEXT}`), "" when there is none."""
    try:
        found = loose_value(content)
        text = found["message"]
    except (ValueError, TypeError, KeyError):
        return ""
    return quoted(text, _SAID) if isinstance(text, str) and text else ""
