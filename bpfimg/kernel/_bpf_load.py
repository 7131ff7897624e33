"""PROG_LOAD of instructions that were made here, with their types and source lines; libbpf loads what is in objects."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.kernel import _abi as abi
from bpfimg.kernel._bpf_maps import object_name
from bpfimg.kernel._fd import Fd, number
from bpfimg.kernel._syscall import address, bpf_errno, failed, fill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.kernel._verifier_error import About

_EPERM = 1
_LOG_SIZES = (1 << 20, 1 << 24)
_ENOSPC = 28
_FUNCTION_SIZE, _LINE_SIZE = 8, 16  # struct bpf_func_info and bpf_line_info


@value(frozen=True, slots=True)
class Program:
    """What PROG_LOAD is given: `type` and `attach_type` are the kernel's numbers, `code` instructions of eight bytes.

    `functions` and `lines` are arrays of struct bpf_func_info and bpf_line_info, whose types are in the BTF `btf`;
    `target` and `target_type` the program and the id of the FUNC in its BTF in whose place an extension is put.
    """

    type: int
    code: bytes
    name: str = ""
    license: str = "GPL"
    attach_type: int = 0
    flags: int = 0
    btf: Fd | int = 0
    functions: bytes = b""
    lines: bytes = b""
    target: Fd | int = 0
    target_type: int = 0


def prog_load(program: Program, about: About | None = None) -> Fd:
    """Loads it; a VerifierError has the log, of a second attempt, where the verifier was reached, else KernelError.

    `about` is asked then where in the source an instruction is, for kernels whose logs do not say it.
    """
    buffers = {
        "insns": bytearray(program.code),
        "license": bytearray(program.license.encode() + b"\0"),
        "func_info": bytearray(program.functions),
        "line_info": bytearray(program.lines),
    }
    values: dict[str, int | bytes] = {
        "prog_type": program.type,
        "insn_cnt": len(program.code) // 8,
        "prog_flags": program.flags,
        "prog_name": object_name(program.name),
        "expected_attach_type": program.attach_type,
        "prog_btf_fd": number(program.btf),
        "func_info_rec_size": _FUNCTION_SIZE if program.functions else 0,
        "func_info_cnt": len(program.functions) // _FUNCTION_SIZE,
        "line_info_rec_size": _LINE_SIZE if program.lines else 0,
        "line_info_cnt": len(program.lines) // _LINE_SIZE,
        "attach_btf_id": program.target_type,
        "attach_prog_fd": number(program.target),
        **{name: address(buffer) for name, buffer in buffers.items() if buffer},
    }
    result = bpf_errno(abi.PROG_LOAD, fill(abi.ATTR_PROG_LOAD, values))
    if result >= 0:
        return Fd(result)
    what = f"program {program.name}" if program.name else "a program"
    again, text = 0, ""
    for size in _LOG_SIZES:
        log = bytearray(size)
        values |= {"log_level": 1, "log_size": len(log), "log_buf": address(log)}
        again = bpf_errno(abi.PROG_LOAD, fill(abi.ATTR_PROG_LOAD, values))
        if again >= 0:  # EAGAIN: a signal came while the verifier was at work
            return Fd(again)
        text = bytes(log).partition(b"\0")[0].decode("utf-8", "replace")
        if again != -_ENOSPC:
            break
    from bpfimg.kernel._verifier_error import told, verifier_error

    if told(text):
        raise verifier_error(program.name, text, -again, about)
    raise failed(abi.PROG_LOAD, what, result)


def takes_extensions() -> bool:
    """Whether this process may load programs that replace functions of others (freplace), without loading one.

    One that says of what is answered with EPERM where that is refused, by the machine's policy or for want of
    capabilities, and with EINVAL where only the target is missed.
    """
    code = bytearray(b"\xb7" + b"\0" * 7 + b"\x95" + b"\0" * 7)  # r0 = 0; exit
    license = bytearray(b"GPL\0")
    values: dict[str, int | bytes] = {
        "prog_type": abi.PROG_TYPE_EXT,
        "insn_cnt": 2,
        "insns": address(code),
        "license": address(license),
    }
    return bpf_errno(abi.PROG_LOAD, fill(abi.ATTR_PROG_LOAD, values)) != -_EPERM
