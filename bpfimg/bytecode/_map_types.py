"""The kernel's map types, by number."""

from __future__ import annotations

# In the order of the kernel's numbers, in the spelling of bpfman's image labels.
_MAP_WORDS = (
    "unspec hash array prog_array perf_event_array per_cpu_hash per_cpu_array stack_trace cgroup_array lru_hash "
    "lru_per_cpu_hash lpm_trie array_of_maps hash_of_maps devmap sockmap cpumap xskmap sockhash cgroup_storage "
    "reuseport_sockarray per_cpu_cgroup_storage queue stack sk_storage devmap_hash struct_ops ringbuf inode_storage "
    "task_storage bloom_filter user_ringbuf cgrp_storage arena"
)
MAP_TYPES = tuple(_MAP_WORDS.split())


def map_type(number: int) -> str:
    """The word for a map type; "type_99" for one that this table does not know."""
    return MAP_TYPES[number] if number < len(MAP_TYPES) else f"type_{number}"
