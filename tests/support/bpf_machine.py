"""A machine for eBPF instructions, to compare programs with: what it does not know, or they may not do, it refuses.

After RFC 9669. A register or a byte of the stack that was not written yet cannot be read; a call of the kernel leaves
r1 to r5 so. Memory is regions with places between them, so that no address runs from one into another. Of the kernel's
functions it has those in `FUNCTIONS`. It does not keep apart numbers and addresses: programs that compute with the
address of their frame do otherwise in another frame, there as here.
"""

from __future__ import annotations

import operator
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STACK = 512
MASK = (1 << 64) - 1
LOOKUP, UPDATE, LOOP = 1, 2, 181
FUNCTIONS = (LOOKUP, UPDATE, LOOP)
_CONTEXT, _PACKET, _MAPS, _FRAMES = 1 << 32, 2 << 32, 3 << 32, 4 << 32
_CODE, _MAX_FRAMES, _MAX_STEPS = 5 << 32, 8, 100_000
_SIZES = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}
_EXIT, _CALL, _JA, _GOTOL, _LD_IMM64 = 0x95, 0x85, 0x05, 0x06, 0x18

_ALU: Mapping[int, Callable[[int, int, int], int]] = {
    0x00: lambda a, b, _: a + b,
    0x10: lambda a, b, _: a - b,
    0x20: lambda a, b, _: a * b,
    0x30: lambda a, b, _: a // b if b else 0,
    0x40: lambda a, b, _: a | b,
    0x50: lambda a, b, _: a & b,
    0x60: lambda a, b, bits: a << (b % bits),
    0x70: lambda a, b, bits: a >> (b % bits),
    0x90: lambda a, b, _: a % b if b else a,
    0xA0: lambda a, b, _: a ^ b,
    0xB0: lambda _, b, __: b,
    0xC0: lambda a, b, bits: _signed(a, bits) >> (b % bits),
}
_CONDITIONS: Mapping[int, tuple[Callable[[int, int], object], bool]] = {
    0x10: (operator.eq, False),
    0x20: (operator.gt, False),
    0x30: (operator.ge, False),
    0x40: (operator.and_, False),
    0x50: (operator.ne, False),
    0x60: (operator.gt, True),
    0x70: (operator.ge, True),
    0xA0: (operator.lt, False),
    0xB0: (operator.le, False),
    0xC0: (operator.lt, True),
    0xD0: (operator.le, True),
}
_ATOMICS: Mapping[int, Callable[[int, int], int]] = {
    0x00: operator.add,
    0x40: operator.or_,
    0x50: operator.and_,
    0xA0: operator.xor,
    0xE0: lambda _, b: b,
}


class Refused(Exception):  # noqa: N818  # as a verifier would say it
    """The program does what it may not."""


class _Insn(NamedTuple):
    code: int
    dst: int
    src: int
    offset: int
    immediate: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run leaves: the lower 32 bits of r0, signed, the packet, and what is in each map."""

    verdict: int
    packet: bytes
    maps: tuple[bytes, ...]


@dataclass(slots=True)
class _Region:
    data: bytearray
    written: bytearray  # 1 for each byte that can be read


@dataclass(slots=True)
class Machine:
    """Runs one program once. Its maps are arrays of `value`-byte values, named in 64-bit loads by their number."""

    insns: bytes
    packet: bytes
    maps: tuple[bytes, ...] = ()
    value: int = 16
    _regions: dict[int, _Region] = field(default_factory=dict)
    _steps: int = 0

    def run(self) -> Outcome:
        """From the first instruction with the context in r1: two addresses, where the packet begins and ends."""
        context = struct.pack("=QQ", _PACKET, _PACKET + len(self.packet))
        contents = {_CONTEXT: context, _PACKET: self.packet}
        contents |= {_MAPS + (number << 20): data for number, data in enumerate(self.maps)}
        self._regions = {at: _Region(bytearray(data), bytearray(b"\1" * len(data))) for at, data in contents.items()}
        result = self._function(0, (_CONTEXT, None, None, None, None), 0)
        verdict = _signed(result & 0xFFFFFFFF, 32)
        left = tuple(bytes(self._regions[_MAPS + (number << 20)].data) for number in range(len(self.maps)))
        return Outcome(verdict, bytes(self._regions[_PACKET].data), left)

    def _function(self, at: int, arguments: tuple[int | None, ...], depth: int) -> int:
        if depth >= _MAX_FRAMES:
            raise Refused("more than eight frames")
        base = _FRAMES + (depth << 20)
        self._regions[base] = _Region(bytearray(STACK), bytearray(STACK))
        registers: list[int | None] = [None, *arguments, None, None, None, None, base + STACK]
        while True:
            self._steps += 1
            if self._steps > _MAX_STEPS:
                raise Refused("too many steps")
            if not 0 <= at < len(self.insns) // 8:
                raise Refused(f"runs out of its code, to {at}")
            code, both, *rest = struct.unpack_from("<BBhi", self.insns, 8 * at)
            insn = _Insn(code, both & 15, both >> 4, *rest)
            if code == _EXIT:
                return _known(registers, 0)
            if code == _CALL:
                self._call(registers, at, insn, depth)
                at += 1
            elif code == _LD_IMM64:
                registers[insn.dst] = self._wide(at, insn)
                at += 2
            elif code & 7 in (5, 6):
                at += 1 + _jump(registers, insn)
            elif code & 7 in (4, 7):
                registers[insn.dst] = _calculated(registers, insn)
                at += 1
            else:
                self._access(registers, insn)
                at += 1
            if registers[10] != base + STACK:
                raise Refused("writes r10")

    def _wide(self, at: int, insn: _Insn) -> int:
        low, src = insn.immediate, insn.src
        (high,) = struct.Struct("<i").unpack_from(self.insns, 8 * at + 12)
        if src == 0:
            return low & 0xFFFFFFFF | (high & 0xFFFFFFFF) << 32
        if src == 1:
            return _MAPS + (low << 20) | 1 << 40  # of a map itself, which no load can follow
        if src == 2:
            return _MAPS + (low << 20) + high
        if src == 4:
            return _CODE + at + 1 + low
        raise Refused(f"a 64-bit load of kind {src}")

    def _call(self, registers: list[int | None], at: int, insn: _Insn, depth: int) -> None:
        src, immediate = insn.src, insn.immediate
        if src == 1:
            registers[0] = self._function(at + 1 + immediate, tuple(registers[1:6]), depth + 1)
        elif src == 0 and immediate == LOOKUP:
            registers[0] = self._lookup(_known(registers, 1), _known(registers, 2))
        elif src == 0 and immediate == UPDATE:
            place = self._lookup(_known(registers, 1), _known(registers, 2))
            if place:
                for byte in range(self.value):
                    self._write(place + byte, 1, self._read(_known(registers, 3) + byte, 1))
            registers[0] = 0 if place else MASK
        elif src == 0 and immediate == LOOP:
            done = 0
            for done in range(min(_known(registers, 1), 64)):
                if self._function(_known(registers, 2) - _CODE, (done, registers[3], None, None, None), depth + 1):
                    break
            registers[0] = done
        else:
            raise Refused(f"a call of kind {src}, {immediate}")
        registers[1:6] = [None] * 5

    def _lookup(self, map: int, key: int) -> int:
        if not map >> 40 & 1:
            raise Refused("no map")
        place = map & ~(1 << 40)
        index = self._read(key, 4)
        return place + self.value * index if self.value * index < len(self._regions[place].data) else 0

    def _access(self, registers: list[int | None], insn: _Insn) -> None:
        code, dst, src, offset, immediate = insn
        kind, mode, size = code & 7, code & 0xE0, _SIZES[code & 0x18]
        if kind == 1 and mode in (0x60, 0x80):
            read = self._read(_known(registers, src) + offset, size)
            registers[dst] = _signed(read, 8 * size) & MASK if mode == 0x80 else read
        elif kind == 2 and mode == 0x60:
            self._write(_known(registers, dst) + offset, size, immediate)
        elif kind == 3 and mode == 0x60:
            self._write(_known(registers, dst) + offset, size, _known(registers, src))
        elif kind == 3 and mode == 0xC0:
            self._atomic(registers, insn, size)
        else:
            raise Refused(f"operation code {code:#x}")

    def _atomic(self, registers: list[int | None], insn: _Insn, size: int) -> None:
        _, dst, src, offset, kind = insn
        if kind == 0x100:
            registers[dst] = self._read(_known(registers, src) + offset, size)
            return
        place, given = _known(registers, dst) + offset, _known(registers, src)
        if kind == 0x110:
            self._write(place, size, given)
            return
        old = self._read(place, size)
        if kind == 0xF1:
            wanted = _known(registers, 0) & (1 << 8 * size) - 1
            self._write(place, size, given if old == wanted else old)
            registers[0] = old
            return
        self._write(place, size, _ATOMICS[kind & 0xF0](old, given))
        if kind & 1:
            registers[src] = old

    def _region(self, address: int, size: int) -> tuple[_Region, int]:
        base = address & ~0xFFFFF
        region = self._regions.get(base)
        if region is None or address - base + size > len(region.data):
            raise Refused(f"no memory at {address:#x}")
        return region, address - base

    def _read(self, address: int, size: int) -> int:
        region, at = self._region(address & MASK, size)
        if not all(region.written[at : at + size]):
            raise Refused(f"reads what was never written, at {address:#x}")
        return int.from_bytes(region.data[at : at + size], "little")

    def _write(self, address: int, size: int, number: int) -> None:
        region, at = self._region(address & MASK, size)
        region.data[at : at + size] = (number & (1 << 8 * size) - 1).to_bytes(size, "little")
        region.written[at : at + size] = b"\1" * size


def _known(registers: list[int | None], number: int) -> int:
    found = registers[number]
    if found is None:
        raise Refused(f"reads r{number}, which was never written")
    return found


def _signed(number: int, bits: int) -> int:
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> bits - 1 else number


def _jump(registers: list[int | None], insn: _Insn) -> int:
    code, dst, src, offset, immediate = insn
    if code == _JA:
        return offset
    if code == _GOTOL:
        return immediate
    if code & 0xF0 not in _CONDITIONS:
        raise Refused(f"operation code {code:#x}")
    bits = 64 if code & 7 == 5 else 32
    test, signed = _CONDITIONS[code & 0xF0]
    pair = _known(registers, dst), _known(registers, src) if code & 8 else immediate & MASK
    one, other = (_signed(each, bits) if signed else each & (1 << bits) - 1 for each in pair)
    return offset if test(one, other) else 0


def _calculated(registers: list[int | None], insn: _Insn) -> int:
    code, dst, src, offset, immediate = insn
    bits, operation = 64 if code & 7 == 7 else 32, code & 0xF0
    if operation == 0xD0:
        return _swapped(_known(registers, dst), code, immediate)
    if operation == 0x80:
        return -_known(registers, dst) & (1 << bits) - 1
    other = (_known(registers, src) if code & 8 else immediate) & (1 << bits) - 1
    if operation == 0xB0:
        return (_signed(other, offset) if offset else other) & (1 << bits) - 1
    mine = _known(registers, dst) & (1 << bits) - 1
    if offset == 1:
        return _divided(_signed(mine, bits), _signed(other, bits), operation) & (1 << bits) - 1
    return _ALU[operation](mine, other, bits) & (1 << bits) - 1


def _divided(one: int, other: int, operation: int) -> int:
    """Signed, towards zero, with the sign of the dividend."""
    quotient = abs(one) // abs(other) * (-1 if (one < 0) != (other < 0) else 1) if other else 0
    return quotient if operation == 0x30 else one - quotient * other


def _swapped(number: int, code: int, bits: int) -> int:
    number &= (1 << bits) - 1
    turned = code in (0xDC, 0xD7)
    return int.from_bytes(number.to_bytes(bits // 8, "little"), "big" if turned else "little")
