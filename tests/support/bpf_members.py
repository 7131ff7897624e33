"""Random programs for `bpf_machine`: sound ones, which read nothing that was not written and tell no addresses.

What a program may do next follows from what its registers and its frame hold, as in the kernel's verifier: numbers
("n"), the context ("ctx"), the packet ("packet"), a value of a map ("map"), or an address in the frame (how far below
r10, as a negative number). They lean towards what is awkward to move: addresses in the frame in every spelling, jumps
over them, exits in the middle, functions of their own, callbacks.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from bpfimg.load import members
from tests.support.bpf_machine import LOOKUP, LOOP

if TYPE_CHECKING:
    import random

    Kind = str | int
    State = tuple[dict[int, Kind], dict[int, Kind]]

PACKET = 64
VALUES = 2  # of eight bytes, in the only value of a map: a key of 1 or more finds nothing
_NUMBER = "n"
_ALU = (0x07, 0x17, 0x27, 0x37, 0x47, 0x57, 0x67, 0x77, 0x97, 0xA7, 0xB7, 0xC7)
_JUMPS = (0x15, 0x25, 0x35, 0x45, 0x55, 0x65, 0x75, 0xA5, 0xB5, 0xC5, 0xD5)
_ATOMICS = (0x00, 0x01, 0x40, 0x41, 0x50, 0xA1, 0xE1, 0xF1)
_STORES, _LOADS = {1: 0x73, 2: 0x6B, 4: 0x63, 8: 0x7B}, {1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79}
_CONSTANTS = {1: 0x72, 2: 0x6A, 4: 0x62, 8: 0x7A}
_VERDICTS = (0, 1, 2, 2, 2, 3, 4, 31, 30, -1, 7, 32, 40)


def insn(code: int, dst: int = 0, src: int = 0, offset: int = 0, immediate: int = 0) -> bytes:
    """Eight bytes."""
    return struct.pack("<BBhi", code, dst | src << 4, offset, immediate)


class Member:
    """A main function as it grows, with the functions that it calls; `code` is all of it.

    `real`: for a kernel, whose context and packets are others, and which wants to have types for callbacks.
    """

    def __init__(self, choose: random.Random, size: int, depth: int, *, real: bool = False) -> None:
        self._choose, self._depth, self._real = choose, -8 * depth, real
        self._out: list[bytes] = []
        self._registers: dict[int, Kind] = {1: "ctx"}
        self._frame: dict[int, Kind] = {}
        self._calls: list[tuple[int, int]] = []  # (place, number of the function)
        self._maps: list[tuple[int, int]] = []
        self._functions: list[bytes] = []
        for _ in range(size):
            self._something(0)
        self._exit()

    def code(self) -> members.Code:
        """What a dispatcher would be given; the place of each function is behind the one before."""
        starts, length = [], len(self._out)
        for function in self._functions:
            starts.append(length)
            length += len(function) // 8
        for place, number in self._calls:
            row = self._out[place]
            self._out[place] = row[:4] + struct.pack("<i", starts[number] - place - 1)
        functions = ((0, 1), *((start, 2 + number) for number, start in enumerate(starts)))
        insns = b"".join([*self._out, *self._functions])
        return members.Code("member", insns, maps=tuple(self._maps), license="GPL", functions=functions)

    # what it holds

    def _held(self, kind: type[int] | str) -> list[int]:
        if kind is int:
            return [number for number, each in self._registers.items() if isinstance(each, int)]
        return [number for number, each in self._registers.items() if each == kind]

    def _free(self) -> int:
        """A register to write into: not the last that has the context."""
        among = [n for n in range(10) if self._registers.get(n) != "ctx" or len(self._held("ctx")) > 1]
        return self._choose.choice(among)

    def _slot(self) -> int:
        return 8 * self._choose.randint(self._depth // 8, -1)

    def _emit(self, *rows: bytes) -> None:
        self._out += rows

    def _number(self) -> int:
        """A register with a number in it."""
        held = self._held(_NUMBER)
        if held and self._choose.random() < 0.8:
            return self._choose.choice(held)
        register = self._free()
        self._emit(insn(0xB7, register, immediate=self._choose.randint(-100, 100)))
        self._registers[register] = _NUMBER
        return register

    # what it does

    def _something(self, nested: int) -> None:
        kinds = [self._calculate, self._address, self._address, self._store, self._store, self._load, self._spill]
        kinds += [self._atomic, self._map, self._difference]
        if nested < 3:
            kinds += [lambda: self._branch(nested), lambda: self._branch(nested), self._loop]
            kinds += [self._lookup, self._call]
        if not self._real:
            kinds += [self._packet, self._extend, *([self._callback] if nested < 3 else [])]
        self._choose.choice(kinds)()

    def _calculate(self) -> None:
        register = self._number()
        if self._choose.random() < 0.5:
            shift = self._choose.choice(_ALU)
            limit = 31 if shift in (0x67, 0x77, 0xC7) else 1000
            bits = self._choose.choice((0, 3))  # 64 or 32
            self._emit(insn(shift - bits, register, immediate=self._choose.randint(1, limit)))
        else:
            other = self._number()
            self._emit(insn(self._choose.choice((0x0F, 0x1F, 0x4F, 0xAF, 0xBF, 0x0C, 0xBC)), register, other))

    def _extend(self) -> None:
        register = self._number()
        self._emit(insn(self._choose.choice((0xBF, 0xBC)), register, register, self._choose.choice((8, 16))))

    def _address(self) -> None:
        """An address in the frame, in one of the spellings."""
        register, slot = self._free(), self._slot()
        spelling = self._choose.randint(0, 3)
        if spelling == 0:
            self._emit(insn(0xBF, register, 10), insn(0x07, register, immediate=slot))
        elif spelling == 1:
            self._emit(insn(0xB7, register, immediate=slot), insn(0x0F, register, 10))
        elif spelling == 2:
            other = self._number()
            self._emit(insn(0xBF, register, 10), insn(0xBF, other, other), insn(0x07, register, immediate=slot))
            if other == register:
                self._emit(insn(0xBF, register, 10), insn(0x07, register, immediate=slot))
        else:
            self._emit(insn(0xBF, register, 10))
            slot = 0
        self._registers[register] = slot

    def _difference(self) -> None:
        """How far an address is from r10, as a number."""
        addresses = self._held(int)
        if addresses:
            register = self._choose.choice(addresses)
            self._emit(insn(0x1F, register, 10))
            self._registers[register] = _NUMBER

    def _based(self, slot: int) -> tuple[int, int]:
        """A register and an offset that are that place of the frame."""
        addresses = self._held(int)
        if addresses and self._choose.random() < 0.4:
            register = self._choose.choice(addresses)
            return register, slot - int(self._registers[register])
        return 10, slot

    def _store(self) -> None:
        slot = self._slot()
        base, offset = self._based(slot)
        size = self._choose.choice((1, 2, 4, 8))
        if self._frame.get(slot) != _NUMBER:
            size = 8
        if self._choose.random() < 0.4:
            self._emit(insn(_CONSTANTS[size], base, 0, offset, self._choose.randint(-99, 99)))
        else:
            source = self._number()
            if self._registers.get(base, 0) == _NUMBER and base != 10:  # its address was lost to a constant just now
                base, offset = 10, slot
            self._emit(insn(_STORES[size], base, source, offset))
        self._frame[slot] = _NUMBER

    def _load(self) -> None:
        slots = list(self._frame)
        if not slots:
            return self._store()
        slot = self._choose.choice(slots)
        kind, (base, offset) = self._frame[slot], self._based(slot)
        size = self._choose.choice((1, 2, 4, 8)) if kind == _NUMBER else 8
        register = self._free()
        self._emit(insn(_LOADS[size], register, base, offset))
        self._registers[register] = kind
        return None

    def _spill(self) -> None:
        """Anything but the context into the frame, r10 itself included."""
        slot = self._slot()
        register = self._choose.choice([*(n for n, kind in self._registers.items() if kind != "ctx"), 10])
        self._emit(insn(_STORES[8], 10, register, slot))
        self._frame[slot] = 0 if register == 10 else self._registers[register]

    def _atomic(self) -> None:
        slots = [slot for slot, kind in self._frame.items() if kind == _NUMBER]
        if not slots:
            return self._store()
        source, kind = self._number(), self._choose.choice(_ATOMICS)
        if kind == 0xF1 and self._registers.get(0) != _NUMBER:
            return None
        slot = self._choose.choice(slots)
        base, offset = self._based(slot)
        self._emit(insn(self._choose.choice((0xDB, 0xC3)), base, source, offset, kind))
        return None

    def _packet(self) -> None:
        context, register = self._choose.choice(self._held("ctx")), self._free()
        self._emit(insn(_LOADS[8], register, context, 0))
        self._registers[register] = "packet"
        if not self._held("ctx"):
            self._registers[register] = "packet"
        at, size = 8 * self._choose.randint(0, PACKET // 8 - 1), self._choose.choice((1, 2, 4, 8))
        if self._choose.random() < 0.5:
            self._emit(insn(_CONSTANTS[size], register, 0, at, self._choose.randint(-99, 99)))
        else:
            self._emit(insn(_LOADS[size], register, register, at))
            self._registers[register] = _NUMBER

    def _map(self) -> None:
        register = self._free()
        self._maps.append((len(self._out), self._choose.randint(0, 1)))
        self._emit(insn(0x18, register, 2), insn(0, immediate=8 * self._choose.randint(0, VALUES - 1)))
        if self._choose.random() < 0.6:
            self._registers[register] = "map"
            source = self._number()
            if self._registers[register] == "map":
                self._emit(insn(self._choose.choice((0x7B, 0xDB)), register, source))
        else:
            self._emit(insn(_LOADS[8], register, register))
            self._registers[register] = _NUMBER

    def _exit(self) -> None:
        if self._choose.random() < 0.7:
            self._tell()
        if self._registers.get(0) != _NUMBER or self._choose.random() < 0.8:
            self._emit(insn(0xB4, immediate=self._choose.choice(_VERDICTS)))
        self._emit(insn(0x95))

    def _tell(self) -> None:
        """Adds up all that it knows, read by whatever names it, and puts that into a map."""
        self._emit(insn(0xB7, 0) if self._registers.get(0) != _NUMBER else insn(0x27, 0, immediate=3))
        for register, kind in self._registers.items():
            if register and isinstance(kind, int) and self._frame.get(kind) == _NUMBER:
                self._emit(insn(_LOADS[8], register, register), insn(0x0F, 0, register), insn(0x27, 0, immediate=3))
            elif register and kind == _NUMBER:
                self._emit(insn(0x0F, 0, register), insn(0x27, 0, immediate=3))
        for slot, kind in self._frame.items():
            if isinstance(kind, int) and self._frame.get(kind) == _NUMBER:
                self._emit(insn(_LOADS[8], 1, 10, slot), insn(_LOADS[8], 1, 1), insn(0x0F, 0, 1))
            elif kind == _NUMBER:
                self._emit(insn(_LOADS[8], 1, 10, slot), insn(0x0F, 0, 1), insn(0x27, 0, immediate=3))
        self._maps.append((len(self._out), 0))
        self._emit(insn(0x18, 1, 2), insn(0), insn(0xDB, 1, 0))
        self._registers = {0: _NUMBER}

    def _saved(self) -> State:
        return dict(self._registers), dict(self._frame)

    def _met(self, one: State, other: State) -> None:
        """What is known either way."""
        self._registers = {n: kind for n, kind in one[0].items() if other[0].get(n) == kind}
        self._frame = {n: kind for n, kind in one[1].items() if other[1].get(n) == kind}

    def _branch(self, nested: int) -> None:
        register = self._number()
        at, long = len(self._out), self._choose.random() < 0.2
        self._emit(insn(self._choose.choice(_JUMPS), register, immediate=self._choose.randint(-3, 3)))
        before = self._saved()
        for _ in range(self._choose.randint(0, 3)):
            self._something(nested + 1)
        if self._choose.random() < 0.4:
            self._exit()
            self._aim(at, len(self._out))
            self._registers, self._frame = before
            return
        taken, over = self._saved(), len(self._out)
        self._emit(insn(0x06 if long else 0x05))
        self._aim(at, len(self._out))
        self._registers, self._frame = dict(before[0]), dict(before[1])
        for _ in range(self._choose.randint(0, 2)):
            self._something(nested + 1)
        self._aim(over, len(self._out))
        self._met(taken, self._saved())
        if not self._held("ctx"):
            self._met(taken, taken)
            raise Unlucky

    def _aim(self, at: int, target: int) -> None:
        row, distance = self._out[at], target - at - 1
        if row[0] == 0x06:
            self._out[at] = insn(0x06, immediate=distance)
        else:
            self._out[at] = row[:2] + struct.pack("<h", distance) + row[4:]

    def _loop(self) -> None:
        """Counts in a register that outlives calls, with an address in the frame that is made anew each time."""
        counter = self._choose.choice([n for n in range(6, 10) if self._registers.get(n) != "ctx"] or [0])
        if not counter:
            return
        slot, address = self._slot(), self._choose.choice([n for n in range(2, 6) if self._registers.get(n) != "ctx"])
        self._emit(insn(0xB7, counter, immediate=self._choose.randint(1, 4)), insn(_CONSTANTS[8], 10, 0, slot, 5))
        top = len(self._out)
        self._emit(insn(0xBF, address, 10), insn(0xDB, address, counter, slot), insn(0x17, counter, immediate=1))
        self._emit(insn(0x55, counter))
        self._aim(len(self._out) - 1, top)
        self._frame[slot] = self._registers[counter] = _NUMBER
        self._registers[address] = 0

    # calls: they clobber r1 to r5, so the context goes into r6 to r9 or into the frame before

    def _keep_context(self) -> None:
        if any(each > 5 for each in self._held("ctx")) or "ctx" in self._frame.values():
            return
        context = self._held("ctx")[0]
        if self._depth == -8 or self._choose.random() < 0.7:
            register = self._choose.randint(6, 9)
            self._emit(insn(0xBF, register, context))
            self._registers[register] = "ctx"
        else:
            self._frame[-8] = "ctx"
            self._emit(insn(_STORES[8], 10, context, -8))

    def _clobbered(self) -> None:
        for register in range(1, 6):
            self._registers.pop(register, None)
        self._registers[0] = _NUMBER
        if not self._held("ctx"):
            slot = next(slot for slot, kind in self._frame.items() if kind == "ctx")
            self._emit(insn(_LOADS[8], 1, 10, slot))
            self._registers[1] = "ctx"

    def _lookup(self) -> None:
        self._keep_context()
        self._prepare(2, VALUES)
        self._maps.append((len(self._out), self._choose.randint(0, 1)))
        self._emit(insn(0x18, 1, 1), insn(0), insn(0x85, immediate=LOOKUP))
        self._emit(insn(0x55, 0, 0, 2), insn(0xB4, immediate=self._choose.choice(_VERDICTS)), insn(0x95))
        self._emit(insn(0x7A, 0, 0, 0, self._choose.randint(0, 99)), insn(_LOADS[8], 0, 0))
        self._clobbered()

    def _prepare(self, register: int, most: int = 9) -> None:
        """Puts the address of a number in the frame into an argument."""
        slots = range(self._depth, 0, 8)
        slot = self._choose.choice([slot for slot in slots if self._frame.get(slot) != "ctx"])
        self._emit(insn(_CONSTANTS[8], 10, 0, slot, self._choose.randint(0, most)))
        self._frame[slot] = _NUMBER
        self._emit(insn(0xBF, register, 10), insn(0x07, register, immediate=slot))

    def _call(self) -> None:
        """A function that changes what it is given the address of, by way of its own frame."""
        self._keep_context()
        self._prepare(1)
        self._calls.append((len(self._out), len(self._functions)))
        self._emit(insn(0x85, 0, 1))
        add = insn(0x07, 2, immediate=self._choose.randint(0, 9))
        through = insn(_STORES[8], 10, 2, -16) + insn(0xBF, 3, 10) + insn(_LOADS[8], 0, 3, -16)
        self._functions.append(
            insn(_LOADS[8], 2, 1) + add + insn(_STORES[8], 1, 2) + through + insn(0xB7, 6) + insn(0x95)
        )
        self._clobbered()

    def _callback(self) -> None:
        self._keep_context()
        self._prepare(3)
        self._emit(insn(0xB7, 1, immediate=self._choose.randint(0, 5)))
        self._calls.append((len(self._out), len(self._functions)))
        self._emit(insn(0x18, 2, 4), insn(0), insn(0xB7, 4), insn(0x85, immediate=LOOP))
        self._functions.append(insn(0x0F, 1, 1) + insn(0xDB, 2, 1) + insn(0xB7) + insn(0x95))
        self._clobbered()


class Unlucky(Exception):  # noqa: N818  # not an error
    """The context was lost on one of two ways."""


def member(choose: random.Random, size: int = 12, depth: int = 8, *, real: bool = False) -> members.Code:
    """A random program; `depth` eights of bytes are its frame."""
    while True:
        try:
            return Member(choose, choose.randint(1, size), choose.randint(1, depth), real=real).code()
        except Unlucky:
            continue
