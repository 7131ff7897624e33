"""The hooks of interfaces and network namespaces: a drawing and a table for each interface, in running order."""

from __future__ import annotations

from itertools import groupby

from bpfimg.errors import UsageError
from bpfimg.inspect._order import drawn as drawn_graph
from bpfimg.inspect._order import hooks as hooks_of
from bpfimg.inspect._order import runs
from bpfimg.inspect._page._html import Html, drawn, markup, tag
from bpfimg.inspect._page._index import OTHERS, holders, signed_by
from bpfimg.inspect._page._parts import Number, cut, number, row, several, table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bpfimg.inspect import LinkView, ProgramView
    from bpfimg.inspect._order import HookView
    from bpfimg.inspect._page._html import Content
    from bpfimg.inspect._page._index import Index

HEAD = (
    *("Program", "#Position", "#Priority", "Goes on after", "Loaded by", "Image or holder", "Signed by"),
    *("#Runs", "State"),
)
_PICTURES = 60  # of interfaces; a page that draws more is slow to open
_NODES = 300  # of one drawing


def network(index: Index) -> Html:
    """Each network namespace, and in it each interface, in the order in which packets meet its hooks."""
    hooks = [hook for hook in hooks_of(index.inventory) if hook.of_network]
    if not hooks:
        return tag("p", "No interface and no network namespace in sight has a program.")
    intro = (
        "A packet that comes in meets xdp, then tcx, then tc; one that goes out tcx, then tc. After the results in "
        "“Goes on after” the next program runs; after any other the chain ends with that result."
    )
    left = [_PICTURES]
    return markup(tag("p", intro), [_namespace(number, list(each), index, left) for number, each in _namespaces(hooks)])


def _namespaces(hooks: Sequence[HookView]) -> Iterator[tuple[int, Iterable[HookView]]]:
    found: dict[tuple[int | None, str], list[HookView]] = {}
    for hook in hooks:
        found.setdefault((hook.netns_inode, hook.namespace), []).append(hook)
    yield from enumerate(found.values(), 1)


def _namespace(place: int, hooks: list[HookView], index: Index, left: list[int]) -> Html:
    words = hooks[0].namespace
    title = f"Network namespace {cut(words)}" if words else "The network namespace that bpfimg ran in"
    parts = [
        _interface(f"n{place}-{each}", list(group), words, index, left)
        for each, (_, group) in enumerate(groupby(hooks, lambda hook: (hook.ifindex, hook.interface)), 1)
    ]
    return markup(tag("h3", title), parts)


def _interface(name: str, hooks: list[HookView], namespace: str, index: Index, left: list[int]) -> Html:
    device = hooks[0].interface
    title = f"Interface {cut(device)}" if device else "Hooks of the namespace as a whole"
    where = f"{cut(device or '') or 'the namespace'}{f' in {cut(namespace)}' if namespace else ''}"
    caption = f"Programs on {where}, in running order"
    bodies = [_body(hook, index) for hook in hooks]
    picture = _picture(name, device, hooks, index, left) if device else Html("")
    return markup(tag("h4", title), picture, table(f"{name}-table", caption, HEAD, bodies, body=False))


def _picture(name: str, device: str, hooks: list[HookView], index: Index, left: list[int]) -> Html:
    try:
        graph = drawn_graph(hooks, index.programs)
    except UsageError:
        graph = None
    if graph is None or not left[0] or len(graph.nodes) > _NODES:
        return tag("p", f"There are too many to draw here; bpfimg status {cut(device)} --graph svg draws this one.")
    if not graph.nodes:
        return Html("")
    left[0] -= 1
    label = f"The way of packets through {cut(device)}"
    box = tag("div", drawn(graph.svg(label, f"{name}-")), class_="scroll", role="group", tabindex="0", aria_label=label)
    return tag("figure", box)


def _body(hook: HookView, index: Index) -> Html:
    """A hook and what carries its programs as a head, then the programs."""
    head = tag("th", _title(hook, index), colspan=str(len(HEAD)), scope="rowgroup")
    rows = [step(number, view, index) for number, view in enumerate(hook.links)]
    return tag("tbody", tag("tr", head), rows)


def _title(hook: HookView, index: Index) -> Content:
    modes = dict.fromkeys(
        str(view.details["mode"]) for view in (*hook.carriers, *hook.links) if view.details.get("mode")
    )
    words: list[Content] = [", ".join([hook.words if hook.interface else f"{hook.words} {cut(hook.place)}", *modes])]
    for view in hook.carriers:
        words += [f", {view.builder} dispatcher ", index.program(view.program_id)]
        if view.protocol:
            words.append(f" (libxdp version {view.protocol})")
        if view.details.get("damage"):
            words.append(tag("strong", f", damaged: {view.details['damage']}", class_="error"))
    return words


def step(place: int, view: LinkView, index: Index) -> Html:
    """One program on a hook."""
    program = index.programs.get(view.program_id)
    in_order = view.state == "attached" and view.position is not None
    return row(
        index.program(view.program_id),
        Number(place + 1) if in_order else Number("-"),
        number(view.priority),
        several([each for each in view.proceed_on if each != "dispatcher_return"], what="results", shown=8),
        _application(program, view),
        _origin(program, view, index),
        signed_by(program.record if program else None),
        number(runs(view, index.programs)),
        state(view),
        id=anchor(view),
    )


def _application(program: ProgramView | None, view: LinkView) -> str:
    record = program.record if program else None
    if record is not None:
        return f"bpfimg: {cut(record.name)}"
    return "bpfimg" if view.id is not None else cut(str(view.details.get("by") or OTHERS))


def _origin(program: ProgramView | None, view: LinkView, index: Index) -> Content:
    if program is not None and program.record is not None:
        return index.image(program.record)
    return holders((program.held_by if program else ()) or view.held_by)


def anchor(view: LinkView) -> str | None:
    """Where warnings about a link of ours lead to."""
    return None if view.id is None else f"l{view.id}"


def state(view: LinkView) -> Content:
    """Attached, or what is wrong."""
    if view.state == "attached":
        return "attached"
    return tag("strong", f"{view.state}: {view.reason}" if view.reason else view.state, class_="error")
