"""Programs on the hooks of one network namespace: interfaces, the namespace as a whole, netfilter."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import AttachError, Error
from bpfimg.inspect._kernel._views import word
from bpfimg.kernel import abi, netlink, netns, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from bpfimg.inspect._kernel._namespaces import Namespace

    Device = Any  # of kernel.netlink

_TCX = ((abi.ATTACH_TCX_INGRESS, "ingress"), (abi.ATTACH_TCX_EGRESS, "egress"))
_NETKIT = ((abi.ATTACH_TYPES.index("netkit_primary"), "primary"), (abi.ATTACH_TYPES.index("netkit_peer"), "peer"))
_WHOLE = ("flow_dissector", "sk_lookup")
FAMILIES = {2: "ipv4", 10: "ipv6"}
HOOKS = ("prerouting", "input", "forward", "output", "postrouting")


@value(frozen=True, slots=True)
class Hooked:
    """A program on a hook of a namespace. `link` is the kernel's link, 0 for none, None where it does not say.

    `hook` is our word; `position` counts from 0 in running order; `details` are facts by name.
    """

    namespace: Namespace
    hook: str
    program: int
    link: int | None
    how: str
    target: str
    position: int
    ifindex: int | None = None
    interface: str | None = None
    direction: str | None = None
    priority: int | None = None
    handle: int | None = None
    details: tuple[tuple[str, object], ...] = ()


def hooked(namespace: Namespace, *, netfilter: bool, unseen: list[str]) -> list[Hooked]:
    """Returns what is on the hooks of a namespace; `netfilter` asks for that, too. What is not seen is said."""
    try:
        return netns.call(namespace.path, _here, namespace, netfilter)
    except AttachError:
        return []  # it has gone meanwhile
    except (OSError, Error) as error:
        unseen.append(f"network namespace {namespace.words or namespace.inode}: {error}")
        return []


def _here(namespace: Namespace, netfilter: bool) -> list[Hooked]:
    with netlink.dumps() as dumps:
        devices = netlink.devices(dumps)
        names = {device.ifindex: device.name for device in devices}
        found = [*_xdp(namespace, devices), *_filters(namespace, names, dumps)]
    found += _chains(namespace, devices)
    found += _whole(namespace)
    if netfilter:
        found += _netfilter(namespace)
    return found


def _xdp(namespace: Namespace, devices: tuple[Device, ...]) -> Iterator[Hooked]:
    for device in devices:
        for position, (mode, program) in enumerate(device.xdp):
            yield Hooked(
                namespace,
                "xdp",
                program,
                None,
                "netlink",
                device.name,
                position,
                device.ifindex,
                device.name,
                details=(("mode", mode),),
            )


def _chains(namespace: Namespace, devices: tuple[Device, ...]) -> Iterator[Hooked]:
    """TCX and netkit: each tells its programs in running order, with their links."""
    tcx = True
    for device in devices:
        if tcx:
            for attach_type, direction in _TCX:
                chain = walk.attached(device.ifindex, attach_type)
                if chain is None:
                    tcx = False  # a kernel without it
                    break
                yield from _chain(namespace, "tcx", device, direction, chain)
        if device.kind == "netkit":
            for attach_type, side in _NETKIT:
                chain = walk.attached(device.ifindex, attach_type)
                if chain is not None:
                    yield from _chain(namespace, "netkit", device, side, chain)


def _chain(namespace: Namespace, hook: str, device: Device, direction: str, chain: walk.Attached) -> Iterator[Hooked]:
    for position, (program, link) in enumerate(zip(chain.prog_ids, chain.link_ids, strict=True)):
        yield Hooked(
            namespace,
            hook,
            program,
            link,
            "link" if link else "attach",
            f"{device.name} {direction}",
            position,
            device.ifindex,
            device.name,
            direction,
        )


def _filters(namespace: Namespace, names: dict[int, str], dumps: Any) -> Iterator[Hooked]:
    positions: dict[tuple[int, str, str], int] = {}
    for each in sorted(netlink.filters(dumps), key=lambda found: (found.ifindex, found.direction, found.priority)):
        key = (each.ifindex, each.direction, each.qdisc)
        positions[key] = position = positions.get(key, -1) + 1
        place = f"{names.get(each.ifindex, each.ifindex)} {each.direction}"
        details: tuple[tuple[str, object], ...] = (("qdisc", each.qdisc), ("filter", each.name))
        yield Hooked(
            namespace,
            "tc",
            each.prog_id,
            0,
            "clsact",
            place if each.qdisc in ("clsact", "ingress") else f"{place} of qdisc {each.qdisc}",
            position,
            each.ifindex,
            names.get(each.ifindex),
            each.direction,
            each.priority,
            each.handle,
            (*details, ("handle", each.handle)),
        )
    for action in netlink.actions(dumps):
        used = f"used by {action.bound} filter{'s' * (action.bound != 1)}"
        facts = (("index", action.index), ("filters", action.bound))
        target = f"action {action.index}, {used}"
        yield Hooked(namespace, "tc", action.prog_id, 0, "action", target, 0, details=facts)


def _whole(namespace: Namespace) -> Iterator[Hooked]:
    """Hooks of the namespace itself."""
    with netns.opened(None) as here:
        for kind in _WHOLE:
            chain = walk.attached(here.fileno(), abi.ATTACH_TYPES.index(kind))
            for position, program in enumerate(chain.prog_ids if chain else ()):
                yield Hooked(namespace, kind, program, None, "attach", namespace.words or "this namespace", position)


def _netfilter(namespace: Namespace) -> Iterator[Hooked]:
    positions: dict[tuple[int, int], int] = {}
    for each in netlink.netfilter():
        key = (each.family, each.hook)
        positions[key] = position = positions.get(key, -1) + 1
        target = f"{FAMILIES.get(each.family, each.family)} {word(HOOKS, each.hook)}"
        yield Hooked(namespace, "netfilter", each.prog_id, None, "link", target, position, priority=each.priority)
