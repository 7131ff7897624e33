"""Everything of one kind that this kernel has: programs, maps, links, BTF objects, in ascending order of their ids;
and what is attached to a hook.

A host has thousands of them. So the buffers of the calls are made once, an answer is unpacked in one step, and one
open file of /proc tells of each object in turn: 4 microseconds for a program, where a single look costs 30. What
vanishes meanwhile is left out. KernelError without CAP_SYS_ADMIN.
"""

from __future__ import annotations

import struct

from bpfimg._door import opened
from bpfimg.kernel import _abi as abi
from bpfimg.kernel._bpf_info import MapInfo, ProgramInfo
from bpfimg.kernel._syscall import ORDER, address
from bpfimg.kernel._walk_calls import Calls, number_in, packed
from bpfimg.kernel._walk_links import Link, LinkReader, links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from bpfimg.kernel._apart import Apart
    from bpfimg.kernel._libbpf_types import KernelTypes
    from bpfimg.kernel._mounts import seen_by
    from bpfimg.kernel._walk_btf import btfs
    from bpfimg.kernel._walk_pins import pinned
    from bpfimg.kernel._walk_queries import Attached, Probe, attached, counted, probe

__all__ = [
    "Apart",
    "Attached",
    "Link",
    "LinkReader",
    "Probe",
    "ProgramReader",
    "attached",
    "btfs",
    "counted",
    "kernel_types",
    "links",
    "maps",
    "pinned",
    "probe",
    "programs",
    "seen_by",
]

__getattr__ = opened(
    "bpfimg.kernel",
    {
        "Apart": "_apart",
        "Attached": "_walk_queries",
        "Probe": "_walk_queries",
        "attached": "_walk_queries",
        "btfs": "_walk_btf",
        "counted": "_walk_queries",
        "pinned": "_walk_pins",
        "probe": "_walk_queries",
        "seen_by": "_mounts",
    },
)

_PROGRAM = (
    "type id tag jited_prog_len xlated_prog_len load_time created_by_uid nr_map_ids name gpl_compatible btf_id "
    "run_time_ns run_cnt recursion_misses verified_insns attach_btf_obj_id attach_btf_id"
)
_MAP = (
    "type id key_size value_size max_entries map_flags name btf_vmlinux_value_type_id btf_id btf_key_type_id "
    "btf_value_type_id map_extra"
)
_MAPS = 64  # how many map ids there is room for at first
_FUNCTION, _NOTHING = 8, bytes(8)  # sizeof(struct bpf_func_info): where in the code, and the id of the type
# a bit-field of one bit: the first bit of its word is the lowest on a little-endian machine, the highest else
_GPL_BIT = 1 if ORDER == "little" else 1 << 31


class ProgramReader:
    """Tells of one program after the other, each by a descriptor, with buffers that are made once; close it."""

    __slots__ = ("_calls", "_form", "_function", "_ids")

    def __init__(self) -> None:
        self._form = packed(abi.PROG_INFO, _PROGRAM)
        self._ids, self._function = bytearray(4 * _MAPS), bytearray(_FUNCTION)
        self._calls = Calls(abi.PROG_GET_NEXT_ID, abi.PROG_GET_FD_BY_ID, _asked(self._ids, self._function))

    def everything(self) -> Iterator[ProgramInfo]:
        """Every program of the kernel."""
        for fd in self._calls.opened():
            found = self.info(fd)
            if found is not None:
                yield found

    def info(self, fd: int) -> ProgramInfo | None:
        """What the kernel says of a program; None when it is none."""
        calls, function = self._calls, self._function
        info = calls.info
        function[:] = _NOTHING
        length = calls.ask(fd)
        if length < 0:
            return None
        count = int.from_bytes(info[52:56], ORDER)
        if count > _MAPS:
            many = bytearray(4 * count)
            length = calls.ask(fd, _asked(many, function))
            maps = struct.unpack(f"={count}I", many)
        else:
            maps = struct.unpack_from(f"={count}I", self._ids)
        fields = self._form.unpack_from(info) if length >= self._form.size else _older(self._form, info, length)
        kind, number, tag, jited, xlated, load_time, uid, _, name, gpl, btf_id, *later = fields
        run_time, run_count, misses, verified, target_object, target_type = later
        return ProgramInfo(
            number,
            kind,
            name.rstrip(b"\0").decode("utf-8", "replace"),
            tag.hex(),
            bool(gpl & _GPL_BIT),
            load_time,
            uid,
            maps,
            btf_id,
            jited,
            xlated,
            verified,
            run_time,
            run_count,
            target_object,
            target_type,
            number_in(calls.fdinfo(fd), b"memlock:"),
            misses,
            int.from_bytes(function[4:], ORDER),
        )

    def close(self) -> None:
        """Closes the file of /proc that it reads."""
        self._calls.close()


def programs() -> Iterator[ProgramInfo]:
    """Every program."""
    return ProgramReader().everything()


def _asked(ids: bytearray, function: bytearray) -> bytes:
    """An info in which there is room for map ids and for the first function."""
    info = bytearray(256)
    wanted = {
        "nr_map_ids": len(ids) // 4,
        "map_ids": address(ids),
        "nr_func_info": 1,
        "func_info_rec_size": _FUNCTION,
        "func_info": address(function),
    }
    for name, content in wanted.items():
        offset, width = abi.PROG_INFO[name]
        info[offset : offset + width] = content.to_bytes(width, ORDER)
    return bytes(info)


def _older(form: struct.Struct, info: bytearray, length: int) -> Any:
    """The fields, None for those that this kernel is too old for."""
    fields = list(form.unpack_from(info))
    for at, name in enumerate(_PROGRAM.split()):
        if sum(abi.PROG_INFO[name]) > length:
            fields[at] = None
    return tuple(fields)


def maps() -> Iterator[MapInfo]:
    """Every map."""
    form = packed(abi.MAP_INFO, _MAP)
    calls = Calls(abi.MAP_GET_NEXT_ID, abi.MAP_GET_FD_BY_ID)
    unpack, ask, info, fdinfo = form.unpack_from, calls.ask, calls.info, calls.fdinfo
    for fd in calls.opened():
        if ask(fd) < 0:
            continue
        kind, number, key, size, entries, flags, name, structure, btf_id, btf_key, btf_value, extra = unpack(info)
        more = fdinfo(fd)
        frozen = number_in(more, b"frozen:")
        yield MapInfo(
            number,
            kind,
            key,
            size,
            entries,
            flags,
            name.rstrip(b"\0").decode("utf-8", "replace"),
            btf_id,
            btf_key,
            btf_value,
            number_in(more, b"memlock:"),
            None if frozen is None else frozen == 1,
            extra,
            structure,
        )


def kernel_types(number: int, base: KernelTypes | None = None) -> KernelTypes:
    """The types of the kernel or of a module, as libbpf reads them; see `_libbpf_types`."""
    from bpfimg.kernel._libbpf_types import KernelTypes as Types

    return Types(number, base)
