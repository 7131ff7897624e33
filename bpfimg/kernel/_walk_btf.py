"""The BTF objects in the kernel."""

from __future__ import annotations

import struct

from bpfimg._value import value
from bpfimg.kernel import _abi as abi
from bpfimg.kernel._syscall import ORDER, address
from bpfimg.kernel._walk_calls import Calls, packed, text_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = 128


@value(frozen=True, slots=True)
class BtfInfo:
    """A BTF object: `name` is vmlinux or a module, empty for that of a program; None where this kernel does not say."""

    id: int
    size: int
    name: str | None
    kernel: bool | None


def btfs() -> Iterator[BtfInfo]:
    """Every BTF object, in ascending order of ids."""
    room = bytearray(_NAME)
    template = bytearray(64)
    for field, content in (("name", address(room)), ("name_len", _NAME)):
        offset, width = abi.BTF_INFO[field]
        template[offset : offset + width] = content.to_bytes(width, ORDER)
    calls = Calls(abi.BTF_GET_NEXT_ID, abi.BTF_GET_FD_BY_ID, bytes(template))
    form = packed(abi.BTF_INFO, "btf_size id")
    last: struct.Struct = struct.Struct("=I")
    for fd in calls.opened():
        room[0] = 0
        length = calls.ask(fd)
        if length < 0:
            continue
        size, number = form.unpack_from(calls.info)
        place, width = abi.BTF_INFO["kernel_btf"]
        told = length >= place + width
        yield BtfInfo(
            number,
            size,
            text_at(room) if told else None,
            bool(last.unpack_from(calls.info, place)[0]) if told else None,
        )
