"""Raw bpf(2) of programs that look on: many functions in one link, iterators, and programs that run when called."""

from __future__ import annotations

from bpfimg.kernel import _abi as abi
from bpfimg.kernel._bpf_links import link_create
from bpfimg.kernel._fd import Fd, number
from bpfimg.kernel._syscall import ORDER, address, bpf, fill, take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_POINTER = 8
_RETURN = 1  # BPF_F_KPROBE_MULTI_RETURN
MOST_CONTEXT = 0xFFFF  # bytes, U16_MAX in bpf_prog_test_run_syscall()


def link_kprobe_multi(program: Fd | int, functions: Sequence[str], attach_type: int, *, ret: bool = False) -> Fd:
    """Attaches a program to these functions, each named once, at their entry or with `ret` at their return.

    `attach_type` is that of the load. KernelError: EOPNOTSUPP where the kernel was built without, ESRCH or ENOENT for
    a name that it does not know, EINVAL for a program that was loaded for something else.
    """
    text = bytearray(b"".join(name.encode() + b"\0" for name in functions))
    pointers, at = bytearray(_POINTER * len(functions)), address(text)
    for index, name in enumerate(functions):
        pointers[_POINTER * index : _POINTER * (index + 1)] = at.to_bytes(_POINTER, ORDER)
        at += len(name) + 1
    # kprobe_multi: flags, cnt, syms, addrs, cookies
    extra = (_RETURN if ret else 0).to_bytes(4, ORDER) + len(functions).to_bytes(4, ORDER)
    extra += address(pointers).to_bytes(_POINTER, ORDER)
    return link_create(program, 0, attach_type, extra=extra)


def link_iterator(program: Fd | int, target: bytes = b"") -> Fd:
    """A link of an iterator; `target` is a `union bpf_iter_link_info` that narrows what it walks, or says which map."""
    info = bytearray(target)
    extra = address(info).to_bytes(_POINTER, ORDER) + len(info).to_bytes(4, ORDER) if info else b""
    return link_create(program, 0, abi.ATTACH_TYPES.index("trace_iter"), extra=extra)


def iterator(link: Fd | int) -> Fd:
    """Returns a descriptor from which the iterator's text is read, once."""
    return Fd(bpf(abi.ITER_CREATE, fill(abi.ATTR_ITER_CREATE, {"link_fd": number(link)}), link))


def run_context(program: Fd | int, context: bytes) -> tuple[int, bytes]:
    """Runs a program of type syscall once on `context`; returns (what it returned, signed, the context afterwards).

    KernelError EINVAL: the context is smaller than what the program uses.
    """
    held = bytearray(context or b"\0")
    values: dict[str, int | bytes] = {"prog_fd": number(program), "ctx_size_in": len(context)}
    if context:
        values["ctx_in"] = address(held)
    attr = fill(abi.ATTR_TEST, values)
    bpf(abi.PROG_TEST_RUN, attr, program)
    result = take(attr, abi.ATTR_TEST, "retval", len(attr)) or 0
    return result - (1 << 32) if result >> 31 else result, bytes(held[: len(context)])
