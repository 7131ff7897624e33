"""Results that the verifier does not see: of programs that are left elsewhere than by an exit.

A tail call that succeeds returns what another program returns; a load from a packet by LD_ABS or LD_IND beyond its end
returns 0. The verifier follows static functions with what it knows, but kernels before 2026 take only their exits for
results: where those are constants it would take the test behind a member away. So such a member is a global function,
whose result it does not know.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_CALL, _TAIL_CALL = 0x85, 12
_PACKET_LOADS = b"\x20\x28\x30\x40\x48\x50"  # BPF_LD | BPF_ABS or BPF_IND, of four, two and one bytes
_SHIFT = 4 if sys.byteorder == "little" else 0


def is_unseen(insns: bytes) -> bool:
    """Whether a program, or a function that stands behind it, may end other than by an exit."""
    operations = insns[::8]
    return any(each in operations for each in _PACKET_LOADS) or makes_tail_calls(insns)


def makes_tail_calls(insns: bytes) -> bool:
    """Whether it calls bpf_tail_call anywhere."""
    return _TAIL_CALL in called(insns)


def called(insns: bytes) -> Iterator[int]:
    """The number of the kernel's function of each call of one."""
    operations = insns[::8]
    at = operations.find(_CALL)
    while at >= 0:
        if not insns[8 * at + 1] >> _SHIFT & 0xF:
            yield int.from_bytes(insns[8 * at + 4 : 8 * at + 8], sys.byteorder)
        at = operations.find(_CALL, at + 1)
