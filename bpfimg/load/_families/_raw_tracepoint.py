"""Raw tracepoints: the arguments as the kernel has them, and no perf event between."""

from __future__ import annotations

import errno

from bpfimg.errors import AttachError, KernelError
from bpfimg.kernel import bpf, functions
from bpfimg.load._attach import Attachment
from bpfimg.load._families._recorded import recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._hooks import RawTracepoint


def check(hook: RawTracepoint) -> None:
    """Nothing: only an attach tells whether the kernel has it."""


def attach(program: Loaded, hook: RawTracepoint, scene: Scene) -> Attachment:
    """Attaches; AttachError when there is no such tracepoint, or the program asks more of it than it gives."""
    try:
        link = bpf.raw_tracepoint_open(hook.name, program.fd)
    except KernelError as error:
        raise _explained(error, program, hook) from error
    return Attachment(recorded(program, hook, hook.name), link, link.fileno())


def _explained(error: KernelError, program: Loaded, hook: RawTracepoint) -> AttachError | KernelError:
    if error.errno == errno.ENOENT:
        near = functions.near_tracepoints(hook.name)
        hint = f"near it: {', '.join(near)}" if near else "raw tracepoints are named without their group"
        return AttachError(f"this kernel has no raw tracepoint {hook.name}", hint=hint)
    if error.errno == errno.EINVAL:
        writable = program.type == "raw_tracepoint_writable"
        hint = (
            "only a few tracepoints have a buffer that programs may write to, as nbd_send_request" if writable else ""
        )
        does = "reads or writes" if writable else "reads"
        return AttachError(f"the program {does} more than raw tracepoint {hook.name} passes", hint=hint)
    return KernelError(f"cannot attach to raw tracepoint {hook.name}: {error}", errno=error.errno, hint=error.hint)
