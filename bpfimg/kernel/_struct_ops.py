"""Tables of operations (struct_ops maps): filled in by libbpf, which knows where the kernel has which function."""

from __future__ import annotations

import os

from bpfimg.errors import KernelError, NotSupported
from bpfimg.kernel import _abi as abi
from bpfimg.kernel import _features as features
from bpfimg.kernel._bpf_info import kind, map_info
from bpfimg.kernel._bpf_links import link_create
from bpfimg.kernel._fd import Fd
from bpfimg.kernel._library import version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel._handles import MapHandle
    from bpfimg.kernel._object import OpenObject

_ATTACH_TYPE = abi.ATTACH_TYPES.index("struct_ops")


def tables(opened: OpenObject) -> tuple[MapHandle, ...]:
    """The struct_ops maps of an object: those that this version of libbpf knows of."""
    number = abi.MAP_TYPES.index("struct_ops")
    return tuple(each for each in opened.maps if each.type_id == number)


def want_links(opened: OpenObject) -> None:
    """Says before the load that tables will be attached by links, whatever section they are from, where the kernel
    has such links (6.4); NotSupported when this version of libbpf sees no table in the object."""
    found = tables(opened)
    if not found:
        raise NotSupported(
            f'libbpf {version()} finds no table of operations in the object, expected one in SEC(".struct_ops")',
            feature="struct-ops-link",
            hint='libbpf knows SEC(".struct_ops.link") from 1.2 on; what is in ".struct_ops" gets a link here all the '
            "same, where the kernel has such",
        )
    if features.has("struct-ops-link"):
        for each in found:
            each.set_flags(each.flags | abi.F_LINK)


def register(handle: MapHandle) -> Fd | None:
    """Fills the table of a loaded object with its programs: a map without `F_LINK` is attached by that, for as long as
    it has its element; for one with it returns the link. KernelError as the kernel says: EEXIST for a name in use."""
    lib = handle._native.library
    link, lines = lib.call("bpf_map__attach_struct_ops", handle._at("loaded"))
    if not link:
        raise _refused(handle, lines)
    made = lib.bpf_link__fd(link)
    if kind(made) == "link":  # of libbpf from 1.2 on
        fd = Fd(os.dup(made))
        lib.bpf_link__destroy(link)
        return fd
    lib.bpf_link__disconnect(link)  # else destroying it would take the table off again
    lib.bpf_link__destroy(link)
    return link_create(handle.fd, 0, _ATTACH_TYPE) if map_info(handle.fd).flags & abi.F_LINK else None


def _refused(handle: MapHandle, lines: list[str]) -> KernelError:
    import ctypes

    from bpfimg.kernel._failure import printable, reason

    number = ctypes.get_errno()
    said = f"{printable(lines[0])}: " if lines else ""
    return KernelError(f"cannot attach map {handle.name!r}: {said}{reason(number)}", errno=number)
