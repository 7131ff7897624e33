"""From the bytes of an object file to a `BytecodeObject`."""

from __future__ import annotations

from bpfimg.bytecode._btf import Btf
from bpfimg.bytecode._core import has_core_relocations
from bpfimg.bytecode._elf import read
from bpfimg.bytecode._globals import globals_of
from bpfimg.bytecode._limits import Limits
from bpfimg.bytecode._maps import maps
from bpfimg.bytecode._model import BytecodeObject
from bpfimg.bytecode._programs import programs
from bpfimg.bytecode._variables import Budget
from bpfimg.errors import BytecodeError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode._elf import ElfObject

_LICENSE = "license"
_LICENSE_MAX = 128  # the kernel reads no more


def parse(data: bytes, *, limits: Limits | None = None) -> BytecodeObject:
    """The object in `data`, wherever it comes from: time and memory are bounded by `limits` and the size of `data`.

    Raises `BytecodeError`, naming the section or symbol, for anything that is not a sound eBPF object.
    """
    bounds = limits or Limits()
    elf = read(data, bounds)
    types = elf.content(".BTF")
    btf = Btf(types, elf.byte_order, bounds) if types else None
    budget = Budget(bounds)
    variables = globals_of(elf, btf, budget) if btf is not None else ()
    return BytecodeObject(
        programs=programs(elf),
        maps=maps(elf, btf, variables, budget),
        globals=variables,
        license=_license(elf),
        byte_order=elf.byte_order,
        has_btf=btf is not None,
        has_core_relocations=btf is not None and has_core_relocations(elf.content(".BTF.ext"), elf.byte_order),
        size=len(data),
    )


def _license(elf: ElfObject) -> str:
    text, _, _ = elf.content(_LICENSE)[:_LICENSE_MAX].partition(b"\0")
    if not text.isascii() or not text.decode().isprintable():
        raise BytecodeError(
            f"section 'license' holds {quoted(text.decode(errors='replace'))}, expected printable ASCII"
        )
    return text.decode()
