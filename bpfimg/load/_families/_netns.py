"""Hooks of a network namespace as a whole: socket lookup (5.9), and how packets are dissected into flows (5.8)."""

from __future__ import annotations

import errno

from bpfimg.errors import AttachError, Busy, KernelError, NotSupported, SlotsFull
from bpfimg.kernel import Fd, abi, bpf, netns
from bpfimg.load._attach import Attachment
from bpfimg.load._families._owner import described
from bpfimg.load._families._place import Place, shown, within
from bpfimg.load._families._recorded import recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._hooks import Netns

_CAME_WITH = {"sk_lookup": "5.9", "flow_dissector": "5.8"}


def check(hook: Netns) -> None:
    """AttachError when there is no such namespace."""
    within(hook.netns, lambda place: None)


def attach(program: Loaded, hook: Netns, scene: Scene) -> Attachment:
    """Attaches; a namespace takes 64 sk_lookup programs (SlotsFull), one flow_dissector (Busy)."""
    attach_type = abi.ATTACH_TYPES.index(hook.kind)

    def inside(place: Place) -> Attachment:
        with netns.opened(None) as namespace:
            try:
                link = bpf.link_create(program.fd, namespace.fileno(), attach_type)
            except KernelError as error:
                raise _explained(error, hook, place, scene, _there(namespace, attach_type)) from error
        return Attachment(recorded(program, hook, shown(place), place=place), link, link.fileno())

    return within(hook.netns, inside)


def foresee(hook: Netns, scene: Scene) -> str:
    """Busy when the namespace runs a flow_dissector; otherwise how many run before."""
    attach_type = abi.ATTACH_TYPES.index(hook.kind)

    def inside(place: Place) -> str:
        with netns.opened(None) as namespace:
            there = _there(namespace, attach_type)
        if there and hook.kind == "flow_dissector":
            raise _busy(hook, place, scene, there[0])
        return f"behind {len(there)} more" if there else ""

    return within(hook.netns, inside)


def _busy(hook: Netns, place: Place, scene: Scene, program: int) -> Busy:
    who, remedy = described(program, scene.loads, lambda link: link.netns_inode == place.inode)
    return Busy(f"{shown(place)} already runs a {hook.kind}: {who}", owner=who, hint=remedy)


def _there(namespace: Fd, attach_type: int) -> tuple[int, ...]:
    try:
        return bpf.prog_query(namespace.fileno(), attach_type)[0]
    except KernelError:
        return ()


def _explained(
    error: KernelError, hook: Netns, place: Place, scene: Scene, there: tuple[int, ...]
) -> AttachError | KernelError:
    where = shown(place)
    if hook.kind == "sk_lookup" and error.errno == errno.E2BIG:
        return SlotsFull(f"{where} is full: the kernel takes 64 sk_lookup programs in a namespace")
    if error.errno in (errno.E2BIG, errno.EEXIST, errno.EBUSY) and there:
        return _busy(hook, place, scene, there[0])
    if hook.kind == "flow_dissector" and error.errno == errno.EEXIST:
        return Busy(
            f"{where} cannot have a flow_dissector: that of the host's first network namespace is for all, and it"
            " cannot have one either while another namespace has",
            owner="another network namespace",
            hint="`bpfimg list --all` shows which has one",
        )
    if error.errno == errno.EINVAL:
        from bpfimg.kernel import features

        if features.has(hook.kind.replace("_", "-")) is False:
            return NotSupported(
                f"this kernel takes no {hook.kind} links (they came with {_CAME_WITH[hook.kind]})",
                feature=hook.kind.replace("_", "-"),
                errno=error.errno,
            )
    return KernelError(f"cannot attach {hook.kind} to {where}: {error}", errno=error.errno, hint=error.hint)
