"""Look, do not touch: at an object, at this host.

`report` says what an object file holds, `graph` draws who calls whom in it and uses which map. `host` returns an `Inventory` of views: a view says what was seen and where; it
is neither what was asked for nor what was written down.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.inspect._graph import graph
    from bpfimg.inspect._host import host
    from bpfimg.inspect._object import report
    from bpfimg.inspect._views import Inventory, LinkView, MapView, ProgramView

__all__ = ["Inventory", "LinkView", "MapView", "ProgramView", "graph", "host", "report"]

__getattr__ = opened(
    __name__,
    {
        "Inventory": "_views",
        "LinkView": "_views",
        "MapView": "_views",
        "ProgramView": "_views",
        "graph": "_graph",
        "host": "_host",
        "report": "_object",
    },
)
