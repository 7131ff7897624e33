"""Whether a program can be the whole chain: attached in the place of the dispatcher's main function, or by itself."""

from __future__ import annotations

from bpfimg.dispatcher._words import ALWAYS, goes_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.dispatcher._model import Member

_PASS = 2


def alone(hook: str, member: Member, end: int) -> bool:
    """True when each result of that only member is what the chain would make of it: no other can be seen outside.

    Where its results are not known, that is so for XDP with a mask of PASS alone, as libxdp has it: nobody returns 31
    on purpose. For tc it cannot be told.
    """
    mask = member.proceed_on | ALWAYS
    if member.returns is not None:
        return all(result == end or not goes_on(hook, mask, result) for result in member.returns)
    return hook == "xdp" and end == _PASS and mask == ALWAYS | 1 << _PASS
