"""Which of the kernel's helper functions a program of some type may call, found out by calling each in a program."""

from __future__ import annotations

import re

from bpfimg.kernel import _abi as abi
from bpfimg.kernel import _features_tried as tried
from bpfimg.kernel._syscall import ORDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_EXIT = b"\x95" + b"\0" * 7
_NUMBERS_MAX = 4096
_CALLED = re.compile(r"call (bpf_\w+)#\d+")
# "unknown func bpf_x#1" until 6.7, "program of this type cannot use helper bpf_x#1" since; "invalid func" has no name.
_REFUSALS = ("invalid func ", "unknown func ", "program of this type cannot use helper ")
#: what a program of that type has to be for, to be looked at
_TARGETS = {"tracing": ("trace_raw_tp", "sched_switch"), "lsm": ("lsm_mac", "file_open")}


def helper_function(type_id: int, number: int) -> bool | None:
    """What the verifier says to `call NUMBER` without any argument set: it looks for the function first."""
    result, log = _called(abi.PROGRAM_TYPES[type_id], number)
    if "call " not in log:
        return True if result == 0 else None
    return not any(words in log for words in _REFUSALS)


def helper_functions(type_id: int) -> Iterator[tuple[str, bool]]:
    """Yields (name, may be called) of each that the kernel has, in its own words; nothing where it cannot be told."""
    for number in range(1, _NUMBERS_MAX):
        _, log = _called(abi.PROGRAM_TYPES[type_id], number)
        found = _CALLED.search(log)
        if found is None:
            return
        yield found[1], not any(words in log for words in _REFUSALS)


def _called(word: str, number: int) -> tuple[int, str]:
    code = b"\x85" + b"\0" * 3 + number.to_bytes(4, ORDER) + _EXIT
    attach_type, target = _TARGETS.get(word, (None, ""))
    btf_id = 0
    if attach_type:
        from bpfimg.kernel._features_probes import function

        btf_id = max(function(target, tried.attach_number(attach_type)) or 0, 0)
    return tried.told(word, attach_type, code=code, btf_id=btf_id, all=True)
