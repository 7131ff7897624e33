"""A map of the kernel by its types: what a program counts, read and written as plain Python.

    with host.map(running.load, "hits") as hits:
        print(hits[0])
        for key, value in hits.items():
            print(key, value)

Keys and values are numbers, text, lists and dicts, as `bpfimg.btf.values` has them; without BTF they are "hex:…".
"""

from __future__ import annotations

import sys
from _thread import allocate_lock

from bpfimg.errors import KernelError, NotSupported, UsageError
from bpfimg.kernel import abi, bpf, bpffs
from bpfimg.load._map_types import KEYLESS, OF_MAPS, OF_PROGRAMS, SOCKETS, UNREADABLE, Types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType
    from typing import Any

    from bpfimg.kernel import Fd

    _Kind = type[BaseException]

_EPERM, _ENOENT, _EEXIST, _E2BIG, _EINVAL = 1, 2, 17, 7, 22
_WAYS = {"any": abi.ANY, "new": abi.NOEXIST, "old": abi.EXIST}


class Map:
    """One map, open: use it in `with`, or close it. Threads may share it.

    It is like a dict of the entries in the kernel at this moment: `m[key]`, `m[key] = value`, `del m[key]`, `key in m`,
    `len(m)`, `keys()`, `values()`, `items()`, `get()`. A per-CPU map has a list for each key, one value for each
    possible CPU; `total(key)` adds them up. Queues and stacks have `push`, `pop` and `peek` instead.

    `name` is in full where bpfimg knows it; `info` is what the kernel says; `key_type` and `value_type` are in C.
    """

    def __init__(self, fd: Fd, name: str = "", programs: Sequence[str] = ()) -> None:
        self._fd = fd
        self._lock = allocate_lock()
        self.info = bpf.map_info(fd)
        self.name = name or self.info.name
        self._types = Types(self.info, programs, self.name)

    @property
    def id(self) -> int:
        """Its id in the kernel."""
        return self.info.id

    @property
    def type(self) -> str:
        """The kernel's word: hash, array, percpu_array, …"""
        return self._types.word

    @property
    def per_cpu(self) -> bool:
        """Whether each key has a value for every CPU."""
        return self._types.per_cpu

    @property
    def key_type(self) -> str:
        """C spelling of its keys; "" where nobody says."""
        return self._types.key

    @property
    def value_type(self) -> str:
        """C spelling of its values; "" where nobody says."""
        return self._types.value

    def __repr__(self) -> str:
        return f"<map {self.name!r} ({self.type}, id {self.id})>"

    # reading

    def __getitem__(self, key: Any) -> Any:
        """The value under `key`; KeyError when there is none, UsageError when `key` is none for this map."""
        data = self._lookup(self._key(key))
        if data is None:
            raise KeyError(key)
        return self._types.read_value(data)

    def get(self, key: Any, default: Any = None) -> Any:
        """The value under `key`, or `default`."""
        data = self._lookup(self._key(key))
        return default if data is None else self._types.read_value(data)

    def total(self, key: Any) -> Any:
        """The values of all CPUs added up; KeyError when there is no such key."""
        from bpfimg.btf import values

        found = self[key]
        return values.total(found) if self.per_cpu else found

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Every key with its value, read in large pieces; what comes or goes meanwhile may be missed or come twice."""
        for key, data in self.raw():
            yield self._types.read_key(key), self._types.read_value(data)

    def keys(self) -> Iterator[Any]:
        """Every key."""
        self._readable()
        for key in bpf.map_keys(self._open, self.info.key_size):
            yield self._types.read_key(key)

    def values(self) -> Iterator[Any]:
        """Every value."""
        return (value for _, value in self.items())

    def __iter__(self) -> Iterator[Any]:
        return self.keys()

    def __len__(self) -> int:
        self._readable()
        return sum(1 for _ in bpf.map_keys(self._open, self.info.key_size))

    def __bool__(self) -> bool:
        return True  # an empty map is a map

    def __contains__(self, key: Any) -> bool:
        return self._lookup(self._key(key)) is not None

    def raw(self) -> Iterator[tuple[bytes, bytes]]:
        """Every key with its value as bytes; of a map that only has values (a queue) the next one, with no key."""
        self._readable()
        if self.type in KEYLESS:
            value = self._lookup(b"")
            if value is not None:
                yield b"", value
            return
        yield from bpf.map_entries(self._open, self.info.key_size, self._types.stored_size)

    def read(self, key: bytes, value: bytes) -> tuple[Any, Any]:
        """What a pair of `raw` means."""
        return self._types.read_key(key), self._types.read_value(value)

    def key(self, key: Any) -> tuple[bytes, Any]:
        """The key as bytes, and as `keys` gives it; UsageError when it is none for this map."""
        data = self._key(key)
        return data, self._types.read_key(data)

    # writing

    def __setitem__(self, key: Any, value: Any) -> None:
        self.update(key, value)

    def update(self, key: Any, value: Any, *, only: str = "any") -> None:
        """Writes `value` under `key`; `only` "new" or "old" insists that it was not, or was, there before.

        Of a struct that is there already, members that are left out stay as they are (read, then written: not in one
        step). In a map of maps or programs the value is a kernel id. UsageError: not of the map's types or out of
        range; KernelError: the map is frozen, or full.
        """
        self._writable("write")
        raw = self._key(key)
        if self.type in OF_MAPS or self.type in OF_PROGRAMS:
            self._put(raw, value, only)
            return
        old = self._lookup(raw) if isinstance(value, dict | list) else None
        self._write(raw, self._types.write_value(value, old or b""), only)

    def _put(self, key: bytes, value: Any, only: str) -> None:
        number = int.from_bytes(self._types.write_value(value), sys.byteorder)
        with bpf.map_by_id(number) if self.type in OF_MAPS else bpf.program_by_id(number) as inner:
            self._write(key, inner.fileno().to_bytes(4, sys.byteorder), only)

    def __delitem__(self, key: Any) -> None:
        """Deletes the entry; KeyError when there is none."""
        self._writable("delete from")
        try:
            with self._lock:
                bpf.map_delete(self._open, self._key(key))
        except KernelError as error:
            if error.errno == _ENOENT:
                raise KeyError(key) from None
            if error.errno == _EINVAL and self.type in ("array", "percpu_array"):
                message = f"{self._called} is an array: its {self.info.max_entries} entries cannot be deleted"
                raise UsageError(message, hint="set the entry to zero") from error
            raise self._explained(error) from error

    # queues and stacks

    def push(self, value: Any) -> None:
        """Puts a value into a queue, or on a stack."""
        self._keyless()
        self._writable("write")
        self._write(b"", self._types.write_value(value), "any")

    def pop(self) -> Any:
        """Takes the next value; KeyError when there is none."""
        self._keyless()
        self._writable("take from")
        with self._lock:
            data = bpf.map_take(self._open, self._types.stored_size)
        if data is None:
            raise KeyError(f"{self._called} is empty")
        return self._types.read_value(data)

    def peek(self) -> Any:
        """The next value, which stays; KeyError when there is none."""
        self._keyless()
        data = self._lookup(b"")
        if data is None:
            raise KeyError(f"{self._called} is empty")
        return self._types.read_value(data)

    # the descriptor

    def close(self) -> None:
        """Closes it; a second time does nothing. Iterators that are under way end with an error."""
        with self._lock:
            self._fd.close()

    def __enter__(self) -> Map:
        return self

    def __exit__(self, kind: _Kind | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def _open(self) -> int:
        return self._fd.fileno()

    @property
    def _called(self) -> str:
        return f"map {self.name!r} (id {self.id})"

    def _key(self, key: Any) -> bytes:
        self._readable()
        if self.type in KEYLESS:
            raise UsageError(f"{self._called} is a {self.type} and has no keys, expected push, pop or peek")
        return self._types.write_key(key)

    def _lookup(self, key: bytes) -> bytes | None:
        self._readable()
        with self._lock:
            return bpf.map_lookup(self._open, key, self._types.stored_size)

    def _write(self, key: bytes, value: bytes, only: str) -> None:
        if only not in _WAYS:
            raise UsageError(f"only is {only!r}, expected any, new or old")
        try:
            with self._lock:
                bpf.map_update(self._open, key, value, _WAYS[only])
        except KernelError as error:
            raise self._explained(error) from error

    def _explained(self, error: KernelError) -> KernelError:
        """What the kernel's answer means for this map."""
        if error.errno == _E2BIG:
            message = f"{self._called} is full, or has no such index: it takes {self.info.max_entries} entries"
            return KernelError(message, errno=_E2BIG)
        if error.errno in (_EEXIST, _ENOENT):
            there = "has that key already" if error.errno == _EEXIST else "does not have that key"
            return KernelError(f"{self._called} {there}", errno=error.errno)
        if error.errno == _EPERM and bpf.map_info(self._open).frozen:
            return self._frozen("write")
        return error

    def _frozen(self, verb: str) -> KernelError:
        hint = "constants are set when they are loaded: -g NAME=VALUE" if self.name == ".rodata" else ""
        return KernelError(f"{self._called} is frozen: nobody can {verb} it any more", errno=_EPERM, hint=hint)

    def _readable(self) -> None:
        why = UNREADABLE.get(self.type)
        if self.type in SOCKETS and self.info.value_size != 8:
            why = "the kernel shows its sockets only where values have 8 bytes, as cookies"
        if why is not None:
            raise NotSupported(f"{self._called} cannot be read: {why}", feature=f"reading {self.type} maps")

    def _writable(self, verb: str) -> None:
        if self.info.name == bpffs.RECORD_NAME:
            raise UsageError(f"{self._called} is a record of bpfimg: nobody can {verb} it")
        if self.info.frozen:
            raise self._frozen(verb)
        self._readable()

    def _keyless(self) -> None:
        if self.type not in KEYLESS:
            raise UsageError(f"{self._called} is a {self.type}, expected a queue or a stack")
