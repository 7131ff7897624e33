"""Changes in the forms that CI systems take."""

from __future__ import annotations

from bpfimg.inspect._annotations import Annotation
from bpfimg.inspect._junit import Case

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpfimg.inspect._diff_model import Change


def annotated(
    before: str, after: str, changes: Sequence[Change], places: Mapping[Change, tuple[str, int]]
) -> list[Annotation]:
    """A remark for each breaking change, and one for all others."""
    found = []
    for change in changes:
        if change.effect == "breaking":
            file, line = places.get(change, ("", 0))
            found.append(Annotation("error", f"{said(change)}\nsince {before}", "breaking change", file, line))
    others = len(changes) - len(found)
    if others:
        what = "1 change that breaks" if others == 1 else f"{others} changes that break"
        found.append(Annotation("notice", f"{before} -> {after}: {what} nobody", "bpfimg diff"))
    return found


def cases(before: str, after: str, changes: Sequence[Change]) -> list[Case]:
    """A case for each change; it failed where it breaks somebody."""
    group = f"{before} -> {after}"
    if not changes:
        return [Case("no change", group)]
    return [
        Case(
            f"{change.kind} {change.name} {change.field} {change.change}".replace("  ", " "),
            group,
            failure=said(change) if change.effect == "breaking" else "",
            kind=change.effect,
            output="" if change.effect == "breaking" else said(change),
        )
        for change in changes
    ]


def said(change: Change) -> str:
    """One sentence or two: what changed, and what that means."""
    field = f"{change.field} " if change.field else ""
    where = f" ({', '.join(change.platforms)})" if change.platforms else ""
    what = f"{change.kind} {change.name}".rstrip()
    values = f" from {change.before or 'none'} to {change.after or 'none'}"
    values = "" if change.change != "changed" or change.field == "code" else values
    return f"{what}{where}: {field}{change.change}{values}. {change.reason}"
