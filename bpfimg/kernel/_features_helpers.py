"""Which of the kernel's helper functions a program of some type may call, found out by calling one in a program."""

from __future__ import annotations

from bpfimg.kernel import _abi as abi
from bpfimg.kernel import _features_tried as tried
from bpfimg.kernel._syscall import ORDER

_EXIT = b"\x95" + b"\0" * 7
# "unknown func bpf_x#1" of old, "program of this type cannot use helper bpf_x#1" since 6.7; "invalid func" has no name.
_REFUSALS = ("invalid func ", "unknown func ", "program of this type cannot use helper ")


def helper_function(type_id: int, number: int) -> bool | None:
    """What the verifier says to `call NUMBER` without any argument set: it looks for the function first."""
    word = abi.PROGRAM_TYPES[type_id]
    call = b"\x85" + b"\0" * 3 + number.to_bytes(4, ORDER)
    result, log = tried.told(word, code=call + _EXIT)
    if not log:
        return True if result == 0 else None
    return not any(words in log for words in _REFUSALS)
