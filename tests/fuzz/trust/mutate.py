"""Broken documents that still look like some: changes in JSON, and in the text, base64, PEM and DER inside of it.

An input is a line `trust KIND`, and then the parts of its kind (`world` says which), with `BETWEEN` between them.
"""

from __future__ import annotations

import base64
import binascii
import copy
import json
import re
from typing import TYPE_CHECKING, Any

from tests.fuzz.trust import der

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

HEAD = b"trust "
BETWEEN = b"\n\0\n"
_LARGEST = 256 << 10  # of an input: limits of documents are tried in the tests of each reader
_BASE64 = re.compile(r"[A-Za-z0-9+/]{6,}={0,2}")
_UNICODE = (
    "\0",
    "\n",
    "\r",
    "\t",
    "\x1b[2J",
    "\x7f",
    "\u00a0",
    "\u200b",
    "\u202e",
    "\ufeff",
    "\ufffd",
    "é",
    "\u0435",
    "\ufb00",
)
_UNICODE += (
    "\u2028",
    "İ",
    "ß",
    "٣",
    "\U0001d7d9",
    "😀",
    "\u0301",
    "\ud800",
    "\udfff",
    "%",
    "/",
    "\\",
    '"',
    "@",
    ":",
    " ",
    "..",
)
_TEXTS = ("", "x", "0", "-1", "1", "9" * 19, "9" * 400, "1e3", "AAAA", "////", "%", "null", "sha256", "sha1")
_TEXTS += (
    "é" * 200,
    "A" * 5000,
    "https://[",
    "http://a:b@c",
    "..",
    "/",
    "/dev/zero",
    "a" * 2049,
    "P1D",
    "2026-01-31T12:00:00Z",
)
_NUMBERS = (0, 1, -1, 2, 7, 63, 255, 1 << 31, (1 << 53) - 1, 1 << 53, (1 << 63) - 1, 1 << 63, 1 << 64, -(1 << 63))
_NUMBERS += (1.0, 1.5, 1e308, -0.0)
_RAW = ("NaN", "Infinity", "-Infinity", "1e999", "-0", "01", "1e400", "9" * 5000, '"\\ud800"', '"\\u0000"', "'x'", "")
_RAW += (
    "{,}",
    "[" * 100 + "]" * 100,
    "[" * 3000,
    '{"a":' * 70 + "1" + "}" * 70,
    "tru",
    "/**/1",
    "[1,]",
    "\x0b1",
    "1_0",
)


class Raw:
    """Text that stands in JSON as it is."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Pairs:
    """An object whose names may stand twice."""

    __slots__ = ("rows",)

    def __init__(self, rows: list[tuple[str, Any]]) -> None:
        self.rows = rows


class Seed:
    """One input to start from: its kind and parts, and whether it is to be believed as it is."""

    def __init__(self, kind: str, *parts: bytes, honest: bool = False) -> None:
        self.kind, self.parts, self.honest = kind, parts, honest

    @property
    def data(self) -> bytes:
        """As an input."""
        return joined(self.kind, self.parts)


def joined(kind: str, parts: Sequence[bytes]) -> bytes:
    """An input."""
    return HEAD + kind.encode() + b"\n" + BETWEEN.join(parts)


def split(data: bytes) -> tuple[str, list[bytes]]:
    """Kind and parts of an input."""
    head, _, rest = data.partition(b"\n")
    return head[len(HEAD) :].decode("ascii", "replace"), rest.split(BETWEEN)


class Mutator:
    """Makes inputs of seeds; the same ones for the same `choose` (a random.Random) and the same seeds."""

    def __init__(self, seeds: Sequence[Seed], choose: random.Random, weights: dict[str, int]) -> None:
        self._choose = choose
        self._of: dict[str, list[Seed]] = {}
        self._named: dict[str, list[Any]] = {}
        self._ders: list[bytes] = []
        for seed in seeds:
            self._of.setdefault(seed.kind, []).append(seed)
            for part in seed.parts:
                self._remember(part)
        self._kinds = [kind for kind in self._of for _ in range(weights.get(kind, 1))]

    def _remember(self, part: bytes) -> None:
        """What one document has under a name, others may get there."""
        tree = _json(part)
        if tree is None:
            if der.parsed(part):
                self._ders.append(part)
            return
        for row, name in _places(tree):
            if isinstance(row, dict):
                self._named.setdefault(name, []).append(json.dumps(row[name]))
            text = row[name]
            inside = _debase64(text) if isinstance(text, str) else None
            if inside and inside[0] == 0x30:
                self._ders.append(inside)
            elif inside and inside[:1] == b"{":
                self._remember(inside)

    def input(self) -> bytes:
        """One input."""
        kind = self._choose.choice(self._kinds)
        return self.changed(self._choose.choice(self._of[kind]).data)

    def reseed(self, seed: int) -> None:
        """Goes on with other random numbers."""
        self._choose.seed(seed)

    def changed(self, data: bytes) -> bytes:
        """An input with one to three changes in its parts; now and then none."""
        kind, parts = split(data)
        for _ in range(self._choose.choice((0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3))):
            number = self._choose.randrange(len(parts))
            if self._choose.random() < 0.04 and kind in self._of:
                other = self._choose.choice(self._of[kind])
                parts[number] = other.parts[number % len(other.parts)]
            else:
                parts[number] = self._bytes(parts[number])
        return joined(kind, parts)[:_LARGEST]

    # --- by what it looks like

    def _bytes(self, data: bytes) -> bytes:
        choose = self._choose
        if choose.random() < 0.03:
            return der.scratched(data, choose)
        tree = _json(data) if data[:1] in (b"{", b"[") else None
        if tree is not None:
            return self._document(tree)
        if data[:1] == b"\x30":
            return der.changed(data, choose, self._ders)
        try:
            return self._text(data.decode()).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return der.scratched(data, choose)

    def _text(self, text: str) -> str:
        choose = self._choose
        tree = _json(text.encode("utf-8", "replace"))
        if tree is not None and choose.random() < 0.85:
            return self._document(tree).decode("utf-8", "replace")
        if "-----BEGIN" in text:
            return self._pem(text)
        if choose.random() < 0.85 and (inside := _debase64(text)) is not None and len(inside) > 3:
            return self._base64(self._bytes(inside) if choose.random() < 0.9 else inside)
        if "\n" in text and choose.random() < 0.7:
            return self._lines(text)
        return self._letters(text)

    def _letters(self, text: str) -> str:
        choose = self._choose
        at = choose.randrange(len(text) + 1)
        kind = choose.randrange(9)
        if kind == 0:
            return choose.choice(_TEXTS)
        if kind == 1:
            return text[:at] + choose.choice(_UNICODE) + text[at:]
        if kind == 2:
            return text[:at] + choose.choice(_UNICODE) + text[at + 1 :]
        if kind == 3:
            return text[:at]
        if kind == 4:
            return text[:at] + text[at + choose.choice((1, 2, 8)) :]
        if kind == 5:
            return choose.choice((text.upper(), text.lower(), text[::-1], text + text, f" {text}", f"{text}\n"))
        if kind == 6 and len(text) < 4096:
            return text * choose.choice((2, 3, 50))
        if kind == 7:
            return text + choose.choice(_TEXTS)[:64]
        return text[:at] + choose.choice("0123456789abcdefABCDEF.-/()[]{}*+?|^$\\") + text[at + 1 :]

    def _lines(self, text: str) -> str:
        choose = self._choose
        rows = text.split("\n")
        at, other = choose.randrange(len(rows)), choose.randrange(len(rows))
        kind = choose.randrange(6)
        if kind == 0:
            del rows[at]
        elif kind == 1:
            rows.insert(at, rows[other])
        elif kind == 2:
            rows[at], rows[other] = rows[other], rows[at]
        elif kind == 3:
            rows.insert(at, choose.choice(("", " ", "x", "\u2014 name AAAA", "0")))
        else:
            words = rows[at].split(" ")
            which = choose.randrange(len(words))
            words[which] = self._text(words[which])
            rows[at] = " ".join(words)
        return "\n".join(rows)

    def _pem(self, text: str) -> str:
        """One block changed inside or outside, or blocks put in another order."""
        choose = self._choose
        blocks = re.split(r"(?<=-----\n)(?=-----BEGIN)", text)
        at = choose.randrange(len(blocks))
        found = re.fullmatch(r"-----BEGIN ([^-]*)-----\n(.*)\n-----END [^-]*-----\s*", blocks[at], re.S)
        kind = choose.randrange(10)
        if found and kind < 6:
            inside = _debase64(found[2].replace("\n", ""))
            content = base64.b64encode(self._bytes(inside or b"")).decode()
            rows = [content[i : i + 64] for i in range(0, len(content), 64)]
            blocks[at] = "\n".join([f"-----BEGIN {found[1]}-----", *rows, f"-----END {found[1]}-----", ""])
        elif found and kind == 6:
            label = choose.choice(("PUBLIC KEY", "CERTIFICATE", "PRIVATE KEY", "EC PRIVATE KEY", "x", ""))
            blocks[at] = blocks[at].replace(found[1], label)
        elif kind == 7:
            blocks.insert(at, choose.choice(blocks))
        elif kind == 8 and len(blocks) > 1:
            del blocks[at]
        else:
            blocks[at] = self._lines(blocks[at])
        return "".join(blocks)

    def _base64(self, data: bytes) -> str:
        text = base64.b64encode(data).decode()
        kind = self._choose.randrange(30)
        if kind == 0:
            return text.rstrip("=")
        if kind == 1:
            return base64.urlsafe_b64encode(data).decode()
        if kind == 2:
            return f"{text}="
        if kind == 3:
            return "\n".join(text[i : i + 64] for i in range(0, len(text), 64))
        if kind == 4 and text.endswith("=") and len(text) > 4:  # other bits that nobody needs
            body = text.rstrip("=")
            return body[:-1] + chr(ord(body[-1]) + 1) + text[len(body) :]
        return text

    # --- JSON

    def _document(self, tree: Any) -> bytes:
        choose = self._choose
        holder = [tree]
        for _ in range(choose.choice((1, 1, 1, 1, 2))):
            self._change(holder)
        if choose.random() < 0.02:
            before, after = choose.choice((b"\xef\xbb\xbf", b" ", b"[", b"")), choose.choice((b"", b"x", b"\0", b"{}"))
            return before + _written(holder[0]) + after
        text = _written(holder[0], spaced=choose.random() < 0.3)
        return text if choose.random() < 0.98 else text.decode("utf-8", "replace").encode("utf-16")

    def _change(self, holder: list[Any]) -> None:
        """One change of one place; what is in texts (base64, PEM, JSON once more) is most of it."""
        choose = self._choose
        places = list(_places(holder))
        row, name = choose.choice(places)
        texts = [one for one in places if isinstance(one[0][one[1]], str)]
        if texts and choose.random() < 0.55:
            row, name = choose.choice(texts)
            if choose.random() < 0.7:
                row[name] = self._text(row[name])
                return
        change = choose.choice(
            (
                *(self._value, self._value, self._value, self._gone, self._twice, self._given, self._given),
                *(self._moved, self._renamed, self._more, self._deep, self._near, self._near),
            )
        )
        change(row, name, places)

    def _value(self, row: Any, name: Any, _places: list[Any]) -> None:
        odd = (None, True, False, "", [], {}, [[]], {"": 1}, [None])
        kinds: tuple[Any, ...] = (odd, _NUMBERS, _TEXTS, _UNICODE, tuple(map(Raw, _RAW)))
        row[name] = copy.deepcopy(self._choose.choice(self._choose.choice(kinds)))

    def _gone(self, row: Any, name: Any, places: list[Any]) -> None:
        if row is not places[0][0]:
            del row[name]

    def _given(self, row: Any, name: Any, _places: list[Any]) -> None:
        """What another document has there."""
        given = self._named.get(name) if isinstance(name, str) else None
        if given:
            row[name] = json.loads(self._choose.choice(given))

    def _moved(self, row: Any, name: Any, places: list[Any]) -> None:
        other, there = self._choose.choice(places)
        row[name] = copy.deepcopy(other[there])

    def _renamed(self, row: Any, name: Any, _places: list[Any]) -> None:
        if isinstance(row, dict):
            row[self._choose.choice((*self._named, *_TEXTS, name.upper(), _snake(name)))] = row.pop(name)

    def _more(self, row: Any, name: Any, _places: list[Any]) -> None:
        if isinstance(row[name], dict):
            row[name][self._choose.choice((*self._named, *_TEXTS, *_UNICODE))] = self._choose.choice(
                (None, 1, "x", [], {})
            )

    def _deep(self, row: Any, name: Any, _places: list[Any]) -> None:
        nested = row[name]
        for _ in range(self._choose.choice((1, 2, 40, 70, 200))):
            nested = [nested] if self._choose.random() < 0.5 else {"a": nested}
        row[name] = Raw(_written(nested).decode("utf-8", "replace"))

    def _near(self, row: Any, name: Any, _places: list[Any]) -> None:
        value = row[name]
        if type(value) is int:
            row[name] = value + self._choose.choice((-1, 1, 1 << 32, -value))
        elif type(value) is str:
            row[name] = self._text(value)

    def _twice(self, row: Any, name: Any, _places: list[Any]) -> None:
        choose, value = self._choose, row[name]
        if isinstance(row, list):
            for _ in range(choose.choice((1, 1, 2, 40, 80))):
                row.insert(name, value)
        elif isinstance(value, dict) and value:
            again = choose.choice(list(value))
            row[name] = Pairs([*value.items(), (again, choose.choice((value[again], None, "x")))])
        else:
            row[name] = [value, value]


def _snake(name: str) -> str:
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in name)


def _json(data: bytes) -> Any:
    """A JSON object or list; None for anything else."""
    if data[:1] not in (b"{", b"["):
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _debase64(text: str) -> bytes | None:
    if len(text) % 4 or not _BASE64.fullmatch(text):
        return None
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return None


def _places(row: Any) -> Iterator[tuple[Any, Any]]:
    for name in list(row) if isinstance(row, dict) else range(len(row)):
        yield row, name
        if isinstance(row[name], dict | list):
            yield from _places(row[name])


def _written(value: Any, *, spaced: bool = False) -> bytes:
    """JSON, with what is no JSON in it."""
    rows: list[str] = []
    _write(value, rows, ", " if spaced else ",", ": " if spaced else ":")
    return "".join(rows).encode("utf-8", "surrogatepass")


def _write(value: Any, rows: list[str], comma: str, colon: str) -> None:
    if isinstance(value, Raw):
        rows.append(value.text)
    elif isinstance(value, dict | Pairs):
        pairs = value.items() if isinstance(value, dict) else value.rows
        rows.append("{")
        for number, (name, one) in enumerate(pairs):
            rows.append(f"{comma if number else ''}{json.dumps(name)}{colon}")
            _write(one, rows, comma, colon)
        rows.append("}")
    elif isinstance(value, list):
        rows.append("[")
        for number, one in enumerate(value):
            rows.append(comma if number else "")
            _write(one, rows, comma, colon)
        rows.append("]")
    else:
        rows.append(json.dumps(value, ensure_ascii=len(rows) % 2 == 0))
