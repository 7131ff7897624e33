"""`diff`: what changed between two objects or images, and for whom that breaks something.

Deciding is pure: two dissected objects in, changes out. The classes are for the people who load the object: who attach
its programs by name, read its maps, reuse its pins, set its globals, run its kernel.
"""

from __future__ import annotations

from bpfimg._value import replace
from bpfimg.inspect._diff_maps import globals_, maps
from bpfimg.inspect._diff_model import EFFECTS, KINDS, Change, Of, ordered
from bpfimg.inspect._diff_object import programs, requirements, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpfimg.bytecode import Dissection

__all__ = ["EFFECTS", "KINDS", "Change", "images", "junit", "markdown", "objects", "remarks", "report", "verdict"]


def objects(before: Dissection, after: Dissection) -> tuple[Change, ...]:
    """What is different in `after`, the breaking changes first; () when nothing is."""
    return ordered(
        [
            *whole(before, after),
            *programs(before, after),
            *maps(before, after),
            *globals_(before, after),
            *requirements(before.object, after.object),
        ]
    )


def images(before: Mapping[str, Dissection], after: Mapping[str, Dissection]) -> tuple[Change, ...]:
    """The same for two indexes, by platform ("linux/amd64"); what all common platforms have is said once."""
    found = [
        Of("platform", name).removed(name, "breaking", "Nobody on this platform can load the image any more.")
        for name in before.keys() - after.keys()
    ]
    found += [
        Of("platform", name).added(name, "compatible", "More machines can load the image.")
        for name in after.keys() - before.keys()
    ]
    common = [name for name in before if name in after]
    seen: dict[Change, list[str]] = {}
    for name in common:
        for change in objects(before[name], after[name]):
            seen.setdefault(change, []).append(name)
    for change, names in seen.items():
        found.append(change if len(names) == len(common) else replace(change, platforms=tuple(sorted(names))))
    return ordered(found)


def verdict(changes: Sequence[Change]) -> str:
    """The worst effect among them: breaking, compatible, informational, or "same" for none."""
    return next((effect for effect in EFFECTS if any(c.effect == effect for c in changes)), "same")


def report(before: str, after: str, changes: Sequence[Change]) -> dict[str, object]:
    """The changes as JSON-able values (`schemas/diff.schema.json`); `before` and `after` are what was compared."""
    counts = {effect: sum(change.effect == effect for change in changes) for effect in EFFECTS}
    return {
        "before": before,
        "after": after,
        "result": verdict(changes),
        **counts,
        "changes": [_entry(change) for change in changes],
    }


def markdown(before: str, after: str, changes: Sequence[Change]) -> str:
    """The changes for a pull request, as GitHub's Markdown; no text of the objects can be more than text in it."""
    from bpfimg.inspect._markdown import page

    return page(before, after, changes, verdict(changes))


def remarks(before: str, after: str, changes: Sequence[Change], places: Mapping[Change, tuple[str, int]]) -> str:
    """The changes as annotations for GitHub's runner: each that breaks something, and how many others there are.

    `places` are files of the repository, with a line, for what has one.
    """
    from bpfimg.inspect._diff_forms import annotated
    from bpfimg.inspect._forms import remarks

    return remarks(annotated(before, after, changes, places))


def junit(before: str, after: str, changes: Sequence[Change]) -> str:
    """The changes as JUnit's XML: what breaks somebody has failed; one case that passed where nothing changed."""
    from bpfimg.inspect._diff_forms import cases
    from bpfimg.inspect._junit import junit

    return junit("bpfimg diff", cases(before, after, changes))


def _entry(change: Change) -> dict[str, object]:
    return {
        "id": "/".join(part for part in (change.kind, change.name, change.field) if part),
        "kind": change.kind,
        "name": change.name or None,
        "change": change.change,
        "field": change.field or None,
        "before": change.before,
        "after": change.after,
        "effect": change.effect,
        "reason": change.reason,
        "platforms": list(change.platforms),
    }
