"""Protobuf messages as JSON: names in camelCase or snake_case, what is empty may be missing or null.

Unknown fields are refused, as sigstore's own readers refuse them (sigstore-go and cosign through protojson,
sigstore-python through its models): a field that is not understood may say that a key is no longer to be believed.
Source: https://protobuf.dev/programming-guides/json/.
"""

from __future__ import annotations

from bpfimg.errors import quoted
from bpfimg.sign._evidence._window import Window
from bpfimg.sign._rfc3339 import seconds
from bpfimg.sign._strict import Junk, base64, items, mapping, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST = 64


def message(value: object, what: str, names: tuple[str, ...]) -> dict[str, object]:
    """Returns the fields that are there, by the camelCase `names`; `Junk` for others, or one in both spellings."""
    spelled = {snake(name): name for name in names}
    found: dict[str, object] = {}
    for given, content in mapping(value, what).items():
        name = spelled.get(given, given)
        if name not in names:
            raise Junk(f"{what} has the unknown field {quoted(given)}")
        if name in found:
            raise Junk(f"{what} has {name} in two spellings")
        found[name] = content
    return {name: content for name, content in found.items() if content is not None}


def snake(name: str) -> str:
    """`certChain` as `cert_chain`."""
    return "".join(f"_{one.lower()}" if one.isupper() else one for one in name)


def entries(found: Mapping[str, object], name: str) -> list[object]:
    """Returns the list of that name, [] when there is none; `Junk` when it is none, or has more than 64 entries."""
    return items(found.get(name, []), name, most=_MOST)


def text(found: Mapping[str, object], name: str) -> str:
    """Returns the string of that name, "" when there is none."""
    return string(found.get(name, ""), name)


def raw(value: object, what: str) -> bytes:
    """Returns the bytes of a message `{"rawBytes": base64}`."""
    content = base64(message(value, what, ("rawBytes",)).get("rawBytes", ""), what)
    if not content:
        raise Junk(f"{what} is empty")
    return content


def window(value: object, what: str) -> Window:
    """Returns a TimeRange; a bound that is missing is infinitely far away."""
    found = message(value, what, ("start", "end"))
    at = Window(**{name: seconds(found[name], f"{what}.{name}") for name in ("start", "end") if name in found})
    if at.start > at.end:
        raise Junk(f"{what} ends before it starts")
    return at
