"""Raw bpf(2), one small function per command; the names of the files beside this one."""

from __future__ import annotations

from bpfimg.kernel import _abi as abi
from bpfimg.kernel._bpf_attach import prog_attach, prog_detach
from bpfimg.kernel._bpf_info import (
    LinkInfo,
    MapInfo,
    ProgramInfo,
    kind,
    link_by_id,
    link_ids,
    link_info,
    map_by_id,
    map_ids,
    map_info,
    program_by_id,
    program_ids,
    program_info,
)
from bpfimg.kernel._bpf_links import (
    bind_map,
    get,
    link_create,
    link_detach,
    link_update,
    pin,
    prog_load_trivial,
    prog_query,
    raw_tracepoint_open,
    test_run,
)
from bpfimg.kernel._bpf_load import Program, prog_load, takes_extensions
from bpfimg.kernel._bpf_maps import (
    btf_load,
    map_create,
    map_delete,
    map_freeze,
    map_keys,
    map_lookup,
    map_next_key,
    map_update,
    possible_cpus,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.kernel._fd import Fd

__all__ = [
    "LinkInfo",
    "MapInfo",
    "Program",
    "ProgramInfo",
    "bind_map",
    "btf_load",
    "get",
    "is_multi",
    "iterator",
    "kind",
    "link_by_id",
    "link_create",
    "link_detach",
    "link_ids",
    "link_info",
    "link_iterator",
    "link_kprobe_multi",
    "link_update",
    "map_by_id",
    "map_create",
    "map_delete",
    "map_entries",
    "map_freeze",
    "map_ids",
    "map_info",
    "map_keys",
    "map_lookup",
    "map_next_key",
    "map_take",
    "map_update",
    "pin",
    "possible_cpus",
    "prog_attach",
    "prog_detach",
    "prog_load",
    "prog_load_trivial",
    "prog_query",
    "program_by_id",
    "program_ids",
    "program_info",
    "raw_tracepoint_open",
    "run_context",
    "takes_extensions",
    "test_run",
    "tracepoint_event",
]


def tracepoint_event(group: str, name: str) -> Fd:
    """Opens a tracepoint for `link_create(program, event.fileno(), ATTACH_PERF_EVENT)`; see `_tracefs`."""
    from bpfimg.kernel._tracefs import tracepoint_event as opened

    return opened(group, name)


def link_kprobe_multi(program: Fd | int, functions: Sequence[str], attach_type: int, *, ret: bool = False) -> Fd:
    """Attaches a program to many functions of the kernel; see `_bpf_trace`."""
    from bpfimg.kernel._bpf_trace import link_kprobe_multi as linked

    return linked(program, functions, attach_type, ret=ret)


def link_iterator(program: Fd | int, target: bytes = b"") -> Fd:
    """A link of an iterator; see `_bpf_trace`."""
    from bpfimg.kernel._bpf_trace import link_iterator as linked

    return linked(program, target)


def iterator(link: Fd | int) -> Fd:
    """What the iterator of a link writes, to be read once; see `_bpf_trace`."""
    from bpfimg.kernel._bpf_trace import iterator as created

    return created(link)


def run_context(program: Fd | int, context: bytes) -> tuple[int, bytes]:
    """Runs a program of type syscall once; see `_bpf_trace`."""
    from bpfimg.kernel._bpf_trace import run_context as ran

    return ran(program, context)


def is_multi(attach_type: int) -> bool:
    """Whether a program of that attach type goes on links of many kernel functions, and on no other."""
    return abi.ATTACH_TYPES[attach_type] in ("trace_kprobe_multi", "trace_kprobe_session")


def map_entries(fd: Fd | int, key_size: int, value_size: int) -> Iterator[tuple[bytes, bytes]]:
    """Walks keys and values of a map, many with one call; see `_bpf_entries`."""
    from bpfimg.kernel._bpf_entries import map_entries as walked

    return walked(fd, key_size, value_size)


def map_take(fd: Fd | int, value_size: int) -> bytes | None:
    """Takes the next value out of a queue or stack; see `_bpf_entries`."""
    from bpfimg.kernel._bpf_entries import map_take as taken

    return taken(fd, value_size)
