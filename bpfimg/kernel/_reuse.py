"""May an existing map stand in for one of an object? libbpf does not ask, so we do."""

from __future__ import annotations

import ctypes

from bpfimg.errors import BytecodeError, KernelError
from bpfimg.kernel import _abi as abi
from bpfimg.kernel._bpf_info import map_by_id, map_info
from bpfimg.kernel._bpffs import RECORD_NAME
from bpfimg.kernel._syscall import ORDER, address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf import Btf
    from bpfimg.kernel._bpf_info import MapInfo
    from bpfimg.kernel._fd import Fd
    from bpfimg.kernel._library import Library
    from bpfimg.kernel._native import Native

_DEVMAPS = ("devmap", "devmap_hash")
_MAPS_OF_MAPS = ("array_of_maps", "hash_of_maps")
_F_RDONLY_PROG = 1 << 7  # the kernel sets it on device maps by itself
_F_INNER_MAP = 1 << 12  # arrays inside may then have any number of entries
_EPERM, _EINVAL = 1, 22


def check(native: Native, pointer: int, name: str, fd: Fd | int) -> None:
    """Returns if the map behind `fd` is like the object's map at `pointer`; else KernelError with the difference."""
    lib, have = native.library, map_info(fd)
    if have.name == RECORD_NAME:  # frozen for system calls, but not for programs
        raise KernelError(f"map {have.id} is a record of bpfimg, expected a map for programs", errno=_EPERM)
    _same(lib, pointer, have, f"map {name!r} cannot be shared with map {have.id}: its", entries=True)
    _same_types(native, pointer, have, name)
    if _word(have.type) in _MAPS_OF_MAPS:
        _same_inside(lib, pointer, have, fd, name)


def _word(type_id: int) -> str:
    return abi.MAP_TYPES[type_id] if type_id < len(abi.MAP_TYPES) else f"type {type_id}"


def _same(lib: Library, pointer: int, have: MapInfo, what: str, *, entries: bool) -> None:
    flags = have.flags & ~_F_RDONLY_PROG if _word(have.type) in _DEVMAPS else have.flags
    # 0: libbpf puts in the number of CPUs, for perf event arrays
    most = lib.bpf_map__max_entries(pointer) or have.max_entries
    pairs = (
        ("type", _word(have.type), _word(lib.bpf_map__type(pointer))),
        ("key size", have.key_size, lib.bpf_map__key_size(pointer)),
        ("value size", have.value_size, lib.bpf_map__value_size(pointer)),
        ("max_entries", have.max_entries, most if entries else have.max_entries),
        ("flags", flags, lib.bpf_map__map_flags(pointer)),
        ("map_extra", have.map_extra or 0, lib.bpf_map__map_extra(pointer)),
    )
    for name, found, wanted in pairs:
        if found != wanted:
            raise KernelError(f"{what} {name} is {found}, expected {wanted}", errno=_EINVAL)


def _same_types(native: Native, pointer: int, have: MapInfo, name: str) -> None:
    """By BTF, where both have it: two maps may have sizes in common and nothing else."""
    lib = native.library
    key, value = lib.bpf_map__btf_key_type_id(pointer), lib.bpf_map__btf_value_type_id(pointer)
    pairs = (("key", have.btf_key_type_id, key), ("value", have.btf_value_type_id, value))
    if not have.btf_id or not any(mine and theirs for _, mine, theirs in pairs):
        return
    from bpfimg.btf import values

    own = _object_btf(native)
    there = _kernel_btf(have.btf_id)
    if own is None or there is None:
        return
    for what, mine, theirs in pairs:
        if not (mine and theirs):
            continue
        found = values.difference(there, mine, own, theirs)
        if found:
            raise KernelError(
                f"map {name!r} cannot be shared with map {have.id}: of the type of its {what}, {found}"
                if found.startswith("member")
                else f"map {name!r} cannot be shared with map {have.id}: the type of its {what} {found}",
                errno=_EINVAL,
            )


def _object_btf(native: Native) -> Btf | None:
    from bpfimg.btf import Btf, Limits

    lib = native.library
    btf = lib.bpf_object__btf(native.pointer("opened"))
    size = bytearray(4)
    data = lib.btf__raw_data(btf, address(size)) if btf else 0
    return Btf(ctypes.string_at(data, int.from_bytes(size, ORDER)), ORDER, Limits()) if data else None


def _kernel_btf(number: int) -> Btf | None:
    """None where only CAP_SYS_ADMIN may look at it, or it is no BTF of an object."""
    from bpfimg.btf import Btf, Limits
    from bpfimg.kernel._bpf_dump import btf_data

    try:
        data = btf_data(number)
    except KernelError as error:
        if error.errno == _EPERM:
            return None
        raise
    try:
        return Btf(data, ORDER, Limits()) if data else None
    except BytecodeError:
        return None


def _same_inside(lib: Library, pointer: int, have: MapInfo, fd: Fd | int, name: str) -> None:
    """The maps in a map: the kernel does not say what it takes, so the first one that is in there has to."""
    inner = lib.bpf_map__inner_map(pointer)
    number = _first_inside(have, fd)
    if not inner or number is None:
        return
    try:
        opened = map_by_id(number)
    except KernelError:
        return  # it has gone meanwhile, or only CAP_SYS_ADMIN may look at it
    with opened:
        info = map_info(opened)
    what = f"map {name!r} cannot be shared with map {have.id}: of map {number} in it, the"
    _same(lib, inner, info, what, entries=not info.flags & _F_INNER_MAP)


def _first_inside(have: MapInfo, fd: Fd | int) -> int | None:
    from bpfimg.kernel._bpf_maps import map_keys, map_lookup

    for key in map_keys(fd, have.key_size):
        value = map_lookup(fd, key, 4)
        if value is not None and any(value):
            return int.from_bytes(value, ORDER)
    return None
