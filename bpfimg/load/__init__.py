"""Bytecode into this host: programs, maps, globals, links, pins and records.

`prepare` opens an object and loads it into the kernel (nothing stays when it is closed); a `Writer`, which only
`Host.writer()` gives and which is the lock, publishes it and attaches it; `Host` reads, without a lock.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._attach import check
    from bpfimg.load._hooks import Hook, Tc, Tcx, Tracepoint, Xdp
    from bpfimg.load._host import Host, Load
    from bpfimg.load._object import prepare
    from bpfimg.load._origin import Origin
    from bpfimg.load._records import ImageRecord, LinkRecord, LoadRecord
    from bpfimg.load._unfinished import Unfinished
    from bpfimg.load._writer import Writer

__all__ = [
    "Hook",
    "Host",
    "ImageRecord",
    "LinkRecord",
    "Load",
    "LoadRecord",
    "Origin",
    "Tc",
    "Tcx",
    "Tracepoint",
    "Unfinished",
    "Writer",
    "Xdp",
    "check",
    "prepare",
]

__getattr__ = opened(
    __name__,
    {
        "Hook": "_hooks",
        "Host": "_host",
        "ImageRecord": "_records",
        "LinkRecord": "_records",
        "Load": "_host",
        "LoadRecord": "_records",
        "Origin": "_origin",
        "Tc": "_hooks",
        "Tcx": "_hooks",
        "Tracepoint": "_hooks",
        "Unfinished": "_unfinished",
        "Writer": "_writer",
        "Xdp": "_hooks",
        "check": "_attach",
        "prepare": "_object",
    },
)
