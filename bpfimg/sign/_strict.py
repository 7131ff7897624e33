"""Strict readers for text that strangers wrote: JSON, base64 and PEM, each bounded, none forgiving.

Evidence and policies decide whether code runs as root, so two readers must never see two documents in the same
bytes: duplicate keys, a byte-order mark, NaN, characters outside the base64 alphabet are all `Junk`.
"""

from __future__ import annotations

import binascii

from bpfimg._json import NotStrict, json_kind, strict_object
from bpfimg.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


# text, not compiled: most signatures have no certificate beside them
_CERTIFICATE = rb"-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+?)-----END CERTIFICATE-----\s*"


class Junk(ValueError):  # noqa: N818 (it never leaves the room, where it is news rather than an error)
    """Bytes that are not what they should be; `str()` says why, in words that are safe to show."""


def document(data: bytes, *, limit: int, what: str) -> dict[str, object]:
    """Returns the JSON object in `data` (UTF-8, at most `limit` bytes), or raises `Junk`."""
    try:
        return strict_object(data, limit=limit)
    except NotStrict as error:
        raise Junk(f"{what} {error}") from None


def fields(value: object, what: str, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, object]:
    """Returns `value`, an object with all `required` keys and at most the `optional` ones beside; else `Junk`."""
    found = mapping(value, what)
    must = tuple(required)
    for name in must:
        if name not in found:
            raise Junk(f"{what} lacks {name!r}")
    unknown = sorted(found.keys() - set(must) - set(optional))
    if unknown:
        raise Junk(f"{what} has the unknown field {quoted(unknown[0])}")
    return found


def mapping(value: object, what: str) -> dict[str, object]:
    """Returns `value` if it is an object, whatever is in it, else raises `Junk`."""
    if type(value) is not dict:
        raise Junk(f"{what} is {json_kind(value)}, expected an object")
    return value


def items(value: object, what: str, *, least: int = 0, most: int) -> list[object]:
    """Returns `value` if it is a list of `least` to `most` entries, else raises `Junk`."""
    if type(value) is not list:
        raise Junk(f"{what} is {json_kind(value)}, expected a list")
    if len(value) > most:
        raise Junk(f"{what} has {len(value)} entries, expected at most {most}")
    if len(value) < least:
        there = f"has {len(value)} entries" if value else "is empty"
        raise Junk(f"{what} {there}, expected at least {least}")
    return value


def string(value: object, what: str) -> str:
    """Returns `value` if it is a string, else raises `Junk`."""
    if type(value) is not str:
        raise Junk(f"{what} is {json_kind(value)}, expected a string")
    return value


def base64(value: object, what: str) -> bytes:
    """Returns the bytes of a standard base64 string with padding, no white space, no other alphabet; else `Junk`."""
    text = string(value, what)
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError as error:  # binascii.Error and UnicodeEncodeError are ValueErrors
        raise Junk(f"{what} is not base64: {quoted(error)[1:-1]}") from None


def pem(data: bytes, what: str, *, limit: int = 16 * 1024) -> tuple[str, bytes]:
    """Returns label and content of the one PEM block (RFC 7468) that `data` consists of; else `Junk`."""
    if len(data) > limit:
        raise Junk(f"{what} has {len(data)} bytes, expected at most {limit}")
    try:
        lines = [line.rstrip() for line in data.decode("ascii").strip().splitlines()]
    except UnicodeDecodeError:
        raise Junk(f"{what} is not PEM: it holds bytes that are not ASCII") from None
    if len(lines) < 3 or not (lines[0].startswith("-----BEGIN ") and lines[0].endswith("-----")):
        raise Junk(f"{what} is not PEM: expected a line '-----BEGIN ...-----' first")
    label = lines[0][len("-----BEGIN ") : -len("-----")]
    if lines[-1] != f"-----END {label}-----":
        raise Junk(f"{what} is not PEM: expected its last line to end what the first begins, and nothing after it")
    return label, base64("".join(lines[1:-1]), what)


def certificates(data: bytes, what: str, *, most: int) -> tuple[bytes, ...]:
    """Returns what is in PEM blocks `CERTIFICATE`, at most so many, with nothing but white space around them, unread;
    `Junk` for anything else, () for nothing."""
    import re

    block, text, at = re.compile(_CERTIFICATE), data.strip(), 0
    found: list[bytes] = []
    while len(found) < most and (one := block.match(text, at)) is not None:
        found.append(base64(b"".join(one[1].split()).decode("ascii"), what))
        at = one.end()
    if at != len(text):
        raise Junk(f"{what} is not PEM, expected at most {most} blocks 'CERTIFICATE' and nothing else")
    if not all(found):
        raise Junk(f"{what} has 0 bytes, expected a certificate")
    return tuple(found)


def to_base64(data: bytes) -> str:
    """Returns `data` in standard base64 on one line."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def to_pem(label: str, data: bytes) -> bytes:
    """Returns `data` as one PEM block with 64 columns."""
    text = to_base64(data)
    rows = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *rows, f"-----END {label}-----", ""]).encode("ascii")
