"""What a CO-RE relocation comes to on a kernel: the value that libbpf would write into the instruction, or why none.

libbpf cannot be asked without the right to load programs (ADR 0016), so its algorithm is here again, rule for rule
(src/relo_core.c: bpf_core_calc_relo_insn, bpf_core_calc_relo, bpf_core_patch_insn); tests/kernel/btf compares the two.
"""

from __future__ import annotations

from bpfimg._value import replace, value
from bpfimg.btf import _core as core
from bpfimg.btf import _kinds as kinds
from bpfimg.btf._compatible import Pair, Steps
from bpfimg.btf._core import essential
from bpfimg.btf._patch import Value, patch
from bpfimg.btf._spec import Mismatch, Spec, matched, matched_enumerator, parsed
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf._ext import CoreRelocation
    from bpfimg.btf._kernel import KernelTypes
    from bpfimg.btf._read import Btf

_U64 = 0xFFFF_FFFF_FFFF_FFFF


@value(frozen=True, slots=True)
class Resolution:
    """`outcome` is one of

    resolved    the kernel has what is asked for: `value` goes into the instruction
    absent      it has not, and that is an answer: 0
    unresolved  it has not: the instruction becomes an invalid call, and the program fails if the verifier reaches it
    refused     libbpf gives up on the whole object: candidates that disagree, relocations that are not sound

    `value` and `local` (what the compiler put there) are unsigned 64-bit numbers. `type_id` is the kernel's type that
    was found, in `module` ("" is vmlinux). `reason` says why there is no value, `nearest` what the kernel has instead
    ("__state" for "state"), "" where nothing is like it.
    """

    outcome: str
    value: int = 0
    local: int = 0
    type_id: int = 0
    module: str = ""
    reason: str = ""
    nearest: str = ""


class Resolver:
    """Resolves the relocations of one object on one kernel, in the order of the object, as libbpf does: candidates that
    did not fit one relocation of a type are no longer asked for the next. That is why it is no function."""

    __slots__ = ("_answered", "_candidates", "_kernel", "_local", "_missing", "_steps")

    def __init__(self, local: Btf, kernel: KernelTypes) -> None:
        self._local = local
        self._kernel = kernel
        self._candidates: dict[int, list[tuple[str, Btf, int]]] = {}
        self._missing: dict[int, Mismatch] = {}
        self._answered: dict[tuple[int, str, int], tuple[Value, Value | None, Resolution]] = {}
        self._steps = Steps()

    def resolve(self, relocation: CoreRelocation, instruction: bytes = b"") -> Resolution:
        """The outcome; with the bytes of the instruction (16, where it has so many) also whether it takes the value.

        Raises nothing: what is not sound is "refused".
        """
        try:
            return self._resolve(relocation, instruction)
        except BytecodeError as error:
            return Resolution("refused", reason=str(error))

    def _resolve(self, relocation: CoreRelocation, instruction: bytes) -> Resolution:
        key = relocation.type_id, relocation.access, relocation.kind
        if key not in self._answered:  # what is asked again is answered the same, whatever was dropped in between
            self._steps.begin()
            self._answered[key] = self._answer(relocation)
        mine, theirs, outcome = self._answered[key]
        if theirs is None:
            return replace(outcome, local=mine.number)
        outcome = replace(outcome, value=theirs.number, local=mine.number)
        unfit = patch(instruction, self._local.byte_order, mine, theirs) if instruction else ""
        return replace(outcome, outcome="unresolved", reason=unfit) if unfit else outcome

    def _answer(self, relocation: CoreRelocation) -> tuple[Value, Value | None, Resolution]:
        """The object's value, the kernel's (None: there is none), and the outcome but for the instruction."""
        local, kind, root = self._local, relocation.kind, relocation.type_id
        spec = parsed(local, relocation)
        if kind == core.TYPE_ID_LOCAL:
            return Value(root, validate=False), Value(root), Resolution("resolved")
        if not local.name(root):
            raise BytecodeError("a CO-RE relocation is about an anonymous type, which has no counterpart")
        candidates = self._candidates.get(root)
        if candidates is None:
            candidates = self._candidates[root] = self._kernel.candidates(local, root)
        fitting: list[tuple[str, Btf, int]] = []
        first: tuple[Spec, Value] | None = None
        mismatch: Mismatch | None = None
        mine = _valued(local, local, relocation, spec)
        for candidate in candidates:
            self._steps.step()
            found = self._match(spec, kind, candidate)
            if isinstance(found, Mismatch):
                mismatch = mismatch or found
                continue
            theirs = _valued(local, candidate[1], relocation, found)
            if first is None:
                first = found, theirs
            elif found.bits != first[0].bits or theirs.number != first[1].number:
                raise BytecodeError(
                    f"the kernel has several types {quoted(essential(local.name(root)))} that disagree: "
                    f"{first[1].number} and {theirs.number}"
                )
            fitting.append(candidate)
        if first is None:
            why = mismatch or self._no_candidate(root)
            absent = kind in core.OPTIONAL or kind in core.ABOUT_TYPES
            outcome = Resolution("absent" if absent else "unresolved", reason=why.reason, nearest=why.nearest)
            return mine, Value(0) if absent else None, outcome
        self._candidates[root] = fitting
        module, types, type_id = fitting[0]
        resolved = Resolution("resolved", type_id=type_id, module=module)
        return mine, _adjusted(local, mine, types, first[1]), resolved

    def _match(self, spec: Spec, kind: int, candidate: tuple[str, Btf, int]) -> Spec | Mismatch:
        _module, types, type_id = candidate
        pair = Pair(self._local, types, self._steps)
        if kind in core.ABOUT_ENUMERATORS:
            return matched_enumerator(pair, spec, type_id)
        if kind in core.ABOUT_FIELDS:
            return matched(pair, spec, type_id)
        if kind == core.TYPE_MATCHES:
            same = pair.matching(spec.root, type_id)
            return Spec(type_id, (), 0) if same else Mismatch("the kernel declares it otherwise than the object")
        same = pair.types(spec.root, type_id)
        return Spec(type_id, (), 0) if same else Mismatch("the kernel's type of that name is of another kind")

    def _no_candidate(self, root: int) -> Mismatch:
        from bpfimg.btf._nearest import nearest_type

        if root not in self._missing:
            name, kind = essential(self._local.name(root)), self._local.kind(root)
            nearest = nearest_type(self._kernel.index, name, kind) if self._steps.guess() else ""
            self._missing[root] = Mismatch(f"the kernel has no {kinds.WORDS.get(kind, 'type')} {quoted(name)}", nearest)
        return self._missing[root]


def _valued(local: Btf, btf: Btf, relocation: CoreRelocation, spec: Spec) -> Value:
    """The number that the relocation asks for, of the object's own types or of a kernel's."""
    kind = relocation.kind
    if kind in core.OPTIONAL:
        return Value(1)
    if kind == core.TYPE_SIZE:
        return Value(btf.size(spec.root))
    if kind == core.TYPE_ID_TARGET:
        return Value(spec.root, validate=False)
    if kind == core.ENUMVAL_VALUE:
        where = spec.accessors[0]
        _name, number = btf.enumerator(where.type_id, where.index)
        if btf.kind(where.type_id) == kinds.ENUM and number >= 1 << 31:
            number -= 1 << 32  # libbpf takes the 32 bits of every enum for a signed number
        return Value(number & _U64)
    last = spec.accessors[-1]
    if last.name is None:
        return _of_element(btf, kind, last.type_id, spec.bits)
    return _of_member(btf, kind, last.type_id, last.index, spec.bits, little=local.byte_order == "little")


def _of_element(btf: Btf, kind: int, type_id: int, bits: int) -> Value:
    size = btf.size(type_id)
    if kind == core.FIELD_OFFSET:
        return Value(bits // 8, size, type_id)
    if kind == core.FIELD_SIZE:
        return Value(size)
    raise BytecodeError(f"a CO-RE relocation asks an array's element for its {kinds.CORE_KINDS[kind]}")


def _of_member(btf: Btf, kind: int, struct: int, index: int, bits: int, *, little: bool) -> Value:
    _name, member, _offset, width = btf.field(struct, index)
    type_id = btf.bare(member)
    size = btf.target(type_id) if width else btf.size(type_id)
    at = bits // 8
    if width:
        size, at = _unit(bits, width, size)
    if kind == core.FIELD_OFFSET:
        return Value(at, validate=False) if width else Value(at, size, type_id)
    if kind == core.FIELD_SIZE:
        return Value(size, validate=not width)
    if kind == core.FIELD_SIGNED:
        return Value(int(_signed(btf, type_id)))
    held = width or (size * 8 & 0xFFFF_FFFF)
    if kind == core.FIELD_LSHIFT:
        shift = 64 - (bits + held - at * 8) if little else (8 - size) * 8 + (bits - at * 8)
        return Value(shift & 0xFFFF_FFFF, validate=not width)
    return Value(64 - held & 0xFFFF_FFFF)


def _unit(bits: int, width: int, size: int) -> tuple[int, int]:
    """Size and offset in bytes of what has to be loaded for a bitfield."""
    if not 0 < size <= _U64:
        raise BytecodeError(f"a bitfield is of a type of {size} bytes, expected at least one")
    at = bits // 8 // size * size
    while bits + width - at * 8 > size * 8:
        if size >= 8:
            raise BytecodeError("a CO-RE relocation is about a bitfield that no load of 64 bits covers")
        size *= 2
        at = bits // 8 // size * size
    return size, at


def _signed(btf: Btf, type_id: int) -> bool:
    kind = btf.kind(type_id)
    return (
        btf.flag(type_id)
        if kind in kinds.ENUMS
        else kind == kinds.INT and bool(btf.integer(type_id) & kinds.INT_SIGNED)
    )


def _adjusted(local: Btf, mine: Value, target: Btf, theirs: Value) -> Value:
    """Says whether a load or store of another size reads the same: pointers do, and unsigned numbers."""
    if mine.size == theirs.size:
        return theirs
    kinds_ = local.kind(mine.type_id), target.kind(theirs.type_id)
    if kinds_ == (kinds.PTR, kinds.PTR):
        return theirs
    integers = kinds_ == (kinds.INT, kinds.INT)
    if integers and kinds.INT_SIGNED not in (local.integer(mine.type_id), target.integer(theirs.type_id)):
        return theirs
    return replace(theirs, fits=False)
