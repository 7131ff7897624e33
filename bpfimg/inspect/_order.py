"""What each hook runs, in the order in which packets meet it: the links of an inventory, put together by hook.

The dispatcher that carries the members of a chain is no step of its own: it is beside them.
"""

from __future__ import annotations

from bpfimg._value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bpfimg.inspect import Inventory, LinkView, ProgramView
    from bpfimg.inspect._graph import Graph

    Key = tuple[int, int, int, int, str]

#: hooks in the order in which packets meet them; what follows is not of interfaces
ORDER = ("xdp", "tcx ingress", "tc ingress", "netkit primary", "netkit peer", "tcx egress", "tc egress")
#: hooks of network namespaces
NETWORK = ("xdp", "tcx", "tc", "netkit", "netfilter", "flow_dissector", "sk_lookup")
_WAYS = {"netlink": "xdp", "tcx": "tcx", "clsact": "tc"}
_LAST = 1 << 30


@value(frozen=True, slots=True)
class HookView:
    """One hook. `hook` is xdp, tcx, tc and so on: tc is filters of traffic control alone, TCX links are in tcx.

    `links` are what it runs, in order, and after that what is lost; `carriers` the dispatchers whose members are among
    them. `place` says where, in words; the other fields are as those of a link.
    """

    hook: str
    place: str
    direction: str | None
    interface: str | None
    ifindex: int | None
    netns: str | None
    netns_inode: int | None
    links: tuple[LinkView, ...]
    carriers: tuple[LinkView, ...] = ()

    @property
    def id(self) -> str:
        """Network namespace, place and hook in one word."""
        if not self.of_network:
            return f"{self.hook}/{self.place}"
        return "/".join(filter(None, (str(self.netns_inode or "-"), self.place, self.hook, self.direction or "")))

    @property
    def of_network(self) -> bool:
        """True for a hook of an interface or a network namespace."""
        return self.hook in NETWORK

    @property
    def words(self) -> str:
        """`xdp`, `tcx ingress`."""
        return f"{self.hook} {self.direction or ''}".rstrip()

    @property
    def namespace(self) -> str:
        """The network namespace in words; empty for our own."""
        folder, _, name = (self.netns or "").rpartition("/")
        return name if folder.endswith("/netns") else self.netns or ""


def hooks(inventory: Inventory, *, inode: int | None = None, interface: str | None = None) -> tuple[HookView, ...]:
    """Returns the hooks that have programs, each once: of a network namespace, or an interface, only, where one is
    given; then those that are not of the network are left out."""
    found: dict[Key, list[LinkView]] = {}
    for view in inventory.links:
        if inode is not None and (view.netns_inode != inode or hook_of(view) not in NETWORK):
            continue
        if (interface is None or view.interface == interface) and not _is_leaving(view):
            found.setdefault(_key(view), []).append(view)
    return tuple(_hook(found[key]) for key in sorted(found))


def _is_leaving(view: LinkView) -> bool:
    """The link of a dispatcher of ours whose interface has gone: its members are lost, and say so."""
    return view.id is None and view.state == "stale" and any("/bpfimg/chains/" in path for path in view.held_by)


def hook_of(view: LinkView) -> str:
    """The hook that a link is on: one of ours may be attached in more than one way."""
    if view.how == "dispatcher":
        return _WAYS.get(str(view.details.get("way", "")), view.hook)
    if view.type in ("xdp", "tcx", "netkit"):
        return view.type
    return "tc" if view.how == "clsact" else view.hook


def _hook(views: Iterable[LinkView]) -> HookView:
    views = list(views)
    carriers = [view for view in views if view.builder and view.how != "dispatcher" and view.members]
    at = {view.program_id: view.position for view in carriers}
    steps = sorted((view for view in views if view not in carriers), key=lambda view: _step(view, at))
    first = (steps or carriers)[0]
    network = hook_of(first) in NETWORK
    return HookView(
        hook_of(first),
        _place(first),
        first.direction,
        first.interface,
        first.ifindex,
        first.netns if network else None,
        first.netns_inode if network else None,
        tuple(steps),
        tuple(carriers),
    )


def _step(view: LinkView, carriers: dict[int, int | None]) -> tuple[int, int, int, int]:
    """Members are where their dispatcher is, one after the other; what is in no order comes last."""
    position = _LAST if view.position is None else view.position
    if view.how != "dispatcher" or view.position is None:
        return position, 0, view.priority or 0, view.kernel_id or 0
    number = view.details.get("dispatcher")
    carrier = carriers.get(number) if isinstance(number, int) else None
    return carrier or 0, position, 0, 0


def _key(view: LinkView) -> Key:
    hook = hook_of(view)
    if hook not in NETWORK:
        return 2, 0, 0, 0, f"{hook} {_place(view)}"
    side = f"{hook} {view.direction}" if view.direction else hook
    order = ORDER.index(side) if side in ORDER else len(ORDER)
    return 0 if view.netns is None else 1, view.netns_inode or 0, view.ifindex or 0, order, f"{side} {_place(view)}"


def _place(view: LinkView) -> str:
    """Where the hook is, without what differs between what is on it."""
    if view.interface and hook_of(view) in NETWORK:
        return view.interface
    if view.hook == "netfilter":
        return view.target.partition(" priority")[0]
    return view.target


def drawn(hooks: Sequence[HookView], programs: Mapping[int, ProgramView]) -> Graph:
    """The way of a packet over these hooks; `programs` are those of the inventory by id."""
    from bpfimg.inspect import _order_graph

    return _order_graph.drawn(hooks, programs)


def runs(view: LinkView, programs: Mapping[int, ProgramView]) -> int | None:
    """How often it ran while the kernel counted; None where it did not. The first program of a dispatcher runs whenever
    that does, which alone is counted."""
    number: object = view.program_id
    if view.how == "dispatcher" and view.builder != "direct":
        number = view.details.get("dispatcher") if view.position == 0 and view.state == "attached" else None
    program = programs.get(number) if isinstance(number, int) else None
    return (program.info.run_count or None) if program and program.info else None
