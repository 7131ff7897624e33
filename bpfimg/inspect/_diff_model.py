"""What changed between two objects, as values."""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EFFECTS = ("breaking", "compatible", "informational")
KINDS = ("platform", "object", "program", "map", "global", "requirement")


@value(frozen=True, slots=True)
class Change:
    """One difference, and what it means for the people who load the object.

    `kind` is one of KINDS; `name` what has changed, "" for the object. `change` is added, removed or changed; `field`
    says what of it, "" where all of it came or went. `before` and `after` are values as text, None where there is none.
    `effect`: breaking (somebody's use of it fails or reads something else), compatible (nobody has to do anything), or
    informational. `reason` is one sentence without any text of the objects. `platforms` are those that it is seen on,
    () for all.
    """

    kind: str
    name: str
    change: str
    field: str
    before: str | None
    after: str | None
    effect: str
    reason: str
    platforms: tuple[str, ...] = ()


class Of:
    """Writes changes down about one thing, with its kind and name said once."""

    __slots__ = ("kind", "name")

    def __init__(self, kind: str, name: str) -> None:
        self.kind, self.name = kind, name

    def field(self, field: str, before: object, after: object, effect: str, reason: str) -> Iterator[Change]:
        """A change of that field, if it is one."""
        if before != after:
            yield Change(self.kind, self.name, "changed", field, text(before), text(after), effect, reason)

    def removed(self, what: str, effect: str, reason: str) -> Change:
        return Change(self.kind, self.name, "removed", "", what, None, effect, reason)

    def added(self, what: str, effect: str, reason: str) -> Change:
        return Change(self.kind, self.name, "added", "", None, what, effect, reason)


def text(content: object) -> str | None:
    """A value as people read it."""
    if content is None:
        return None
    if isinstance(content, bool):
        return "yes" if content else "no"
    return str(content)


def ordered(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The breaking ones first, then by kind, name and field."""
    return tuple(
        sorted(changes, key=lambda c: (EFFECTS.index(c.effect), KINDS.index(c.kind), c.name, c.field, c.change))
    )
