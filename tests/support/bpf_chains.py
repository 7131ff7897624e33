"""Chains by the rule, and chains put into one program, both run by `bpf_machine`."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from bpfimg.dispatcher._words import goes_on
from tests.support.bpf_machine import Machine, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.dispatcher._assemble import Assembled, Part

END = {"xdp": 2, "tc": -1}


def patched(insns: bytes, maps: Sequence[tuple[int, int]]) -> bytes:
    """With a number in each of these places: the machine's for a map, or a descriptor."""
    found = bytearray(insns)
    for place, number in maps:
        found[8 * place + 4 : 8 * place + 8] = struct.pack("=i", number)
    return bytes(found)


def one_after_the_other(hook: str, parts: Sequence[Part], packet: bytes, maps: tuple[bytes, ...]) -> Outcome:
    """What a chain is to do, by what each program does alone; each has two of the maps."""
    for index, part in enumerate(parts):
        own = [(place, 2 * index + number) for place, number in part.code.maps]
        outcome = Machine(patched(part.code.insns, own), packet, maps).run()
        packet, maps = outcome.packet, outcome.maps
        if not goes_on(hook, part.mask, outcome.verdict):
            return outcome
    return Outcome(END[hook], packet, maps)


def together(made: Assembled, packet: bytes, maps: tuple[bytes, ...]) -> Outcome:
    """What the one program does that all were put into."""
    numbers = [(place, 2 * part + number) for place, part, number in made.maps]
    return Machine(patched(made.insns, numbers), packet, maps).run()
