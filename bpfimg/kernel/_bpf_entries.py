"""The entries of a map, many with one call where the kernel can: BPF_MAP_LOOKUP_BATCH."""

from __future__ import annotations

from bpfimg.kernel import _abi as abi
from bpfimg.kernel._bpf_maps import map_keys, map_lookup
from bpfimg.kernel._fd import Fd, number
from bpfimg.kernel._syscall import address, bpf_errno, failed, fill, take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_ENOENT, _EINVAL, _ENOSPC, _EOPNOTSUPP, _ENOTSUPP = 2, 22, 28, 95, 524
_BYTES = 1 << 20  # of keys and values for one call
_COUNT = 4096


def map_entries(fd: Fd | int, key_size: int, value_size: int) -> Iterator[tuple[bytes, bytes]]:
    """Walks keys and values of a map; entries that come and go meanwhile may be missed or seen twice.

    `value_size` is as for `map_lookup`. KernelError as bpf(2) answers.
    """
    count = max(1, min(_COUNT, _BYTES // max(key_size + value_size, 1)))
    batch: bytearray | None = None
    while True:
        result, found, following = _batch(fd, batch, (key_size, value_size), count)
        if result == -_ENOSPC and count < 1 << 24:  # the bucket that is next has more than fit
            count *= 4
            continue
        if result in (-_EINVAL, -_EOPNOTSUPP, -_ENOTSUPP) and batch is None:
            yield from _one_by_one(fd, key_size, value_size)
            return
        if result < 0 and result != -_ENOENT:
            raise failed(abi.MAP_LOOKUP_BATCH, fd, result)
        yield from found
        if result == -_ENOENT:
            return
        batch = following


def _batch(
    fd: Fd | int, batch: bytearray | None, sizes: tuple[int, int], count: int
) -> tuple[int, list[tuple[bytes, bytes]], bytearray]:
    key_size, value_size = sizes
    keys, values = bytearray(count * key_size or 1), bytearray(count * value_size or 1)
    following = bytearray(max(key_size, 8))
    asked: dict[str, int | bytes] = {
        "out_batch": address(following),
        "keys": address(keys),
        "values": address(values),
        "count": count,
        "map_fd": number(fd),
    }
    if batch is not None:
        asked["in_batch"] = address(batch)
    attr = fill(abi.ATTR_BATCH, asked)
    result = bpf_errno(abi.MAP_LOOKUP_BATCH, attr)
    if result < 0 and result != -_ENOENT:
        return result, [], following
    got = min(take(attr, abi.ATTR_BATCH, "count", len(attr)) or 0, count)
    found = [
        (bytes(keys[i * key_size : (i + 1) * key_size]), bytes(values[i * value_size : (i + 1) * value_size]))
        for i in range(got)
    ]
    return result, found, following


def _one_by_one(fd: Fd | int, key_size: int, value_size: int) -> Iterator[tuple[bytes, bytes]]:
    for key in map_keys(fd, key_size):
        value = map_lookup(fd, key, value_size)
        if value is not None:
            yield key, value


def map_take(fd: Fd | int, value_size: int) -> bytes | None:
    """Takes the next value out of a queue or stack; None when it is empty."""
    value = bytearray(value_size)
    attr = fill(abi.ATTR_ELEM, {"map_fd": number(fd), "value": address(value)})
    result = bpf_errno(abi.MAP_LOOKUP_AND_DELETE_ELEM, attr)
    if result == -_ENOENT:
        return None
    if result < 0:
        raise failed(abi.MAP_LOOKUP_AND_DELETE_ELEM, fd, result)
    return bytes(value)
