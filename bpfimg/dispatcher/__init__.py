"""Many programs on one hook: in what order, and how that becomes real.

`host()` is a `load.Host` whose XDP and tc hooks take many programs; `chains` reads what is on them. The order is pure
arithmetic (`Plan` of `Member`s). It becomes real as a dispatcher that libxdp's tools share (freplace), or as one
generated program that contains its members (fused), where the kernel refuses the first or the second is asked for.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.dispatcher._faults import Fault, faults
    from bpfimg.dispatcher._host import host
    from bpfimg.dispatcher._model import Chain, Member
    from bpfimg.dispatcher._plan import Plan
    from bpfimg.dispatcher._seen import chains

__all__ = ["Chain", "Fault", "Member", "Plan", "chains", "faults", "host"]

__getattr__ = opened(
    __name__,
    {
        "Chain": "_model",
        "chains": "_seen",
        "Fault": "_faults",
        "faults": "_faults",
        "host": "_host",
        "Member": "_model",
        "Plan": "_plan",
    },
)
