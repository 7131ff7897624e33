"""CO-RE relocations in words: what an instruction asks of a kernel's types.

`enum bpf_core_relo_kind` of include/uapi/linux/bpf.h, access strings as in struct bpf_core_relo there.
"""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.btf import _kinds as kinds
from bpfimg.btf._kinds import CORE_KINDS
from bpfimg.btf._render import spelled
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf._ext import CoreRelocation
    from bpfimg.btf._read import Btf

FIELD_OFFSET, FIELD_SIZE, FIELD_EXISTS, FIELD_SIGNED, FIELD_LSHIFT, FIELD_RSHIFT = range(6)
TYPE_ID_LOCAL, TYPE_ID_TARGET, TYPE_EXISTS, TYPE_SIZE, ENUMVAL_EXISTS, ENUMVAL_VALUE, TYPE_MATCHES = range(6, 13)
ABOUT_FIELDS = frozenset((FIELD_OFFSET, FIELD_SIZE, FIELD_EXISTS, FIELD_SIGNED, FIELD_LSHIFT, FIELD_RSHIFT))
ABOUT_TYPES = frozenset((TYPE_ID_LOCAL, TYPE_ID_TARGET, TYPE_EXISTS, TYPE_SIZE, TYPE_MATCHES))
ABOUT_ENUMERATORS = frozenset((ENUMVAL_EXISTS, ENUMVAL_VALUE))
#: kinds whose question may be answered with no
OPTIONAL = frozenset((FIELD_EXISTS, TYPE_EXISTS, TYPE_MATCHES, ENUMVAL_EXISTS))

SPEC_MAX = 64  # BPF_CORE_SPEC_MAX_LEN of libbpf

_SENTENCES = (
    "reads {path}, any kernel with that field",
    "needs the size of {path}",
    "asks whether the field {path} exists (optional)",
    "asks whether {path} is signed",
    "reads the bits of {path}: shift to the left",
    "reads the bits of {path}: shift to the right",
    "needs the id of {path} in the object's own BTF, any kernel",
    "needs the id of {path} in the kernel's BTF, 0 where there is none",
    "asks whether {path} exists (optional)",
    "needs the size of {path}, 0 where there is none",
    "asks whether {path} exists (optional)",
    "needs the value of {path}",
    "asks whether {path} is as the object declares it (optional)",
)


@value(frozen=True, slots=True)
class Question:
    """What a CO-RE relocation asks: `kind` of CORE_KINDS, `subject` "task_struct.pid", "struct task_struct" or
    "BPF_FUNC_loop of enum bpf_func_id", `words` a whole sentence. `optional`: no is an answer, too.

    `flavour` is the name of the object's type where it differs from the kernel's: "task_struct___old".
    """

    kind: str
    subject: str
    words: str
    optional: bool
    flavour: str


def question(btf: Btf, relocation: CoreRelocation) -> Question:
    """The relocation in words; `BytecodeError` where it is not sound (an unknown kind, a path that leads nowhere)."""
    if not 0 <= relocation.kind < len(CORE_KINDS):
        raise BytecodeError(f"a CO-RE relocation is of kind {relocation.kind}, expected 0 to {len(CORE_KINDS) - 1}")
    subject = _subject(btf, relocation)
    name = btf.name(relocation.type_id)
    return Question(
        CORE_KINDS[relocation.kind],
        subject,
        _SENTENCES[relocation.kind].format(path=subject),
        relocation.kind in OPTIONAL,
        name if essential(name) != name else "",
    )


def essential(name: str) -> str:
    """The name without its flavour, as libbpf has it: `task_struct___old` is a `task_struct`."""
    at = len(name) - 5
    while at >= 0:
        if name[at] != "_" and name.startswith("___", at + 1) and name[at + 4] != "_":
            return name[: at + 1]
        at -= 1
    return name


def steps(access: str) -> tuple[int, ...]:
    """The numbers of an access string, "0:1:2"; `BytecodeError` unless it is one."""
    words = access.split(":")
    if len(words) > SPEC_MAX or not all(word.isascii() and word.isdecimal() and len(word) <= 10 for word in words):
        raise BytecodeError(
            f'a CO-RE relocation has the access string {quoted(access)}, expected up to {SPEC_MAX} numbers like "0:1:2"'
        )
    return tuple(int(word) for word in words)


def _subject(btf: Btf, relocation: CoreRelocation) -> str:
    type_id, access = relocation.type_id, relocation.access
    if relocation.kind in ABOUT_TYPES:
        return essential(spelled(btf, type_id))
    if relocation.kind in ABOUT_ENUMERATORS:
        return f"{_enumerator(btf, type_id, access)} of {_named(btf, type_id, 'enum ')}"
    return path(btf, type_id, steps(access))


def _named(btf: Btf, type_id: int, word: str) -> str:
    name = essential(btf.name(type_id))
    kind = btf.kind(type_id)
    return name if kind == kinds.TYPEDEF else word + (name or "{...}")


def _enumerator(btf: Btf, type_id: int, access: str) -> str:
    bare = btf.bare(type_id)
    if btf.kind(bare) not in kinds.ENUMS:
        raise BytecodeError(f"a CO-RE relocation asks for an enumerator of type {type_id}, which is no enum")
    (index, *rest) = steps(access)
    if rest or index >= btf.length(bare):
        raise BytecodeError(
            f"a CO-RE relocation asks for enumerator {quoted(access)} of type {type_id}, "
            f"which has {btf.length(bare)} of them"
        )
    return btf.string(btf.enumerator(bare, index)[0])


def path(btf: Btf, type_id: int, numbers: tuple[int, ...]) -> str:
    """The way through a type as C writes it: (0, 1, 2) from a struct is "task_struct.comm[2]".

    Anonymous members leave no trace. `BytecodeError` for a step that the type does not have.
    """
    words = _named(btf, type_id, "")
    if numbers[0]:
        words += f"[{numbers[0]}]"
    for number in numbers[1:]:
        bare = btf.bare(type_id)
        kind = btf.kind(bare)
        if kind == kinds.ARRAY:
            type_id = btf.array(bare)[0]
            words += f"[{number}]"
        elif kind in kinds.COMPOSITES and number < btf.length(bare):
            name, type_id, _offset, _width = btf.field(bare, number)
            words += f".{btf.string(name)}" if name else ""
        else:
            raise BytecodeError(f"a CO-RE relocation asks for part {number} of type {bare}, which has no such part")
    return words
