"""Every program in the kernel, where it is attached and who holds it: ours and everybody else's.

The kernel tells of links by id. What no link stands for is found where the kernel tells of it: on the interfaces of
every network namespace that can be reached, on control groups, maps of sockets, and in perf events of processes.
"""

from __future__ import annotations

import os
from contextlib import closing

from bpfimg._value import replace
from bpfimg.errors import KernelError
from bpfimg.inspect._kernel import _join, _maps, _targets
from bpfimg.inspect._kernel._cgroups import Cgroups
from bpfimg.inspect._kernel._functions import Names
from bpfimg.inspect._kernel._host import ours
from bpfimg.inspect._kernel._namespaces import here, reachable
from bpfimg.inspect._kernel._network import hooked
from bpfimg.inspect._kernel._states import MEMBER
from bpfimg.inspect._kernel._views import ProgramView, word
from bpfimg.kernel import abi, bpf, walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from bpfimg.dispatcher import Chain
    from bpfimg.inspect._kernel._holders import Holders, Looking
    from bpfimg.inspect._kernel._namespaces import Namespace
    from bpfimg.inspect._kernel._network import Hooked
    from bpfimg.inspect._kernel._views import Inventory, LinkView
    from bpfimg.load import Host

_SOCKET_PROGRAMS = ("sk_msg", "sk_skb")
_TARGETED = ("tracing", "lsm", "ext", "struct_ops")


def seen(host: Host, looking: Looking, *, maps: bool, types: bool) -> Inventory:
    """Returns our programs and links followed by everybody else's, with their holders filled in."""
    infos = {info.id: info for info in walk.programs()}
    links = list(walk.links())
    map_infos = list(walk.maps())
    loads, own = ours(host)
    near = _Near(links)
    held = looking.result()
    with closing(Names()) as names:
        views, namespaces, unseen = _links(infos, links, own, held, names, near=near, maps=map_infos)
        chains: tuple[Chain, ...] = ()
        if _may_be_chained(host, infos.values()):
            from bpfimg.inspect._kernel import _chained

            chained = _chained.within(host, namespaces, links, unseen)
            views, chains = _chained.joined(views, chained, held), chained.chains
        views = _still_there(views, infos)
        instances = {view.program_id: view for view in views if view.how == MEMBER and view.record is not None}
        programs = _programs(infos, own.programs, instances, held, names)
        more: dict[str, Any] = {}
        if maps:
            more["maps"] = tuple(_maps.everything(map_infos, loads, programs, held))
        if types:
            from bpfimg.inspect._kernel import _types

            more["btfs"] = _types.btfs(programs, map_infos, held)
            more["struct_ops"] = _types.struct_ops(map_infos, programs, views, names, held)
    more |= {"unseen": (*own.unseen, *unseen), "chains": chains}
    return replace(own, programs=tuple(programs), links=tuple(views), **more)


class _Near:
    """What is on the hooks of our own network namespace: looked at while somebody else looks at all processes."""

    __slots__ = ("_netfilter", "_places", "_where", "unseen")

    def __init__(self, links: list[walk.Link]) -> None:
        self.unseen: list[str] = []
        self._where, self._netfilter = here(), any(link.type == abi.LINK_NETFILTER for link in links)
        self._places = hooked(self._where, netfilter=self._netfilter, unseen=self.unseen)

    def or_there(self, namespace: Namespace, unseen: list[str]) -> list[Hooked]:
        """The places of a namespace: ours are known."""
        if namespace == self._where:
            return self._places
        return hooked(namespace, netfilter=self._netfilter, unseen=unseen)


def _links(
    infos: dict[int, bpf.ProgramInfo],
    links: list[walk.Link],
    own: Inventory,
    held: Holders,
    names: Names,
    *,
    near: _Near,
    maps: list[bpf.MapInfo],
) -> tuple[list[LinkView], dict[int, str | None], list[str]]:
    """Every attachment, the network namespaces that were looked at, and what could not be."""
    unseen = held.unseen + near.unseen
    namespaces = {each.inode: each for each in reachable(held.processes.networks, unseen)}
    groups = Cgroups()
    sources = _targets.Sources(infos, {info.id: info.name for info in maps}, names, groups, namespaces)
    places = [each for one in namespaces.values() for each in near.or_there(one, unseen)]
    kinds = {info.type for info in infos.values()}
    words = {word(abi.PROGRAM_TYPES, kind) for kind in kinds}
    join = _join.Join(own.links, links, sources, held)
    join.network(places)
    join.groups(groups.attached(words))
    if not words.isdisjoint(_SOCKET_PROGRAMS):
        join.sockets(info for info in maps if word(abi.MAP_TYPES, info.type) in ("sockmap", "sockhash"))
    join.events(held.processes.events)
    paths = {each.inode: each.path for each in namespaces.values()}
    return join.views(), paths, unseen + groups.unseen


def _may_be_chained(host: Host, infos: Iterable[bpf.ProgramInfo]) -> bool:
    """True when programs may share a hook: a dispatcher or an extension is loaded, or chains of ours are pinned."""
    extension = abi.PROGRAM_TYPES.index("ext")
    loaded = any(info.type == extension or info.name == "xdp_dispatcher" for info in infos)
    return loaded or os.path.isdir(f"{host.directory}/chains")


def _still_there(views: list[LinkView], infos: dict[int, bpf.ProgramInfo]) -> list[LinkView]:
    """Without what has gone since it was seen; programs that came meanwhile are added to `infos`."""
    found = []
    for view in views:
        if view.id is None and not (_is_known(view.program_id, infos) and _has_place(view)):
            continue
        found.append(view)
    return found


def _is_known(program: int, infos: dict[int, bpf.ProgramInfo]) -> bool:
    if program not in infos:
        try:
            with bpf.program_by_id(program) as fd:
                infos[program] = bpf.program_info(fd)
        except KernelError:
            return program == 0  # a struct_ops link has none
    return True


def _has_place(view: LinkView) -> bool:
    """False for a link to an interface that nobody knows, once the link has gone, too."""
    if not view.ifindex or view.interface is not None or view.kernel_id is None:
        return True
    try:
        bpf.link_by_id(view.kernel_id).close()
    except KernelError:
        return False
    return True


def _programs(
    infos: dict[int, bpf.ProgramInfo],
    own: Iterable[ProgramView],
    instances: dict[int, LinkView],
    held: Holders,
    names: Names,
) -> list[ProgramView]:
    programs = [
        replace(view, held_by=held.of("program", view.id), target=_target(view.info, view.type, names)) for view in own
    ]
    known = {view.id for view in programs}
    for info in infos.values():
        if info.id in known:
            continue
        if info.id in instances:
            programs.append(_instance(info, instances[info.id], programs, held))
            continue
        name = names.program(info.name, info.btf_id, info.function_type_id)
        kind = word(abi.PROGRAM_TYPES, info.type)
        target = _target(info, kind, names) if kind in _TARGETED else ""
        held_by = held.of("program", info.id)
        programs.append(ProgramView(info.id, name, kind, info, None, None, "", held_by, "", target, None))
    return programs


def _instance(info: bpf.ProgramInfo, link: LinkView, programs: list[ProgramView], held: Holders) -> ProgramView:
    """A program of ours once more, as it is in the slots of dispatchers; its link pins it."""
    record = next((view.record for view in programs if view.load == link.load), None)
    name = link.record.program_name if link.record else info.name
    types = {program.name: program.type for program in (record.programs if record else ())}
    kind = types.get(name, word(abi.PROGRAM_TYPES, info.type))
    return ProgramView(info.id, name, kind, info, link.load, record, link.pin, held.of("program", info.id))


def _target(info: bpf.ProgramInfo | None, kind: str, names: Names) -> str:
    """What the program was loaded for: a function of the kernel or of another program."""
    if info is None or kind not in _TARGETED or not info.attach_btf_id:
        return ""
    if info.attach_btf_obj_id and names.owner(info.attach_btf_obj_id):
        return names.function(info.attach_btf_obj_id, info.attach_btf_id)[0]
    return names.of_program(info.attach_btf_obj_id or 0, info.attach_btf_id)
