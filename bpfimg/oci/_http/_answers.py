"""Answers of a registry: read within bounds, and what is wrong with one, or with the lack of one, as one sentence."""

from __future__ import annotations

import re

from bpfimg._json import loose_value
from bpfimg.errors import DigestMismatch, NotFound, RegistryError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from urllib3 import BaseHTTPResponse
    from urllib3.exceptions import HTTPError

    from bpfimg.oci._digest import Digest

_ERROR_BODY = 64 << 10
_PIECE = 1 << 16
_LENGTH_DIGITS = 20
"""From here on a number is no length, and from 4300 on Python refuses to read it."""
_WORDS = {
    401: "the registry wants credentials",
    403: "access is denied",
    404: "there is no such thing",
    405: "the registry does not support it",
    413: "it is too large for the registry",
    429: "too many requests",
    500: "the registry has an internal error",
    502: "the gateway cannot reach the registry",
    503: "the registry is not available",
    504: "the gateway waited too long for the registry",
}
_HINTS = {429: "wait, or log in: registries allow more to those they know"}
_WARNING = re.compile(r'299 - "((?:[^"\\]|\\.){1,4096})"')
_MOST_WARNINGS = 8
_MISSING = ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "NAME_UNKNOWN")


class Interrupted(RegistryError):  # noqa: N818 - named as errors.py names its classes
    """The registry gave no answer this time; another try may get one."""


def pieces(response: BaseHTTPResponse) -> Iterator[bytes]:
    """Yields a body, undecoded, as it comes in; urllib3's TimeoutError when it comes too slowly (`_clock`).

    Not `stream`: that returns when a piece is full, so a byte a minute would go on for weeks, and it reads lines of
    any length between the chunks of a chunked body.
    """
    while part := response.read1(_PIECE, decode_content=False):
        yield part


def read_limited(response: BaseHTTPResponse, limit: int) -> bytes:
    """Returns at most `limit` + 1 bytes of a body, undecoded."""
    content = bytearray()
    for part in pieces(response):
        content += part
        if len(content) > limit:
            break
    return bytes(content[: limit + 1])


def read_whole(response: BaseHTTPResponse, limit: int, doing: str, host: str) -> bytes:
    """The same, with what breaks on the way as the error of `no_answer`."""
    from urllib3.exceptions import HTTPError

    try:
        return read_limited(response, limit)
    except HTTPError as error:
        raise no_answer(error, doing, host) from error


def announced(response: BaseHTTPResponse) -> int | None:
    """Returns how many bytes the headers promise, None when they say nothing of use."""
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and len(length) < _LENGTH_DIGITS else None


def warnings(lines: Iterable[str]) -> Iterator[str]:
    """Yields what a registry says to people (distribution-spec 1.1, 'Warnings'), quoted: a stranger wrote it."""
    for line in list(lines)[:_MOST_WARNINGS]:
        if found := _WARNING.match(line.strip()):
            yield quoted(re.sub(r"\\(.)", r"\1", found[1]), 400)


def finish(response: BaseHTTPResponse) -> None:
    """Reads away what nobody needs, so that the connection can be used again, and lets go of the response."""
    from urllib3.exceptions import HTTPError

    try:
        read_limited(response, _ERROR_BODY)
    except HTTPError:
        pass  # the answer is known; only the connection is lost
    finally:
        response.close()


def check_coding(response: BaseHTTPResponse, method: str, doing: str, host: str) -> None:
    """Refuses (RegistryError) content that comes packed on the way: its size and digest would be those of something
    else. What a HEAD says of it does no harm."""
    coding = response.headers.get("Content-Encoding", "identity")
    if coding.lower() != "identity" and method == "GET" and response.status < 300:
        response.close()
        raise RegistryError(
            f"cannot {doing}: {host} sends content encoded as {quoted(coding)}, expected it as it is stored",
            status=response.status,
        )


def check_said(host: str, digest: Digest, headers: Mapping[str, str]) -> None:
    """Refuses (DigestMismatch) an answer that gives bytes another digest than they have."""
    said = headers.get("Docker-Content-Digest", "")
    if said.startswith(f"{digest.algorithm}:") and said != str(digest):
        raise DigestMismatch(
            f"{host} says that {digest} is {quoted(said)}, expected the digest of its bytes",
            want=str(digest),
            got=said,
        )


def refusal(response: BaseHTTPResponse, doing: str, host: str) -> RegistryError:
    """Returns the error for an answer that is not the expected one: `cannot DOING: ...`.

    What can be done about a 401 or 403 is known to whoever has the credentials: `Auth.refused`.
    """
    code, message = _oci_error(response)
    status = response.status
    reason = _WORDS.get(status, f"the registry answers with status {status}")
    said = f" ({code}: {message})" if code and message else f" ({code or message})" if code or message else ""
    sentence = f"cannot {doing}: {reason}{said}, HTTP {status} from {host}"
    if status == 404 or code in _MISSING:
        return NotFound(sentence, status=status, code=code)
    return RegistryError(sentence, status=status, code=code, hint=_HINTS.get(status, ""))


def no_answer(error: HTTPError, doing: str, host: str) -> RegistryError:
    """Returns the error for a registry that cannot be reached or that breaks off.

    It is `Interrupted` unless trying again is pointless: a refused connection, an unknown name, a bad certificate.
    """
    from http.client import HTTPException, LineTooLong

    from urllib3 import exceptions

    cause = error.__cause__
    inner = error.args[-1] if error.args else None
    sentence = f"cannot {doing}: {host}: "
    if isinstance(error, exceptions.NameResolutionError):
        hint = "check the spelling of the host, and this machine's name servers"
        return RegistryError(f"{sentence}its name cannot be resolved", hint=hint)
    if isinstance(cause, ConnectionRefusedError):
        hint = "check that the registry runs there, and that the port is right"
        return RegistryError(f"{sentence}connection refused", hint=hint)
    if isinstance(error, exceptions.SSLError):
        reason, hint = _tls(str(error))
        return RegistryError(sentence + reason, hint=hint)
    if isinstance(error, exceptions.NewConnectionError) and isinstance(cause, OSError):
        return Interrupted(f"{sentence}{cause.strerror or 'no connection'}")
    if isinstance(error, exceptions.TimeoutError):
        return Interrupted(f"{sentence}it does not answer in time")
    if isinstance(error, exceptions.ProxyError):
        below = error.original_error  # urllib3's own, around the system's
        reason = getattr(below.__cause__, "strerror", None) or quoted(below)
        return Interrupted(f"{sentence}the proxy gives no connection ({reason})")
    if type(inner) in (HTTPException, LineTooLong) or isinstance(error, exceptions.LocationValueError):
        return RegistryError(f"{sentence}that is no answer by the rules of HTTP ({quoted(inner)})")
    return Interrupted(f"{sentence}the connection broke ({quoted(error)})")


def _tls(text: str) -> tuple[str, str]:
    if "CERTIFICATE_VERIFY_FAILED" in text:
        why = text.partition("verify failed: ")[2].partition("(_ssl")[0].strip()
        return f"its TLS certificate is not believed ({quoted(why)})", "name the authority's certificate with --ca-file"
    if "WRONG_VERSION_NUMBER" in text or "record layer" in text:
        return "it does not speak TLS", "a registry without TLS needs --plain-http"
    if "CERTIFICATE_REQUIRED" in text:
        return (
            "it wants a certificate of this client",
            "put it and its key, as client.cert and client.key, where containers-certs.d(5) says",
        )
    return f"TLS fails ({quoted(text)})", ""


def _oci_error(response: BaseHTTPResponse) -> tuple[str, str]:
    """Returns code and message of the first error in the body, "" where it has none: never a page of HTML."""
    from urllib3.exceptions import HTTPError

    try:
        document = loose_value(read_limited(response, _ERROR_BODY))
        first = document["errors"][0]
        code, message = first.get("code"), first.get("message")
    except (HTTPError, ValueError, TypeError, KeyError, IndexError, AttributeError):
        return "", ""
    return _word(code), quoted(message, 200) if isinstance(message, str) and message else ""


def _word(code: object) -> str:
    return code[:64] if isinstance(code, str) and code.replace("_", "").isalnum() and code.isascii() else ""
