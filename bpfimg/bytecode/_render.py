"""The C spelling of a BTF type: "__u32", "char[16]", "const struct task_struct *", "int (*)()"."""

from __future__ import annotations

from bpfimg.bytecode import _btf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode._btf import Btf

_WORDS = {_btf.STRUCT: "struct", _btf.UNION: "union", _btf.ENUM: "enum", _btf.ENUM64: "enum"}


def render(btf: Btf, type_id: int, *, depth: int) -> str:
    """The type as C writes it without a variable name, and without qualifiers of the value itself.

    `volatile const __u8 x` is a "__u8": the section says whether a global can be written, and `volatile` is there
    for the compiler only. Parameters of functions are left out.
    """
    declarator = ""
    qualifiers: list[str] = []
    behind_pointer = False
    for _ in range(depth):
        kind = btf.kind(type_id)
        if kind in _btf.QUALIFIERS:
            qualifiers += [_btf.QUALIFIERS[kind]] if behind_pointer else []
            type_id = btf.target(type_id)
        elif kind == _btf.TYPE_TAG:
            type_id = btf.target(type_id)
        elif kind == _btf.PTR:
            declarator = "*" + " ".join([*qualifiers, declarator.strip()]).strip()
            qualifiers, behind_pointer = [], True
            type_id = btf.target(type_id)
        elif kind == _btf.ARRAY:
            type_id, count = btf.array(type_id)
            declarator = _grouped(declarator) + f"[{count}]"
        elif kind == _btf.FUNC_PROTO:
            declarator = _grouped(declarator) + "()"
            type_id = btf.target(type_id)
        else:
            base = " ".join([*qualifiers, _base(btf, type_id, kind)])
            return base + (" " if declarator.startswith(("*", "(")) else "") + declarator
    raise btf.endless(type_id)


def _grouped(declarator: str) -> str:
    return f"({declarator})" if declarator.startswith("*") else declarator


def _base(btf: Btf, type_id: int, kind: int) -> str:
    if kind == _btf.VOID:
        return "void"
    word = _WORDS.get(kind, "")
    if kind == _btf.FWD:
        word = "union" if btf.flag(type_id) else "struct"
    return f"{word} {btf.name(type_id) or '{...}'}" if word else btf.name(type_id) or "?"
