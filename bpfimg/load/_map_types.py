"""What the keys and values of a map are, in Python: by BTF where the map has it, else numbers or raw bytes."""

from __future__ import annotations

import sys

from bpfimg.btf import Btf, Limits, kinds, spelled, values
from bpfimg.errors import BytecodeError, KernelError, UsageError, quoted
from bpfimg.kernel import abi, bpf, dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_EPERM = 1
_RAW = "hex:"
#: types whose keys are always an index of 32 bits, and those whose values are a program or map, by its kernel id
INDEXED = frozenset(
    [
        "array",
        "percpu_array",
        "prog_array",
        "perf_event_array",
        "cgroup_array",
        "array_of_maps",
        "devmap",
        "sockmap",
        "cpumap",
        "xskmap",
        "reuseport_sockarray",
        "stack_trace",
    ]
)
PER_CPU = frozenset(("percpu_hash", "percpu_array", "lru_percpu_hash", "percpu_cgroup_storage"))
KEYLESS = frozenset(("queue", "stack"))
OF_MAPS = frozenset(("array_of_maps", "hash_of_maps"))
SOCKETS = frozenset(("sockmap", "sockhash"))
OF_PROGRAMS = frozenset(("prog_array",))
#: what cannot be read entry by entry, and why
UNREADABLE = {
    "ringbuf": "a ring buffer has no entries: each event is for one reader, who takes it",
    "user_ringbuf": "a user ring buffer has no entries: programs take them out",
    "perf_event_array": "a perf event array holds the events of processes, which only these can read",
    "cgroup_array": "the kernel does not show what is in a map of control groups",
    "bloom_filter": "a bloom filter has no keys: it only says whether a value may be in it",
    "sk_storage": "its keys are sockets of processes, which nobody else can name",
    "inode_storage": "its keys are open files, which cannot be listed",
    "task_storage": "its keys are processes by descriptor, which cannot be listed",
    "cgrp_storage": "its keys are control groups by descriptor, which cannot be listed",
    "reuseport_sockarray": "the kernel shows only cookies of its sockets, and not for all kernels",
    "xskmap": "the kernel does not show what is in a map of AF_XDP sockets",
    "struct_ops": "a map of operations is registered as a whole: `bpfimg links --all` shows it",
    "arena": "an arena is memory, not entries",
}


def word(type_id: int) -> str:
    """The kernel's word for a map type."""
    return abi.MAP_TYPES[type_id] if type_id < len(abi.MAP_TYPES) else f"type {type_id}"


class Types:
    """Turns keys and values of one map into Python and back; `key` and `value` are their C spellings ("" unknown).

    `programs` are pins of programs of the object that has the map under `name`.
    """

    def __init__(self, info: bpf.MapInfo, programs: Sequence[str] = (), name: str = "") -> None:
        self._info = info
        self.word = word(info.type)
        self.per_cpu = self.word in PER_CPU
        self._btf = _btf(info.btf_id)
        self._known: dict[int, Any] = {}
        self._key = info.btf_key_type_id if self._btf else 0
        self._value = info.btf_value_type_id if self._btf else 0
        if programs and self._btf is None and self.word in KEYLESS:
            from bpfimg.load._map_definition import declared

            self._btf, self._key, self._value = declared(programs, name, info.key_size, info.value_size)
        self.key = self._spelled(self._key) or ("__u32" if self._indexed() else "")
        self.value = self._spelled(self._value) or ("__u32" if self._ids() else "")

    def _indexed(self) -> bool:
        return self.word in INDEXED and self._info.key_size == 4

    def _ids(self) -> bool:
        return self.word in OF_MAPS or self.word in OF_PROGRAMS or (self.word == "devmap" and not self._value)

    def _spelled(self, type_id: int) -> str:
        if not type_id or self._btf is None:
            return ""
        is_section = self._btf.kind(self._btf.bare(type_id)) == kinds.DATASEC
        return self._btf.name(type_id) if is_section else spelled(self._btf, type_id)

    @property
    def stored_size(self) -> int:
        """Bytes that the kernel copies for one value: of a per-CPU map those of all possible CPUs."""
        return -(-self._info.value_size // 8) * 8 * bpf.possible_cpus() if self.per_cpu else self._info.value_size

    def read_key(self, data: bytes) -> Any:
        """The key in Python."""
        return self._read(data, self._key, number=self._indexed())

    def read_value(self, data: bytes) -> Any:
        """The value in Python; of a per-CPU map a list of one for each possible CPU."""
        if not self.per_cpu:
            return self._read(data, self._value, number=self._ids() and len(data) == 4)
        step = -(-self._info.value_size // 8) * 8
        pieces = (data[at : at + self._info.value_size] for at in range(0, len(data), step))
        return [self._read(piece, self._value, number=False) for piece in pieces]

    def _read(self, data: bytes, type_id: int, *, number: bool) -> Any:
        if number:
            return int.from_bytes(data, sys.byteorder)
        if type_id and self._btf is not None:
            try:
                return values.decode(self._btf, type_id, data, known=self._known)
            except BytecodeError:
                pass  # types that others gave the kernel and that do not go with the sizes: then the bytes
        return _RAW + data.hex()

    def write_key(self, key: Any) -> bytes:
        """The bytes of a key; UsageError when it is none."""
        return self._write(key, self._key, self._info.key_size, "the key", number=self._indexed())

    def write_value(self, value: Any, old: bytes = b"") -> bytes:
        """The bytes of a value, all CPUs' of a per-CPU map: a list has one for each, anything else is for all.

        Members of a struct that are left out are as in `old`.
        """
        size = self._info.value_size
        if not self.per_cpu:
            return self._write(value, self._value, size, "the value", initial=old, number=self._ids())
        cpus, step = bpf.possible_cpus(), -(-size // 8) * 8
        array = self._btf is not None and self._value and self._btf.kind(self._btf.bare(self._value)) == kinds.ARRAY
        spread = isinstance(value, list) and (not array or (value and isinstance(value[0], list | str)))
        each = list(value) if spread else [value] * cpus
        if len(each) != cpus:
            raise UsageError(f"the map has a value for each of {cpus} CPUs, not {len(each)}")
        pieces = [
            self._write(one, self._value, size, f"the value of CPU {n}", initial=old[n * step : n * step + size])
            for n, one in enumerate(each)
        ]
        return b"".join(piece.ljust(step, b"\0") for piece in pieces)

    def _write(
        self, value: Any, type_id: int, size: int, what: str, *, initial: bytes = b"", number: bool = False
    ) -> bytes:
        if isinstance(value, bytes | bytearray):
            value = _RAW + value.hex()
        if type_id and self._btf is not None and not number:
            data = values.encode(self._btf, type_id, value, initial=initial, what=what)
            if len(data) == size:
                return data
        if isinstance(value, str) and value.startswith(_RAW):
            try:
                data = bytes.fromhex(value[len(_RAW) :])
            except ValueError:
                raise UsageError(f"{what} is {quoted(value)}, expected hex: and pairs of hex digits") from None
            if len(data) != size:
                raise UsageError(f"{what} has {len(data)} bytes, expected {size}")
            return data
        found = values.parse_number(value) if isinstance(value, str) else value
        if isinstance(found, int) and not isinstance(found, bool) and size in (1, 2, 4, 8):
            if not 0 <= found < 1 << 8 * size:
                raise UsageError(f"{what} is {found}, expected 0 to {(1 << 8 * size) - 1}")
            return found.to_bytes(size, sys.byteorder)
        if number:
            last = self._info.max_entries - 1 if what == "the key" else (1 << 8 * size) - 1
            raise UsageError(f"{what} takes 0 to {last}, not {_said(value)}")
        hint = "the map has no BTF, so bpfimg does not know its types"
        raise UsageError(f"{what} is {quoted(value)}, expected hex: and {2 * size} hex digits", hint=hint)


def _said(value: Any) -> str:
    return quoted(value) if isinstance(value, str) else repr(value)[:60]


def _btf(number: int) -> Btf | None:
    if not number:
        return None
    try:
        data = dump.btf_data(number)
        return Btf(data, sys.byteorder, Limits()) if data else None
    except BytecodeError:
        return None
    except KernelError as error:
        if error.errno != _EPERM:
            raise
        return None
