"""The hooks that no interface has: control groups, tracepoints, probes, and so on, a table for each kind."""

from __future__ import annotations

from bpfimg.inspect._order import hooks as hooks_of
from bpfimg.inspect._order import runs
from bpfimg.inspect._page._chains import anchor, state
from bpfimg.inspect._page._html import Html, markup, tag
from bpfimg.inspect._page._index import holders, loaded_by, signed_by
from bpfimg.inspect._page._parts import cut, number, row, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.inspect import LinkView
    from bpfimg.inspect._page._index import Index

_HEAD = ("Place", "Program", "Loaded by", "Image", "Signed by", "#Runs", "Held by", "State")


def others(index: Index) -> Html:
    """A heading and a table for each kind of hook, by name."""
    kinds: dict[str, list[tuple[str, LinkView]]] = {}
    for hook in hooks_of(index.inventory):
        if not hook.of_network:
            kinds.setdefault(hook.hook, []).extend((hook.place, view) for view in hook.links)
    if not kinds:
        return tag("p", "No other hook in sight has a program.")
    return markup([_kind(number, kind, kinds[kind], index) for number, kind in enumerate(sorted(kinds), 1)])


def _kind(place: int, kind: str, views: list[tuple[str, LinkView]], index: Index) -> Html:
    rows = [_row(where, view, index) for where, view in views]
    return markup(tag("h3", cut(kind)), table(f"h{place}-table", f"Programs on {cut(kind)} hooks", _HEAD, rows))


def _row(where: str, view: LinkView, index: Index) -> Html:
    program = index.programs.get(view.program_id)
    return row(
        cut(where) or "-",
        index.program(view.program_id),
        loaded_by(program, index.programs) if program else "-",
        index.image(program.record) if program else "-",
        signed_by(program.record) if program else "-",
        number(runs(view, index.programs)),
        holders(view.held_by),
        state(view),
        id=anchor(view),
    )
