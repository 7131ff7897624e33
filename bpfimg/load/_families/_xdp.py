"""XDP: a bpf_link on the interface; one program for each interface."""

from __future__ import annotations

import errno
from contextlib import ExitStack, suppress

from bpfimg.errors import AttachError, Busy, KernelError, NotSupported
from bpfimg.kernel import abi, bpf, libbpf
from bpfimg.load._attach import Attachment, refuse_extension
from bpfimg.load._families._owner import describe
from bpfimg.load._families._place import Place, at, refused
from bpfimg.load._families._place import check as check_place
from bpfimg.load._families._recorded import recorded
from bpfimg.load._families._xdp_refused import has_none, refused_by_driver, takes_fragments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel import Fd
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._hooks import Xdp

_FLAGS = {"auto": 0, "native": abi.XDP_NATIVE, "generic": abi.XDP_SKB}
_TAKEN = (errno.EBUSY, errno.EEXIST)
_FALLS_BACK = "--mode generic runs it in the network stack instead"


def check(hook: Xdp) -> None:
    """AttachError when there is no such interface; NotSupported for offload."""
    if hook.mode == "offload":
        raise NotSupported(
            "XDP offload is not supported by bpfimg yet, expected mode auto, native or generic", feature="xdp-offload"
        )
    check_place(hook.interface, hook.netns)


def attach(program: Loaded, hook: Xdp, scene: Scene) -> Attachment:
    """Attaches; in mode auto with the driver's own XDP where it has one that takes the program, else generic.

    A member of the interface's chain, where the host has chains and the hook is not `exclusive`.
    """
    if scene.chains is not None and scene.chains.takes(hook):
        check(hook)
        return scene.chains.attach(program, hook, scene)
    refuse_extension(program, "on a link of its own")
    if hook.mode == "offload":
        check(hook)

    def inside(place: Place) -> Attachment:
        with ExitStack() as stack:
            link, note = _created(program, hook, place, scene)
            stack.enter_context(link)
            used = libbpf.xdp_query(place.ifindex).mode
            if hook.mode == "auto" and used == "generic" and not note:  # the kernel has chosen by itself
                note = f"in generic mode: {has_none(place)}"
            record = recorded(program, hook, place.interface, place=place, used_mode=used, note=note)
            stack.pop_all()
        return Attachment(record, link, link.fileno())

    return at(hook.interface, hook.netns, inside)


def _created(program: Loaded, hook: Xdp, place: Place, scene: Scene) -> tuple[Fd, str]:
    try:
        return _link(program, place, hook.mode), ""
    except KernelError as error:
        refusal = refused_by_driver(error, place, frags=takes_fragments(program))
        if hook.mode != "auto" or refusal is None:
            raise _explained(error, program, hook, place, scene) from error
    try:
        return _link(program, place, "generic"), f"in generic mode: {refusal}"
    except KernelError as error:
        raise _explained(error, program, hook, place, scene) from error


def _link(program: Loaded, place: Place, mode: str) -> Fd:
    return bpf.link_create(program.fd, place.ifindex, abi.ATTACH_XDP, flags=_FLAGS[mode])


def _explained(error: KernelError, program: Loaded, hook: Xdp, place: Place, scene: Scene) -> AttachError | KernelError:
    if error.errno in _TAKEN:
        return _taken(libbpf.xdp_query(place.ifindex), scene, place)
    explained = refused(place, error)
    refusal = refused_by_driver(error, place, frags=takes_fragments(program))
    if hook.mode == "native" and refusal is not None and isinstance(explained, KernelError):
        return AttachError(
            f"{place.interface} does not take the program in native mode: {refusal.text}",
            hint=f"{refusal.hint}, or {_FALLS_BACK}" if refusal.hint else _FALLS_BACK,
        )
    return explained


def _taken(there: libbpf.XdpState, scene: Scene, place: Place) -> Busy:
    chain = scene.chains.holder(scene.host, place) if scene.chains is not None and scene.host is not None else None
    who, remedy = chain or _holder(there.prog_id, there.mode or "", scene, place)
    mode = f", in {there.mode} mode" if there.mode else ""
    return Busy(f"{place.interface} already runs XDP{mode}: {who}", owner=who, hint=remedy)


def foresee(hook: Xdp, scene: Scene) -> str:
    """In which mode the program would run, in words; Busy when the interface runs one."""
    if scene.chains is not None and scene.chains.takes(hook):
        return scene.chains.foresee(hook, scene)

    def inside(place: Place) -> str:
        there = libbpf.xdp_query(place.ifindex)
        if there.prog_id:
            raise _taken(there, scene, place)
        return "native if the driver takes it, else generic" if hook.mode == "auto" else hook.mode

    return at(hook.interface, hook.netns, inside)


def _holder(program: int, mode: str, scene: Scene, place: Place) -> tuple[str, str]:
    """Who holds the interface, and what to do about it: what was attached by netlink, ip(8) takes off."""
    who, remedy = describe(program, scene.loads, place)
    if program and not any(program in load.program_ids for load in scene.loads) and not _has_link(program):
        word = {"native": "xdpdrv", "generic": "xdpgeneric", "offload": "xdpoffload"}.get(mode, "xdp")
        return f"{who}, attached without a link", f"`ip link set dev {place.interface} {word} off` takes it off"
    return who, remedy


def _has_link(program: int) -> bool:
    """True when a link holds the program, or when that cannot be seen."""
    try:
        for number in bpf.link_ids():
            with suppress(KernelError), bpf.link_by_id(number) as fd:
                info = bpf.link_info(fd)
                if (info.type, info.prog_id) == (abi.LINK_XDP, program):
                    return True
    except KernelError:
        return True
    return False
