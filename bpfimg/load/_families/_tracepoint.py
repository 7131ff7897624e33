"""Tracepoints: a perf event for every task and CPU, held by a bpf_link."""

from __future__ import annotations

import errno

from bpfimg.errors import KernelError, NotSupported
from bpfimg.kernel import abi, bpf
from bpfimg.load._attach import Attachment
from bpfimg.load._families._recorded import recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._hooks import Tracepoint


def check(hook: Tracepoint) -> None:
    """AttachError when there is no such tracepoint; NotSupported when tracefs is not mounted."""
    bpf.tracepoint_event(hook.group, hook.name).close()


def attach(program: Loaded, hook: Tracepoint, scene: Scene) -> Attachment:
    """Attaches; the target goes into the record, because before 6.6 the kernel does not tell it."""
    with bpf.tracepoint_event(hook.group, hook.name) as event:  # the link keeps what it needs of it
        try:
            link = bpf.link_create(program.fd, event.fileno(), abi.ATTACH_PERF_EVENT)
        except KernelError as error:
            raise _explained(error, hook) from error
    record = recorded(program, hook, f"{hook.group}/{hook.name}")
    return Attachment(record, link, link.fileno())


def _explained(error: KernelError, hook: Tracepoint) -> KernelError:
    if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
        from bpfimg.kernel import features

        if features.has("perf-link") is False:
            return NotSupported(
                "persistent tracepoint attachments need bpf links for perf events (kernel 5.15)",
                feature="perf-link",
                errno=error.errno,
            )
    if error.errno == errno.EACCES:
        return KernelError(
            f"the program reads more than tracepoint {hook.group}/{hook.name} records",
            errno=error.errno,
            hint="was it written for another tracepoint? its section name tells which",
        )
    message = f"cannot attach to tracepoint {hook.group}/{hook.name}: {error}"
    return KernelError(message, errno=error.errno, hint=error.hint)
