"""A program on a perf event by a bpf_link, which keeps the event: what all probes and samples share."""

from __future__ import annotations

import errno

from bpfimg.errors import KernelError, NotSupported
from bpfimg.kernel import abi, bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel import Fd
    from bpfimg.load._attach import Loaded


def linked(program: Loaded, event: Fd, what: str) -> Fd:
    """Returns the link, and closes the event, which the link keeps; `what` is the place, for messages."""
    with event:
        try:
            return bpf.link_create(program.fd, event.fileno(), abi.ATTACH_PERF_EVENT)
        except KernelError as error:
            raise _explained(error, what) from error


def _explained(error: KernelError, what: str) -> KernelError:
    if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
        from bpfimg.kernel import features

        if features.has("perf-link") is False:
            return NotSupported(
                "persistent attachments to probes and tracepoints need bpf links for perf events (kernel 5.15)",
                feature="perf-link",
                errno=error.errno,
            )
    if error.errno == errno.EACCES and what.startswith("tracepoint"):
        return KernelError(
            f"the program reads more than {what} records",
            errno=error.errno,
            hint="was it written for another tracepoint? its section name tells which",
        )
    return KernelError(f"cannot attach to {what}: {error}", errno=error.errno, hint=error.hint)
