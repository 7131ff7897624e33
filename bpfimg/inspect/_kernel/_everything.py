"""Every program in the kernel, where it is attached and who holds it: ours and everybody else's.

Attachments that no link stands for are found where the kernel tells of them: XDP programs and filters of traffic
control by netlink, on the interfaces of the network namespace that we are in.
"""

from __future__ import annotations

from bpfimg._value import replace
from bpfimg.errors import KernelError
from bpfimg.inspect._kernel._holders import holders
from bpfimg.inspect._kernel._host import seen, state_of, word
from bpfimg.inspect._kernel._views import LinkView, ProgramView
from bpfimg.kernel import abi, bpf, libbpf, netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.load import Host

_TCX = {abi.ATTACH_TCX_INGRESS: "ingress", abi.ATTACH_TCX_EGRESS: "egress"}


def added(
    host: Host, programs: Sequence[ProgramView], links: Sequence[LinkView]
) -> tuple[list[ProgramView], list[LinkView]]:
    """Returns our programs and links followed by everybody else's, with their holders filled in."""
    known = {view.id for view in programs}
    everything = [*programs, *(view for view in _others() if view.id not in known)]
    held = holders(host.bpffs)
    everything = [replace(view, held_by=tuple(held.get(view.id, ()))) for view in everything]
    ours = {view.kernel_id for view in links}
    others = [view for view in _links() if view.kernel_id not in ours]
    return everything, [*links, *others, *_netlink_xdp([*links, *others]), *_filters(links)]


def _others() -> Iterator[ProgramView]:
    for number in bpf.program_ids():
        try:
            with bpf.program_by_id(number) as fd:
                yield seen(bpf.program_info(fd))
        except KernelError as error:
            if error.errno != 2:  # it has gone meanwhile
                raise


def _links() -> Iterator[LinkView]:
    for number in bpf.link_ids():
        try:
            with bpf.link_by_id(number) as fd:
                info = bpf.link_info(fd)
        except KernelError as error:
            if error.errno == 2:
                continue
            raise
        hook = word(abi.LINK_TYPES, info.type)
        yield LinkView(
            None, info.id, info.prog_id, hook, "link", _target(info, hook), state_of(info), ifindex=info.ifindex
        )


def _target(info: bpf.LinkInfo, hook: str) -> str:
    """Where a link is, as far as the kernel says. An ifindex is of one namespace: ours, only if it is there here."""
    if info.ifindex is None:
        attach_type = "" if info.attach_type is None else word(abi.ATTACH_TYPES, info.attach_type)
        return info.target or attach_type
    if info.ifindex == 0:
        return ""
    direction = _TCX.get(info.attach_type or 0, "")
    name = netlink.interface_name(info.ifindex) if _is_here(info, hook) else None
    place = name or f"ifindex {info.ifindex} of another network namespace"
    return f"{place} {direction}".rstrip()


def _is_here(info: bpf.LinkInfo, hook: str) -> bool:
    try:
        if hook == "xdp":
            return bool(libbpf.xdp_query(info.ifindex or 0).prog_id == info.prog_id)
        return info.id in bpf.prog_query(info.ifindex or 0, info.attach_type or 0)[1]
    except KernelError:
        return False


def _netlink_xdp(links: Sequence[LinkView]) -> Iterator[LinkView]:
    """XDP programs that are on an interface without a link."""
    linked = {(view.program_id, view.ifindex) for view in links if view.hook == "xdp"}
    for name, index in netlink.interfaces().items():
        try:
            number = libbpf.xdp_query(index).prog_id
        except KernelError:
            continue  # the interface has gone meanwhile
        if number and (number, index) not in linked:
            yield LinkView(None, None, number, "xdp", "netlink", name, "attached", ifindex=index)


def _filters(links: Sequence[LinkView]) -> Iterator[LinkView]:
    """Programs in clsact and ingress filters that are not ours."""
    ours = {(view.record.id, view.program_id) for view in links if view.record and view.how == "clsact"}
    names = {index: name for name, index in netlink.interfaces().items()}
    for found in netlink.filters():
        if (found.handle, found.prog_id) not in ours:  # the handle of ours is the id of the link
            target = f"{names.get(found.ifindex, found.ifindex)} {found.direction}"
            yield LinkView(None, None, found.prog_id, "tc", "clsact", target, "attached", ifindex=found.ifindex)
