"""How many authorities can each be given a key or identity of its own: what a threshold counts."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def independent(keys: Mapping[str, Sequence[str]]) -> int:
    """Returns the size of a largest matching; `keys` are each authority's."""
    holder: dict[str, str] = {}

    def place(authority: str, tried: set[str]) -> bool:
        for key in keys[authority]:
            if key not in tried:
                tried.add(key)
                if key not in holder or place(holder[key], tried):
                    holder[key] = authority
                    return True
        return False

    return sum(place(authority, set()) for authority in keys)
