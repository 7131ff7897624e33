"""XDP: a bpf_link on the interface; one program for each interface."""

from __future__ import annotations

import errno
from contextlib import ExitStack

from bpfimg.errors import AttachError, Busy, KernelError, NotSupported
from bpfimg.kernel import abi, bpf, libbpf
from bpfimg.load._attach import Attachment
from bpfimg.load._families._owner import describe
from bpfimg.load._families._place import Place, at, refused
from bpfimg.load._families._place import check as check_place
from bpfimg.load._families._recorded import recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel import Fd
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._hooks import Xdp

_FLAGS = {"auto": 0, "native": abi.XDP_NATIVE, "generic": abi.XDP_SKB}
# What drivers answer when they cannot run a program natively that the network stack can: no XDP at all
# (EOPNOTSUPP), an MTU or packet layout that does not fit (ERANGE on a veth with jumbo frames, EINVAL), too few
# queues or rings (ENOMEM, ENOSPC).
_DRIVER = (errno.EOPNOTSUPP, errno.ERANGE, errno.EINVAL, errno.ENOMEM, errno.ENOSPC, 524)
_TAKEN = (errno.EBUSY, errno.EEXIST)


def check(hook: Xdp) -> None:
    """AttachError when there is no such interface; NotSupported for offload."""
    if hook.mode == "offload":
        raise NotSupported(
            "XDP offload is not supported by bpfimg yet, expected mode auto, native or generic", feature="xdp-offload"
        )
    check_place(hook.interface, hook.netns)


def attach(program: Loaded, hook: Xdp, scene: Scene) -> Attachment:
    """Attaches; in mode auto with the driver's own XDP where it has one that takes the program, else generic."""
    if hook.mode == "offload":
        check(hook)

    def inside(place: Place) -> Attachment:
        with ExitStack() as stack:
            link, note = _created(program, hook, place, scene)
            stack.enter_context(link)
            used = libbpf.xdp_query(place.ifindex).mode
            record = recorded(program, hook, place.interface, place=place, used_mode=used, note=note)
            stack.pop_all()
        return Attachment(record, link, link.fileno())

    return at(hook.interface, hook.netns, inside)


def _created(program: Loaded, hook: Xdp, place: Place, scene: Scene) -> tuple[Fd, str]:
    try:
        return _link(program, place, hook.mode), ""
    except KernelError as error:
        if hook.mode != "auto" or error.errno not in _DRIVER:
            raise _explained(error, hook, place, scene) from error
        refusal = error
    try:
        return _link(program, place, "generic"), f"the driver refused native mode: {errno_word(refusal.errno)}"
    except KernelError as error:
        raise _explained(error, hook, place, scene) from error


def _link(program: Loaded, place: Place, mode: str) -> Fd:
    return bpf.link_create(program.fd, place.ifindex, abi.ATTACH_XDP, flags=_FLAGS[mode])


def _explained(error: KernelError, hook: Xdp, place: Place, scene: Scene) -> AttachError | KernelError:
    if error.errno in _TAKEN:
        there = libbpf.xdp_query(place.ifindex)
        who, remedy = describe(there.prog_id, scene.loads, place)
        mode = f", in {there.mode} mode" if there.mode else ""
        return Busy(f"{place.interface} already runs XDP{mode}: {who}", owner=who, hint=remedy)
    if hook.mode == "native" and error.errno in _DRIVER:
        explained = refused(place, error)
        if isinstance(explained, KernelError):
            return AttachError(
                f"the driver of {place.interface} refuses the program in native mode: {errno_word(error.errno)}",
                hint="use --mode auto or --mode generic; a smaller MTU may help too",
            )
        return explained
    return refused(place, error)


def errno_word(number: int) -> str:
    """The name of an error number: EOPNOTSUPP."""
    return errno.errorcode.get(number, f"error {number}")
