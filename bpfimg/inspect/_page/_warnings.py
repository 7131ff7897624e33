"""What a person should look at first: what `doctor` found, and what loads themselves say."""

from __future__ import annotations

import re

from bpfimg.inspect._doctor import Finding
from bpfimg.inspect._page._html import Html, markup, tag
from bpfimg.inspect._page._parts import code, cut, opens, ref, row, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from bpfimg.inspect import Inventory
    from bpfimg.inspect._page._html import Content
    from bpfimg.inspect._page._index import Index

_HEAD = ("Severity", "Where", "What", "What mends it", "Finding")
_ORDER = ("error", "warning", "note")
_FEW = 5  # findings of one kind that are shown at once
_COMMANDS = ("bpfimg ", "chmod ", "chown ", "mount ", "rm ")
_PLACE = re.compile(r"(program|map|link) ([0-9]{1,10})")


def all_of(inventory: Inventory, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings with those that the inventory shows, the worst first."""
    found = [*findings, *_unsigned(inventory), *_lost(inventory)]
    return tuple(sorted(found, key=lambda each: _ORDER.index(each.severity)))


def _unsigned(inventory: Inventory) -> Iterator[Finding]:
    """Loads that nobody vouched for."""
    seen = set()
    for view in inventory.programs:
        record = view.record
        if record is None or record.id in seen:
            continue
        seen.add(record.id)
        where, image = f"program {record.id}", record.image
        if image is None:
            what = f"application {record.name} was loaded from bytes that no image names: nobody vouched for it"
            yield Finding("no-image", "note", where, what, "load it with `bpfimg run REF`")
        elif image.unsafe:
            what = f"application {record.name} came from {image.reference}, and no signature was asked for"
            yield Finding("unsigned", "warning", where, what, "sign the image, and have the policy ask for that")


def _lost(inventory: Inventory) -> Iterator[Finding]:
    """Others' links that lead nowhere: `doctor` looks at ours."""
    for view in inventory.links:
        if view.id is None and view.state != "attached":
            what = f"a link of others to {view.hook} {view.target} is {view.state}: {view.reason}"
            yield Finding("foreign-link", "note", f"program {view.program_id}", what)


def warnings(findings: Sequence[Finding], index: Index) -> Html:
    """The table, the severity of each as a word; of many of one kind the first ones at once."""
    if not findings:
        return tag("p", "Nothing is wrong.")
    alike: dict[tuple[str, str], list[Finding]] = {}
    for each in findings:
        alike.setdefault((each.severity, each.id), []).append(each)
    rows = [_row(each, index) for group in alike.values() for each in group[:_FEW]]
    parts = [table("warnings-table", "What was found, the worst first", _HEAD, rows)]
    for (severity, name), group in alike.items():
        if len(group) > _FEW:
            words = f"{len(group) - _FEW} more of severity {severity}: {name}"
            more = table(f"more-{name}", words, _HEAD, [_row(each, index) for each in group[_FEW:]])
            parts.append(opens(words, more))
    return markup(parts)


def _row(each: Finding, index: Index) -> Html:
    return row(
        tag("strong", each.severity, class_=each.severity),
        _where(each.where, index),
        cut(each.what, 1000),
        _remedy(cut(each.remedy, 500)),
        each.id,
    )


def _remedy(words: str) -> Content:
    return code(words) if words.startswith(_COMMANDS) else words or "-"


def _where(words: str, index: Index) -> Content:
    found = _PLACE.fullmatch(words)
    if found is None:
        return cut(words, 500)
    known: Collection[int] = index.own_links
    if found[1] != "link":
        known = index.programs if found[1] == "program" else index.maps
    return markup(f"{found[1]} ", ref(found[1][0], int(found[2]), known))


def unseen(sentences: Sequence[str]) -> Html:
    """What could not be looked at, and why."""
    if not sentences:
        return tag("p", "Everything could be looked at.")
    return tag("ul", [tag("li", cut(each, 1000)) for each in sentences], class_="plain")
