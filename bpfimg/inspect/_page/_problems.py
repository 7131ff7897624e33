"""What lint says of an object, and what an image says otherwise than its object."""

from __future__ import annotations

from bpfimg.inspect._page._html import Html, markup, tag
from bpfimg.inspect._page._parts import bounded, cut, facts, row
from bpfimg.inspect._rules import BY_ID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.inspect import Problem
    from bpfimg.inspect._image import Seen

_HEAD = ("Severity", "Rule", "What", "What to do", "About", "Source")


def problems(found: Sequence[Problem]) -> Html:
    """A table, the severest first, and what its rules are."""
    if not found:
        return tag("p", "Lint has nothing to say.")
    rows = [
        row(
            tag("strong", each.severity, class_=each.severity),
            tag("a", f"{each.rule} {each.name}", href=f"#r-{each.rule}"),
            cut(each.message, 1000),
            cut(each.hint, 1000) or "-",
            f"{each.kind} {cut(each.about)}" if each.about else each.kind,
            f"{cut(each.file)}:{each.line}" if each.file else "-",
        )
        for each in found
    ]
    used = sorted({each.rule for each in found} & BY_ID.keys())
    rules = tag("dl", list(map(_rule, used)))
    return markup(bounded("problems-table", "What lint says", _HEAD, rows), tag("h3", "The rules"), rules)


def _rule(id: str) -> Html:
    rule = BY_ID[id]
    about = f"{rule.summary[0].upper()}{rule.summary[1:]}. The page docs/lint/{id}.md says why that matters."
    return tag("div", tag("dt", f"{id} {rule.name}"), tag("dd", about), id=f"r-{id}")


def disagreements(seen: Seen) -> Html:
    """What the image says that its object does not bear out."""
    return facts((each.rule, f"{cut(each.about)}: {cut(each.message, 1000)}") for each in seen.findings)
