"""A believed image to a running program, and back.

`image` takes a `VerifiedImage`, which only the room of trust can make, and reads the very bytes that were verified: by
digest, from the same source. So do `once`, for programs that run once and leave nothing, and `tried`, which only asks
the verifier; there is no other way to the loader. `local_file` has a proof for a file that nobody signed, where a
policy says so.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.run import _apply as apply
    from bpfimg.run import _fetch as fetching
    from bpfimg.run import _once as once
    from bpfimg.run._apart import Apart
    from bpfimg.run._host import attach, change, detach, evict, unload
    from bpfimg.run._image import Running, image, load
    from bpfimg.run._local import local_file
    from bpfimg.run._many import detach_many, unload_many
    from bpfimg.run._plan import Plan
    from bpfimg.run._sweep import sweep
    from bpfimg.run._tried import tried

__all__ = [
    "Apart",
    "Plan",
    "Running",
    "apply",
    "attach",
    "change",
    "detach",
    "detach_many",
    "evict",
    "fetching",
    "image",
    "load",
    "local_file",
    "once",
    "sweep",
    "tried",
    "unload",
    "unload_many",
]

__getattr__ = opened(
    __name__,
    {
        "Apart": "_apart",
        "Plan": "_plan",
        "Running": "_image",
        "apply": "_apply*",
        "attach": "_host",
        "change": "_host",
        "detach": "_host",
        "detach_many": "_many",
        "evict": "_host",
        "fetching": "_fetch*",
        "image": "_image",
        "load": "_image",
        "local_file": "_local",
        "once": "_once*",
        "sweep": "_sweep",
        "tried": "_tried",
        "unload": "_host",
        "unload_many": "_many",
    },
)
