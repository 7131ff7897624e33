"""How often and how long programs run: counted for a while, then not any longer."""

from __future__ import annotations

import time

from bpfimg._value import replace
from bpfimg.inspect._kernel._views import ProgramView, Sample
from bpfimg.kernel import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.inspect._kernel._views import Inventory


def sampled(look: Callable[[], Inventory], seconds: float) -> Inventory:
    """What `look` returns, with a sample of `seconds` for each program that was there all the time.

    The kernel counts for as long as our descriptor is open (BPF_ENABLE_STATS), so nothing has to be put back, even
    after kill -9; where kernel.bpf_stats_enabled is set it goes on. KernelError without CAP_SYS_ADMIN.
    """
    with walk.counted():
        before = _counts()
        start = time.monotonic()
        time.sleep(seconds)
        after = _counts()
        passed = time.monotonic() - start
    found = look()
    return replace(found, programs=tuple(_with(view, before, after, passed) for view in found.programs))


def _counts() -> dict[int, tuple[int, int]]:
    return {info.id: (info.run_count or 0, info.run_time or 0) for info in walk.programs()}


def _with(
    view: ProgramView, before: dict[int, tuple[int, int]], after: dict[int, tuple[int, int]], passed: float
) -> ProgramView:
    if view.id not in before or view.id not in after:
        return view
    (count, spent), (later, more) = before[view.id], after[view.id]
    return replace(view, sample=Sample(passed, later - count, more - spent))
