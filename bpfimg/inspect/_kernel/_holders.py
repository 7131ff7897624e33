"""Who keeps programs, maps, links and BTF objects in the kernel: pins in bpffs, and processes with a descriptor."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.inspect._kernel import _pins, _processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.inspect._kernel._processes import Processes

_MOST = 64  # holders of one object that are named; the rest is counted


@value(frozen=True, slots=True)
class Holders:
    """`of` says who holds an object; `processes` is the look at them all, `unseen` what could not be looked at."""

    held: dict[tuple[str, int], list[str]]
    processes: Processes
    unseen: list[str]

    def of(self, kind: str, number: int) -> tuple[str, ...]:
        """Paths of pins, then processes as `name (PID)`; `kind` is program, map, link or btf."""
        found = self.held.get((kind, number), ())
        if len(found) > _MOST:
            return (*found[:_MOST], f"and {len(found) - _MOST} more")
        return tuple(found)


def holders(bpffs: str) -> Holders:
    """Looks at pins and processes, once. Bounded: of very many some are missing, and that is said."""
    unseen: list[str] = []
    processes = _processes.look()
    held: dict[tuple[str, int], list[str]] = {}
    for path, kind, number in _pins.pins(bpffs, processes.mounts, unseen):
        held.setdefault((kind, number), []).append(path)
    for key, names in processes.held.items():
        held.setdefault(key, []).extend(names)
    if processes.hidden:
        unseen.append(
            f"what {processes.hidden} processes hold, and where they are: looking needs root (CAP_SYS_PTRACE)"
        )
    if processes.cut:
        unseen.append("what processes hold, after the first 200,000 descriptors")
    return Holders(held, processes, unseen)
