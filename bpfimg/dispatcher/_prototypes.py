"""The types of a member's main function: what the kernel compares with those of the slot that it is to take.

`int f(struct xdp_md *)`, or `struct __sk_buff *` for tc. Many programs are `int f(void *)`, return an enum, or have no
types at all, and run by themselves; for an instance in a dispatcher they are given the right ones.
"""

from __future__ import annotations

import struct
import sys

from bpfimg import btf
from bpfimg.dispatcher._emit import CONTEXTS
from bpfimg.dispatcher._emit_btf import extended, types, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_INT_SIZE = 4
_WORD, _TARGET = struct.Struct("=I"), 8  # of a type: name, kind, and what it leads to


def fits(content: bytes, name: str, hook: str) -> bool:
    """Whether the kernel takes the function of that name in the place of a dispatcher's: it has to have types."""
    if not content:
        return False
    read = _read(content)
    function = next((id for id in read.of_kind(btf.kinds.FUNC) if read.name(id) == name), 0)
    return bool(function) and _fits(read, function, hook)


def _fits(read: btf.Btf, function: int, hook: str) -> bool:
    kinds = btf.kinds
    prototype = read.target(function)
    result = read.bare(read.target(prototype))
    parameters = [read.bare(parameter) for _, parameter in read.parameters(prototype)]
    pointees = [read.bare(read.target(each)) for each in parameters if read.kind(each) == kinds.PTR]
    return (
        read.kind(result) == kinds.INT
        and read.target(result) == _INT_SIZE
        and len(parameters) == len(pointees) == 1
        and read.kind(pointees[0]) == kinds.STRUCT
        and read.name(pointees[0]) == CONTEXTS[hook]
    )


def fitted(
    content: bytes, functions: Sequence[tuple[int, int]], hook: str, name: str
) -> tuple[bytes, tuple[tuple[int, int], ...]]:
    """BTF and functions (place, id) of a program whose main function fits, whatever it was before.

    Where there were no types, each function has some: the verifier looks at those of functions behind the first only
    where they are called by others, which it does not mind to find different from what they are given.
    """
    places = [place for place, _ in functions] or [0]
    if not content or not functions or not all(id for _, id in functions):
        made = types(CONTEXTS[hook], [name], [f"inner_{at}" for at in range(1, len(places))])
        return made.btf, tuple(zip(places, made.functions, strict=True))
    main, read = functions[0][1], _read(content)
    if _fits(read, main, hook):
        return content, tuple(functions)
    rows, starts = read.raw_types()
    rows, strings, prototype = extended(CONTEXTS[hook], rows, read.raw_strings(), len(read))
    body = bytearray(rows)
    _WORD.pack_into(body, starts[main] + _TARGET, prototype)
    return whole(bytes(body), strings), tuple(functions)


def _read(content: bytes) -> btf.Btf:
    return btf.Btf(content, sys.byteorder, btf.Limits())
