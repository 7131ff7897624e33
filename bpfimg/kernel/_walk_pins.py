"""What is pinned at many paths: kind and id of each."""

from __future__ import annotations

import os
import struct

from bpfimg.kernel import _abi as abi
from bpfimg.kernel._bpf_info import kind
from bpfimg.kernel._syscall import address, bpf_errno_at
from bpfimg.kernel._walk_calls import Calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_EACCES, _EPERM = 13, 1
_PATH = 4096
_GET = struct.Struct("=QII")


def pinned(paths: Iterable[str]) -> Iterator[tuple[str, str, int]]:
    """(Path, program, map or link, id) for each path where one of them is; "" and 0 where we may not look."""
    calls = Calls(0, 0)
    name, attr = bytearray(_PATH), bytearray(16)
    name_at, attr_at = address(name), address(attr)
    number = struct.Struct("=I")
    for path in paths:
        text = os.fsencode(path) + b"\0"
        if len(text) > _PATH:
            continue
        name[: len(text)] = text
        for flags in (0, abi.F_RDONLY):  # a map may be open to us for reading only
            _GET.pack_into(attr, 0, name_at, 0, flags)
            fd = bpf_errno_at(abi.OBJ_GET, attr_at, 16)
            if fd != -_EACCES:
                break
        if fd < 0:
            if fd in (-_EACCES, -_EPERM):
                yield path, "", 0
            continue  # it has gone, or is one of the kernel's own files in the root of a bpffs
        try:
            if calls.ask(fd) >= 0:
                yield path, kind(fd) or "", number.unpack_from(calls.info, 4)[0]
        finally:
            os.close(fd)
