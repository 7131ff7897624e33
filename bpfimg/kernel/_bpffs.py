"""bpffs as the store: directories, names, records in pinned frozen maps, the writer's lock."""

from __future__ import annotations

import os

from bpfimg.kernel import _abi as abi
from bpfimg.kernel import _bpf_info, _bpf_links, _bpf_maps
from bpfimg.kernel._syscall import filesystem_magic, rename_new

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from bpfimg.errors import KernelError

RECORD_NAME = "bpfimg_record"
RECORD_LIMIT = 1 << 20  # bytes; a record is JSON of a few KiB
_NAME_LIMIT = 200  # of the 255 bytes that bpffs takes, to leave room for a prefix
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_KEY = b"\0\0\0\0"


def require(mount: str) -> None:
    """Returns if `mount` is (a directory in) a bpffs; else NotSupported with the command that mounts one."""
    try:
        if filesystem_magic(mount) == abi.BPFFS_MAGIC:
            return
    except OSError as error:
        raise _no_bpffs(mount, mount, error.errno or 0) from error
    raise _no_bpffs(mount, mount, 0)


def why_not_bpffs(path: str) -> KernelError | None:
    """Returns the error that says that `path`, or its nearest existing parent, is not in a bpffs; None if it is."""
    place = path
    while True:
        try:
            return None if filesystem_magic(place) == abi.BPFFS_MAGIC else _no_bpffs(path, place, 0)
        except OSError as error:
            parent = os.path.dirname(place) or "."
            # EPERM is bpffs's answer to a missing name that has a dot in it.
            if error.errno not in (1, 2, 20) or parent == place:
                return _no_bpffs(path, place, error.errno or 0)
            place = parent


def _no_bpffs(path: str, place: str, number: int) -> KernelError:
    from bpfimg.errors import NotSupported
    from bpfimg.kernel._failure import reason

    why = f": {reason(number)}" if number else ""
    hint = f"mount -t bpf bpf {place}; in a container bind-mount the host's"
    if place == "/" or number in (2, 20) or not os.path.isdir(place):
        hint = "expected the directory where one is mounted, such as /sys/fs/bpf"
    text = f"{path} is not {'' if path == place else 'in '}a BPF filesystem{why}"
    return NotSupported(text, feature="bpffs", errno=number, hint=hint)


def make_directory(path: str) -> None:
    """Makes a directory that only its owner may enter; KernelError EEXIST if there is one."""
    try:
        os.mkdir(path, 0o700)
    except OSError as error:
        raise translated("make directory", path, error) from error


def rename(old: str, new: str, *, replace: bool = False) -> None:
    """Renames a directory or a pin in one step; without `replace` KernelError EEXIST if `new` is there.

    With `replace` a pin takes the place of a pin, and a directory that of an empty one.
    """
    try:
        if replace:
            os.rename(old, new)
            return
        result = rename_new(os.fsencode(old), os.fsencode(new))
        if result < 0:
            raise OSError(-result, os.strerror(-result), old, None, new)
    except OSError as error:
        raise translated("rename", old, error, to=new) from error


def unlink(path: str) -> None:
    """Removes one pin; what is gone already is fine. For a link see `unlink_link`."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise translated("remove", path, error) from error


def unlink_link(path: str) -> None:
    """Removes the pin of a link and detaches it, so that the hook is free when this returns.

    After a plain unlink the kernel detaches later, in a worker of its own: up to 50 ms were seen for XDP on veth,
    and the next attach in that time says EBUSY. The unlink is the point of no return; what follows cannot fail.
    """
    from bpfimg.errors import KernelError

    if os.path.islink(path):  # it leads to somebody else's link, if to any
        unlink(path)
        return
    try:
        link = _bpf_links.get(path)
    except KernelError:  # gone, or not a link at all: then only the pin matters
        unlink(path)
        return
    with link:
        unlink(path)
        try:
            _bpf_links.link_detach(link)
        except KernelError:  # perf and raw tracepoint links cannot be told (EOPNOTSUPP): closing does it
            return


def encode_name(text: str) -> str:
    """Returns `text` as a name for bpffs: all but `[A-Za-z0-9_-]` as %XX; `decode_name` gives it back.

    bpffs takes no dots, and 255 bytes at most; ValueError when the result has more than 200.
    """
    name = "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in os.fsencode(text))
    if not name or len(name) > _NAME_LIMIT:
        raise ValueError(f"{text[:64]!r} is {len(name)} bytes as a name in bpffs, expected 1 to {_NAME_LIMIT}")
    return name


def decode_name(name: str) -> str:
    """Returns what `encode_name` was given; ValueError for a name that it did not make."""
    head, *rest = name.split("%")
    data = os.fsencode(head)
    for part in rest:
        data += bytes.fromhex(part[:2]) + os.fsencode(part[2:])
    text = os.fsdecode(data)
    if encode_name(text) != name:
        raise ValueError(f"{name[:64]!r} is not a name that bpfimg made")
    return text


def write_record(path: str, text: str) -> int:
    """Pins `text` (ASCII or UTF-8, at most 1 MiB) at `path` as a frozen map; returns the map's kernel id.

    The map has BTF, so that `bpftool map dump pinned PATH` prints the text (if it is printable ASCII).
    """
    value = text.encode() + b"\0"
    if len(value) > RECORD_LIMIT:
        raise ValueError(f"a record of {len(value)} bytes, expected at most {RECORD_LIMIT}")
    with (
        _bpf_maps.btf_load(_record_btf(len(value))) as btf,
        _bpf_maps.map_create(
            abi.MAP_TYPE_ARRAY, 4, len(value), 1, name=RECORD_NAME, btf_fd=btf, btf_key=2, btf_value=3
        ) as record,
    ):
        _bpf_maps.map_update(record, _KEY, value)
        _bpf_maps.map_freeze(record)
        _bpf_links.pin(record, path)
        return _bpf_info.map_info(record).id


def read_record(path: str) -> str:
    """Returns the text of the record at `path`; KernelError ENOENT if it has gone, EINVAL if it is no record."""
    with _bpf_links.get(path, read_only=True) as record:
        shape = _bpf_info.map_shape(record) if _bpf_info.kind(record) == "map" else None
        if shape is None or (shape[0], shape[1], shape[3]) != (abi.MAP_TYPE_ARRAY, 4, 1):
            raise _not_a_record(path, "not an array map of one entry")
        size = shape[2]
        if size > RECORD_LIMIT:
            raise _not_a_record(path, f"{size} bytes long, expected at most {RECORD_LIMIT}")
        value = _bpf_maps.map_lookup(record, _KEY, size) or b""
    try:
        return value.split(b"\0")[0].decode()
    except UnicodeDecodeError:
        raise _not_a_record(path, "not UTF-8 text") from None


def _not_a_record(path: str, why: str) -> KernelError:
    from bpfimg.errors import KernelError

    return KernelError(f"{path} is not a bpfimg record: it is {why}", errno=22)


def lock(directory: str, *, timeout: float) -> AbstractContextManager[None]:
    """Holds the writer's lock of `directory` (made if absent, 0700) inside `with`; waits `timeout` seconds at most.

    LockTimeout says who holds it. The lock goes with the process that holds it, however it ends.
    """
    from bpfimg.kernel._lock import held

    return held(directory, timeout)


def is_locked(directory: str) -> bool:
    """True while somebody holds the writer's lock of `directory`, as far as /proc/locks shows."""
    from bpfimg.kernel._lock import is_held

    return is_held(directory)


def remove_tree(path: str) -> None:
    """Removes a directory of pins, link pins first, so that no program runs on with half its state gone.

    What has vanished meanwhile is fine; what is in it stays if it is not ours to remove (KernelError).
    """
    from bpfimg.kernel._sweep import remove

    try:
        remove(path)
    except OSError as error:
        raise translated("remove", path, error) from error


def _record_btf(size: int) -> bytes:
    """BTF of `char[size]` (type 3) under a key `u32` (type 2): 24 bytes of header, the types, the names."""
    from bpfimg.kernel._syscall import ORDER

    def words(*numbers: int) -> bytes:
        return b"".join(n.to_bytes(4, ORDER) for n in numbers)

    names = b"\0char\0u32\0"
    integer, array, is_char = 1 << 24, 3 << 24, 2 << 24
    types = words(1, integer, 1, is_char | 8)  # 1: char
    types += words(6, integer, 4, 32)  # 2: u32
    types += words(0, array, 0, 1, 2, size)  # 3: element type, index type, count
    magic = (0xEB9F).to_bytes(2, ORDER) + b"\x01\x00"  # version 1, no flags
    return magic + words(24, 0, len(types), len(types), len(names)) + types + names


def translated(verb: str, path: str, error: OSError, *, to: str = "") -> KernelError:
    """Returns the KernelError for an OSError of a file operation in bpffs."""
    from bpfimg.errors import KernelError
    from bpfimg.kernel._failure import reason

    number = error.errno or 0
    not_bpffs = why_not_bpffs(path) if number in (1, 2, 13) else None
    what = f"{path} to {to}" if to else path
    return not_bpffs or KernelError(f"cannot {verb} {what}: {reason(number)}", errno=number)
