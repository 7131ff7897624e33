"""What libbpf's usdt.bpf.h keeps of a probe's arguments, in the layout that the object itself was compiled with."""

from __future__ import annotations

import sys

from bpfimg._value import value
from bpfimg.errors import AttachError, BytecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.btf import Btf
    from bpfimg.bytecode import executable

#: the map in which a program finds the specification whose number is its link's cookie
MAP = "__bpf_usdt_specs"
_STRUCT = "__bpf_usdt_spec"
_KINDS = {"constant": 0, "register": 1, "memory": 2, "indexed": 3}

# name -> (first bit, bits)
Fields = dict[str, tuple[int, int]]


@value(frozen=True, slots=True)
class Layout:
    """`size` of a specification in bytes, the fields of it, and the fields of each of its `room` arguments."""

    size: int
    whole: Fields
    argument: Fields
    argument_size: int
    room: int

    @property
    def indexed(self) -> bool:
        """Whether it can say that a value is at one register plus another (libbpf 1.7)."""
        return "idx_reg_off" in self.argument

    def encode(self, arguments: Sequence[executable.Argument], cookie: int = 0) -> bytes:
        """The specification; AttachError for arguments that it has no words for."""
        if len(arguments) > self.room:
            raise AttachError(f"the probe has {len(arguments)} arguments, expected at most {self.room}")
        number = self._put(0, self.whole["usdt_cookie"], cookie)
        number |= self._put(0, self.whole["arg_cnt"], len(arguments))
        for index, argument in enumerate(arguments):
            number |= self._argument(index, argument)
        if len(arguments) < self.room:
            # What no program looks at tells a specification without arguments from a free place.
            number |= self._put(self._start(self.room - 1), self.argument["val_off"], 1)
        return number.to_bytes(self.size, sys.byteorder)

    def _argument(self, index: int, argument: executable.Argument) -> int:
        said = {
            "val_off": argument.number,
            "arg_type": _KINDS[argument.kind],
            "reg_off": argument.register,
            "arg_signed": int(argument.signed),
            "arg_bitshift": 64 - 8 * argument.size,
        }
        if argument.kind == "indexed":
            if not self.indexed:
                raise AttachError(
                    "an argument of the probe is at the sum of two registers, for which the program has no words",
                    hint="compile it with the usdt.bpf.h of libbpf 1.7 or newer",
                )
            said |= {"idx_reg_off": argument.index, "scale_bitshift": argument.scale.bit_length() - 1}
        start = self._start(index)
        number = 0
        for name, content in said.items():
            number |= self._put(start, self.argument[name], content)
        return number

    def _start(self, index: int) -> int:
        return self.whole["args"][0] + 8 * self.argument_size * index

    def _put(self, start: int, field: tuple[int, int], content: int) -> int:
        first, bits = start + field[0], field[1]
        shift = first if sys.byteorder == "little" else 8 * self.size - first - bits
        return (content & (1 << bits) - 1) << shift


#: of libbpf 0.8 to 1.6, for where the types cannot be asked for
CLASSIC = Layout(
    208,
    {"args": (0, 1536), "usdt_cookie": (1536, 64), "arg_cnt": (1600, 16)},
    {"val_off": (0, 64), "arg_type": (64, 32), "reg_off": (96, 16), "arg_signed": (112, 8), "arg_bitshift": (120, 8)},
    16,
    12,
)


def layout(types: bytes) -> Layout:
    """The layout in an object's types; BytecodeError when they have none."""
    from bpfimg.btf import Btf, Limits, kinds

    btf = Btf(types, sys.byteorder, Limits())
    for type_id in btf.of_kind(kinds.STRUCT):
        if btf.name(type_id) == _STRUCT:
            whole = _fields(btf, type_id)
            found = {btf.string(name): member for name, member, _, _ in btf.fields(type_id)}
            element, room = btf.array(btf.bare(found["args"])) if "args" in found else (0, 0)
            inner = _fields(btf, btf.bare(element)) if element else {}
            if {"args", "usdt_cookie", "arg_cnt"} <= set(whole) and set(CLASSIC.argument) <= set(inner) and room:
                return Layout(btf.size(type_id), whole, inner, btf.size(element), room)
    raise BytecodeError(f"the program's types have no struct {_STRUCT} as libbpf's usdt.bpf.h has it")


def _fields(btf: Btf, type_id: int) -> Fields:
    return {
        btf.string(name): (offset, bits or 8 * btf.size(member)) for name, member, offset, bits in btf.fields(type_id)
    }
