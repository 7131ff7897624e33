"""Results of programs as bits of a mask: after which of them a chain goes on.

XDP: the bit of a result is its number, so PASS alone with a slot that is empty is 0x80000004 (libxdp's protocol). Tc:
its number and one, because there is -1 (bpfman's dispatchers). Bit 31 is always set: it is what an empty slot returns
(31 in XDP, 30 in tc), after which a chain has to go on.
"""

from __future__ import annotations

from bpfimg.load import hooks

#: hook -> what is added to a result to have its bit
SHIFT = {"xdp": 0, "tc": 1}
#: hook -> what an empty slot returns
RETURN = {"xdp": 31, "tc": 30}
ALWAYS = 1 << 31


def mask(hook: str, names: tuple[str, ...]) -> int:
    """The mask for names of results, `dispatcher_return` among them or not; KeyError for an unknown one."""
    known = hooks.ACTIONS[hook]
    return ALWAYS | sum(1 << known[name] + SHIFT[hook] for name in dict.fromkeys(names) if name != "dispatcher_return")


def results(hook: str, mask: int) -> tuple[int, ...]:
    """The results that a mask has, the lowest first, without what an empty slot returns."""
    return tuple(bit - SHIFT[hook] for bit in range(31) if mask >> bit & 1)


def names(hook: str, mask: int) -> tuple[str, ...]:
    """The names of the results that a mask has; what has none is its number."""
    known = {number: name for name, number in hooks.ACTIONS[hook].items()}
    return (*(known.get(number, str(number)) for number in results(hook, mask)), "dispatcher_return")


def goes_on(hook: str, mask: int, result: int) -> bool:
    """Whether the chain goes on behind a member with that mask after that result."""
    bit = result + SHIFT[hook]
    return 0 <= bit < 32 and bool(mask >> bit & 1)
