"""What an object leaves for the kernel to define: kfuncs, variables, configuration."""

from __future__ import annotations

from bpfimg.btf import kinds, spelled
from bpfimg.bytecode._elf import STB_WEAK
from bpfimg.bytecode._model import ExternSpec
from bpfimg.bytecode._text import checked
from bpfimg.bytecode._variables import KCONFIG
from bpfimg.errors import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf import Btf
    from bpfimg.bytecode._elf import ElfObject
    from bpfimg.bytecode._variables import Budget


def externs(elf: ElfObject, btf: Btf | None, budget: Budget) -> tuple[ExternSpec, ...]:
    """The undefined symbols by name; their kinds are those of BTF, "ksym" where there is none."""
    undefined = sorted({symbol.name: symbol for symbol in elf.undefined}.values(), key=lambda symbol: symbol.name)
    if not undefined:
        return ()
    budget.variables(len(undefined))
    declared = _declared(btf) if btf is not None else {}
    found = []
    for symbol in undefined:
        name = checked(symbol.name, "an extern")
        kind, type_id = declared.get(name, ("ksym", None))
        words = None
        if btf is not None and type_id is not None and kind != "kfunc":
            words = checked(spelled(btf, type_id), f"the type of the extern {quoted(name)}")
        found.append(ExternSpec(name=name, kind=kind, weak=symbol.bind == STB_WEAK, type=words))
    return tuple(found)


def _declared(btf: Btf) -> dict[str, tuple[str, int]]:
    """The externs that BTF describes: kind, and the id of their type."""
    sections = btf.data_sections()
    kconfig = {variable for variable, _, _ in btf.variables(sections[KCONFIG])} if KCONFIG in sections else set()
    found: dict[str, tuple[str, int]] = {}
    for type_id in range(1, len(btf)):
        kind = btf.kind(type_id)
        if kind == kinds.FUNC and btf.length(type_id) == kinds.EXTERN:
            found[btf.name(type_id)] = "kfunc", btf.target(type_id)
        elif kind == kinds.VAR and btf.linkage(type_id) == kinds.EXTERN:
            found[btf.name(type_id)] = "kconfig" if type_id in kconfig else "ksym", btf.target(type_id)
    return found
