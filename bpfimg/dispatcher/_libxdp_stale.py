"""Pins of dispatchers that run nowhere: told from those that run where we are not.

That a dispatcher is in the kernel proves nothing, since its pins hold it; and one that is not on an interface here may
be on one elsewhere, as `xdp-loader clean` does not ask. So every network namespace in sight is looked into: our own,
those that ip-netns(8) knows and those of all processes.
"""

from __future__ import annotations

import errno

from bpfimg.dispatcher._libxdp_pins import GRACE, sweep
from bpfimg.dispatcher._sight import hooked_programs
from bpfimg.errors import KernelError
from bpfimg.kernel import bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection


def sweep_stale(mount: str, running: Collection[int], grace: float = GRACE) -> tuple[tuple[int, int], ...]:
    """Removes the pins of dispatchers that no interface in sight runs; returns (interface index, program id) of each.

    `running` are ids of dispatchers that are known to run. Nothing is removed where a namespace cannot be looked into.
    """
    sight: list[frozenset[int] | None] = []

    def is_attached(ifindex: int, dispatcher: int) -> bool:
        if dispatcher in running:
            return True
        if not _exists(dispatcher):
            return False
        if not sight:
            sight.append(hooked_programs())
        return sight[0] is None or dispatcher in sight[0]

    return sweep(mount, is_attached, grace)


def _exists(program: int) -> bool:
    try:
        bpf.program_by_id(program).close()
    except KernelError as error:
        return error.errno != errno.ENOENT
    return True
