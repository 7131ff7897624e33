"""What functions and types are called that the kernel only tells by numbers: ids of types, addresses."""

from __future__ import annotations

import struct
import sys

from bpfimg.errors import BytecodeError, KernelError, NotSupported
from bpfimg.kernel import dump, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Types = Any
    """What has `name` for the id of a type: libbpf's reading, or our own."""

_HEADER = struct.Struct("=HBBIIIII")
_TYPE = struct.Struct("=III")
# bytes that follow a type: fixed ones, and for each of its members; by kind (Documentation/bpf/btf.rst)
_FIXED = (0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0)
_EACH = (0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12)
_MOST_TYPES = 100_000
_KERNEL_TYPES, _KERNEL_BYTES = 1 << 20, 64 << 20
_WHOLE_NAME = 15  # as long as a name can be in the kernel: it may have been longer


class Names:
    """Names by numbers, each source read once; to be thrown away after one listing."""

    __slots__ = ("_kernel", "_objects", "_programs")

    def __init__(self) -> None:
        self._programs: tuple[int, bytes] = (0, b"")
        self._kernel: dict[int, Types] = {}
        self._objects: dict[int, str | None] | None = None

    def program(self, name: str, btf_id: int, type_id: int) -> str:
        """A program's name in full; the kernel's, where its types do not say."""
        if len(name.encode()) < _WHOLE_NAME or not btf_id or not type_id:
            return name
        if self._programs[0] != btf_id:
            try:
                self._programs = (btf_id, dump.btf_data(btf_id))
            except KernelError:
                self._programs = (btf_id, b"")
        found = type_name(self._programs[1], type_id)
        return found if found.startswith(name) else name

    def function(self, object_id: int, type_id: int) -> tuple[str, str]:
        """(Function or type, "vmlinux" or module) for a type of the kernel; empty where it cannot be told."""
        owner = self.owner(object_id) or ""
        types = self._types(object_id) if owner else None
        if types is None:
            return "", owner
        try:
            return str(types.name(type_id)), owner
        except BytecodeError:
            return "", owner

    def of_program(self, info_btf_id: int, type_id: int) -> str:
        """A function of a program."""
        try:
            return type_name(dump.btf_data(info_btf_id), type_id) if info_btf_id else ""
        except KernelError:
            return ""

    def symbols(self, addresses: Sequence[int]) -> list[str]:
        """Functions of the kernel by their addresses; those that /proc/kallsyms does not show are left out."""
        found = dump.functions_at(frozenset(addresses))
        return [found[number] for number in addresses if number in found]

    def owner(self, object_id: int) -> str | None:
        """Whose types a BTF object has: vmlinux or a module; None for those of a program or map."""
        if self._objects is None:
            self._objects = {each.id: each.name if each.kernel else None for each in walk.btfs()}
        return self._objects.get(object_id)

    def close(self) -> None:
        """Forgets what libbpf has read."""
        for types in self._kernel.values():
            if types is not None and not hasattr(types, "kind"):
                types.close()
        self._kernel.clear()

    def _types(self, object_id: int) -> Types:
        """Those of vmlinux or of a module, by libbpf, else by our own reader, which takes longer."""
        if object_id not in self._kernel:
            base = None
            if self.owner(object_id) != "vmlinux":
                base = self._types(next((n for n, name in (self._objects or {}).items() if name == "vmlinux"), 0))
            self._kernel[object_id] = _by_libbpf(object_id, base) or _by_us(object_id, base)
        return self._kernel[object_id]


def _by_libbpf(object_id: int, base: Types) -> Types:
    try:
        return walk.kernel_types(object_id, base)
    except (LookupError, NotSupported):
        return None


def _by_us(object_id: int, base: Types) -> Types:
    from bpfimg.btf import Btf, Limits

    if base is not None and not isinstance(base, Btf):
        return None
    try:
        limits = Limits(types=_KERNEL_TYPES, bytes=_KERNEL_BYTES)
        return Btf(dump.btf_data(object_id), sys.byteorder, limits, base)
    except (KernelError, BytecodeError):
        return None


def type_name(btf: bytes, type_id: int) -> str:
    """The name of one type, by a walk up to it; empty when there is none. For types of a program, which are few."""
    if len(btf) < _HEADER.size:
        return ""
    _, _, _, head, types, size, strings, length = _HEADER.unpack_from(btf)
    at, end, number = head + types, min(head + types + size, len(btf)), 0
    while at + _TYPE.size <= end and number < _MOST_TYPES:
        name, info, _ = _TYPE.unpack_from(btf, at)
        number += 1
        if number == type_id:
            start = head + strings + name
            stop = btf.find(b"\0", start, head + strings + length)
            return btf[start:stop].decode("utf-8", "replace") if stop > start else ""
        kind = info >> 24 & 0x1F
        if kind >= len(_FIXED):
            return ""
        at += _TYPE.size + _FIXED[kind] + _EACH[kind] * (info & 0xFFFF)
    return ""
