"""What a token shall allow: pairs of a thing and an action (distribution token spec, "Token Scope")."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Scopes = frozenset[tuple[str, str]]
    """Pairs of what (`repository:NAME`) and one action."""

_MOST = 16


def wanted(path: str, actions: str, mount: str) -> Scopes:
    """Returns the pairs for `actions` on a repository (or for a whole scope), and for reading `mount`."""
    found = _pairs(actions) if ":" in actions else {(f"repository:{path}", each) for each in actions.split(",") if each}
    return frozenset(found | ({(f"repository:{mount}", "pull")} if mount else set()))


def challenged(scope: str, path: str) -> Scopes:
    """Returns the pairs that a challenge asks for, as far as they are about this repository or the registry."""
    own = f"repository:{path}"
    return frozenset(pair for pair in _pairs(scope) if pair[0] == own or pair[0].startswith("registry:"))


def scope_words(scopes: Scopes, path: str) -> list[str]:
    """Returns the scopes as they are asked for, that of the repository itself first."""
    actions: dict[str, list[str]] = {}
    for what, action in sorted(scopes, key=lambda pair: (pair[0] != f"repository:{path}", pair)):
        actions.setdefault(what, []).append(action)
    return [f"{what}:{','.join(each)}" for what, each in actions.items()]


def _pairs(scope: str) -> set[tuple[str, str]]:
    pairs: set[tuple[str, str]] = set()
    for word in _few(scope.split()):
        what, _, actions = word.rpartition(":")
        pairs |= {(what, each) for each in _few(actions.split(",")) if what and each}
    return pairs


def _few(words: list[str]) -> Iterable[str]:
    return words[:_MOST]
