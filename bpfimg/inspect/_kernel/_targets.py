"""Where links lead, in our words: one small function for each kind of link that the kernel has."""

from __future__ import annotations

from bpfimg._value import row, value
from bpfimg.inspect._kernel._network import FAMILIES, HOOKS
from bpfimg.inspect._kernel._views import word
from bpfimg.kernel import abi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bpfimg.inspect._kernel._cgroups import Cgroups
    from bpfimg.inspect._kernel._functions import Names
    from bpfimg.inspect._kernel._namespaces import Namespace
    from bpfimg.kernel import bpf, walk

    Facts = Mapping[str, object]

_FUNCTIONS_SHOWN = 4
_RETURN = 1  # BPF_F_KPROBE_MULTI_RETURN, BPF_F_UPROBE_MULTI_RETURN
_DEFRAG = 1  # BPF_F_NETFILTER_IP_DEFRAG
_TRACING = {"trace_fentry": "fentry", "trace_fexit": "fexit", "modify_return": "fmod_ret", "lsm_mac": "lsm"}
_PERF_HOOKS = {"tracepoint": "tracepoint", "perf_event": "perf_event", "kprobe": "kprobe"}
_SOFTWARE = (
    "cpu-clock task-clock page-faults context-switches cpu-migrations minor-faults major-faults alignment-faults "
    "emulation-faults dummy bpf-output cgroup-switches"
)
_HARDWARE = (
    "cpu-cycles instructions cache-references cache-misses branch-instructions branch-misses bus-cycles "
    "stalled-cycles-frontend stalled-cycles-backend ref-cycles"
)


@row(frozen=True, slots=True)
class Target:
    """Where a link leads. `gone` says in words why it leads nowhere any more; empty when it does."""

    hook: str
    target: str
    attach_type: str = ""
    direction: str | None = None
    ifindex: int | None = None
    netns_inode: int | None = None
    priority: int | None = None
    gone: str = ""
    details: tuple[tuple[str, object], ...] = ()


@value(frozen=True, slots=True)
class Sources:
    """What targets are explained with: all programs by id, names, control groups, namespaces by inode."""

    programs: Mapping[int, bpf.ProgramInfo]
    maps: Mapping[int, str]
    names: Names
    cgroups: Cgroups
    namespaces: Mapping[int, Namespace]


def target(link: walk.Link, sources: Sources) -> Target:
    """Returns where a link leads."""
    return _KINDS.get(link.type, _other)(link, sources)


def _other(link: walk.Link, sources: Sources) -> Target:
    return Target(word(abi.LINK_TYPES, link.type), "")


def _number(facts: Facts, name: str) -> int:
    found = facts.get(name)
    return found if isinstance(found, int) else 0


def _attach_type(facts: Facts) -> str:
    return word(abi.ATTACH_TYPES, _number(facts, "attach_type"))


def _cookie(facts: Facts) -> tuple[tuple[str, object], ...]:
    return (("cookie", facts["cookie"]),) if facts.get("cookie") else ()


def _program_type(link: walk.Link, sources: Sources) -> str:
    info = sources.programs.get(link.prog_id)
    return word(abi.PROGRAM_TYPES, info.type) if info else ""


def _raw_tracepoint(link: walk.Link, sources: Sources) -> Target:
    hook = "tp_btf" if _program_type(link, sources) == "tracing" else "raw_tracepoint"
    name = str(link.facts.get("name", ""))
    return Target(hook, name, "", None, None, None, None, "", _cookie(link.facts))


def _tracing(link: walk.Link, sources: Sources) -> Target:
    facts = link.facts
    attach_type, owner = _attach_type(facts), _number(facts, "target_obj_id")
    info, type_id = sources.programs.get(link.prog_id), _number(facts, "target_btf_id")
    hook = _TRACING.get(attach_type, attach_type)
    if _program_type(link, sources) == "ext":
        hook = "freplace"
    # the object is a program, or a BTF object of the kernel: the program that is linked says which
    of_program = hook == "freplace" or (info is not None and info.attach_btf_obj_id != owner)
    details: tuple[tuple[str, object], ...] = (("target_btf_id", type_id), *_cookie(facts))
    if of_program and owner in sources.programs:
        other = sources.programs[owner]
        function = sources.names.of_program(other.btf_id, type_id) or f"type {type_id}"
        target, more = f"{function} of program {owner}", (("target_program", owner), ("function", function))
    else:
        function, module = sources.names.function(owner, type_id)
        target = (function or f"type {type_id}") + (f" [{module}]" if module not in ("", "vmlinux") else "")
        more = (("target_btf", owner), ("function", function))
    return Target(hook, target, attach_type, details=(*more, *details))


def _cgroup(link: walk.Link, sources: Sources) -> Target:
    attach_type, number = _attach_type(link.facts), _number(link.facts, "cgroup_id")
    path = sources.cgroups.path(number)
    target = f"{path or f'control group {number}'} {attach_type.removeprefix('cgroup_')}"
    gone = "" if number else "its control group has gone, or it was detached by force"
    return Target("cgroup", target if number else attach_type, attach_type, gone=gone, details=(("cgroup_id", number),))


def _iter(link: walk.Link, sources: Sources) -> Target:
    facts = link.facts
    name = str(facts.get("name", ""))
    parts = tuple((key, facts[key]) for key in ("map_id", "cgroup_id", "tid", "pid") if facts.get(key))
    return Target("iter", " ".join([name, *(f"{key} {number}" for key, number in parts)]), details=parts)


def _netns(link: walk.Link, sources: Sources) -> Target:
    inode, attach_type = _number(link.facts, "netns_ino"), _attach_type(link.facts)
    place = sources.namespaces.get(inode)
    words = (place.words or "this namespace") if place else f"network namespace {inode}"
    gone = "" if inode else "its network namespace has gone, or it was detached by force"
    return Target(attach_type, words if inode else "", attach_type, netns_inode=inode or None, gone=gone)


def _device(hook: str) -> Callable[[walk.Link, Sources], Target]:
    def found(link: walk.Link, sources: Sources) -> Target:
        ifindex, attach_type, direction = _number(link.facts, "ifindex"), "xdp", None
        if hook != "xdp":
            attach_type = _attach_type(link.facts)
            direction = attach_type.rpartition("_")[2]
        if not ifindex:
            gone = "its interface has gone, or it was detached by force"
            return Target(hook, direction or "", attach_type, direction, 0, gone=gone)
        place = f"ifindex {ifindex} of a network namespace that cannot be reached"
        return Target(hook, f"{place} {direction or ''}".rstrip(), attach_type, direction, ifindex)

    return found


def _perf_event(link: walk.Link, sources: Sources) -> Target:
    facts = link.facts
    kind, name = facts.get("perf"), str(facts.get("name", ""))
    if not kind:  # a kernel before 6.6
        kind = _program_type(link, sources)
        return Target(_PERF_HOOKS.get(str(kind), "perf_event"), "")
    if kind == "event":
        number, config = _number(facts, "type"), _number(facts, "config")
        return Target("perf_event", event(number, config), details=(("type", number), ("config", config)))
    if kind == "tracepoint":
        return Target("tracepoint", name, details=_cookie(facts))
    return probe(str(kind), name, _number(facts, "offset"), _number(facts, "addr"), _cookie(facts))


def probe(kind: str, name: str, offset: int, address: int, more: tuple[tuple[str, object], ...] = ()) -> Target:
    """A uprobe or kprobe, with or without a link."""
    if kind in ("uprobe", "uretprobe"):
        return Target(kind, f"{name}+{offset:#x}", details=(("path", name), ("offset", offset), *more))
    place = name or f"{address:#x}"
    words = f"{place}+{offset:#x}" if offset else place
    return Target(kind, words, details=(("function", name), ("offset", offset), *more))


def event(kind: int, config: int) -> str:
    """An event of perf(1) in its words, where it has one."""
    words = {0: _HARDWARE, 1: _SOFTWARE}.get(kind, "").split()
    return words[config] if config < len(words) else f"event type {kind} config {config:#x}"


def _kprobe_multi(link: walk.Link, sources: Sources) -> Target:
    facts = link.facts
    count, addresses = _number(facts, "count"), facts.get("addresses")
    names = sources.names.symbols(addresses) if isinstance(addresses, tuple) else []
    hook = "kretprobe" if _number(facts, "flags") & _RETURN else "kprobe"
    shown = ", ".join(names[:_FUNCTIONS_SHOWN]) + (", …" if count > _FUNCTIONS_SHOWN else "")
    words = f"{count} functions" + (f": {shown}" if shown else "") if count else ""
    details = (("functions", count), ("names", tuple(names)))
    return Target(hook, words, "trace_kprobe_multi", details=details if count else ())


def _uprobe_multi(link: walk.Link, sources: Sources) -> Target:
    facts = link.facts
    count, path, offsets = _number(facts, "count"), str(facts.get("name", "")), facts.get("offsets", ())
    hook = "uretprobe" if _number(facts, "flags") & _RETURN else "uprobe"
    first = offsets[0] if isinstance(offsets, tuple) and offsets else 0
    words = f"{path}+{first:#x}" if count == 1 else f"{path} at {count} places"
    details: list[tuple[str, object]] = [("path", path), ("places", count), ("offsets", offsets)]
    if facts.get("pid"):
        details.append(("pid", facts["pid"]))
    return Target(hook, words, "trace_uprobe_multi", details=tuple(details))


def _struct_ops(link: walk.Link, sources: Sources) -> Target:
    number = _number(link.facts, "map_id")
    name = sources.maps.get(number, "")
    gone = "" if number else "it was detached by force"
    return Target("struct_ops", f"{name} (map {number})" if number else "", gone=gone, details=(("map_id", number),))


def _netfilter(link: walk.Link, sources: Sources) -> Target:
    facts = link.facts
    family = FAMILIES.get(_number(facts, "pf"), f"family {_number(facts, 'pf')}")
    hook, priority = word(HOOKS, _number(facts, "hooknum")), _number(facts, "priority")
    defrag = bool(_number(facts, "flags") & _DEFRAG)
    details = (("family", family), ("point", hook), ("priority", priority), ("defrag", defrag))
    return Target("netfilter", f"{family} {hook} priority {priority}", "netfilter", priority=priority, details=details)


def _sockmap(link: walk.Link, sources: Sources) -> Target:
    number, attach_type = _number(link.facts, "map_id"), _attach_type(link.facts)
    gone = "" if number else "its map has gone, or it was detached by force"
    return Target(
        attach_type[:6].rstrip("_"),
        f"map {sources.maps.get(number, '')} (id {number}) {sockets(attach_type)}".rstrip() if number else "",
        attach_type,
        gone=gone,
        details=(("map_id", number),),
    )


def sockets(attach_type: str) -> str:
    """What a program on a map of sockets does, from its attach type: verdict, stream_parser."""
    return attach_type.removeprefix("sk_msg_").removeprefix("sk_skb_")


_KINDS: dict[int, Callable[[walk.Link, Sources], Target]] = {
    abi.LINK_RAW_TRACEPOINT: _raw_tracepoint,
    abi.LINK_TRACING: _tracing,
    abi.LINK_CGROUP: _cgroup,
    abi.LINK_ITER: _iter,
    abi.LINK_NETNS: _netns,
    abi.LINK_XDP: _device("xdp"),
    abi.LINK_PERF_EVENT: _perf_event,
    abi.LINK_KPROBE_MULTI: _kprobe_multi,
    abi.LINK_STRUCT_OPS: _struct_ops,
    abi.LINK_NETFILTER: _netfilter,
    abi.LINK_TCX: _device("tcx"),
    abi.LINK_UPROBE_MULTI: _uprobe_multi,
    abi.LINK_NETKIT: _device("netkit"),
    abi.LINK_SOCKMAP: _sockmap,
}
