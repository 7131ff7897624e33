"""The code of a freplace dispatcher: exactly as many slots as there are members, their masks in the instructions.

Main calls a function for each slot. That is a stub until a member takes its place: it returns what an empty slot
returns, and calls a function of the kernel that changes packets, since the kernel lets only a function that does be
replaced by one that does, or by one with a tail call (6.13 and later).
"""

from __future__ import annotations

import struct

from bpfimg._value import value
from bpfimg.dispatcher import _instructions as i
from bpfimg.dispatcher._emit_btf import types
from bpfimg.dispatcher._tests import tested, tested_last
from bpfimg.dispatcher._words import RETURN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: hook -> name of the program, of its context, and the kernel's function by which a stub "changes" packets:
#: bpf_xdp_adjust_tail, bpf_skb_pull_data
NAMES = {"xdp": "xdp_dispatcher", "tc": "tc_dispatcher"}
CONTEXTS = {"xdp": "xdp_md", "tc": "__sk_buff"}
_CHANGES = {"xdp": 65, "tc": 39}
_STUB = 4  # instructions of a stub
_KEPT = -8  # where main keeps the context, while others use the registers


@value(frozen=True, slots=True)
class Emitted:
    """What PROG_LOAD and LINK_CREATE are given: instructions, an array of struct bpf_func_info, BTF; and the ids of the
    FUNCs of main and of the slots in it."""

    code: bytes
    functions: bytes
    btf: bytes
    main: int
    slots: tuple[int, ...]


def emitted(hook: str, masks: Sequence[int], end: int) -> Emitted:
    """The dispatcher with a slot for each mask; `end` is its result when the last member lets the chain go on."""
    main = _main(hook, masks, end)
    names = [NAMES[hook], *(f"prog{slot}" for slot in range(len(masks)))]
    described = types(CONTEXTS[hook], names)
    places = [0, *(len(main) // 8 + _STUB * slot for slot in range(len(masks)))]
    rows = zip(places, described.functions, strict=True)
    return Emitted(
        code=main + _stub(hook) * len(masks),
        functions=b"".join(struct.pack("=II", place, function) for place, function in rows),
        btf=described.btf,
        main=described.functions[0],
        slots=described.functions[1:],
    )


def _main(hook: str, masks: Sequence[int], end: int) -> bytes:
    """A call and a test for each slot, written from the last to the first: the end is known then."""
    last = len(masks) - 1
    code = b""
    for slot in range(last, -1, -1):
        test = tested_last(hook, masks[slot], end) if slot == last else tested(hook, masks[slot], len(code) // 8 - 1)
        code = test + code
        code = i.call(len(code) // 8 + _STUB * slot) + code
        if slot:
            code = i.load(1, i.FRAME, _KEPT) + code
        elif last:
            code = i.store(i.FRAME, _KEPT, 1) + code
    return code


def _stub(hook: str) -> bytes:
    return b"".join([i.constant(2, 0), i.call_kernel(_CHANGES[hook]), i.constant(0, RETURN[hook]), i.leave()])
