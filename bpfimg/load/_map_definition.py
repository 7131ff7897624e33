"""The types of a map as its object declares them, for kinds of maps that the kernel takes no types for (queues)."""

from __future__ import annotations

import sys

from bpfimg.btf import Btf, Limits, kinds
from bpfimg.errors import BytecodeError, KernelError
from bpfimg.kernel import bpf, dump

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SECTION = ".maps"


def declared(pins: Sequence[str], name: str, key_size: int, value_size: int) -> tuple[Btf | None, int, int]:
    """Returns (types, id of the key's, id of the value's) from the BTF of the programs pinned there; 0 where it says
    nothing, or something of another size."""
    for pin in pins[:1]:  # the programs of one object have its BTF in common
        try:
            with bpf.get(pin) as fd:
                number = bpf.program_info(fd, memlock=False).btf_id
            btf = Btf(dump.btf_data(number), sys.byteorder, Limits()) if number else None
            if btf is not None:
                return btf, *_found(btf, name, {"key": key_size, "value": value_size})
        except (KernelError, BytecodeError):
            continue
    return None, 0, 0


def _found(btf: Btf, name: str, sizes: dict[str, int]) -> tuple[int, int]:
    section = btf.data_sections().get(_SECTION)
    for variable, _, _ in btf.variables(section) if section else ():
        bare = btf.bare(btf.target(variable))
        if btf.name(variable) != name or btf.kind(bare) != kinds.STRUCT:
            continue
        types = dict.fromkeys(sizes, 0)
        for at, member, _, _ in btf.fields(bare):
            word = btf.string(at)
            if word in sizes and btf.kind(btf.bare(member)) == kinds.PTR:
                target = btf.target(btf.bare(member))
                types[word] = target if btf.size(target) == sizes[word] else 0
        return types["key"], types["value"]
    return 0, 0
