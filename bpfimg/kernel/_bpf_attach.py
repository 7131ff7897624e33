"""Attaching without a link: what the program is attached to keeps it, until it is detached or goes itself."""

from __future__ import annotations

from bpfimg.kernel import _abi as abi
from bpfimg.kernel._fd import number
from bpfimg.kernel._syscall import bpf, fill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel._fd import Fd


def prog_attach(target: Fd | int, program: Fd | int, attach_type: int, *, flags: int = 0) -> None:
    """Attaches a program to a map of sockets, a cgroup or a namespace, for as long as that lives.

    Where there is room for one the kernel takes off what is there: ask `prog_query` before.
    """
    _call(abi.PROG_ATTACH, target, program, attach_type, flags)


def prog_detach(target: Fd | int, program: Fd | int, attach_type: int) -> None:
    """Detaches that program; KernelError ENOENT or EINVAL: it is not there."""
    _call(abi.PROG_DETACH, target, program, attach_type, 0)


def _call(command: int, target: Fd | int, program: Fd | int, attach_type: int, flags: int) -> None:
    values: dict[str, int | bytes] = {
        "target_fd": number(target),
        "attach_bpf_fd": number(program),
        "attach_type": attach_type,
        "attach_flags": flags,
    }
    bpf(command, fill(abi.ATTR_PROG_ATTACH, values), program)
