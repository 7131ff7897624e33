"""What an executable or shared library of user space is: where its functions and static probes are.

A door within the door of `bytecode`, and as pure: `read` is given a function that reads, and the file may come from
any container. Whatever is wrong with it is one `BytecodeError`, in bounded time and memory (`Limits`).
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.bytecode._executable._arguments import Argument, arguments
    from bpfimg.bytecode._executable._cache import libraries
    from bpfimg.bytecode._executable._file import MACHINES, Executable, read
    from bpfimg.bytecode._executable._limits import Limits
    from bpfimg.bytecode._executable._notes import Probe, build_id, probes
    from bpfimg.bytecode._executable._symbols import Symbol, functions, named, stubs

__all__ = [
    "MACHINES",
    "Argument",
    "Executable",
    "Limits",
    "Probe",
    "Symbol",
    "arguments",
    "build_id",
    "functions",
    "libraries",
    "named",
    "probes",
    "read",
    "stubs",
]

__getattr__ = opened(
    __name__,
    {
        "MACHINES": "_file",
        "Argument": "_arguments",
        "Executable": "_file",
        "Limits": "_limits",
        "Probe": "_notes",
        "Symbol": "_symbols",
        "arguments": "_arguments",
        "build_id": "_notes",
        "functions": "_symbols",
        "libraries": "_cache",
        "named": "_symbols",
        "probes": "_notes",
        "read": "_file",
        "stubs": "_symbols",
    },
)
