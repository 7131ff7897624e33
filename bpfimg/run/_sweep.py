"""What killed writers left, taken away; every writer does so first, this one does nothing else."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load import Host, Unfinished


def sweep(host: Host) -> tuple[tuple[Unfinished, ...], tuple[Unfinished, ...]]:
    """Finishes or takes back what is unfinished; returns (what was mended, what is still there).

    LockTimeout while another writer is at work; KernelError when bpffs is not mounted.
    """
    before = host.unfinished()
    with host.writer() as writer:
        writer.collect()
        after = host.unfinished()
    left = {each.path for each in after}
    return tuple(each for each in before if each.path not in left), after
