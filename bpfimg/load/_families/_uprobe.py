"""Functions of executables and libraries: one link for many where the kernel has that, else a perf event for each."""

from __future__ import annotations

import errno
from contextlib import ExitStack

from bpfimg.errors import AttachError, KernelError, NotSupported
from bpfimg.kernel import userspace
from bpfimg.load._attach import Attachment
from bpfimg.load._families._function import places
from bpfimg.load._families._recorded import recorded
from bpfimg.load._families._target import opened
from bpfimg.load._hooks._user import UPROBE_MULTI, UPROBE_SESSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.kernel import Fd
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._families._function import Place
    from bpfimg.load._families._target import Target
    from bpfimg.load._hooks import Uprobe

_MANY = (UPROBE_MULTI, UPROBE_SESSION)
_NO_MULTI = (errno.EINVAL, errno.EOPNOTSUPP)
#: links of one attachment where each function takes one: every link is a pin and a perf event
_PARTS_MAX = 1024
_SHOWN = 8


def check(hook: Uprobe) -> None:
    """AttachError when there is no such file, function or process; nothing is attached."""
    with opened(hook.target, hook.container_pid) as target:
        places(target, hook)


def foresee(hook: Uprobe, scene: Scene) -> str:
    """Where it would go: the file and the offset in it, or how many functions."""
    with opened(hook.target, hook.container_pid) as target:
        found = places(target, hook)
        if len(found) > 1:
            return f"{len(found)} functions of {target.shown}"
        return f"offset {found[0].offset:#x} of {target.shown}"


def attach(program: Loaded, hook: Uprobe, scene: Scene) -> Attachment:
    """Attaches; the kernel's own words for it depend on its version, so the record says where."""
    with opened(hook.target, hook.container_pid) as target, ExitStack() as stack:
        found = places(target, hook)
        way, links = _links(program, target, found, hook, stack)
        target.still_there()
        details = {**target.details(), **_said(found, hook), "links": way}
        record = recorded(
            program,
            hook,
            _where(target, hook, found),
            details=details,
            parts=len(links) - 1,
            absolute={"target": target.path},
        )
        stack.pop_all()
    return Attachment(record, links[0], links[0].fileno(), parts=links[1:])


def _said(found: Sequence[Place], hook: Uprobe) -> dict[str, object]:
    """What the record says of the places: of many the first ones, since it has to stay small."""
    if hook.pattern is None:
        one = found[0]
        return {"offset": one.offset, **({"symbol": one.symbol} if one.symbol else {})}
    names = [each.symbol for each in found[:_SHOWN]]
    return {"functions": len(found), "first": names}


def _where(target: Target, hook: Uprobe, found: Sequence[Place]) -> str:
    if hook.pattern is not None:
        return f"{target.shown}:{hook.pattern} ({len(found)} functions)"
    inside = f"+{hook.offset:#x}" if hook.offset else ""
    return f"{target.shown}:{found[0].symbol}{inside}" if hook.function else f"{target.shown}{inside}"


def _links(
    program: Loaded, target: Target, found: Sequence[Place], hook: Uprobe, stack: ExitStack
) -> tuple[str, list[Fd]]:
    """Which kind of links it became, and the links."""
    refusal: KernelError | None = None
    if program.attach_type in _MANY:
        offsets = [each.offset for each in found]
        try:
            link = userspace.uprobe_multi(
                program.fd, target.for_kernel, offsets, program.attach_type, ret=hook.ret, pid=hook.pid
            )
            return "multi", [stack.enter_context(link)]
        except KernelError as error:
            if error.errno not in _NO_MULTI:
                raise explained(error, target) from error
            refusal = error  # a kernel before 6.6: it takes the program for one function at a time as well
    if len(found) > _PARTS_MAX:
        raise AttachError(
            f"{len(found)} functions of {target.shown} fit, but each takes a link of its own here, expected at most"
            f" {_PARTS_MAX}",
            hint="one link for many needs kernel 6.6, and a program that was loaded for it" if refusal else "",
        )
    return "perf", [stack.enter_context(_one(program, target, each.offset, hook, refusal)) for each in found]


def _one(program: Loaded, target: Target, offset: int, hook: Uprobe, refusal: KernelError | None) -> Fd:
    try:
        with userspace.uprobe_event(target.for_kernel, offset, ret=hook.ret, pid=hook.pid) as event:
            return userspace.uprobe_link(program.fd, event)  # the link keeps what it needs of the event
    except NotSupported:
        raise
    except KernelError as error:
        raise explained(refusal or error, target) from error


def explained(error: KernelError, target: Target) -> KernelError | AttachError:
    """The error as a sentence about the hook."""
    from bpfimg.kernel import features

    if error.errno in (errno.EINVAL, errno.EOPNOTSUPP) and features.has("perf-link") is False:
        return NotSupported(
            "persistent uprobe attachments need bpf links for perf events (kernel 5.15)",
            feature="perf-link",
            errno=error.errno,
        )
    if error.errno == errno.EIO:
        return AttachError(f"{target.shown} cannot be probed: its filesystem does not let the kernel read its code")
    if error.errno in (errno.EOPNOTSUPP, 524):
        return AttachError(f"{target.shown} has an instruction there that this kernel cannot put a probe on")
    return KernelError(f"cannot attach to {target.shown}: {error}", errno=error.errno, hint=error.hint)
