"""Global variables: what a person may set before an object is loaded, by name, type and place."""

from __future__ import annotations

from itertools import pairwise

from bpfimg._value import replace, value
from bpfimg.btf import Btf, kinds, spelled
from bpfimg.bytecode._limits import Limits
from bpfimg.bytecode._text import checked
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Place = Callable[[str, int, int, int], tuple[int, int]]  # name, linkage, offset, size -> offset, size

KCONFIG = ".kconfig"
_GLOBAL_SECTIONS = (".rodata", ".data", ".bss", KCONFIG)
_GLOBAL_PREFIXES = (".rodata.", ".data.", ".bss.")
_KINDS = {
    kinds.FLOAT: "float",
    kinds.PTR: "pointer",
    kinds.ARRAY: "array",
    kinds.STRUCT: "struct",
    kinds.UNION: "union",
    kinds.ENUM: "enum",
    kinds.ENUM64: "enum",
}


@value(frozen=True, slots=True)
class GlobalSpec:
    """One global variable: `size` bytes at `offset` of the map that `section` becomes.

    `type` is the C spelling; `kind` is one of int, bool, char, enum, float, pointer, array, struct, union, other.
    `initial` are the bytes in the object (the object's byte order), empty when only BTF was read. `enumerators` are
    the names and values of an enum.
    """

    name: str
    section: str
    type: str
    kind: str
    offset: int
    size: int
    signed: bool
    initial: bytes
    read_only: bool
    enumerators: tuple[tuple[str, int], ...]

    def default(self, byte_order: str) -> int | float | bool | str | None:
        """The initial value: a number, a truth value, text, the name of an enumerator, or "hex:..." of the bytes.

        None where the object does not hold it: .kconfig is filled in at load, and more than 1024 bytes of raw data
        are nothing to read.
        """
        from bpfimg.bytecode._initial import readable

        return readable(self, byte_order)


def variables(btf: bytes, *, byte_order: str, limits: Limits | None = None) -> tuple[GlobalSpec, ...]:
    """The globals that raw BTF describes, as libbpf holds it after opening an object (offsets filled in).

    `byte_order` is "little" or "big". `initial` is empty. Raises `BytecodeError` for BTF that is not sound.
    """
    bounds = limits or Limits()
    types = Btf(btf, byte_order, bounds.for_btf)
    found: list[GlobalSpec] = []
    budget = Budget(bounds)
    for section, type_id in types.data_sections().items():
        if is_global_section(section):
            found += describe(types, section, type_id, budget, lambda _name, _linkage, offset, size: (offset, size))
    return tuple(found)


def is_global_section(section: str) -> bool:
    """Whether libbpf turns a section of that name into a map of global variables."""
    return section in _GLOBAL_SECTIONS or section.startswith(_GLOBAL_PREFIXES)


def is_read_only(section: str) -> bool:
    return section in (KCONFIG, ".rodata") or section.startswith(".rodata.")


class Budget:
    """What may still be read of one object: mutable, because it is shared by all its sections."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._variables = limits.variables
        self._enumerators = limits.enumerators
        self._enums: dict[int, tuple[tuple[str, int], ...]] = {}

    def variables(self, count: int) -> None:
        self._variables -= count
        if self._variables < 0:
            raise BytecodeError(f"the object has more than {self.limits.variables} variables")

    def enumerators(self, btf: Btf, type_id: int) -> tuple[tuple[str, int], ...]:
        """The enumerators of that enum; each enum is read once."""
        if type_id not in self._enums:
            self._enumerators -= btf.length(type_id)
            if self._enumerators < 0:
                raise BytecodeError(f"the enums of the globals have more than {self.limits.enumerators} values")
            self._enums[type_id] = tuple(
                (checked(btf.string(name), f"an enumerator of type {type_id}"), value)
                for name, value in btf.enumerators(type_id)
            )
        return self._enums[type_id]


def describe(btf: Btf, section: str, type_id: int, budget: Budget, place: Place) -> list[GlobalSpec]:
    """The variables of one DATASEC in the order of their offsets; `place` says where each one really is."""
    budget.variables(btf.length(type_id))
    found = []
    for variable, offset, size in btf.variables(type_id):
        if btf.kind(variable) != kinds.VAR:
            raise BytecodeError(
                f"type {variable} in section .BTF should be a variable of {quoted(section)}, but is not"
            )
        name = checked(btf.name(variable), f"a variable of section {quoted(section)}")
        spec = _describe(btf, btf.target(variable), name, section, budget)
        start, room = place(name, btf.linkage(variable), offset, size)
        if room < spec.size:
            raise BytecodeError(f"the global {quoted(name)} of {section} has {room} bytes, its type {spec.size}")
        found.append(replace(spec, offset=start, size=room))
    found.sort(key=lambda spec: spec.offset)
    for first, second in pairwise(found):
        if first.offset + first.size > second.offset:
            raise BytecodeError(f"the globals {quoted(first.name)} and {quoted(second.name)} of {section} overlap")
    return found


def _describe(btf: Btf, type_id: int, name: str, section: str, budget: Budget) -> GlobalSpec:
    """What the type alone says: the place is still to come."""
    bare = btf.bare(type_id)
    kind = btf.kind(bare)
    encoding = btf.integer(bare) if kind == kinds.INT else 0
    enum = kind in (kinds.ENUM, kinds.ENUM64)
    return GlobalSpec(
        name=name,
        section=section,
        type=checked(spelled(btf, type_id), f"the type of the global {quoted(name)}"),
        kind=_integer_kind(btf.name(bare), encoding) if kind == kinds.INT else _KINDS.get(kind, "other"),
        offset=0,
        size=btf.size(type_id),
        signed=bool(encoding & kinds.INT_SIGNED) or (enum and btf.flag(bare)) or kind == kinds.FLOAT,
        initial=b"",
        read_only=is_read_only(section),
        enumerators=budget.enumerators(btf, bare) if enum else (),
    )


def _integer_kind(name: str, encoding: int) -> str:
    if encoding & kinds.INT_BOOL:
        return "bool"
    # clang marks no character type as such, so the name has to say it; `__u8` is an "unsigned char" and a number.
    return "char" if encoding & kinds.INT_CHAR or name == "char" else "int"
