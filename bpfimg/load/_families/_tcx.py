"""TCX (kernel 6.6 and newer): a bpf_link in the chain of an interface and direction, ordered by priority among ours."""

from __future__ import annotations

import errno

from bpfimg.errors import KernelError, NotSupported
from bpfimg.kernel import abi
from bpfimg.load._attach import Attachment, refuse_extension
from bpfimg.load._families._chain import Chain, link_in, position
from bpfimg.load._families._place import Place, at
from bpfimg.load._families._place import check as check_place
from bpfimg.load._families._recorded import recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel import Fd
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._hooks import Tcx

_ATTACH_TYPES = {"ingress": abi.ATTACH_TCX_INGRESS, "egress": abi.ATTACH_TCX_EGRESS}


def check(hook: Tcx) -> None:
    """AttachError when there is no such interface; NotSupported(feature="tcx") when the kernel has no TCX."""
    from bpfimg.kernel import features

    check_place(hook.interface, hook.netns)
    if features.has("tcx") is False:
        raise _lacking(0)


def attach(program: Loaded, hook: Tcx, scene: Scene) -> Attachment:
    """Attaches before the first of our links there that has a higher number, else behind our last, else at the end.

    Links of others keep their places. NotSupported(feature="tcx") when the kernel has no TCX.
    """

    refuse_extension(program, "to a tcx hook")

    def inside(where: Place) -> Attachment:
        link = tcx_link(program, where, hook.direction, hook.priority, scene)
        record = recorded(program, hook, f"{where.interface} {hook.direction}", place=where)
        return Attachment(record, link, link.fileno())

    return at(hook.interface, hook.netns, inside)


def foresee(hook: Tcx, scene: Scene) -> str:
    """Where in the chain the program would stand, in words."""
    return at(hook.interface, hook.netns, lambda where: position(chain_of(hook.direction), where, hook.priority, scene))


def chain_of(direction: str) -> Chain:
    """The chain of a direction, which Tc hooks share."""
    return Chain("TCX", _ATTACH_TYPES[direction], ("tc", "tcx"), "direction", direction)


def tcx_link(program: Loaded, where: Place, direction: str, priority: int, scene: Scene) -> Fd:
    """Creates the link, in the namespace of `where`; also for Tc hooks, which share the chain."""
    try:
        return link_in(chain_of(direction), program, where, priority, scene)
    except KernelError as error:
        if error.errno == errno.EINVAL:
            from bpfimg.kernel import features

            if features.has("tcx") is False:
                raise _lacking(error.errno) from error
        raise


def _lacking(number: int) -> NotSupported:
    return NotSupported(
        "this kernel has no TCX (it came with 6.6)", feature="tcx", errno=number, hint="use the tc hook"
    )
