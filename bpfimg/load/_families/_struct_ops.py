"""Tables of operations: by a link where the kernel has such, else by what the map holds, until that is deleted."""

from __future__ import annotations

import errno
import sys

from bpfimg.errors import AttachError, Busy, KernelError, NotSupported, UsageError, quoted
from bpfimg.kernel import abi, bpf, features
from bpfimg.load._attach import Attachment
from bpfimg.load._families._recorded import recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel import OpenObject, libbpf
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._hooks import StructOps
    from bpfimg.load._records import LinkRecord

_KEY = bytes(4)
_IN_USE = 1  # enum bpf_struct_ops_state, the second number of what the map holds
_TYPE = abi.MAP_TYPES.index("struct_ops")


def check(hook: StructOps) -> None:
    """NotSupported for a kernel that calls no programs in this way."""
    if features.has("struct-ops") is False:
        raise NotSupported("this kernel takes no programs as operations (struct_ops)", feature="struct-ops")


def configure(opened: OpenObject, program: str, hook: StructOps) -> None:
    """Wants a link for the table, whatever its section is called; NotSupported when libbpf finds no table."""
    opened.want_links()


def attach(program: Loaded, hook: StructOps, scene: Scene) -> Attachment:
    """Attaches a table as it was loaded; one that was loaded before only if it has been attached once, by a link.

    libbpf keeps what the table is to hold, and fills it in when it is attached for the first time.
    """
    if scene.unit.object is None:
        return _again(program, hook, scene)
    handle = _chosen(scene.unit.object.tables(), hook)
    map = bpf.map_info(handle.fd)
    details = {"map": handle.name, "map_id": map.id}
    if map.flags & abi.F_LINK:
        try:
            link = handle.register()
        except KernelError as error:
            raise _explained(error, handle.name) from error
        assert link is not None
        return Attachment(recorded(program, hook, handle.name, details=details), link, link.fileno())

    def enter(published: LinkRecord) -> None:
        try:
            handle.register()
        except KernelError as error:
            raise _explained(error, handle.name) from error

    return Attachment(recorded(program, hook, handle.name, how="attach", details=details), None, program.fd, enter)


def _chosen(tables: tuple[libbpf.MapHandle, ...], hook: StructOps) -> libbpf.MapHandle:
    fitting = [each for each in tables if hook.map in (None, each.name)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(each.name for each in tables)
    if hook.map is not None:
        raise UsageError(f"the object has no table of operations called {quoted(hook.map)}, expected one of {names}")
    raise UsageError(f"the object has {len(tables)} tables of operations, expected the name of one", hint=names)


def _again(program: Loaded, hook: StructOps, scene: Scene) -> Attachment:
    """By a link once more: the map keeps what it was filled with."""
    names = [name for name in scene.unit.names if hook.map in (None, name)]
    for name in names:
        fd = scene.unit.map(name)
        map = bpf.map_info(fd)
        if map.type != _TYPE:
            continue
        try:
            link = bpf.link_create(fd, 0, abi.ATTACH_TYPES.index("struct_ops"))
        except KernelError as error:
            if error.errno == errno.EINVAL:
                raise AttachError(
                    f"the table {name} was loaded without being attached, and is filled in only by that",
                    hint="load it anew: `bpfimg run … struct_ops` does both",
                ) from error
            raise _explained(error, name) from error
        details = {"map": name, "map_id": map.id}
        return Attachment(recorded(program, hook, name, details=details), link, link.fileno())
    raise UsageError("what is loaded has no such table of operations", hint=f"its maps: {', '.join(scene.unit.names)}")


def _explained(error: KernelError, name: str) -> AttachError | KernelError:
    if error.errno == errno.EEXIST:
        return Busy(
            f"the operations of {name} have a name that is in use, expected one of their own",
            owner="other operations of that name",
            hint="`bpfimg list --all` shows them; of TCP, `sysctl net.ipv4.tcp_available_congestion_control` does too",
        )
    if error.errno in (errno.EOPNOTSUPP, 524):
        return NotSupported(
            f"this kernel does not take the operations of {name}: it, or one of them, cannot be a program here",
            feature="struct-ops",
            errno=error.errno,
        )
    if error.errno == errno.EINVAL:
        return AttachError(
            f"the kernel does not take {name}: an operation that it needs is not there, or it refuses a field",
            hint="a TCP congestion control needs name, ssthresh, undo_cwnd and one of cong_avoid and cong_control",
        )
    return KernelError(f"cannot attach {name}: {error}", errno=error.errno, hint=error.hint)


def release(record: LinkRecord) -> bool:
    """Takes off what is attached without a link: deletes what the map holds. False: it is not there (any more)."""
    found = _held(record)
    if found is None:
        return False
    try:
        with bpf.map_by_id(found) as fd:
            bpf.map_delete(fd, _KEY)
    except KernelError as error:
        if error.errno not in (errno.ENOENT, errno.EINPROGRESS):  # never attached; taken off, and still in use
            raise
        return False
    return True


def is_attached(record: LinkRecord) -> bool:
    """True while the kernel has the operations by that map."""
    found = _held(record)
    if found is None:
        return False
    try:
        with bpf.map_by_id(found) as fd:
            content = bpf.map_lookup(fd, _KEY, bpf.map_info(fd).value_size)
    except KernelError:
        return False
    return content is not None and int.from_bytes(content[4:8], sys.byteorder) == _IN_USE


def _held(record: LinkRecord) -> int | None:
    """The id of the map in the record, if that is still one of such tables with this name."""
    number = (record.details or {}).get("map_id")
    name = (record.details or {}).get("map")
    if not isinstance(number, int) or not isinstance(name, str):
        return None
    try:
        with bpf.map_by_id(number) as fd:
            map = bpf.map_info(fd)
    except (KernelError, OverflowError):
        return None
    return number if map.type == _TYPE and name.startswith(map.name) else None
