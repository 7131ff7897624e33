"""netkit (kernel 6.7 and newer): a bpf_link on a netkit device, on its primary or its peer side."""

from __future__ import annotations

import errno

from bpfimg.errors import AttachError, KernelError, NotSupported
from bpfimg.kernel import abi
from bpfimg.load._attach import Attachment, refuse_extension
from bpfimg.load._families._chain import Chain, link_in, position
from bpfimg.load._families._place import Place, at
from bpfimg.load._families._place import check as check_place
from bpfimg.load._families._recorded import recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._hooks import Netkit

_ATTACH_TYPES = {side: abi.ATTACH_TYPES.index(f"netkit_{side}") for side in ("primary", "peer")}


def check(hook: Netkit) -> None:
    """AttachError when there is no such interface; NotSupported(feature="netkit") when the kernel has no netkit."""
    from bpfimg.kernel import features

    check_place(hook.interface, hook.netns)
    if features.has("netkit") is False:
        raise _lacking(0)


def attach(program: Loaded, hook: Netkit, scene: Scene) -> Attachment:
    """Attaches by priority among ours, as for TCX; both sides are attached through the primary device.

    NotSupported(feature="netkit") when the kernel has no netkit; AttachError when the interface is none.
    """

    refuse_extension(program, "to a netkit hook")

    def inside(where: Place) -> Attachment:
        try:
            link = link_in(_chain(hook), program, where, hook.priority, scene)
        except KernelError as error:
            raise _explained(error, where) from error
        record = recorded(program, hook, f"{where.interface} {hook.side}", place=where)
        return Attachment(record, link, link.fileno())

    return at(hook.interface, hook.netns, inside)


def foresee(hook: Netkit, scene: Scene) -> str:
    """Where in the chain the program would stand, in words; AttachError when the interface is no netkit device."""

    def inside(where: Place) -> str:
        try:
            return position(_chain(hook), where, hook.priority, scene)
        except KernelError as error:
            raise _explained(error, where) from error

    return at(hook.interface, hook.netns, inside)


def _chain(hook: Netkit) -> Chain:
    return Chain("netkit", _ATTACH_TYPES[hook.side], ("netkit",), "side", hook.side)


def _explained(error: KernelError, where: Place) -> AttachError | KernelError:
    if error.errno == errno.EINVAL:
        from bpfimg.kernel import features

        if features.has("netkit") is False:
            return _lacking(error.errno)
    if error.errno == errno.ENXIO:
        from bpfimg.kernel import netlink

        driver = netlink.interface_driver(where.interface)
        known = f" ({driver})" if driver else ""
        return AttachError(f"{where.interface} is not a netkit device{known}", hint="use the tcx hook there")
    if error.errno == errno.EACCES:
        return AttachError(
            f"{where.interface} is the peer of a netkit pair, expected its primary device",
            hint="name the primary device, and say --side peer for the program that is to run on this one",
        )
    return error


def _lacking(number: int) -> NotSupported:
    return NotSupported(
        "this kernel has no netkit devices (they came with 6.7, and are an option of its configuration)",
        feature="netkit",
        errno=number,
        hint="use the tcx hook on a veth device",
    )
