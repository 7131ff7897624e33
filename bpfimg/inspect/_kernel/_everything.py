"""Every program in the kernel, where it is attached and who holds it: ours and everybody else's.

The kernel tells of links by id. What no link stands for is found where the kernel tells of it: on the interfaces of
every network namespace that can be reached, on control groups, maps of sockets, and in perf events of processes.
"""

from __future__ import annotations

from bpfimg._value import replace
from bpfimg.inspect._kernel import _join, _maps, _targets, _types
from bpfimg.inspect._kernel._cgroups import Cgroups
from bpfimg.inspect._kernel._functions import Names
from bpfimg.inspect._kernel._holders import holders
from bpfimg.inspect._kernel._namespaces import reachable
from bpfimg.inspect._kernel._network import hooked
from bpfimg.inspect._kernel._views import ProgramView, word
from bpfimg.kernel import abi, bpf, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpfimg.inspect._kernel._holders import Holders
    from bpfimg.inspect._kernel._views import Inventory
    from bpfimg.load import Host, Load

_SOCKET_PROGRAMS = ("sk_msg", "sk_skb")
_TARGETED = ("tracing", "lsm", "ext", "struct_ops")


def added(host: Host, loads: Sequence[Load], own: Inventory, *, maps: bool) -> Inventory:
    """Returns our programs and links followed by everybody else's, with their holders filled in."""
    infos = {info.id: info for info in walk.programs()}
    links = list(walk.links())
    map_infos = list(walk.maps()) if maps or links or infos else []
    held = holders(host.bpffs)
    unseen = held.unseen
    names = Names()
    programs = _programs(infos, own.programs, held, names)
    types = {program.type for program in programs}

    namespaces = {each.inode: each for each in reachable(held.processes.networks, unseen)}
    groups = Cgroups()
    sources = _targets.Sources(infos, {info.id: info.name for info in map_infos}, names, groups, namespaces)
    netfilter = any(link.type == abi.LINK_NETFILTER for link in links)
    places = [each for one in namespaces.values() for each in hooked(one, netfilter=netfilter, unseen=unseen)]

    join = _join.Join(own.links, links, sources, held)
    join.network(places)
    join.groups(groups.attached(types))
    if types & set(_SOCKET_PROGRAMS):
        join.sockets(info for info in map_infos if word(abi.MAP_TYPES, info.type) in ("sockmap", "sockhash"))
    join.events(held.processes.events)
    unseen += groups.unseen
    views = join.views()
    return replace(
        own,
        programs=tuple(programs),
        links=tuple(views),
        maps=tuple(_maps.everything(map_infos, loads, programs, held)) if maps else (),
        unseen=(*own.unseen, *unseen),
        btfs=_types.btfs(programs, map_infos, held),
        struct_ops=_types.struct_ops(map_infos, programs, views, names, held),
    )


def _programs(
    infos: dict[int, bpf.ProgramInfo], own: Iterable[ProgramView], held: Holders, names: Names
) -> list[ProgramView]:
    programs = [
        replace(view, held_by=held.of("program", view.id), target=_target(view.info, view.type, names)) for view in own
    ]
    known = {view.id for view in programs}
    for info in infos.values():
        if info.id in known:
            continue
        name = names.program(info.name, info.btf_id, info.function_type_id)
        kind = word(abi.PROGRAM_TYPES, info.type)
        target = _target(info, kind, names) if kind in _TARGETED else ""
        held_by = held.of("program", info.id)
        programs.append(ProgramView(info.id, name, kind, info, None, None, "", held_by, "", target, None))
    return programs


def _target(info: bpf.ProgramInfo | None, kind: str, names: Names) -> str:
    """What the program was loaded for: a function of the kernel or of another program."""
    if info is None or kind not in _TARGETED or not info.attach_btf_id:
        return ""
    if info.attach_btf_obj_id and names.owner(info.attach_btf_obj_id):
        return names.function(info.attach_btf_obj_id, info.attach_btf_id)[0]
    return names.of_program(info.attach_btf_obj_id or 0, info.attach_btf_id)
