"""The C spelling of a BTF type: "__u32", "char[16]", "const struct task_struct *", "int (*)()"."""

from __future__ import annotations

from bpfimg.btf import _kinds as kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf._read import Btf


def spelled(btf: Btf, type_id: int) -> str:
    """The type as C writes it without a variable name, and without qualifiers of the value itself.

    `volatile const __u8 x` is a "__u8": the section says whether a global can be written, and `volatile` is there
    for the compiler only. Parameters of functions are left out.
    """
    declarator = ""
    qualifiers: list[str] = []
    behind_pointer = False
    for _ in range(btf.depth):
        kind = btf.kind(type_id)
        if kind in kinds.QUALIFIERS:
            qualifiers += [kinds.QUALIFIERS[kind]] if behind_pointer else []
            type_id = btf.target(type_id)
        elif kind == kinds.TYPE_TAG:
            type_id = btf.target(type_id)
        elif kind == kinds.PTR:
            declarator = "*" + " ".join([*qualifiers, declarator.strip()]).strip()
            qualifiers, behind_pointer = [], True
            type_id = btf.target(type_id)
        elif kind == kinds.ARRAY:
            type_id, count = btf.array(type_id)
            declarator = grouped(declarator) + f"[{count}]"
        elif kind == kinds.FUNC_PROTO:
            declarator = grouped(declarator) + "()"
            type_id = btf.target(type_id)
        else:
            base = " ".join([*qualifiers, _base(btf, type_id, kind)])
            return base + (" " if declarator.startswith(("*", "(")) else "") + declarator
    raise btf.endless(type_id)


def grouped(declarator: str) -> str:
    return f"({declarator})" if declarator.startswith("*") else declarator


def _base(btf: Btf, type_id: int, kind: int) -> str:
    if kind == kinds.VOID:
        return "void"
    word = kinds.WORDS.get(kind, "")
    if kind == kinds.FWD:
        word = "union" if btf.flag(type_id) else "struct"
    return f"{word} {btf.name(type_id) or '{...}'}" if word else btf.name(type_id) or "?"
