"""What an eBPF object file is. Pure: bytes in, frozen values out; this room never asks the machine it runs on.

`parse` reads a whole object, `dissect` also gives its parts: code, types, source lines. `requirements` says what a
kernel needs to have for it. `check_header`, `variables` and `section_rule` answer one question each;
`Instruction.decode` reads bare code, `Linked` is about what libbpf made of a program.
`executable` is about programs of user space: where a probe goes.

The files may come from anywhere: whatever is wrong with them is one `BytecodeError`, in bounded time and memory
(`Limits`).
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode import _executable as executable
    from bpfimg.bytecode._decode import Instruction
    from bpfimg.bytecode._header import check_header
    from bpfimg.bytecode._limits import Limits
    from bpfimg.bytecode._linked import Linked
    from bpfimg.bytecode._model import BytecodeObject, MapSpec, ProgramSpec
    from bpfimg.bytecode._parse import Dissection, dissect, parse
    from bpfimg.bytecode._requirements import Requirement, requirements
    from bpfimg.bytecode._sections import section_rule
    from bpfimg.bytecode._variables import GlobalSpec, variables

__all__ = [
    "BytecodeObject",
    "Dissection",
    "GlobalSpec",
    "Instruction",
    "Limits",
    "Linked",
    "MapSpec",
    "ProgramSpec",
    "Requirement",
    "check_header",
    "dissect",
    "executable",
    "parse",
    "requirements",
    "section_rule",
    "variables",
]

__getattr__ = opened(
    __name__,
    {
        "BytecodeObject": "_model",
        "Dissection": "_parse",
        "GlobalSpec": "_variables",
        "Instruction": "_decode",
        "Limits": "_limits",
        "Linked": "_linked",
        "MapSpec": "_model",
        "ProgramSpec": "_model",
        "Requirement": "_requirements",
        "check_header": "_header",
        "dissect": "_parse",
        "executable": "_executable*",
        "parse": "_parse",
        "requirements": "_requirements",
        "section_rule": "_sections",
        "variables": "_variables",
    },
)
