"""What an eBPF object file is. Pure: bytes in, frozen values out; this room never asks the machine it runs on.

`parse` reads a whole object. `check_header`, `variables` and `section_rule` answer one question each without the
ELF library, for callers that must start fast. The files may come from anywhere: whatever is wrong with them is one
`BytecodeError`, in bounded time and memory (`Limits`).
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode._header import check_header
    from bpfimg.bytecode._limits import Limits
    from bpfimg.bytecode._maps import MAP_TYPES
    from bpfimg.bytecode._model import BytecodeObject, MapSpec, ProgramSpec
    from bpfimg.bytecode._parse import parse
    from bpfimg.bytecode._sections import PROGRAM_TYPES, SectionRule, section_rule
    from bpfimg.bytecode._variables import GlobalSpec, variables

__all__ = [
    "MAP_TYPES",
    "PROGRAM_TYPES",
    "BytecodeObject",
    "GlobalSpec",
    "Limits",
    "MapSpec",
    "ProgramSpec",
    "SectionRule",
    "check_header",
    "parse",
    "section_rule",
    "variables",
]

__getattr__ = opened(
    __name__,
    {
        "MAP_TYPES": "_maps",
        "PROGRAM_TYPES": "_sections",
        "BytecodeObject": "_model",
        "GlobalSpec": "_variables",
        "Limits": "_limits",
        "MapSpec": "_model",
        "ProgramSpec": "_model",
        "SectionRule": "_sections",
        "check_header": "_header",
        "parse": "_parse",
        "section_rule": "_sections",
        "variables": "_variables",
    },
)
