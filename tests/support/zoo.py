"""Foreign programs of every kind that the kernel has, attached in every way that it has, by raw calls and other tools.

Nothing of it goes through bpfimg's own attaching, and nothing of it is known to bpfimg: an inventory has to find it.
"""

from __future__ import annotations

import fcntl
import functools
import os
import struct
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from elftools.elf.elffile import ELFFile

from bpfimg.btf import Btf, KernelTypes, Limits, kinds
from bpfimg.kernel import abi, bpf, features, libbpf, netlink, netns, perf, userspace
from bpfimg.kernel._tracefs import tracepoint_event
from tests.support import executables
from tests.support.cgroups import cgroup
from tests.support.netns import bpffs, namespace, tracefs
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpfimg.kernel import Fd
    from tests.support.cgroups import Cgroup
    from tests.support.netns import Namespace

_SET_BPF, _ENABLE = 0x40042408, 0x2400  # PERF_EVENT_IOC_SET_BPF, PERF_EVENT_IOC_ENABLE
_MULTI = 2  # BPF_F_ALLOW_MULTI
#: a function of every kernel, and a tracepoint, that hardly ever run
FUNCTION, TRACEPOINT, RAW = "do_nanosleep", ("oom", "mark_victim"), "mm_vmscan_kswapd_wake"
LONG = "a_program_whose_name_is_long"
_OBJECT = f"""
struct {{ __uint(type, 2); __uint(max_entries, 3); __type(key, __u32); __type(value, __u64); }} numbers SEC(".maps");
static void *(*lookup)(void *map, const void *key) = (void *)1;
SEC("xdp") int {LONG}(void *ctx) {{ __u32 key = 0; lookup(&numbers, &key); return 2; }}
char LICENSE[] SEC("license") = "GPL";
"""


@dataclass(frozen=True, slots=True)
class Animal:
    """A program and where it is: what the inventory has to say. `words` are in its target, `link` is the kernel's."""

    program: int
    hook: str
    how: str
    words: tuple[str, ...] = ()
    link: int | None = None
    position: int | None = None


@dataclass(slots=True)
class Zoo:
    """All of them, and the places made for them."""

    stack: ExitStack
    ns: Namespace
    mount: str
    group: Cgroup
    animals: list[Animal] = field(default_factory=list)
    maps: list[int] = field(default_factory=list)

    def keep(self, fd: Fd) -> Fd:
        """Keeps a descriptor open for as long as the zoo is."""
        return self.stack.enter_context(fd)

    def program(self, type: str, attach_type: str | None = None, **more: int) -> Fd:
        """A program that returns 0."""
        number = abi.ATTACH_TYPES.index(attach_type) if attach_type else 0
        return self.keep(bpf.prog_load_trivial(abi.PROGRAM_TYPES.index(type), number, **more))

    def add(self, program: Fd, hook: str, how: str, *words: str, link: Fd | None = None, at: int | None = None) -> None:
        """Notes where a program was attached."""
        number = None
        if link is not None:
            self.keep(link)
            number = bpf.link_info(link).id
        self.animals.append(Animal(bpf.program_info(program, memlock=False).id, hook, how, words, number, at))

    @property
    def programs(self) -> set[int]:
        """Ids of the programs."""
        return {animal.program for animal in self.animals}


@contextmanager
def zoo() -> Iterator[Zoo]:
    """Everything that this kernel can do, in places of its own; all gone in the end."""
    with ExitStack() as stack:
        found = Zoo(
            stack,
            stack.enter_context(namespace()),
            stack.enter_context(bpffs()),
            stack.enter_context(cgroup()),
        )
        stack.enter_context(tracefs())
        for fill in (_interfaces, _namespace, _groups, _sockets, _traced, _probed, _tracing, _loaded_by_others):
            fill(found)
        yield found


def _pinned(zoo: Zoo, program: Fd, name: str) -> str:
    path = f"{zoo.mount}/{name}"
    bpf.pin(program, path)
    return path


def _inside(zoo: Zoo, function: Callable[..., Fd], *arguments: object, **named: object) -> Fd:
    return netns.call(zoo.ns.path, function, *arguments, **named)


def _interfaces(zoo: Zoo) -> None:
    ns = zoo.ns
    index = netns.call(ns.path, netlink.interface_index, ns.interface)
    xdp = zoo.program("xdp", "xdp")
    link = _inside(zoo, bpf.link_create, xdp, index, abi.ATTACH_XDP)
    zoo.add(xdp, "xdp", "link", ns.interface, link=link, at=0)
    xdp = zoo.program("xdp")
    path = _pinned(zoo, xdp, "by_ip")
    ns.exec(["ip", "link", "set", "dev", ns.peer_interface, "xdpgeneric", "pinned", path], peer=True)
    zoo.add(xdp, "xdp", "netlink", ns.peer_interface, at=0)
    for number, direction in enumerate(("ingress", "ingress", "egress")):
        program = zoo.program("sched_cls")
        path = _pinned(zoo, program, f"by_tc_{number}")
        ns.exec(["tc", "qdisc", "add", "dev", ns.interface, "clsact"], check=False)
        place = ["tc", "filter", "add", "dev", ns.interface, direction, "prio", str(10 - number)]
        ns.exec([*place, "bpf", "da", "pinned", path])
        at = {0: 1, 1: 0}.get(number, 0)  # the later one has the lower priority, and so runs first
        zoo.add(program, "tc", "clsact", f"{ns.interface} {direction}", at=at)
    if features.has("tcx"):
        for position in range(3):
            program = zoo.program("sched_cls")
            link = _inside(zoo, bpf.link_create, program, index, abi.ATTACH_TCX_INGRESS)
            zoo.add(program, "tcx", "link", f"{ns.interface} ingress", link=link, at=position)
    if features.has("netkit"):
        ns.exec(["ip", "link", "add", "nk0", "type", "netkit"], check=False)
        number = netns.call(ns.path, netlink.interfaces).get("nk0", 0)
        if number:
            program = zoo.program("sched_cls", "netkit_primary")
            link = _inside(zoo, bpf.link_create, program, number, abi.ATTACH_TYPES.index("netkit_primary"))
            zoo.add(program, "netkit", "link", "nk0 primary", link=link, at=0)


def _namespace(zoo: Zoo) -> None:
    ns = zoo.ns
    if features.has("netfilter"):
        for priority in (7, -7):
            program = zoo.program("netfilter", "netfilter")
            extra = struct.pack("=IIiI", 2, 1, priority, 0)
            link = _inside(zoo, bpf.link_create, program, 0, abi.ATTACH_NETFILTER, extra=extra)
            zoo.add(program, "netfilter", "link", f"ipv4 input priority {priority}", link=link)
    with netns.opened(ns.path) as here:
        program = zoo.program("sk_lookup", "sk_lookup")
        link = bpf.link_create(program, here.fileno(), abi.ATTACH_TYPES.index("sk_lookup"))
        zoo.add(program, "sk_lookup", "link", ns.name, link=link, at=0)
    program = zoo.program("flow_dissector")
    zoo.stack.callback(netns.call, ns.path, bpf.prog_detach, 0, program, abi.ATTACH_TYPES.index("flow_dissector"))
    netns.call(ns.path, bpf.prog_attach, 0, program, abi.ATTACH_TYPES.index("flow_dissector"))
    zoo.add(program, "flow_dissector", "attach", ns.name, at=0)


def _groups(zoo: Zoo) -> None:
    path = zoo.group.path
    folder = os.open(path, os.O_RDONLY)
    zoo.stack.callback(os.close, folder)
    ingress = abi.ATTACH_TYPES.index("cgroup_inet_ingress")
    program = zoo.program("cgroup_skb")
    zoo.add(program, "cgroup", "link", path, "inet_ingress", link=bpf.link_create(program, folder, ingress), at=0)
    for type, attach_type in (("cgroup_skb", "cgroup_inet_egress"), ("cgroup_sock_addr", "cgroup_inet4_connect")):
        program = zoo.program(type, attach_type)
        bpf.prog_attach(folder, program, abi.ATTACH_TYPES.index(attach_type), flags=_MULTI)
        zoo.add(program, "cgroup", "attach", path, attach_type.removeprefix("cgroup_"), at=0)


def _sockets(zoo: Zoo) -> None:
    with zoo.keep(bpf.map_create(abi.MAP_TYPES.index("sockmap"), 4, 4, 2, name="pairs")) as map:
        number = bpf.map_info(map).id
        program = zoo.program("sk_skb")
        bpf.prog_attach(map, program, abi.ATTACH_TYPES.index("sk_skb_stream_verdict"))
        zoo.add(program, "sk_skb", "attach", f"map pairs (id {number}) stream_verdict")
        zoo.maps.append(number)
        zoo.keep(map.__class__(os.dup(map.fileno())))
        if features.has("sockmap-link"):
            program = zoo.program("sk_msg", "sk_msg_verdict")
            link = bpf.link_create(program, map.fileno(), abi.ATTACH_TYPES.index("sk_msg_verdict"))
            zoo.add(program, "sk_msg", "link", f"map pairs (id {number}) verdict", link=link)


def _traced(zoo: Zoo) -> None:
    program = zoo.program("raw_tracepoint")
    zoo.add(program, "raw_tracepoint", "link", RAW, link=bpf.raw_tracepoint_open(RAW, program))
    told = features.has("tcx")  # perf links tell their target since the same version
    program = zoo.program("tracepoint")
    link = bpf.link_create(program, zoo.keep(tracepoint_event(*TRACEPOINT)).fileno(), abi.ATTACH_PERF_EVENT)
    zoo.add(program, "tracepoint", "link", TRACEPOINT[1], link=link)
    program = zoo.program("tracepoint")
    event = zoo.keep(tracepoint_event("sched", "sched_process_exec"))
    fcntl.ioctl(event.fileno(), _SET_BPF, program.fileno())
    zoo.add(program, "tracepoint", "event", "sched_process_exec")
    program = zoo.program("perf_event")
    event = zoo.keep(perf.perf_event(abi.PERF_TYPE_SOFTWARE, 2, "page-faults", period=1 << 40))
    link = bpf.link_create(program, event.fileno(), abi.ATTACH_PERF_EVENT)
    zoo.add(program, "perf_event", "link", *(["page-faults"] if told else []), link=link)


def _probed(zoo: Zoo) -> None:
    # a program of its own, which nobody runs: a probe in the middle of an instruction kills whoever passes it
    program_file = str(
        executables.written(zoo.stack.enter_context(executables.folder()) / "app", executables.compiled())
    )
    first, second = _offsets(program_file, "work", "work_more")
    if features.has("uprobe"):
        program = zoo.program("kprobe")
        with userspace.uprobe_event(program_file, first) as event:
            link = bpf.link_create(program, event.fileno(), abi.ATTACH_PERF_EVENT)
        if features.has("tcx"):
            zoo.add(program, "uprobe", "link", f"{program_file}+{first:#x}", link=link)
        else:
            zoo.add(program, "kprobe", "link", link=link)
        program = zoo.program("kprobe")
        event = zoo.keep(userspace.uprobe_event(program_file, second, ret=True))
        fcntl.ioctl(event.fileno(), _SET_BPF, program.fileno())
        zoo.add(program, "uretprobe", "event", f"{program_file}+{second:#x}")
    if features.has("uprobe-multi"):
        program = zoo.program("kprobe", "trace_uprobe_multi")
        number = abi.ATTACH_TYPES.index("trace_uprobe_multi")
        link = userspace.uprobe_multi(program, program_file, [first, second], number)
        zoo.add(program, "uprobe", "link", f"{program_file} at 2 places", link=link)
    if features.has("kprobe"):
        source = perf.source("kprobe")
        for ret in (False, True):
            program = zoo.program("kprobe")
            config = source.return_bit if ret else 0
            event = zoo.keep(perf.perf_event(source.type, config, "a kprobe", name=FUNCTION))
            word = "kretprobe" if ret else "kprobe"
            if ret:
                fcntl.ioctl(event.fileno(), _SET_BPF, program.fileno())
                zoo.add(program, word, "event", FUNCTION)
            else:
                link = bpf.link_create(program, event.fileno(), abi.ATTACH_PERF_EVENT)
                zoo.add(program, word, "link", FUNCTION, link=link)
    if features.has("kprobe-multi"):
        number = abi.ATTACH_TYPES.index("trace_kprobe_multi")
        program = zoo.program("kprobe", "trace_kprobe_multi")
        link = bpf.link_kprobe_multi(program, [FUNCTION, "hrtimer_nanosleep"], number)
        zoo.add(program, "kprobe", "link", "2 functions", FUNCTION, "hrtimer_nanosleep", link=link)


def _offsets(path: str, *functions: str) -> list[int]:
    """Where functions are in an executable: by the ELF library, as a second opinion."""
    with Path(path).open("rb") as file:
        elf = ELFFile(file)
        symbols = elf.get_section_by_name(".symtab")
        places = [symbols.get_symbol_by_name(name)[0]["st_value"] for name in functions]
        return [next(elf.address_offsets(place)) for place in places]


def _tracing(zoo: Zoo) -> None:
    program = zoo.program("tracing", "trace_iter", attach_btf_id=_function("bpf_iter_task"))
    zoo.add(program, "iter", "link", "task", link=bpf.link_iterator(program))
    if features.has("trampolines"):
        program = zoo.program("tracing", "trace_fexit", attach_btf_id=_function(FUNCTION))
        zoo.add(program, "fexit", "link", FUNCTION, link=bpf.raw_tracepoint_open("", program))
    if features.has("lsm"):
        program = zoo.program("lsm", "lsm_mac", attach_btf_id=_function("bpf_lsm_file_open"))
        zoo.add(program, "lsm", "link", "bpf_lsm_file_open", link=bpf.raw_tracepoint_open("", program))


@functools.cache
def _types() -> KernelTypes:
    data = Path("/sys/kernel/btf/vmlinux").read_bytes()
    return KernelTypes("this kernel", Btf(data, sys.byteorder, Limits(types=1 << 20, bytes=64 << 20)))


def _function(name: str) -> int:
    """Its id in the kernel's types."""
    found = _types().find(name, kinds.FUNC)
    assert found is not None, name
    return found[1]


def _loaded_by_others(zoo: Zoo) -> None:
    """By bpftool: with BTF, with a map, with a name that the kernel cuts."""
    path, code = f"{zoo.mount}/by_bpftool", compile_source(_OBJECT)
    file = os.memfd_create("object")
    zoo.stack.callback(os.close, file)
    os.write(file, code)
    subprocess.run(
        ["bpftool", "prog", "load", f"/proc/self/fd/{file}", path], check=True, capture_output=True, pass_fds=(file,)
    )
    program = zoo.keep(bpf.get(path))
    index = netns.call(f"/var/run/netns/{zoo.ns.peer}", netlink.interface_index, "lo")
    link = netns.call(f"/var/run/netns/{zoo.ns.peer}", libbpf.xdp_attach, index, program, flags=abi.XDP_SKB)
    assert link is None
    zoo.stack.callback(netns.call, f"/var/run/netns/{zoo.ns.peer}", libbpf.xdp_attach, index, None, flags=abi.XDP_SKB)
    zoo.add(program, "xdp", "netlink", "lo", at=0)
    zoo.maps += bpf.program_info(program).map_ids
