"""What is pinned at many paths: kind and id of each."""

from __future__ import annotations

import os
import struct

from bpfimg.kernel import _abi as abi
from bpfimg.kernel._bpf_info import KINDS
from bpfimg.kernel._syscall import address, bpf_errno_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_EACCES, _EPERM = 13, 1
_PATH = 4096
_GET, _INFO = struct.Struct("=QII"), struct.Struct("=IIQ")
_START = struct.Struct("=II")  # every info begins with type and id: the kernel writes no more than is asked for


def pinned(paths: Iterable[str]) -> Iterator[tuple[str, str, int]]:
    """(Path, program, map or link, id) for each path where one of them is; "" and 0 where we may not look."""
    name, info = bytearray(_PATH), bytearray(_START.size)
    whole, reading, asked = bytearray(16), bytearray(16), bytearray(16)
    _GET.pack_into(whole, 0, address(name), 0, 0)
    _GET.pack_into(reading, 0, address(name), 0, abi.F_RDONLY)
    whole_at, reading_at, asked_at, info_at = address(whole), address(reading), address(asked), address(info)
    for path in paths:
        text = os.fsencode(path) + b"\0"
        if len(text) > _PATH:
            continue
        name[: len(text)] = text
        fd = bpf_errno_at(abi.OBJ_GET, whole_at, 16)
        if fd == -_EACCES:  # a map may be open to us for reading only
            fd = bpf_errno_at(abi.OBJ_GET, reading_at, 16)
        if fd < 0:
            if fd in (-_EACCES, -_EPERM):
                yield path, "", 0
            continue  # it has gone, or is one of the kernel's own files in the root of a bpffs
        _INFO.pack_into(asked, 0, fd, _START.size, info_at)
        told = bpf_errno_at(abi.OBJ_GET_INFO_BY_FD, asked_at, 16) >= 0
        kind = _kind(fd) if told else ""
        os.close(fd)
        if told:
            yield path, kind, _START.unpack_from(info)[1]


def _kind(fd: int) -> str:
    try:
        return KINDS.get(os.readlink(f"/proc/self/fd/{fd}"), "")
    except OSError:
        return ""
