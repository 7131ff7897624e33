"""XDP and clsact by libbpf's netlink calls, in the network namespace of the calling thread."""

from __future__ import annotations

import ctypes
import errno

from bpfimg._value import value
from bpfimg.errors import KernelError
from bpfimg.kernel import _abi as abi
from bpfimg.kernel._fd import Fd, number
from bpfimg.kernel._library import library, useful
from bpfimg.kernel._syscall import ORDER, address

_WORD = ctypes.sizeof(ctypes.c_size_t)
_MODES = {1: "native", 2: "generic", 3: "offload"}
_MULTI = 4
_DIRECTIONS = {"ingress": 1, "egress": 2}
_REPLACE = 1


@value(frozen=True, slots=True)
class XdpState:
    """What XDP program an interface has: id 0 and mode None for none."""

    prog_id: int
    mode: str | None  # "native", "generic", "offload"


def xdp_query(ifindex: int) -> XdpState:
    """Returns what XDP program an interface has, whoever attached it, by link or by netlink."""
    options = _options(4 * _WORD if _WORD == 8 else 24)
    _must("bpf_xdp_query", f"interface {ifindex}", ifindex, 0, address(options))
    program, native, offload, generic = (_read(options, _WORD + 4 * n) for n in range(4))
    mode = options[_WORD + 16]
    if mode == _MULTI:  # one each in two modes: the one that packets meet first
        mode = 3 if offload else 1 if native else 2
        program = offload or native or generic
    return XdpState(prog_id=program, mode=_MODES.get(mode))


def xdp_attach(ifindex: int, fd: Fd | int | None, *, flags: int = 0, old_fd: Fd | int | None = None) -> None:
    """Attaches an XDP program without a link (None detaches): it lives with the interface, not with us.

    With `old_fd` only if that program is there now. KernelError: EBUSY, EEXIST (another program is there).
    """
    options = _options(2 * _WORD)
    if old_fd is not None:
        flags |= abi.XDP_REPLACE
        options[_WORD : _WORD + 4] = number(old_fd).to_bytes(4, ORDER)
    program = -1 if fd is None else number(fd)
    _must("bpf_xdp_attach", f"interface {ifindex}", ifindex, program, flags, address(options))


def tc_attach(
    ifindex: int,
    direction: str,
    prog_fd: Fd | int,
    *,
    priority: int = 0,
    handle: int = 0,
    replace: bool = False,
) -> tuple[int, int]:
    """Attaches a program to clsact (made if absent), in direct-action mode; returns (handle, priority).

    0 leaves the choice to the kernel. KernelError EEXIST: handle and priority are taken, and `replace` is not set.
    EOPNOTSUPP: a qdisc `ingress` is in the place of clsact: it takes filters for egress, and runs them on ingress.
    """
    hook = _hook(ifindex, direction)
    lib = library()
    result, lines = lib.call("bpf_tc_hook_create", address(hook))
    if result < 0 and result != -errno.EEXIST:
        raise _failed("bpf_tc_hook_create", f"interface {ifindex}", result, lines)
    if result < 0 and direction == "egress":
        _require_egress(ifindex)
    options = _tc_options(prog_fd=number(prog_fd), flags=_REPLACE if replace else 0, handle=handle, priority=priority)
    _must("bpf_tc_attach", f"{direction} of interface {ifindex}", address(hook), address(options))
    return _read(options, _WORD + 12), _read(options, _WORD + 16)


def _require_egress(ifindex: int) -> None:
    from bpfimg.kernel._netlink_tc import clsact_kind

    if clsact_kind(ifindex) == "ingress":
        message = f"interface {ifindex} has a qdisc of kind ingress, expected none or clsact: it has no egress"
        hint = "`tc qdisc del dev INTERFACE ingress` takes it off, with the filters that are on it"
        raise KernelError(message, errno=errno.EOPNOTSUPP, hint=hint)


def tc_query(ifindex: int, direction: str, handle: int, priority: int) -> int | None:
    """Returns the id of the program in a clsact filter; None if there is no such filter, clsact or interface."""
    hook, options = _hook(ifindex, direction), _tc_options(handle=handle, priority=priority)
    result, lines = library().call("bpf_tc_query", address(hook), address(options))
    if result in (-errno.ENOENT, -errno.EINVAL, -errno.ENODEV):
        return None
    if result < 0:
        raise _failed("bpf_tc_query", f"{direction} of interface {ifindex}", result, lines)
    return _read(options, _WORD + 8)


def tc_detach(ifindex: int, direction: str, handle: int, priority: int) -> None:
    """Removes a clsact filter; KernelError ENOENT or EINVAL: there is none. clsact itself stays."""
    hook, options = _hook(ifindex, direction), _tc_options(handle=handle, priority=priority)
    _must("bpf_tc_detach", f"{direction} of interface {ifindex}", address(hook), address(options))


def tc_destroy(ifindex: int) -> None:
    """Removes clsact from an interface, with the filters of everybody on it."""
    hook = _hook(ifindex, "ingress")
    hook[_WORD + 4 : _WORD + 8] = (3).to_bytes(4, ORDER)  # both directions: the qdisc itself
    _must("bpf_tc_hook_destroy", f"interface {ifindex}", address(hook))


def _options(size: int) -> bytearray:
    """A zeroed `…_opts` structure: its size comes first, libbpf checks it both ways."""
    buffer = bytearray(size)
    buffer[0:_WORD] = size.to_bytes(_WORD, ORDER)
    return buffer


def _hook(ifindex: int, direction: str) -> bytearray:
    if direction not in _DIRECTIONS:
        raise ValueError(f"direction {direction!r}, expected ingress or egress")
    buffer = _options(3 * _WORD if _WORD == 8 else 16)
    buffer[_WORD : _WORD + 8] = ifindex.to_bytes(4, ORDER) + _DIRECTIONS[direction].to_bytes(4, ORDER)
    return buffer


def _tc_options(*, prog_fd: int = 0, flags: int = 0, handle: int = 0, priority: int = 0) -> bytearray:
    buffer = _options(4 * _WORD if _WORD == 8 else 24)
    for place, word in enumerate((prog_fd, flags, 0, handle, priority)):
        buffer[_WORD + 4 * place : _WORD + 4 * place + 4] = word.to_bytes(4, ORDER)
    return buffer


def _read(buffer: bytearray, offset: int) -> int:
    return int.from_bytes(buffer[offset : offset + 4], ORDER)


def _must(function: str, what: str, *arguments: object) -> None:
    result, lines = library().call(function, *arguments)
    if result < 0:
        raise _failed(function, what, result, lines)


def _failed(function: str, what: str, result: int, lines: list[str]) -> KernelError:
    from bpfimg.kernel._failure import permission_hint, printable, reason

    said = "; ".join(printable(line.removeprefix("Kernel error message: ")) for line in useful(lines)[:2])
    hint = permission_hint(("CAP_BPF", "CAP_NET_ADMIN"), "attaching") if result == -errno.EPERM else ""
    message = f"{function} failed for {what}: {reason(-result)}{': ' + said if said else ''}"
    return KernelError(message, errno=-result, hint=hint)
