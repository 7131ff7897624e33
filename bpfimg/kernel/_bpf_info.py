"""What the kernel says about its programs, maps and links, by descriptor and by id."""

from __future__ import annotations

import os
import struct

from bpfimg._value import row, value
from bpfimg.kernel import _abi as abi
from bpfimg.kernel._fd import Fd, number
from bpfimg.kernel._syscall import ORDER, address, bpf, bpf_errno, failed, fill, take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.kernel._abi import Layout

_INFO_SIZE = 512
_NAME_SIZE = 256
_ENOENT, _EINVAL = 2, 22
KINDS = {
    "anon_inode:bpf-prog": "program",
    "anon_inode:bpf-map": "map",
    "anon_inode:bpf_link": "link",  # from LINK_CREATE
    "anon_inode:bpf-link": "link",  # from OBJ_GET and LINK_GET_FD_BY_ID
}


@row(frozen=True, slots=True)
class ProgramInfo:
    """A loaded program. Sizes are bytes; None where this kernel is too old to say."""

    id: int
    type: int
    name: str  # as the kernel keeps it: cut at 15 characters
    tag: str  # 16 hexadecimal digits
    gpl: bool
    loaded_at: int  # nanoseconds since boot
    uid: int
    map_ids: tuple[int, ...]
    btf_id: int  # 0: none
    jited_size: int
    xlated_size: int
    verified_insns: int | None
    run_time: int | None  # nanoseconds; counted only while kernel.bpf_stats_enabled is 1
    run_count: int | None
    attach_btf_obj_id: int | None
    attach_btf_id: int | None
    memlock: int | None  # None, too, if it was not asked for
    recursion_misses: int | None = None
    function_type_id: int = 0  # of its first function, in its BTF


@row(frozen=True, slots=True)
class MapInfo:
    """A map. Sizes are bytes."""

    id: int
    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int
    name: str
    btf_id: int
    btf_key_type_id: int
    btf_value_type_id: int
    memlock: int | None
    frozen: bool | None
    map_extra: int | None = None
    vmlinux_value_type_id: int | None = None  # of a struct_ops map: its structure, in the kernel's BTF


@value(frozen=True, slots=True)
class LinkInfo:
    """A link; None where the kind of link has no such thing, or this kernel does not tell."""

    id: int
    type: int
    prog_id: int
    ifindex: int | None  # 0: dangling, its device is gone or it was detached
    attach_type: int | None
    target: str | None  # the tracepoint's name
    target_program: int | None = None  # of a link of an extension: whose function it has taken the place of,
    target_type: int | None = None  # and the id of that function's FUNC in the BTF there


def raw_info(fd: Fd | int, values: dict[int, bytes] | None = None) -> tuple[bytearray, int]:
    """The info and how much of it the kernel filled in; `values` are put at their offsets before."""
    info = bytearray(_INFO_SIZE)
    for offset, data in (values or {}).items():
        info[offset : offset + len(data)] = data
    attr = fill(abi.ATTR_INFO, {"bpf_fd": number(fd), "info_len": _INFO_SIZE, "info": address(info)})
    result = bpf_errno(abi.OBJ_GET_INFO_BY_FD, attr)
    if result < 0:
        raise failed(abi.OBJ_GET_INFO_BY_FD, f"descriptor {number(fd)}", result)
    return info, take(attr, abi.ATTR_INFO, "info_len", len(attr)) or 0


def _word(info: bytearray, layout: Layout, name: str, length: int) -> int:
    return take(info, layout, name, length) or 0


def _text(info: bytearray, layout: Layout, name: str) -> str:
    offset, width = layout[name]
    return bytes(info[offset : offset + width]).split(b"\0")[0].decode("utf-8", "replace")


def _fdinfo(fd: Fd | int) -> dict[str, str]:
    try:
        with open(f"/proc/self/fdinfo/{number(fd)}", encoding="ascii", errors="replace") as file:
            lines = [line.split(":", 1) for line in file if ":" in line]
    except OSError:
        return {}
    return {key: value.strip() for key, value in lines}


def kind(fd: Fd | int) -> str | None:
    """Returns "program", "map" or "link"; None for any other descriptor."""
    try:
        return KINDS.get(os.readlink(f"/proc/self/fd/{number(fd)}"))
    except OSError:
        return None


def program_info(fd: Fd | int, *, memlock: bool = True) -> ProgramInfo:
    """Returns what the kernel says of a program; `memlock` costs a read of /proc of about 20 µs."""
    info, length = raw_info(fd)
    count = _word(info, abi.PROG_INFO, "nr_map_ids", length)
    ids = bytearray(4 * count)
    if count:
        offset, width = abi.PROG_INFO["nr_map_ids"]
        pointer, _ = abi.PROG_INFO["map_ids"]
        asked = {offset: count.to_bytes(width, ORDER), pointer: address(ids).to_bytes(8, ORDER)}
        info, length = raw_info(fd, asked)
    tag, width = abi.PROG_INFO["tag"]
    locked = _fdinfo(fd).get("memlock") if memlock else None
    return ProgramInfo(
        id=_word(info, abi.PROG_INFO, "id", length),
        type=_word(info, abi.PROG_INFO, "type", length),
        name=_text(info, abi.PROG_INFO, "name"),
        tag=bytes(info[tag : tag + width]).hex(),
        gpl=bool(_word(info, abi.PROG_INFO, "gpl_compatible", length) & _GPL_BIT),
        loaded_at=_word(info, abi.PROG_INFO, "load_time", length),
        uid=_word(info, abi.PROG_INFO, "created_by_uid", length),
        map_ids=tuple(int.from_bytes(ids[at : at + 4], ORDER) for at in range(0, len(ids), 4)),
        btf_id=_word(info, abi.PROG_INFO, "btf_id", length),
        jited_size=_word(info, abi.PROG_INFO, "jited_prog_len", length),
        xlated_size=_word(info, abi.PROG_INFO, "xlated_prog_len", length),
        verified_insns=take(info, abi.PROG_INFO, "verified_insns", length),
        run_time=take(info, abi.PROG_INFO, "run_time_ns", length),
        run_count=take(info, abi.PROG_INFO, "run_cnt", length),
        attach_btf_obj_id=take(info, abi.PROG_INFO, "attach_btf_obj_id", length),
        attach_btf_id=take(info, abi.PROG_INFO, "attach_btf_id", length),
        memlock=int(locked) if locked else None,
    )


# A bit-field of one bit: the first bit of its word is the lowest on a little-endian machine, the highest else.
_GPL_BIT = 1 if ORDER == "little" else 1 << 31


def map_info(fd: Fd | int) -> MapInfo:
    """Returns what the kernel says of a map."""
    info, length = raw_info(fd)
    extra = _fdinfo(fd)
    locked, frozen = extra.get("memlock"), extra.get("frozen")
    return MapInfo(
        id=_word(info, abi.MAP_INFO, "id", length),
        type=_word(info, abi.MAP_INFO, "type", length),
        key_size=_word(info, abi.MAP_INFO, "key_size", length),
        value_size=_word(info, abi.MAP_INFO, "value_size", length),
        max_entries=_word(info, abi.MAP_INFO, "max_entries", length),
        flags=_word(info, abi.MAP_INFO, "map_flags", length),
        name=_text(info, abi.MAP_INFO, "name"),
        btf_id=_word(info, abi.MAP_INFO, "btf_id", length),
        btf_key_type_id=_word(info, abi.MAP_INFO, "btf_key_type_id", length),
        btf_value_type_id=_word(info, abi.MAP_INFO, "btf_value_type_id", length),
        memlock=int(locked) if locked else None,
        frozen=frozen == "1" if frozen else None,
    )


_SHAPE = struct.Struct("=I4xIII")


def map_shape(fd: Fd | int) -> tuple[int, int, int, int]:
    """The type of a map, the sizes of its keys and values in bytes, and how many entries there can be: nothing that
    costs a look into /proc, for maps by the hundred."""
    info, _ = raw_info(fd)
    type, key_size, value_size, entries = _SHAPE.unpack_from(info)
    return type, key_size, value_size, entries


_DEVICE_LINKS = {abi.LINK_XDP: "xdp", abi.LINK_TCX: "tcx", abi.LINK_NETKIT: "netkit"}
_TYPED_LINKS = {
    abi.LINK_TCX: "tcx",
    abi.LINK_NETKIT: "netkit",
    abi.LINK_TRACING: "tracing",
    abi.LINK_CGROUP: "cgroup",
    abi.LINK_NETNS: "netns",
}


def link_info(fd: Fd | int) -> LinkInfo:
    """Returns what the kernel says of a link."""
    info, length = raw_info(fd)
    kind_of = _word(info, abi.LINK_INFO, "type", length)
    device, typed = _DEVICE_LINKS.get(kind_of), _TYPED_LINKS.get(kind_of)
    tracing = kind_of == abi.LINK_TRACING
    return LinkInfo(
        id=_word(info, abi.LINK_INFO, "id", length),
        type=kind_of,
        prog_id=_word(info, abi.LINK_INFO, "prog_id", length),
        ifindex=take(info, abi.LINK_INFO, f"{device}.ifindex", length) if device else None,
        attach_type=take(info, abi.LINK_INFO, f"{typed}.attach_type", length) if typed else None,
        target=_link_target(fd, kind_of, info, length),
        target_program=take(info, abi.LINK_INFO, "tracing.target_obj_id", length) if tracing else None,
        target_type=take(info, abi.LINK_INFO, "tracing.target_btf_id", length) if tracing else None,
    )


def _link_target(fd: Fd | int, kind_of: int, info: bytearray, length: int) -> str | None:
    """A tracepoint's name is behind a pointer: a second call with room for it."""
    name, size = "raw_tracepoint.tp_name", "raw_tracepoint.tp_name_len"
    if kind_of == abi.LINK_PERF_EVENT:
        if take(info, abi.LINK_INFO, "perf_event.type", length) != abi.PERF_EVENT_TRACEPOINT:
            return None
        name, size = "perf_event.tracepoint.tp_name", "perf_event.tracepoint.name_len"
    elif kind_of != abi.LINK_RAW_TRACEPOINT:
        return None
    room = bytearray(_NAME_SIZE)
    pointer, width = abi.LINK_INFO[size]
    asked = {abi.LINK_INFO[name][0]: address(room).to_bytes(8, ORDER), pointer: _NAME_SIZE.to_bytes(width, ORDER)}
    raw_info(fd, asked)
    return bytes(room).split(b"\0")[0].decode("utf-8", "replace") or None


def _ids(command: int) -> Iterator[int]:
    last = 0
    while True:
        attr = fill(abi.ATTR_ID, {"start_id": last})
        result = bpf_errno(command, attr)
        if result == -_ENOENT:
            return
        if result < 0:
            raise failed(command, "everything in the kernel", result)
        last = take(attr, abi.ATTR_ID, "next_id", len(attr)) or 0
        yield last


def program_ids() -> Iterator[int]:
    """Walks the ids of all programs in the kernel, in ascending order; needs CAP_SYS_ADMIN."""
    return _ids(abi.PROG_GET_NEXT_ID)


def map_ids() -> Iterator[int]:
    """Walks the ids of all maps; needs CAP_SYS_ADMIN."""
    return _ids(abi.MAP_GET_NEXT_ID)


def link_ids() -> Iterator[int]:
    """Walks the ids of all links; needs CAP_SYS_ADMIN."""
    return _ids(abi.LINK_GET_NEXT_ID)


def program_by_id(id: int) -> Fd:
    """Opens a program; KernelError ENOENT: it has gone."""
    return Fd(bpf(abi.PROG_GET_FD_BY_ID, fill(abi.ATTR_ID, {"start_id": id}), f"program {id}"))


def map_by_id(id: int) -> Fd:
    """Opens a map; KernelError ENOENT: it has gone."""
    return Fd(bpf(abi.MAP_GET_FD_BY_ID, fill(abi.ATTR_ID, {"start_id": id}), f"map {id}"))


def link_by_id(id: int) -> Fd:
    """Opens a link; KernelError ENOENT: it has gone."""
    return Fd(bpf(abi.LINK_GET_FD_BY_ID, fill(abi.ATTR_ID, {"start_id": id}), f"link {id}"))
