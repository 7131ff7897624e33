"""Tracepoints: a perf event for every task and CPU, held by a bpf_link."""

from __future__ import annotations

from bpfimg.kernel import bpf
from bpfimg.load._attach import Attachment
from bpfimg.load._families._perf_link import linked
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
    event = bpf.tracepoint_event(hook.group, hook.name)
    link = linked(program, event, f"tracepoint {hook.group}/{hook.name}")
    return Attachment(recorded(program, hook, f"{hook.group}/{hook.name}"), link, link.fileno())
