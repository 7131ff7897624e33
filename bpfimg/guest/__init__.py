"""A real kernel, booted in QEMU for one question: without root, without a disk, and with nothing of this machine in it.

`find` turns words and paths into kernels, and fetches those of Debian through apt; `ask` boots each of them and hands
back what a module of bpfimg answered in there.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.guest._ask import Outcome, Question, ask
    from bpfimg.guest._find import find
    from bpfimg.guest._kernel import Kernel

__all__ = ["Kernel", "Outcome", "Question", "ask", "find"]

__getattr__ = opened(
    __name__,
    {
        "Kernel": "_kernel",
        "Outcome": "_ask",
        "Question": "_ask",
        "ask": "_ask",
        "find": "_find",
    },
)
