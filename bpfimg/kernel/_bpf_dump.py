"""The code of a loaded program as the kernel keeps it, and what the kernel knows of that code."""

from __future__ import annotations

import struct

from bpfimg._value import value
from bpfimg.errors import KernelError
from bpfimg.kernel import _abi as abi
from bpfimg.kernel._bpf_info import raw_info
from bpfimg.kernel._fd import Fd
from bpfimg.kernel._syscall import ORDER, address, bpf, fill, take

_FUNCTION_SIZE, _LINE_SIZE = 8, 16  # struct bpf_func_info and bpf_line_info, the same since 4.20 and 5.0
_CODE_MAX = 64 << 20
_NAME_MAX = 128
_BASE = "__bpf_call_base"


@value(frozen=True, slots=True)
class ProgramDump:
    """The translated instructions, and where in them (counted in eight bytes) functions and source lines begin.

    `functions` are (place, id of the FUNC in the program's BTF), `lines` (place, file, text, line and column: offsets
    in the strings of that BTF, and line << 10 | column). `code` is empty where the kernel does not show it.
    """

    code: bytes
    functions: tuple[tuple[int, int], ...]
    lines: tuple[tuple[int, int, int, int], ...]


def program_dump(fd: Fd | int) -> ProgramDump:
    """Returns what the kernel shows of a program's code; KernelError as bpf(2) answers."""
    info, length = raw_info(fd)

    def field(name: str) -> int:
        return take(info, abi.PROG_INFO, name, length) or 0

    code = bytearray(min(field("xlated_prog_len"), _CODE_MAX))
    functions = bytearray(field("nr_func_info") * _FUNCTION_SIZE)
    lines = bytearray(field("nr_line_info") * _LINE_SIZE)
    if field("func_info_rec_size") != _FUNCTION_SIZE:
        functions = bytearray()
    if field("line_info_rec_size") != _LINE_SIZE:
        lines = bytearray()
    asked = {
        "xlated_prog_len": len(code),
        "xlated_prog_insns": address(code) if code else 0,
        "nr_func_info": len(functions) // _FUNCTION_SIZE,
        "func_info_rec_size": _FUNCTION_SIZE if functions else 0,
        "func_info": address(functions) if functions else 0,
        "nr_line_info": len(lines) // _LINE_SIZE,
        "line_info_rec_size": _LINE_SIZE if lines else 0,
        "line_info": address(lines) if lines else 0,
    }
    places = {abi.PROG_INFO[name]: number for name, number in asked.items()}
    info, length = raw_info(fd, {offset: number.to_bytes(width, ORDER) for (offset, width), number in places.items()})
    shown = take(info, abi.PROG_INFO, "xlated_prog_insns", length) if code else 0
    return ProgramDump(
        code=bytes(code[: field("xlated_prog_len")]) if shown else b"",
        functions=tuple((at, type_id) for at, type_id in struct.iter_unpack("=II", functions)),
        lines=tuple((at, file, text, place) for at, file, text, place in struct.iter_unpack("=IIII", lines)),
    )


def btf_data(id: int) -> bytes:
    """Returns the BTF of that id as the kernel holds it; KernelError ENOENT: it has gone. Needs CAP_SYS_ADMIN."""
    with Fd(bpf(abi.BTF_GET_FD_BY_ID, fill(abi.ATTR_ID, {"start_id": id}), f"BTF {id}")) as fd:
        info, length = raw_info(fd)
        data = bytearray(min(take(info, abi.BTF_INFO, "btf_size", length) or 0, _CODE_MAX))
        if not data:
            return b""
        size, width = abi.BTF_INFO["btf_size"]
        pointer, _ = abi.BTF_INFO["btf"]
        raw_info(fd, {pointer: address(data).to_bytes(8, ORDER), size: len(data).to_bytes(width, ORDER)})
    return bytes(data)


def btf_name(id: int) -> str:
    """Returns whose types the BTF of that id has: `vmlinux`, a module; "" for a program's. Needs CAP_SYS_ADMIN."""
    room = bytearray(_NAME_MAX)
    pointer, _ = abi.BTF_INFO["name"]
    size, width = abi.BTF_INFO["name_len"]
    with Fd(bpf(abi.BTF_GET_FD_BY_ID, fill(abi.ATTR_ID, {"start_id": id}), f"BTF {id}")) as fd:
        raw_info(fd, {pointer: address(room).to_bytes(8, ORDER), size: _NAME_MAX.to_bytes(width, ORDER)})
    return bytes(room).split(b"\0")[0].decode("utf-8", "replace")


def called_functions(distances: frozenset[int]) -> dict[int, str]:
    """Names of the kernel functions at these distances (bytes) from the place that calls of them are counted from.

    Empty where /proc/kallsyms does not show addresses; a function without a name of its own is left out.
    """
    try:
        with open("/proc/kallsyms", "rb") as file:
            symbols = file.read()
    except OSError as error:
        raise KernelError(f"/proc/kallsyms cannot be read: {error.strerror}", errno=error.errno or 0) from error
    at = symbols.find(f" T {_BASE}\n".encode())
    base = int(symbols[symbols.rfind(b"\n", 0, at) + 1 : at], 16) if at >= 0 else 0
    if not base:
        return {}
    found = {}
    for distance in distances:
        line = symbols.find(f"\n{(base + distance) & (1 << 64) - 1:016x} ".encode())
        if line >= 0:
            words = symbols[line + 1 : symbols.find(b"\n", line + 1)].split()
            found[distance] = words[2].decode("utf-8", "replace")
    return found


def functions_at(addresses: frozenset[int]) -> dict[int, str]:
    """Names of the kernel's symbols at these addresses; `name [module]` for those of modules.

    Empty where /proc/kallsyms does not show addresses; an address without a name is left out.
    """
    wanted = {f"{number:016x}".encode(): number for number in addresses if number}
    found: dict[int, str] = {}
    try:
        with open("/proc/kallsyms", "rb") as file:
            for line in file if wanted else ():
                if line[:16] in wanted:
                    words = line.decode("utf-8", "replace").split()
                    found.setdefault(wanted[line[:16]], " ".join(words[2:]))
    except OSError:
        return {}
    return found
