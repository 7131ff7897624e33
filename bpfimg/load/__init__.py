"""Bytecode into this host: programs, maps, globals, links, pins and records.

`prepare` opens an object and loads it into the kernel (nothing stays when it is closed); a writer, which only
`Host.writer()` gives and which is the lock, publishes it and attaches it; `Host` reads, without a lock. `trial` asks
the verifier about each program of an object, and lets all of it go again.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load import _hooks as hooks
    from bpfimg.load import _maps as maps
    from bpfimg.load import _members as members
    from bpfimg.load import _trial as trial
    from bpfimg.load._attach import check
    from bpfimg.load._hooks import Hook
    from bpfimg.load._host import Host, Load
    from bpfimg.load._image_record import ImageRecord, SignerRecord
    from bpfimg.load._object import Prepared, prepare
    from bpfimg.load._origin import Origin
    from bpfimg.load._records import LinkRecord, LoadRecord
    from bpfimg.load._select import Selector
    from bpfimg.load._unfinished import Unfinished

__all__ = [
    "Hook",
    "Host",
    "ImageRecord",
    "LinkRecord",
    "Load",
    "LoadRecord",
    "Origin",
    "Prepared",
    "Selector",
    "SignerRecord",
    "Unfinished",
    "check",
    "hooks",
    "maps",
    "members",
    "prepare",
    "trial",
]

__getattr__ = opened(
    __name__,
    {
        "Hook": "_hooks",
        "Host": "_host",
        "ImageRecord": "_image_record",
        "LinkRecord": "_records",
        "Load": "_host",
        "LoadRecord": "_records",
        "Origin": "_origin",
        "Prepared": "_object",
        "Selector": "_select",
        "SignerRecord": "_image_record",
        "Unfinished": "_unfinished",
        "check": "_attach",
        "hooks": "_hooks*",
        "maps": "_maps*",
        "members": "_members*",
        "prepare": "_object",
        "trial": "_trial*",
    },
)
