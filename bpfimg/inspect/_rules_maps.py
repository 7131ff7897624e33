"""Rules about maps and global variables."""

from __future__ import annotations

import struct

from bpfimg.btf import kinds
from bpfimg.errors import quoted
from bpfimg.inspect._lint_model import MIB, Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.bytecode import Dissection, MapSpec
    from bpfimg.inspect._lint_model import Context

_PAGE = 4096
_NAME_MAX = 15  # BPF_OBJ_NAME_LEN, less the NUL
_NO_PREALLOC = 1
_PERCPU_VALUE_MAX = 32 << 10  # PCPU_MIN_UNIT_SIZE
_STT_SECTION = 3

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
_DATA = (".data", ".rodata", ".bss", ".maps", ".struct_ops", "?.struct_ops")


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
    for found in _declared(dissection):
        for reason in _refusals(found):
            yield _about(found, f"map {quoted(found.name)} ({found.type}) {reason}: the kernel refuses it")


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
    for found in _declared(dissection):
        missing = [word for word, absent in _missing(found) if absent]
        if missing:
            yield _about(
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
    for found in _declared(dissection):
        size = found.max_entries
        if found.type in _RINGS and size and (size & (size - 1) or size % _PAGE):
            yield _about(
                found,
                f"ring buffer {quoted(found.name)} has {size} bytes, expected a power of two and whole pages: only "
                "libbpf 0.8 and newer round it up",
                hint="256 KiB, say, suit pages of 4 and of 64 KiB: __uint(max_entries, 256 * 1024)",
            )


def large_map(dissection: Dissection, context: Context) -> Iterator[Found]:
    """BL033."""
    for found in _declared(dissection):
        needed = _memory(found, context.cpus)
        if needed > context.memory:
            per_cpu = f" on {context.cpus} CPUs" if found.type in _PER_CPU else ""
            yield _about(
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


def unused_map(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL034."""
    obj = dissection.object
    used = {name for each in (*obj.programs, *obj.functions) for name in each.uses.maps}
    unused = [m for m in obj.maps if not m.internal and m.name not in used and m.type != "struct_ops"]
    if not unused or not obj.programs:
        return
    used = _named_by_data(dissection)
    for found in unused:
        if found.name not in used:
            yield _about(
                found,
                f"no program uses map {quoted(found.name)}, but every loader makes it",
                hint="leave it out, unless it is user space that needs it",
            )


def _named_by_data(dissection: Dissection) -> set[str]:
    """The symbols that sections of data refer to: maps in maps, programs in struct_ops."""
    elf = dissection.elf
    sections = [section.index for section in elf.sections if section.name.startswith(_DATA)]
    return {elf.table[symbol].name for section in sections for _, symbol, _ in elf.relocations(section)}


def pinned_by_name(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL035."""
    for found in _declared(dissection):
        if found.pinning == "by-name":
            yield _about(
                found,
                f"map {quoted(found.name)} is pinned by its bare name, which the whole host shares",
                hint="choose a name that no other application has, or let the loader pin it",
            )


def name_collision(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL036."""
    obj = dissection.object
    for kind, names in (
        ("program", [program.name for program in obj.programs]),
        ("map", [found.name for found in obj.maps if not found.internal]),
    ):
        alike: dict[bytes, list[str]] = {}
        for name in names:
            alike.setdefault(name.encode()[:_NAME_MAX], []).append(name)
        for short, found in alike.items():
            if len(found) > 1:
                words = ", ".join(quoted(name) for name in found[:4]) + (", ..." if len(found) > 4 else "")
                yield Found(
                    f"the kernel cuts the names of {len(found)} {kind}s ({words}) to the same "
                    f"{quoted(short.decode(errors='replace'))}",
                    kind=kind,
                    about=found[0],
                    hint=f"let names differ in their first {_NAME_MAX} bytes",
                )


def perf_buffer(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL026."""
    outputs = {"bpf_perf_event_output", "bpf_skb_output", "bpf_xdp_output"}
    users = [program for program in dissection.object.programs if not outputs.isdisjoint(program.uses.helpers)]
    used = {name for program in users for name in program.uses.maps}
    for found in _declared(dissection):
        if found.type == "perf_event_array" and found.name in used:
            yield _about(
                found,
                f"map {quoted(found.name)} is a perf buffer: one for each CPU, and events of several CPUs come out of "
                "order",
                hint="BPF_MAP_TYPE_RINGBUF (since 5.8), unless the object is for older kernels",
            )


def unread_global(dissection: Dissection, _: Context) -> Iterator[Found]:
    """BL037. Pointers are left out: nobody can set one, and `struct event *unused` is how types are exported.

    A constant that is not volatile is the trap: the compiler has put its value into the code. Others are knobs of a
    header that this program does without.
    """
    wanted = [
        spec
        for spec in dissection.object.globals
        if spec.section != ".kconfig" and spec.kind != "pointer" and "." not in spec.name
    ]
    if not wanted:
        return
    elf = dissection.elf
    symbols = {(symbol.section, symbol.name) for symbol in elf.symbols if not symbol.local}
    named, places = _touched(dissection)
    sections = {section.name: section.index for section in elf.sections}
    for spec in wanted:
        index = sections.get(spec.section, 0)
        inside = any(spec.offset <= place < spec.offset + max(spec.size, 1) for place in places.get(index, ()))
        if (index, spec.name) not in symbols or (index, spec.name) in named or inside:
            continue
        folded = spec.read_only and not _volatile(dissection, spec.section, spec.name)
        yield Found(
            f"no program touches the global {quoted(spec.name)} ({spec.type}): to set it changes nothing",
            kind="global",
            about=spec.name,
            hint="declare it `const volatile`: the compiler has put its value into the code" if folded else "",
            severity="" if folded else "note",
        )


def _volatile(dissection: Dissection, section: str, name: str) -> bool:
    """Whether the global was declared so."""
    types = dissection.types
    if types is None:
        return False
    for variable, _, _ in types.variables(types.data_sections()[section]):
        if types.name(variable) == name:
            type_id = types.target(variable)
            while types.kind(type_id) in (kinds.CONST, kinds.VOLATILE, kinds.ARRAY):  # ends: the BTF was walked before
                if types.kind(type_id) == kinds.VOLATILE:
                    return True
                is_array = types.kind(type_id) == kinds.ARRAY
                type_id = types.array(type_id)[0] if is_array else types.target(type_id)
    return False


def _touched(dissection: Dissection) -> tuple[set[tuple[int, str]], dict[int, set[int]]]:
    """What code and data refer to: symbols by section and name; by section, places that are named by offset only."""
    elf = dissection.elf
    word = struct.Struct(">I" if elf.byte_order == "big" else "<I")
    named: set[tuple[int, str]] = set()
    places: dict[int, set[int]] = {}
    for section in elf.sections:
        if not section.executable and not section.name.startswith(_DATA):
            continue
        content = b""
        for offset, number, _ in elf.relocations(section.index):
            symbol = elf.table[number]
            if symbol.kind != _STT_SECTION:
                named.add((symbol.section, symbol.name))
                continue
            content = content or section.content
            start = offset + 4 if section.executable else offset
            if start + 4 <= len(content):
                places.setdefault(symbol.section, set()).add(word.unpack_from(content, start)[0])
    return named, places


def _declared(dissection: Dissection) -> list[MapSpec]:
    return [found for found in dissection.object.maps if not found.internal and not found.legacy]


def _about(found: MapSpec, message: str, *, hint: str = "", severity: str = "") -> Found:
    return Found(message, "map", found.name, hint, severity)
