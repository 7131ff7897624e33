"""Raw bpf(2), one small function per command; the names of the files beside this one."""

from __future__ import annotations

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
    from bpfimg.kernel._fd import Fd

__all__ = [
    "LinkInfo",
    "MapInfo",
    "ProgramInfo",
    "bind_map",
    "btf_load",
    "get",
    "kind",
    "link_by_id",
    "link_create",
    "link_detach",
    "link_ids",
    "link_info",
    "link_update",
    "map_by_id",
    "map_create",
    "map_delete",
    "map_freeze",
    "map_ids",
    "map_info",
    "map_keys",
    "map_lookup",
    "map_next_key",
    "map_update",
    "pin",
    "possible_cpus",
    "prog_attach",
    "prog_detach",
    "prog_load_trivial",
    "prog_query",
    "program_by_id",
    "program_ids",
    "program_info",
    "raw_tracepoint_open",
    "test_run",
    "tracepoint_event",
]


def tracepoint_event(group: str, name: str) -> Fd:
    """Opens a tracepoint for `link_create(program, event.fileno(), ATTACH_PERF_EVENT)`; see `_tracefs`."""
    from bpfimg.kernel._tracefs import tracepoint_event as opened

    return opened(group, name)
