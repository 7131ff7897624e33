"""What types are: BTF, of an object or of a kernel. Pure: bytes in, answers out.

`Btf` gives the types by their ids, `read_ext` what stands beside them in .BTF.ext (functions, source lines, CO-RE
relocations), `spelled` a type as C writes it, `declaration` its whole definition; `values` reads and writes what is
of a type. `question` says a CO-RE relocation in words, a `Resolver` what it comes to on a kernel, whose `KernelTypes`
are in a `KernelFile`. The bytes may come from anywhere: whatever is wrong with them is one `BytecodeError`, in bounded
time and memory (`Limits`).
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.btf import _kinds as kinds
    from bpfimg.btf import _values as values
    from bpfimg.btf._core import question
    from bpfimg.btf._declare import declaration
    from bpfimg.btf._ext import CoreRelocation, Ext, LineInfo, read_ext
    from bpfimg.btf._kernel import KernelTypes
    from bpfimg.btf._limits import Limits
    from bpfimg.btf._open import KernelFile
    from bpfimg.btf._read import Btf
    from bpfimg.btf._render import spelled
    from bpfimg.btf._resolve import Resolution, Resolver

__all__ = [
    "Btf",
    "CoreRelocation",
    "Ext",
    "KernelFile",
    "KernelTypes",
    "Limits",
    "LineInfo",
    "Resolution",
    "Resolver",
    "declaration",
    "kinds",
    "question",
    "read_ext",
    "spelled",
    "values",
]

__getattr__ = opened(
    __name__,
    {
        "Btf": "_read",
        "CoreRelocation": "_ext",
        "Ext": "_ext",
        "KernelFile": "_open",
        "KernelTypes": "_kernel",
        "Limits": "_limits",
        "LineInfo": "_ext",
        "Resolution": "_resolve",
        "Resolver": "_resolve",
        "declaration": "_declare",
        "kinds": "_kinds*",
        "question": "_core",
        "read_ext": "_ext",
        "spelled": "_render",
        "values": "_values*",
    },
)
