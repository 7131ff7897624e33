"""TCX (kernel 6.6 and newer): a bpf_link in the chain of an interface and direction, ordered by priority among ours."""

from __future__ import annotations

import errno
import struct

from bpfimg.errors import AttachError, KernelError, NotSupported, SlotsFull
from bpfimg.kernel import abi, bpf
from bpfimg.load._attach import Attachment
from bpfimg.load._decide import Anchor, place
from bpfimg.load._families._place import Place, at, refused
from bpfimg.load._families._recorded import recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel import Fd
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._hooks import Tcx

_ATTACH_TYPES = {"ingress": abi.ATTACH_TCX_INGRESS, "egress": abi.ATTACH_TCX_EGRESS}
_BY_LINK_ID = 1 << 13 | 1 << 5  # BPF_F_LINK | BPF_F_ID: the anchor is the id of a link
_TRIES = 16  # each other writer of the same chain can spoil one


def attach(program: Loaded, hook: Tcx, scene: Scene) -> Attachment:
    """Attaches before the first of our links there that has a higher number, else behind our last, else at the end.

    Links of others keep their places. NotSupported(feature="tcx") when the kernel has no TCX.
    """

    def inside(where: Place) -> Attachment:
        link = link_at(program, where, hook.direction, hook.priority, scene)
        record = recorded(program, hook, f"{where.interface} {hook.direction}", place=where)
        return Attachment(record, link, link.fileno())

    return at(hook.interface, hook.netns, inside)


def link_at(program: Loaded, where: Place, direction: str, priority: int, scene: Scene) -> Fd:
    """Creates the link, in the namespace of `where`; also for Tc hooks, which share the chain."""
    attach_type = _ATTACH_TYPES[direction]
    ours = _ours(where, direction, scene)
    for _ in range(_TRIES):
        try:
            _, chain, revision = bpf.prog_query(where.ifindex, attach_type)
            return _created(program, where, attach_type, place(chain, ours, priority), revision)
        except KernelError as error:
            # ESTALE: the chain has changed since we looked; ENOENT: our anchor has gone.
            if error.errno not in (errno.ESTALE, errno.ENOENT):
                raise _explained(error, program, where, direction) from error
    raise AttachError(
        f"the TCX chain of {where.interface} {direction} changed {_TRIES} times while we looked; try again"
    )


def _created(program: Loaded, where: Place, attach_type: int, anchor: Anchor, revision: int) -> Fd:
    relative = anchor.before or anchor.after
    flags = 0
    if relative:
        flags = _BY_LINK_ID | (abi.F_BEFORE if anchor.before else abi.F_AFTER)
    extra = struct.pack("=IIQ", relative, 0, revision)
    return bpf.link_create(program.fd, where.ifindex, attach_type, flags=flags, extra=extra)


def _ours(where: Place, direction: str, scene: Scene) -> dict[int, int]:
    """Kernel link id -> priority of our links in this chain. What the kernel calls them is asked, not remembered."""
    found: dict[int, int] = {}
    for load in scene.loads:
        for link in load.links:
            key = (link.how, link.ifindex, link.netns_inode, link.direction)
            if link.hook not in ("tc", "tcx") or key != ("link", where.ifindex, where.inode, direction):
                continue
            try:
                with bpf.get(load.link_pin(link.id)) as fd:
                    found[bpf.link_info(fd).id] = link.priority or 0
            except KernelError:
                continue  # its pin has vanished
    return found


def _explained(error: KernelError, program: Loaded, where: Place, direction: str) -> AttachError | KernelError:
    if error.errno == errno.EEXIST:
        return AttachError(
            f"program {program.id} is attached to {where.interface} {direction} already; TCX takes a program once",
            hint="load it a second time to attach it twice",
        )
    if error.errno == errno.ERANGE:
        return SlotsFull(f"the TCX chain of {where.interface} {direction} is full: the kernel takes 64 programs")
    explained = refused(where, error)
    if isinstance(explained, KernelError) and error.errno == errno.EINVAL:
        from bpfimg.kernel import features

        if features.has("tcx") is False:
            return NotSupported(
                "this kernel has no TCX (it came with 6.6)", feature="tcx", errno=error.errno, hint="use the tc hook"
            )
    return explained
