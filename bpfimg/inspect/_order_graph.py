"""The way of a packet over the hooks of an interface as a graph: from the interface through XDP and tc to the network
stack, and out again, with where each program lets it go on and where its way ends.

Results as the kernel takes them: tcx_run and tcx_action_code (net/core/dev.c, include/net/tcx.h), cls_bpf_exec_opcode
(net/sched/cls_bpf.c). Where all that a program can return is known, only that is drawn.
"""

from __future__ import annotations

from bpfimg.inspect._graph import Edge, Graph, Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpfimg.inspect import LinkView, ProgramView
    from bpfimg.inspect._order import HookView

_IN = ("xdp", "netkit peer", "tcx ingress", "tc ingress")
_OUT = ("tcx egress", "tc egress", "netkit primary")
_NODES_MAX = 1000
_DROPPED, _ELSEWHERE = ("dropped", ""), ("sent or kept elsewhere", "")
#: result of XDP -> where it leads when the chain ends with it; "stack" is whatever comes behind the hook
_XDP = {"pass": "behind", "drop": "dropped", "aborted": "dropped", "tx": "elsewhere", "redirect": "elsewhere"}
_KEPT = {"stolen": "elsewhere", "trap": "elsewhere"}
#: the same of a filter; what is not here counts as unspec: the next filter
_TC = {"ok": "stack", "shot": "dropped", "redirect": "elsewhere", "unspec": "next", "pipe": "next", **_KEPT}
#: of TCX and netkit; what is not here ends the chain, and the hook behind it sees the packet
_TCX = {"ok": "stack", "shot": "dropped", "redirect": "elsewhere", "unspec": "next", "pipe": "behind"}
_RARE = ("stolen", "trap", "queued", "reclassify", "repeat")


def drawn(hooks: Sequence[HookView], programs: Mapping[int, ProgramView]) -> Graph:
    """One way for each interface; what is on hooks that no interface has is left out. UsageError for too many nodes."""
    drawing = _Drawing(programs)
    ways: dict[tuple[object, ...], list[HookView]] = {}
    for hook in hooks:
        if hook.words in (*_IN, *_OUT) and hook.interface:
            ways.setdefault((hook.netns_inode, hook.ifindex), []).append(hook)
    for way in ways.values():
        drawing.way(way)
    if len(drawing.nodes) > _NODES_MAX:
        from bpfimg.errors import UsageError

        hint = "name an interface, or a network namespace with --netns"
        raise UsageError(f"the graph has {len(drawing.nodes)} nodes, expected at most {_NODES_MAX}", hint=hint)
    return Graph(tuple(drawing.nodes), tuple(drawing.edges))


class _Drawing:
    def __init__(self, programs: Mapping[int, ProgramView]) -> None:
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self._programs = programs

    def way(self, hooks: Sequence[HookView]) -> None:
        """Draws one interface."""
        first = hooks[0]
        inward = [hook for words in _IN for hook in hooks if hook.words == words]
        outward = [hook for words in _OUT for hook in hooks if hook.words == words]
        where = f" in {first.namespace}" if first.namespace else ""
        stack = self._node("device", f"network stack{where}" if not inward else "network stack", "")
        if inward:
            start = self._node("device", f"{first.interface}{where}", "packets that come in")
            self._through(inward, start, stack)
        if outward:
            end = self._node("device", str(first.interface), "packets that go out")
            self._through(outward, stack, end)

    def _through(self, hooks: Sequence[HookView], start: int, end: int) -> None:
        heads = [self._node("hook", hook.words, _about(hook)) for hook in hooks]
        self.edges.append(Edge(start, heads[0], dashed=False))
        for hook, head, behind in zip(hooks, heads, [*heads[1:], end], strict=True):
            self._hook(hook, head, {"behind": behind, "stack": end})

    def _hook(self, hook: HookView, head: int, places: dict[str, int]) -> None:
        """Its programs, each with where it lets a packet go."""
        running = [view for view in hook.links if view.state == "attached"]
        steps = [self._program(view) for view in running]
        for view in hook.links:
            if view.state != "attached":
                self._program(view)
        self.edges.append(Edge(head, steps[0] if steps else places["behind"], dashed=False))
        for at, view in enumerate(running):
            last = next((n for n in range(at, len(running)) if not _together(view, running[n])), len(running))
            further = {
                **places,
                "member": steps[at + 1] if at + 1 < last else -1,
                "next": steps[last] if last < len(steps) else places["behind"],
            }
            self._results(hook, view, steps[at], further, places)

    def _results(
        self, hook: HookView, view: LinkView, source: int, further: dict[str, int], places: dict[str, int]
    ) -> None:
        found: dict[int, list[str]] = {}
        for result in _possible(hook, view):
            where = _where(hook, view, result, is_last=further["member"] < 0)
            if where in ("dropped", "elsewhere") and where not in places:
                places[where] = self._node("end", *(_DROPPED if where == "dropped" else _ELSEWHERE))
            found.setdefault(places[where] if where in places else further[where], []).append(result)
        for target, results in found.items():
            ends = target in (places.get("dropped"), places.get("elsewhere"))
            self.edges.append(Edge(source, target, dashed=ends, label=", ".join(results)))

    def _program(self, view: LinkView) -> int:
        program = self._programs.get(view.program_id)
        kind = "lost" if view.state != "attached" else "program" if view.id is not None else "foreign"
        notes = [str(view.program_id)]
        notes += [f"priority {view.priority}"] if view.priority is not None else []
        return self._node(kind, (program.name if program else "") or f"program {view.program_id}", " · ".join(notes))

    def _node(self, kind: str, name: str, note: str) -> int:
        self.nodes.append(Node(kind, name, note))
        return len(self.nodes) - 1


def _about(hook: HookView) -> str:
    """How its programs run, in a few words."""
    modes = dict.fromkeys(
        str(view.details["mode"]) for view in (*hook.carriers, *hook.links) if view.details.get("mode")
    )
    return " · ".join([*modes, *(f"{view.builder} dispatcher {view.program_id}" for view in hook.carriers)])


def _together(view: LinkView, other: LinkView) -> bool:
    """True for members of the same dispatcher."""
    return view is other or (
        view.how == other.how == "dispatcher" and view.details.get("dispatcher") == other.details.get("dispatcher")
    )


def _possible(hook: HookView, view: LinkView) -> tuple[str, ...]:
    """All that the program can return, as far as it is known; else what it may, without what hardly anybody uses."""
    known = view.details.get("results")
    if isinstance(known, tuple | list):
        return tuple(map(str, known))
    if hook.hook == "xdp":
        return tuple(_XDP)
    named = [name for name in view.proceed_on if name in _RARE]
    return (
        tuple(dict.fromkeys((*_TC, *named)))
        if "stolen" in named
        else ("unspec", "ok", "pipe", "shot", "redirect", *named)
    )


def _where(hook: HookView, view: LinkView, result: str, *, is_last: bool) -> str:
    """Where a packet goes after that result."""
    if view.how == "dispatcher" and result in view.proceed_on:
        if not is_last:
            return "member"
        # the end of a chain: PASS for XDP, unspec on TCX, ok for a filter
        return {"xdp": "behind", "tcx": "next"}.get(hook.hook, "stack")
    if hook.hook == "xdp":
        return _XDP.get(result, "dropped")  # what is no result counts as aborted
    if hook.hook == "tc":
        return _TC.get(result, "next")
    return _TCX.get(result, "behind")
