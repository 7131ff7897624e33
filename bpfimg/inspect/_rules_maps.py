"""Rules about how maps are defined."""

from __future__ import annotations

from bpfimg.errors import quoted
from bpfimg.inspect._lint_model import MIB, Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.bytecode import Dissection, MapSpec
    from bpfimg.inspect._lint_model import Context

_PAGE = 4096
_NO_PREALLOC = 1
_PERCPU_VALUE_MAX = 32 << 10  # PCPU_MIN_UNIT_SIZE

_HASHES = frozenset(("hash", "per_cpu_hash", "lru_hash", "lru_per_cpu_hash"))
_PER_CPU = frozenset(("per_cpu_hash", "lru_per_cpu_hash", "per_cpu_array"))
_RINGS = frozenset(("ringbuf", "user_ringbuf"))
_STORAGES = frozenset(("sk_storage", "inode_storage", "task_storage", "cgrp_storage"))
_CGROUP_STORAGES = frozenset(("cgroup_storage", "per_cpu_cgroup_storage"))
_KEYED_BY_INDEX = frozenset(
    (
        "array",
        "per_cpu_array",
        "prog_array",
        "perf_event_array",
        "cgroup_array",
        "array_of_maps",
        "stack_trace",
        "devmap",
        "cpumap",
        "xskmap",
        "sockmap",
        "reuseport_sockarray",
        "sk_storage",
        "inode_storage",
        "task_storage",
        "cgrp_storage",
    )
)
_KEYLESS = frozenset(("queue", "stack", "bloom_filter", "ringbuf", "user_ringbuf"))
_OF_IDS = frozenset(("prog_array", "perf_event_array", "cgroup_array", "array_of_maps", "hash_of_maps", "xskmap"))
_OF_MAPS = frozenset(("array_of_maps", "hash_of_maps"))
_ARRAYS = frozenset(("array", "per_cpu_array", "prog_array", "perf_event_array", "cgroup_array", "array_of_maps"))


def legacy_maps(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL029."""
    found = [each.name for each in dissection.object.maps if each.legacy]
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield Found(
            f"section 'maps' defines maps of the old kind ({quoted(found[0])}{more}), which libbpf 1.0 refuses",
            kind="section",
            about="maps",
            hint='declare maps with __uint() and __type() in SEC(".maps") and compile with clang -g',
        )


def refused_map(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL030: the `map_alloc_check` functions of the kernel; what is 0 may be the loader's to fill in (BL031)."""
    for found in declared(dissection):
        for reason in _refusals(found):
            yield about(found, f"map {quoted(found.name)} ({found.type}) {reason}: the kernel refuses it")


def _refusals(found: MapSpec) -> Iterator[str]:
    kind, key, size, flags = found.type, found.key_size, found.value_size, found.flags
    if kind in _KEYED_BY_INDEX and key not in (0, 4):
        yield f"has keys of {key} bytes, expected 4"
    if kind in _KEYLESS and key:
        yield f"has keys of {key} bytes, expected none"
    if kind in _RINGS and size:
        yield f"has values of {size} bytes, expected none"
    if kind in _OF_IDS and size not in (0, 4):
        yield f"has values of {size} bytes, expected 4"
    if kind in _STORAGES | _CGROUP_STORAGES and found.max_entries:
        yield f"has {found.max_entries} max_entries, expected 0"
    if kind in _STORAGES | {"lpm_trie"} and not flags & _NO_PREALLOC:
        yield "lacks the flag BPF_F_NO_PREALLOC"
    if kind in ("lru_hash", "lru_per_cpu_hash") and flags & _NO_PREALLOC:
        yield "has the flag BPF_F_NO_PREALLOC, but is always allocated beforehand"
    if kind in _ARRAYS and flags & _NO_PREALLOC:
        yield "has the flag BPF_F_NO_PREALLOC, which arrays do not take"
    if kind == "lpm_trie" and key and not 5 <= key <= 260:
        yield f"has keys of {key} bytes, expected 5 to 260: a length of 4 bytes, then the address"
    if kind == "stack_trace" and size % 8:
        yield f"has values of {size} bytes, expected a multiple of 8"
    if kind in _PER_CPU and size > _PERCPU_VALUE_MAX:
        yield f"has values of {size} bytes for each CPU, expected at most {_PERCPU_VALUE_MAX}"


def incomplete_map(dissection: Dissection, context: Context) -> Iterator[Found]:
    """BL031."""
    for found in declared(dissection):
        missing = [word for word, absent in _missing(found) if absent]
        if missing:
            yield about(
                found,
                f"map {quoted(found.name)} ({found.type}) has no {' and no '.join(missing)}: its loader has to say it",
                hint=f"write __uint({missing[0]}, …)" if missing[0] == "max_entries" else "",
                severity="" if context.shipped else "note",
            )


def _missing(found: MapSpec) -> Iterator[tuple[str, bool]]:
    kind = found.type
    counted = kind not in _STORAGES | _CGROUP_STORAGES | {"perf_event_array", "struct_ops", "unspec"}
    yield "max_entries", counted and not found.max_entries
    # the kernel's ids have a fixed size, which libbpf and the others fill in
    sized = kind not in _KEYLESS | _OF_IDS | {"struct_ops", "arena", "unspec"}
    yield "size of keys", sized and not found.key_size
    yield "size of values", (sized or kind in ("queue", "stack", "bloom_filter")) and not found.value_size
    yield "shape of the inner maps", kind in _OF_MAPS and found.inner is None


def ring_size(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL032: `ringbuf_map_alloc` wants a power of two of whole pages; libbpf 0.8 and newer round up."""
    for found in declared(dissection):
        size = found.max_entries
        if found.type in _RINGS and size and (size & (size - 1) or size % _PAGE):
            yield about(
                found,
                f"ring buffer {quoted(found.name)} has {size} bytes, expected a power of two and whole pages: only "
                "libbpf 0.8 and newer round it up",
                hint="256 KiB, say, suit pages of 4 and of 64 KiB: __uint(max_entries, 256 * 1024)",
            )


def large_map(dissection: Dissection, context: Context) -> Iterator[Found]:
    """BL033."""
    for found in declared(dissection):
        needed = _memory(found, context.cpus)
        if needed > context.memory:
            per_cpu = f" on {context.cpus} CPUs" if found.type in _PER_CPU else ""
            yield about(
                found,
                f"map {quoted(found.name)} ({found.type}, {found.max_entries} entries) takes about {needed // MIB} MiB "
                f"of kernel memory{per_cpu} as soon as it is made, more than {context.memory // MIB}",
                hint="BPF_F_NO_PREALLOC allocates entries when they are needed" if found.type in _HASHES else "",
            )


def _memory(found: MapSpec, cpus: int) -> int:
    """Bytes that the kernel takes at creation; about, because its structs grow."""
    value = (found.value_size + 7 & ~7) * (cpus if found.type in _PER_CPU else 1)
    if found.type in _RINGS:
        return found.max_entries
    if found.type in _HASHES:
        if found.flags & _NO_PREALLOC:
            return 0
        return found.max_entries * (64 + (found.key_size + 7 & ~7) + value)  # struct htab_elem and its share of buckets
    if found.type in _ARRAYS or found.type in ("queue", "stack"):
        return found.max_entries * value
    if found.type == "stack_trace":
        return found.max_entries * (value + 32)
    return 0


def pinned_by_name(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL035."""
    for found in declared(dissection):
        if found.pinning == "by-name":
            yield about(
                found,
                f"map {quoted(found.name)} is pinned by its bare name, which the whole host shares",
                hint="choose a name that no other application has, or let the loader pin it",
            )


def declared(dissection: Dissection) -> list[MapSpec]:
    return [found for found in dissection.object.maps if not found.internal and not found.legacy]


def about(found: MapSpec, message: str, *, hint: str = "", severity: str = "") -> Found:
    return Found(message, "map", found.name, hint, severity)
