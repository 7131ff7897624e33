"""BTF objects and tables of operations: what they are, who uses them."""

from __future__ import annotations

from bpfimg.errors import KernelError
from bpfimg.inspect._kernel._views import BtfView, StructOpsView, word
from bpfimg.kernel import abi, bpf, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpfimg.inspect._kernel._functions import Names
    from bpfimg.inspect._kernel._holders import Holders
    from bpfimg.inspect._kernel._views import LinkView, ProgramView

_STATES = ("init", "inuse", "tobefree", "ready")  # enum bpf_struct_ops_state
_PREFIX = "bpf_struct_ops_"
_HEAD = 8  # refcnt and state come before the operations in a value


def btfs(programs: Iterable[ProgramView], maps: Iterable[bpf.MapInfo], held: Holders) -> tuple[BtfView, ...]:
    """Returns the BTF objects with the programs and maps that have their types from them."""
    used: dict[int, tuple[list[int], list[int]]] = {}
    for program in programs:
        if program.btf_id:
            used.setdefault(program.btf_id, ([], []))[0].append(program.id)
    for info in maps:
        if info.btf_id:
            used.setdefault(info.btf_id, ([], []))[1].append(info.id)
    found = []
    for each in walk.btfs():
        users = used.get(each.id, ((), ()))
        view = BtfView(
            each.id, each.name, each.size, each.kernel, tuple(users[0]), tuple(users[1]), held.of("btf", each.id)
        )
        found.append(view)
    return tuple(found)


def struct_ops(
    maps: Iterable[bpf.MapInfo],
    programs: Sequence[ProgramView],
    links: Iterable[LinkView],
    names: Names,
    held: Holders,
) -> tuple[StructOpsView, ...]:
    """Returns the tables of operations."""
    tables = [info for info in maps if word(abi.MAP_TYPES, info.type) == "struct_ops"]
    if not tables:
        return ()
    linked: dict[object, list[int]] = {}
    for link in links:
        if link.hook == "struct_ops" and link.kernel_id is not None:
            linked.setdefault(link.details.get("map_id"), []).append(link.kernel_id)
    kernel = next((each.id for each in walk.btfs() if each.name == "vmlinux"), 0)
    found = []
    for info in tables:
        users = tuple(program.id for program in programs if info.id in program.map_ids)
        # a table knows its programs, not they it: those of the same object have the same types
        users = users or tuple(p.id for p in programs if p.type == "struct_ops" and p.btf_id == info.btf_id)
        structure = names.function(kernel, info.vmlinux_value_type_id or 0)[0].removeprefix(_PREFIX)
        found.append(
            StructOpsView(
                info.id,
                info.name,
                structure,
                _state(info),
                tuple(linked.get(info.id, ())),
                users,
                held.of("map", info.id),
            )
        )
    return tuple(found)


def _state(info: bpf.MapInfo) -> str:
    try:
        with bpf.map_by_id(info.id) as fd:
            content = bpf.map_lookup(fd, bytes(4), info.value_size)
    except KernelError:
        return ""
    import sys

    number = int.from_bytes((content or b"")[4:_HEAD], sys.byteorder)
    return word(_STATES, number) if content else ""
