"""Which types of maps the kernel makes, found out by making the smallest of each."""

from __future__ import annotations

from bpfimg.errors import KernelError
from bpfimg.kernel import _abi as abi
from bpfimg.kernel import _features_tried as tried
from bpfimg.kernel._bpf_maps import map_create

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
}
_FLAGS = {"lpm_trie": 1, "arena": 1 << 10}  # NO_PREALLOC, MMAPABLE
_UNKNOWN = (tried.EINVAL, tried.E2BIG, tried.EOPNOTSUPP, tried.ENOTSUPP)
# These take BTF, an inner map or another object.
_NOT_TRIVIAL = (
    "unspec array_of_maps hash_of_maps cgroup_storage percpu_cgroup_storage sk_storage inode_storage task_storage "
    "cgrp_storage struct_ops"
)


def map_type(type_id: int) -> bool | None:
    """Whether the kernel makes maps of this type at all; None for types that take more than numbers to make."""
    if type_id >= len(abi.MAP_TYPES):
        return None
    word = abi.MAP_TYPES[type_id]
    if word in _NOT_TRIVIAL.split():
        return None
    try:
        map_create(type_id, *_TRIVIAL.get(word, (4, 4, 1)), flags=_FLAGS.get(word, 0)).close()
    except KernelError as error:
        return False if error.errno in _UNKNOWN else None
    return True
