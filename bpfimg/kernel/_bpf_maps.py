"""Maps by raw bpf(2): create, read, write, walk, freeze."""

from __future__ import annotations

import os

from bpfimg.kernel import _abi as abi
from bpfimg.kernel._fd import Fd, number
from bpfimg.kernel._syscall import address, bpf, bpf_errno, failed, fill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_ENOENT = 2


def object_name(name: str) -> bytes:
    """Returns a name as the kernel takes it: at most 15 of `[A-Za-z0-9_.]`, every other character as `_`."""
    allowed = "".join(c if c.isascii() and (c.isalnum() or c in "_.") else "_" for c in name)
    return allowed.encode()[: abi.OBJ_NAME_LENGTH - 1]


def map_create(
    type: int,
    key_size: int,
    value_size: int,
    max_entries: int,
    *,
    flags: int = 0,
    name: str = "",
    btf_fd: Fd | int = 0,
    btf_key: int = 0,
    btf_value: int = 0,
) -> Fd:
    """Creates a map. `btf_key` and `btf_value` are type ids in the BTF behind `btf_fd`."""
    values: dict[str, int | bytes] = {
        "map_type": type,
        "key_size": key_size,
        "value_size": value_size,
        "max_entries": max_entries,
        "map_flags": flags,
        "map_name": object_name(name),
        "btf_fd": number(btf_fd),
        "btf_key_type_id": btf_key,
        "btf_value_type_id": btf_value,
    }
    attr = fill(abi.ATTR_MAP_CREATE, values)
    result = bpf_errno(abi.MAP_CREATE, attr)
    if result == -1 and _raise_memlock():  # before 5.11 maps are charged to RLIMIT_MEMLOCK, and EPERM says so
        result = bpf_errno(abi.MAP_CREATE, attr)
    if result < 0:
        raise failed(abi.MAP_CREATE, f"map {name!r}" if name else "a map", result)
    return Fd(result)


def _raise_memlock() -> bool:
    import resource

    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    if resource.getrlimit(resource.RLIMIT_MEMLOCK) == unlimited:
        return False
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, unlimited)
    except (OSError, ValueError):
        return False
    return True


def _place(key: bytearray) -> int:
    """Where the key is; the kernel wants none for maps without keys (queues, stacks)."""
    return address(key) if key else 0


def map_lookup(fd: Fd | int, key: bytes, value_size: int) -> bytes | None:
    """Returns the value under `key` (b"" for the next one of a queue or stack), or None if there is none.

    `value_size` is in bytes as the kernel copies it: for a per-CPU map the value rounded up to 8, times the
    possible CPUs. A smaller number than the map's would make the kernel write past the buffer.
    """
    keys, value = bytearray(key), bytearray(value_size)
    attr = fill(abi.ATTR_ELEM, {"map_fd": number(fd), "key": _place(keys), "value": address(value)})
    result = bpf_errno(abi.MAP_LOOKUP_ELEM, attr)
    if result == -_ENOENT:
        return None
    if result < 0:
        raise failed(abi.MAP_LOOKUP_ELEM, fd, result)
    return bytes(value)


def map_update(fd: Fd | int, key: bytes, value: bytes, flags: int = abi.ANY) -> None:
    """Writes `value` under `key`; both as long as the map's own sizes. KernelError EPERM: the map is frozen."""
    keys, values = bytearray(key), bytearray(value)
    attr = fill(abi.ATTR_ELEM, {"map_fd": number(fd), "key": _place(keys), "value": address(values), "flags": flags})
    bpf(abi.MAP_UPDATE_ELEM, attr, fd)


def map_delete(fd: Fd | int, key: bytes) -> None:
    """Deletes the entry under `key`; KernelError ENOENT if there is none."""
    keys = bytearray(key)
    bpf(abi.MAP_DELETE_ELEM, fill(abi.ATTR_ELEM, {"map_fd": number(fd), "key": address(keys)}), fd)


def map_next_key(fd: Fd | int, key: bytes | None, key_size: int) -> bytes | None:
    """Returns the key after `key`, the first for None; None at the end. `key_size` is the map's own, in bytes."""
    found = bytearray(key_size)
    values: dict[str, int | bytes] = {"map_fd": number(fd), "next_key": address(found)}
    keys = bytearray(key or b"")
    if key is not None:
        values["key"] = address(keys)
    result = bpf_errno(abi.MAP_GET_NEXT_KEY, fill(abi.ATTR_ELEM, values))
    if result == -_ENOENT:
        return None
    if result < 0:
        raise failed(abi.MAP_GET_NEXT_KEY, fd, result)
    return bytes(found)


def map_keys(fd: Fd | int, key_size: int) -> Iterator[bytes]:
    """Walks every key of a map; entries that come and go meanwhile may be missed or seen twice."""
    key = map_next_key(fd, None, key_size)
    while key is not None:
        yield key
        key = map_next_key(fd, key, key_size)


def map_freeze(fd: Fd | int) -> None:
    """Makes the map read-only for every process, for ever."""
    bpf(abi.MAP_FREEZE, fill(abi.ATTR_ELEM, {"map_fd": number(fd)}), fd)


def btf_load(data: bytes) -> Fd:
    """Gives raw BTF to the kernel, for the types of a map."""
    buffer = bytearray(data)
    return Fd(bpf(abi.BTF_LOAD, fill(abi.ATTR_BTF_LOAD, {"btf": address(buffer), "btf_size": len(data)}), "BTF"))


def possible_cpus() -> int:
    """How many values a per-CPU map holds for each key."""
    with open("/sys/devices/system/cpu/possible", encoding="ascii") as file:
        last = file.read().strip().replace("-", ",").split(",")[-1]
    return int(last) + 1 if last else (os.cpu_count() or 1)
