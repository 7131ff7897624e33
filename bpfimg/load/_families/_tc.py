"""Traffic control: a TCX link where the kernel has it, else a clsact filter, which lives with the device."""

from __future__ import annotations

from bpfimg._value import replace
from bpfimg.errors import AttachError, Busy, KernelError, NotSupported, quoted
from bpfimg.kernel import bpf, libbpf, netlink, netns
from bpfimg.load._attach import Attachment, refuse_extension
from bpfimg.load._families._chain import position
from bpfimg.load._families._owner import describe
from bpfimg.load._families._place import Place, again, at, is_there, named, refused
from bpfimg.load._families._place import check as check_place
from bpfimg.load._families._recorded import recorded
from bpfimg.load._families._tcx import chain_of, tcx_link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._hooks import Tc
    from bpfimg.load._host import Load
    from bpfimg.load._records import LinkRecord

_MAX_FILTER_PRIORITY = 0xFFFF  # the kernel keeps a filter's priority in 16 bits; 0 would let it choose


def check(hook: Tc) -> None:
    """AttachError when there is no such interface."""
    check_place(hook.interface, hook.netns)


def attach(program: Loaded, hook: Tc, scene: Scene) -> Attachment:
    """Attaches, as a member of the chain there where the host has chains; else Busy when another Tc program of ours is
    on that interface and direction.

    In a TCX chain it stands where a Tcx hook of that priority would. A filter has the hook's priority too, at most
    65535, and the link's id as its handle: so the record that is published before says which filter is ours.
    """

    if scene.chains is not None and scene.chains.takes(hook):
        check(hook)
        return scene.chains.attach(program, hook, scene)
    refuse_extension(program, "without a dispatcher")

    def inside(where: Place) -> Attachment:
        _check_free(where, hook.direction, scene)
        record = recorded(program, hook, f"{where.interface} {hook.direction}", place=where)
        if scene.tc != "clsact":
            try:
                link = tcx_link(program, where, hook.direction, hook.priority, scene)
                return Attachment(record, link, link.fileno())
            except NotSupported as error:
                if scene.tc == "tcx":
                    raise
                record = replace(record, note=f"a clsact filter: {error}")
        return _filter(program, replace(record, how="clsact", clsact_priority=_filter_priority(hook.priority)))

    return at(hook.interface, hook.netns, inside)


def foresee(hook: Tc, scene: Scene) -> str:
    """How the program would be attached, in words; Busy when another Tc program of ours is there."""
    if scene.chains is not None and scene.chains.takes(hook):
        return scene.chains.foresee(hook, scene)

    def inside(where: Place) -> str:
        from bpfimg.kernel import features

        _check_free(where, hook.direction, scene)
        if scene.tc == "clsact" or (scene.tc == "auto" and features.has("tcx") is False):
            return "a clsact filter"
        return position(chain_of(hook.direction), where, hook.priority, scene)

    return at(hook.interface, hook.netns, inside)


def _check_free(where: Place, direction: str, scene: Scene) -> None:
    for made in scene.opened:
        if _key(made.record) == ("tc", where.ifindex, where.inode, direction):
            raise Busy(
                f"{where.interface} {direction} is to run tc program {quoted(made.record.program_name)} of this object",
                owner=made.record.program_name,
                hint=_ways_out("name one program with --program"),
            )
    for load in scene.loads:
        for link in load.links:
            if _key(link) == ("tc", where.ifindex, where.inode, direction) and _is_live(load, link):
                who, remedy = describe(link.program_id, scene.loads, where, direction)
                raise Busy(f"{where.interface} {direction} already runs tc {who}", owner=who, hint=_ways_out(remedy))


def _key(link: LinkRecord) -> tuple[str, int | None, int | None, str | None]:
    return link.hook, link.ifindex, link.netns_inode, link.direction


def _ways_out(remedy: str) -> str:
    from bpfimg.kernel import features

    return f"{remedy}, or use the tcx hook, which takes many" if features.has("tcx") else remedy


def _is_live(load: Load, link: LinkRecord) -> bool:
    """False for a link whose device has gone: the kernel gives numbers of interfaces and namespaces out again."""
    if link.how == "clsact":
        return is_attached(link)
    try:
        with bpf.get(load.link_pin(link.id)) as fd:
            return bpf.link_info(fd).ifindex != 0
    except KernelError:
        return False


def _filter_priority(priority: int) -> int:
    return min(max(priority, 1), _MAX_FILTER_PRIORITY)


def _filter(program: Loaded, record: LinkRecord) -> Attachment:
    def enter(published: LinkRecord) -> None:
        netns.call(record.netns, _add, program, published)

    return Attachment(record, None, program.fd, enter=enter)


def _add(program: Loaded, record: LinkRecord) -> None:
    where = _place(record)
    try:
        libbpf.tc_attach(
            where.ifindex,
            record.direction or "",
            program.fd,
            priority=record.clsact_priority or 0,
            handle=record.id,
        )
    except KernelError as error:
        raise refused(where, error) from error


def release(record: LinkRecord) -> bool:
    """Takes our filter off its device; False when namespace, device or filter are gone, or it is not ours any more.

    It is ours when it runs the recorded program at the recorded handle and priority.
    """
    return _there(record, _remove)


def detach_lost(link: int, program: int) -> bool:
    """Takes off the filter of a link whose record cannot be read: its handle is the link's id, and it runs `program`.

    It is looked for here and in the namespaces that have a name.
    """
    return any(netns.call(path, _remove_lost, link, program) for path in (None, *named()))


def _remove_lost(link: int, program: int) -> bool:
    found = [each for each in netlink.filters() if (each.handle, each.prog_id) == (link, program)]
    for each in found:
        libbpf.tc_detach(each.ifindex, each.direction, each.handle, each.priority)
    return bool(found)


def is_attached(record: LinkRecord) -> bool:
    """True while our filter is on its device."""
    return _there(record, _is_ours)


def _there(record: LinkRecord, function: Callable[[LinkRecord], bool]) -> bool:
    there, path = again(record.netns, record.netns_inode)
    try:
        return there and netns.call(path, function, record)
    except AttachError:
        return False  # the namespace went away since we looked


def _remove(record: LinkRecord) -> bool:
    if not _is_ours(record):
        return False
    libbpf.tc_detach(record.ifindex or 0, record.direction or "", record.id, record.clsact_priority or 0)
    return True


def _is_ours(record: LinkRecord) -> bool:
    where = _place(record)
    if record.direction is None or not is_there(where):
        return False
    found = libbpf.tc_query(where.ifindex, record.direction or "", record.id, record.clsact_priority or 0)
    return found == record.program_id


def _place(record: LinkRecord) -> Place:
    return Place(record.interface or "", record.ifindex or 0, record.netns, record.netns_inode or 0)
