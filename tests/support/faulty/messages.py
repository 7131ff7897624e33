"""What comes in and what goes out, as values."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import new
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.faulty.server import Line

INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came in."""

    method: str
    path: str
    """With its query."""
    headers: dict[str, str]
    size: int = 0
    """Bytes of the body."""
    host: str = ""
    """Where it came in: `HOST:PORT` of the registry or of its other origin."""

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def where(self) -> str:
        """The path without its query."""
        return urlsplit(self.path).path

    def query(self, name: str) -> str | None:
        """The first value of a parameter of the query."""
        return parse_qs(urlsplit(self.path).query, keep_blank_values=True).get(name, [None])[0]

    def header(self, name: str) -> str:
        return next((text for key, text in self.headers.items() if key.lower() == name.lower()), "")


@dataclass(slots=True)
class Reply:
    """A response before it is sent."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Close the connection after so many bytes of the body, all of which were announced."""
    unannounced: bool = False
    """Send no Content-Length: the body ends when the connection does."""
    more: tuple[tuple[str, str], ...] = ()
    """Further header lines, for those that stand there several times."""
    send: Callable[[Line, Reply], None] | None = None
    """Sends it in place of the server, in whatever way is wrong."""


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{new(algorithm, content).hexdigest()}"


def matches(content: bytes, digest: str) -> bool:
    """Says whether `digest` is one, and of `content`."""
    algorithm = digest.partition(":")[0]
    return algorithm in ("sha256", "sha512") and digest_of(content, algorithm) == digest


def refused(status: int, code: str, headers: dict[str, str] | None = None, message: str = "") -> Reply:
    """A refusal in the words of the distribution specification."""
    body = json.dumps({"errors": [{"code": code, "message": message or f"fake {code}"}]}).encode()
    return Reply(status, body, {"Content-Type": "application/json", **(headers or {})})


def as_json(document: object, status: int = 200, **headers: str) -> Reply:
    body = json.dumps(document).encode()
    return Reply(status, body, {"Content-Type": "application/json", **headers})
