"""What this kernel can do: the only room that crosses into C, netlink, bpffs and namespaces.

Each name of this door but `Fd` and `OpenObject` is a module, a verb of its own:

* `bpf`       raw bpf(2): maps, pins, links, infos, ids
* `dump`      code and types of what is loaded
* `libbpf`    open, configure and load an object; XDP and clsact by netlink
* `linker`    several objects into one, by libbpf
* `bpffs`     directories, names and records of the store in bpffs, and the writer's lock
* `netns`     run a function in another network namespace
* `netlink`   interfaces
* `cgroups`   control groups (v2)
* `features`  what this kernel has: yes, no, could not tell
* `perf`      perf events, and tracepoints among them
* `functions` what the kernel's functions are called
* `userspace` executables as processes and containers see them, and probes in them
* `walk`      everything of one kind that the kernel has, by the thousand
* `abi`       numbers and words of the kernel's ABI
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel import _abi as abi
    from bpfimg.kernel import _bpf as bpf
    from bpfimg.kernel import _bpf_dump as dump
    from bpfimg.kernel import _bpffs as bpffs
    from bpfimg.kernel import _cgroups as cgroups
    from bpfimg.kernel import _features as features
    from bpfimg.kernel import _functions as functions
    from bpfimg.kernel import _libbpf as libbpf
    from bpfimg.kernel import _linker as linker
    from bpfimg.kernel import _netlink as netlink
    from bpfimg.kernel import _netns as netns
    from bpfimg.kernel import _perf as perf
    from bpfimg.kernel import _userspace as userspace
    from bpfimg.kernel import _walk as walk
    from bpfimg.kernel._fd import Fd
    from bpfimg.kernel._libbpf import OpenObject

__all__ = [
    "Fd",
    "OpenObject",
    "abi",
    "bpf",
    "bpffs",
    "cgroups",
    "dump",
    "features",
    "functions",
    "libbpf",
    "linker",
    "netlink",
    "netns",
    "perf",
    "userspace",
    "walk",
]

__getattr__ = opened(
    __name__,
    {
        "Fd": "_fd",
        "OpenObject": "_libbpf",
        "abi": "_abi*",
        "bpf": "_bpf*",
        "bpffs": "_bpffs*",
        "cgroups": "_cgroups*",
        "dump": "_bpf_dump*",
        "features": "_features*",
        "functions": "_functions*",
        "libbpf": "_libbpf*",
        "linker": "_linker*",
        "netlink": "_netlink*",
        "netns": "_netns*",
        "perf": "_perf*",
        "userspace": "_userspace*",
        "walk": "_walk*",
    },
)
