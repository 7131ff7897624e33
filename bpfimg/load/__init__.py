"""Bytecode into this host: programs, maps, globals, links, pins and records.

`prepare` opens an object and loads it into the kernel (nothing stays when it is closed); a `Writer`, which only
`Host.writer()` gives and which is the lock, publishes it and attaches it; `Host` reads, without a lock.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._hooks import Hook, Tc, Tcx, Tracepoint, Xdp

__all__ = ["Hook", "Tc", "Tcx", "Tracepoint", "Xdp"]

__getattr__ = opened(
    __name__,
    {
        "Hook": "_hooks",
        "Tc": "_hooks",
        "Tcx": "_hooks",
        "Tracepoint": "_hooks",
        "Xdp": "_hooks",
    },
)
