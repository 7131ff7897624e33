"""Which types of maps the kernel makes, found out by making the smallest of each."""

from __future__ import annotations

import struct

from bpfimg.errors import KernelError
from bpfimg.kernel import _abi as abi
from bpfimg.kernel import _features_tried as tried
from bpfimg.kernel._bpf_maps import btf_load, map_create
from bpfimg.kernel._syscall import ORDER, bpf_errno, fill

# The smallest map of a type, where key 4, value 4 and one entry will not do: (key, value, entries), flags.
_TRIVIAL = {
    "stack_trace": (4, 8, 1),
    "lpm_trie": (8, 4, 1),
    "queue": (0, 4, 1),
    "stack": (0, 4, 1),
    "bloom_filter": (0, 4, 1),
    "ringbuf": (0, 0, 65536),  # a page, of whatever size
    "user_ringbuf": (0, 0, 65536),
    "arena": (0, 0, 1),
    "cgroup_storage": (8, 4, 0),
    "percpu_cgroup_storage": (8, 4, 0),
}
_NO_PREALLOC = 1
_FLAGS = {"lpm_trie": _NO_PREALLOC, "arena": 1 << 10}  # NO_PREALLOC, MMAPABLE
_OUTER = ("array_of_maps", "hash_of_maps")
_OWNED = ("sk_storage", "inode_storage", "task_storage", "cgrp_storage")  # their types have to be told
_UNKNOWN = (tried.EINVAL, tried.E2BIG, tried.EOPNOTSUPP, tried.ENOTSUPP)
_INNER_MAP = {"inner_map_fd": (20, 4)}


def map_type(type_id: int) -> bool | None:
    """Whether the kernel makes maps of this type at all; None where it does not say."""
    if type_id == 0 or type_id >= len(abi.MAP_TYPES):
        return None
    word = abi.MAP_TYPES[type_id]
    if word == "struct_ops":  # made only for a table of operations: then its programs are taken, too
        from bpfimg.kernel._features import has

        return has("struct-ops")
    try:
        if word in _OUTER:
            return _of_maps(type_id)
        if word in _OWNED:
            with btf_load(_one_integer()) as types:
                map_create(type_id, 4, 4, 0, flags=_NO_PREALLOC, btf_fd=types, btf_key=1, btf_value=1).close()
        else:
            map_create(type_id, *_TRIVIAL.get(word, (4, 4, 1)), flags=_FLAGS.get(word, 0)).close()
    except KernelError as error:
        return False if error.errno in _UNKNOWN else None
    return True


def _of_maps(type_id: int) -> bool | None:
    with map_create(abi.MAP_TYPE_ARRAY, 4, 4, 1) as inner:
        values = {"map_type": type_id, "key_size": 4, "value_size": 4, "max_entries": 1, "inner_map_fd": inner.fileno()}
        number = tried.closed(bpf_errno(abi.MAP_CREATE, fill({**abi.ATTR_MAP_CREATE, **_INNER_MAP}, values)))
    return True if number == 0 else False if number in _UNKNOWN else None


def _one_integer() -> bytes:
    """BTF with one type, `int`: https://docs.kernel.org/bpf/btf.html."""
    order = "<" if ORDER == "little" else ">"
    strings = b"\0int\0"
    types = struct.pack(order + "IIII", 1, 1 << 24, 4, 1 << 24 | 32)
    header = struct.pack(order + "HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings))
    return header + types + strings
