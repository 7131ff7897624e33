"""The table of attacks: each has a name, an honest scene, a change of it, and a naive verifier that it fools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.attacks.scene import Scene, by_sig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Attack:
    """`fools` believes the honest scene and the attacked one; bpfimg refuses the attacked one and says why (`says`, a
    pattern). With `hides` it is the other way round: the attack takes a good image away from the naive verifier, and
    bpfimg still believes it."""

    name: str
    honest: Callable[[Path], Scene]
    change: Callable[[Scene], None]
    fools: Callable[[Scene], bool]
    says: str
    hides: bool = False


SCENES: dict[str, Attack] = {}
"""Attacks that change a scene."""
STORIES: dict[str, str] = {}
"""Attacks that need more than one look or a command: their names, and the tests that tell them."""


def attack(
    name: str,
    fools: Callable[[Scene], bool],
    says: str = "",
    *,
    honest: Callable[[Path], Scene] = by_sig,
    hides: bool = False,
) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    """Puts a change of a scene into the table."""

    def add(change: Callable[[Scene], None]) -> Callable[[Scene], None]:
        _once(name)
        SCENES[name] = Attack(name, honest, change, fools, says, hides)
        return change

    return add


def story(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Marks a test that tells an attack of its own, from the honest beginning to the refusal."""

    def add(test: Callable[..., Any]) -> Callable[..., Any]:
        _once(name)
        STORIES[name] = test.__name__
        return test

    return add


def _once(name: str) -> None:
    assert name not in SCENES, name
    assert name not in STORIES, name
