"""May an existing map stand in for one of an object? libbpf does not ask, so we do."""

from __future__ import annotations

from bpfimg.errors import KernelError
from bpfimg.kernel import _abi as abi
from bpfimg.kernel._bpf_info import map_info

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel._fd import Fd
    from bpfimg.kernel._library import Library

_DEVMAPS = ("devmap", "devmap_hash")
_F_RDONLY_PROG = 1 << 7  # the kernel sets it on device maps by itself
_EINVAL = 22


def check(lib: Library, pointer: int, name: str, fd: Fd | int) -> None:
    """Returns if the map behind `fd` is like the object's map at `pointer`; else KernelError with the difference."""
    have = map_info(fd)
    flags = have.flags
    if have.type < len(abi.MAP_TYPES) and abi.MAP_TYPES[have.type] in _DEVMAPS:
        flags &= ~_F_RDONLY_PROG
    pairs = (
        ("type", have.type, lib.bpf_map__type(pointer)),
        ("key size", have.key_size, lib.bpf_map__key_size(pointer)),
        ("value size", have.value_size, lib.bpf_map__value_size(pointer)),
        # 0: libbpf puts in the number of CPUs, for perf event arrays
        ("max_entries", have.max_entries, lib.bpf_map__max_entries(pointer) or have.max_entries),
        ("flags", flags, lib.bpf_map__map_flags(pointer)),
    )
    for what, found, wanted in pairs:
        if found != wanted:
            raise KernelError(
                f"map {name!r} cannot be shared with map {have.id}: its {what} is {found}, expected {wanted}",
                errno=_EINVAL,
            )
