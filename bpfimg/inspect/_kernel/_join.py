"""Links and places, found in different ways, made one: each attachment once, with all that is known of it."""

from __future__ import annotations

from bpfimg._value import replace
from bpfimg.inspect._kernel import _targets
from bpfimg.inspect._kernel._views import LinkView, word
from bpfimg.kernel import abi, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpfimg.inspect._kernel._cgroups import OnGroup
    from bpfimg.inspect._kernel._holders import Holders
    from bpfimg.inspect._kernel._network import Hooked
    from bpfimg.inspect._kernel._targets import Sources, Target
    from bpfimg.kernel import bpf

_MAP_HOOKS = tuple(
    (abi.ATTACH_TYPES.index(name), name)
    for name in ("sk_skb_stream_parser", "sk_skb_stream_verdict", "sk_msg_verdict", "sk_skb_verdict")
)
_MOST_EVENTS = 4096


class Join:
    """Ours and everybody's links, to which places are added; `views` gives the result, ours first."""

    def __init__(self, own: Sequence[LinkView], links: Sequence[walk.Link], sources: Sources, held: Holders) -> None:
        self._own = [replace(view, held_by=held.of("link", view.kernel_id)) if view.kernel_id else view for view in own]
        ours = {view.kernel_id for view in own} | {number for view in own for number in view.part_ids}
        others = (link for link in links if link.id not in ours)
        self._others = [_view(link, _targets.target(link, sources), held.of("link", link.id)) for link in others]
        self._more: list[LinkView] = []

    def views(self) -> list[LinkView]:
        """Every attachment once."""
        return [*self._own, *self._others, *self._more]

    def network(self, places: Iterable[Hooked]) -> None:
        """Adds what is on the hooks of network namespaces; links get to know theirs."""
        known = _Known(self._own, self._others)
        for place in places:
            found = known.find(place)
            if found is None:
                self._more.append(_placed(place))
            else:
                views, at = found
                views[at] = _at(views[at], place)

    def groups(self, found: Iterable[OnGroup]) -> None:
        """Adds programs on control groups that no link stands for."""
        places: dict[tuple[int, object, str], tuple[list[LinkView], int]] = {}
        for views in (self._own, self._others):
            for at, view in enumerate(views):
                if view.hook == "cgroup":
                    key = (view.program_id, view.details.get("cgroup_id"), _attach_type(view))
                    places[key] = (views, at)
        for each in found:
            linked = places.get((each.program, each.group, each.attach_type))
            if linked is not None:
                views, at = linked
                views[at] = replace(views[at], position=each.position, attach_type=each.attach_type)
                continue
            details: dict[str, object] = {"cgroup_id": each.group, "flags": each.flags or "none"}
            target = f"{each.path} {each.attach_type.removeprefix('cgroup_')}"
            self._more.append(
                LinkView(
                    id=None,
                    kernel_id=None,
                    program_id=each.program,
                    hook="cgroup",
                    how="attach",
                    target=target,
                    state="attached",
                    attach_type=each.attach_type,
                    position=each.position,
                    details=details,
                )
            )

    def sockets(self, maps: Iterable[bpf.MapInfo]) -> None:
        """Adds programs on maps of sockets that no link stands for."""
        known = {
            (view.program_id, view.details.get("map_id"), _attach_type(view))
            for view in (*self._own, *self._others)
            if view.hook in ("sk_msg", "sk_skb")
        }
        from bpfimg.errors import KernelError
        from bpfimg.kernel import bpf

        for info in maps:
            try:
                with bpf.map_by_id(info.id) as fd:
                    found = [(name, walk.attached(fd.fileno(), number)) for number, name in _MAP_HOOKS]
            except KernelError:
                continue  # it has gone meanwhile
            for name, chain in found:
                for program in chain.prog_ids if chain else ():
                    if program and (program, info.id, name) not in known:
                        target = f"map {info.name} (id {info.id}) {_targets.sockets(name)}"
                        self._more.append(
                            LinkView(
                                id=None,
                                kernel_id=None,
                                program_id=program,
                                hook=name[:6],
                                how="attach",
                                target=target,
                                state="attached",
                                attach_type=name,
                                details={"map_id": info.id},
                            )
                        )

    def events(self, events: Iterable[tuple[int, int]]) -> None:
        """Adds perf events with a program that processes hold; links that do not tell their target learn it."""
        silent: dict[int, tuple[list[LinkView], int]] = {}
        told: set[tuple[int, str]] = set()
        for views in (self._own, self._others):
            for at, view in enumerate(views):
                if view.type == "perf_event" and not view.target:
                    silent[view.program_id] = (views, at)
                elif view.type == "perf_event":
                    told.add((view.program_id, view.target.rpartition("/")[2]))
        for pid, fd in list(events)[:_MOST_EVENTS]:
            probe = walk.probe(pid, fd)
            if probe is None or not probe.prog_id:
                continue
            found = _probed(probe)
            if probe.prog_id in silent:
                views, at = silent.pop(probe.prog_id)
                views[at] = replace(views[at], hook=found.hook, target=found.target, details=dict(found.details))
                told.add((probe.prog_id, found.target.rpartition("/")[2]))
            elif (probe.prog_id, found.target.rpartition("/")[2]) not in told:
                told.add((probe.prog_id, found.target.rpartition("/")[2]))
                self._more.append(
                    LinkView(
                        id=None,
                        kernel_id=None,
                        program_id=probe.prog_id,
                        hook=found.hook,
                        how="event",
                        target=found.target,
                        state="attached",
                        details={**dict(found.details), "pid": pid, "descriptor": fd},
                    )
                )


def _attach_type(view: LinkView) -> str:
    return view.attach_type or str(view.details.get("attach_type", ""))


def _probed(probe: walk.Probe) -> Target:
    if probe.kind in ("tracepoint", "raw_tracepoint"):
        return _targets.Target(probe.kind, probe.name)
    return _targets.probe(probe.kind, probe.name, probe.offset, probe.address)


def _view(link: walk.Link, target: Target, held_by: tuple[str, ...]) -> LinkView:
    return LinkView(
        None,
        link.id,
        link.prog_id,
        target.hook,
        "link",
        target.target,
        "stale" if target.gone else "attached",
        None,
        None,
        "",
        target.ifindex,
        False,
        target.gone,
        word(abi.LINK_TYPES, link.type),
        target.attach_type,
        None,
        target.direction,
        None,
        target.netns_inode,
        target.priority,
        None,
        dict(target.details),
        held_by,
        (),
    )


class _Known:
    """The links that are on hooks of network namespaces, by what their places say of them."""

    def __init__(self, *lists: list[LinkView]) -> None:
        self._by_link: dict[int, tuple[list[LinkView], int]] = {}
        self._by_place: dict[tuple[object, ...], list[tuple[list[LinkView], int]]] = {}
        for views in lists:
            for at, view in enumerate(views):
                if view.how == "clsact" and view.record is not None:
                    self._put(("tc", view.program_id, view.record.id), views, at)
                elif view.kernel_id is None or view.state == "stale":
                    continue
                elif view.hook in ("tcx", "netkit") or view.type in ("tcx", "netkit"):
                    self._by_link[view.kernel_id] = (views, at)
                elif view.type == "xdp":
                    self._put(("xdp", view.program_id, view.ifindex), views, at)
                elif view.type in ("netns", "netfilter"):
                    self._put((view.hook, view.program_id), views, at)

    def _put(self, key: tuple[object, ...], views: list[LinkView], at: int) -> None:
        self._by_place.setdefault(key, []).append((views, at))

    def find(self, place: Hooked) -> tuple[list[LinkView], int] | None:
        """The link of a place, which then is no other place's; None where there is none."""
        if place.link:
            return self._by_link.pop(place.link, None)
        inode, key = place.namespace.inode, _key(place)
        waiting = self._by_place.get(key, [])
        fitting = [n for n, (views, at) in enumerate(waiting) if _same_priority(views[at], place)]
        # one that was attached elsewhere, and moved with its interface, only where no other one fits
        fitting.sort(key=lambda n: waiting[n][0][waiting[n][1]].netns_inode not in (None, inode))
        return waiting.pop(fitting[0]) if fitting else None


def _key(place: Hooked) -> tuple[object, ...]:
    if place.hook == "tc":
        return ("tc", place.program, place.handle)
    if place.hook == "xdp":
        return ("xdp", place.program, place.ifindex)
    return (place.hook, place.program)


def _same_priority(view: LinkView, place: Hooked) -> bool:
    return place.hook != "netfilter" or view.priority in (None, place.priority)


def _at(view: LinkView, place: Hooked) -> LinkView:
    """A link, now that its place is known."""
    namespace = place.namespace
    if view.id is not None:  # the record says what it was attached to, the place where that is now
        name = place.interface or view.interface
        return replace(view, position=place.position, interface=name, netns=namespace.path, netns_inode=namespace.inode)
    words = place.target + (f" in {namespace.words}" if namespace.words and place.hook not in _WHOLE else "")
    if place.hook == "netfilter":
        words = view.target + (f" in {namespace.words}" if namespace.words else "")
    return replace(
        view,
        target=words,
        interface=place.interface,
        netns=namespace.path,
        netns_inode=namespace.inode,
        position=place.position,
        details={**view.details, **dict(place.details)},
    )


_WHOLE = ("sk_lookup", "flow_dissector")


def _placed(place: Hooked) -> LinkView:
    """A place that no link stands for."""
    namespace = place.namespace
    return LinkView(
        id=None,
        kernel_id=place.link or None,
        program_id=place.program,
        hook=place.hook,
        how=place.how,
        target=place.target + (f" in {namespace.words}" if namespace.words and place.hook not in _WHOLE else ""),
        state="attached",
        ifindex=place.ifindex,
        interface=place.interface,
        direction=place.direction,
        netns=namespace.path,
        netns_inode=namespace.inode,
        priority=place.priority,
        position=place.position,
        details=dict(place.details),
    )
