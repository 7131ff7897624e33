"""Links and programs by raw bpf(2): attach, update, detach, pin, query, test."""

from __future__ import annotations

import os

from bpfimg.kernel import _abi as abi
from bpfimg.kernel._fd import Fd, number
from bpfimg.kernel._syscall import ORDER, address, bpf, bpf_errno, failed, fill, take

_EPERM, _EACCES, _EINVAL = 1, 13, 22
_MAX_ATTACHED = 64  # BPF_MPROG_MAX, what one tcx or netkit hook holds at most


def pin(fd: Fd | int, path: str) -> None:
    """Pins a program, map or link at `path` in bpffs; KernelError EEXIST if there is something already."""
    name = bytearray(os.fsencode(path) + b"\0")
    attr = fill(abi.ATTR_OBJ, {"pathname": address(name), "bpf_fd": number(fd)})
    result = bpf_errno(abi.OBJ_PIN, attr)
    if result < 0:
        from bpfimg.kernel._bpffs import why_not_bpffs

        raise why_not_bpffs(path) or failed(abi.OBJ_PIN, path, result)


def get(path: str, *, read_only: bool = False) -> Fd:
    """Opens what is pinned at `path`; KernelError ENOENT if nothing is. `read_only` is for maps."""
    name = bytearray(os.fsencode(path) + b"\0")
    flags = abi.F_RDONLY if read_only else 0
    result = bpf_errno(abi.OBJ_GET, fill(abi.ATTR_OBJ, {"pathname": address(name), "file_flags": flags}))
    if result >= 0:
        return Fd(result)
    from bpfimg.kernel._bpffs import why_not_bpffs

    elsewhere = why_not_bpffs(path) if result in (-_EPERM, -_EACCES) else None
    raise elsewhere or failed(abi.OBJ_GET, path, result)


def link_create(prog_fd: Fd | int, target: int, attach_type: int, *, flags: int = 0, extra: bytes = b"") -> Fd:
    """Attaches a program; it stays attached for as long as the link is open or pinned.

    `target` is an interface index or a descriptor, as the attach type has it; `extra` is the part of the
    argument that follows the flags (offset 16), zero if absent.
    """
    values: dict[str, int | bytes] = {
        "prog_fd": number(prog_fd),
        "target_fd": target,
        "attach_type": attach_type,
        "flags": flags,
    }
    attr = fill(abi.ATTR_LINK_CREATE, values)
    attr[abi.LINK_CREATE_UNION : abi.LINK_CREATE_UNION + len(extra)] = extra
    return Fd(bpf(abi.LINK_CREATE, attr, prog_fd))


def link_update(link: Fd | int, new_prog: Fd | int, *, old_prog: Fd | int | None = None) -> None:
    """Exchanges a link's program in one step; with `old_prog` only if that one is there now (else EPERM)."""
    values: dict[str, int | bytes] = {"link_fd": number(link), "new_prog_fd": number(new_prog)}
    if old_prog is not None:
        values |= {"flags": abi.F_REPLACE, "old_prog_fd": number(old_prog)}
    bpf(abi.LINK_UPDATE, fill(abi.ATTR_LINK_UPDATE, values), link)


def link_detach(link: Fd | int) -> None:
    """Takes the program off its hook; the link stays, dangling, until the last descriptor and pin are gone."""
    bpf(abi.LINK_DETACH, fill(abi.ATTR_LINK_DETACH, {"link_fd": number(link)}), link)


def raw_tracepoint_open(name: str, prog_fd: Fd | int) -> Fd:
    """Attaches to a raw tracepoint; `name` is empty for programs whose target is fixed at load (tp_btf)."""
    values: dict[str, int | bytes] = {"prog_fd": number(prog_fd)}
    text = bytearray(name.encode() + b"\0")
    if name:
        values["name"] = address(text)
    attr = fill(abi.ATTR_RAW_TRACEPOINT, values)
    return Fd(bpf(abi.RAW_TRACEPOINT_OPEN, attr, f"raw tracepoint {name!r}"))


def bind_map(prog_fd: Fd | int, map_fd: Fd | int) -> None:
    """Makes a map live as long as a program that does not use it; there is no way back."""
    bpf(abi.PROG_BIND_MAP, fill(abi.ATTR_BIND_MAP, {"prog_fd": number(prog_fd), "map_fd": number(map_fd)}), prog_fd)


def prog_query(target: int, attach_type: int) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Returns (program ids, link ids, revision) of what is attached to an interface or descriptor, in order.

    Before 6.6 a kernel tells neither link ids (then there are zeros) nor a revision.
    """
    programs, links = bytearray(4 * _MAX_ATTACHED), bytearray(4 * _MAX_ATTACHED)
    values: dict[str, int | bytes] = {
        "target_fd": target,
        "attach_type": attach_type,
        "prog_ids": address(programs),
        "link_ids": address(links),
        "count": _MAX_ATTACHED,
    }
    attr = fill(abi.ATTR_QUERY, values)
    result = bpf_errno(abi.PROG_QUERY, attr)
    if result == -_EINVAL:  # from an older kernel for any field that it does not know
        del values["link_ids"]
        attr = fill(abi.ATTR_QUERY, values)
        result = bpf_errno(abi.PROG_QUERY, attr)
    if result < 0:
        raise failed(abi.PROG_QUERY, f"what is attached to {target}", result)
    count = take(attr, abi.ATTR_QUERY, "count", len(attr)) or 0
    revision = take(attr, abi.ATTR_QUERY, "revision", len(attr)) or 0
    return _numbers(programs, count), _numbers(links, count), revision


def _numbers(buffer: bytearray, count: int) -> tuple[int, ...]:
    return tuple(int.from_bytes(buffer[at : at + 4], ORDER) for at in range(0, 4 * count, 4))


def test_run(prog: Fd | int, data: bytes, repeat: int = 1) -> tuple[int, bytes, int]:  # noqa: PT028  # no test
    """Runs a program on `data` (XDP and TC: at least 14 bytes): return value, data afterwards, mean nanoseconds."""
    room = len(data) + 512  # a program may grow the packet by its headroom
    into, out = bytearray(data or b"\0"), bytearray(room)
    values: dict[str, int | bytes] = {
        "prog_fd": number(prog),
        "data_size_in": len(data),
        "data_in": address(into),
        "data_size_out": room,
        "data_out": address(out),
        "repeat": repeat,
    }
    attr = fill(abi.ATTR_TEST, values)
    bpf(abi.PROG_TEST_RUN, attr, prog)
    size = take(attr, abi.ATTR_TEST, "data_size_out", len(attr)) or 0
    retval = take(attr, abi.ATTR_TEST, "retval", len(attr)) or 0
    return retval, bytes(out[:size]), take(attr, abi.ATTR_TEST, "duration", len(attr)) or 0


def prog_load_trivial(type: int, attach_type: int = 0, *, attach_btf_id: int = 0, target: Fd | int = 0) -> Fd:
    """Loads `return 0` as a program of this type: the question whether the kernel takes such programs at all."""
    # mov64 r0, 0; exit. The registers' nibbles change places with the byte order, and both are zero here.
    instructions = bytearray(b"\xb7" + b"\0" * 7 + b"\x95" + b"\0" * 7)
    gpl = bytearray(b"GPL\0")
    values: dict[str, int | bytes] = {
        "prog_type": type,
        "insn_cnt": 2,
        "insns": address(instructions),
        "license": address(gpl),
        "prog_name": b"bpfimg_probe",
        "expected_attach_type": attach_type,
        "attach_btf_id": attach_btf_id,
        "attach_prog_fd": number(target),
    }
    name = abi.PROGRAM_TYPES[type] if type < len(abi.PROGRAM_TYPES) else str(type)
    return Fd(bpf(abi.PROG_LOAD, fill(abi.ATTR_PROG_LOAD, values), f"a trivial {name} program"))
