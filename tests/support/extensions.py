"""Members of freplace dispatchers for tests: loaded each on its own, and dispatchers built of them."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from bpfimg.dispatcher import Member, Plan
from bpfimg.dispatcher._freplace import Built, build
from bpfimg.dispatcher._template import extend
from bpfimg.dispatcher._words import ALWAYS
from bpfimg.kernel import bpf, dump, libbpf
from bpfimg.load._taken_code import taken_code
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.kernel import OpenObject
    from bpfimg.load import members as loading

PACKET = bytes(64)
END = {"xdp": 2, "tc": -1}


#: programs that say what they are told by a global, and that they were there, by a count
SOURCES = {
    "xdp": """
struct xdp_md { __u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex; };
volatile __u32 result = 2, count;
SEC("xdp") int counted(struct xdp_md *ctx) { count++; return result; }
SEC("xdp.frags") int fragments(struct xdp_md *ctx) { return 2; }
char LICENSE[] SEC("license") = "GPL";
""",
    "tc": """
struct __sk_buff { __u32 len; };
volatile int result = 3, count;
SEC("tc") int counted(struct __sk_buff *skb) { count++; return result; }
char LICENSE[] SEC("license") = "GPL";
""",
}


CHANGING = {
    "xdp": """
struct xdp_md { __u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex; };
static long (*bpf_xdp_adjust_head)(struct xdp_md *, int) = (void *)44;
static long (*bpf_tail_call)(void *, void *, __u32) = (void *)12;
static __u64 (*bpf_ktime_get_ns)(void) = (void *)5;
struct { __uint(type, 3); __uint(max_entries, 1); __type(key, __u32); __type(value, __u32); } programs SEC(".maps");
SEC("xdp") int longer(struct xdp_md *ctx) { return bpf_xdp_adjust_head(ctx, -8) ? 0 : 2; }
SEC("xdp") int further(struct xdp_md *ctx) { bpf_tail_call(ctx, &programs, 0); return 2; }
__attribute__((noinline)) static int inner(struct xdp_md *ctx)
{
    volatile char room[440] = {};
    room[ctx->data_end - ctx->data & 255] = 2;
    return room[64];
}
SEC("xdp") int deep(struct xdp_md *ctx) { return inner(ctx); }
char LICENSE[] SEC("license") = "Apache-2.0";
""",
    "tc": """
struct __sk_buff { __u32 len; };
static long (*bpf_skb_change_tail)(struct __sk_buff *, __u32, __u64) = (void *)38;
static long (*bpf_tail_call)(void *, void *, __u32) = (void *)12;
struct { __uint(type, 3); __uint(max_entries, 1); __type(key, __u32); __type(value, __u32); } programs SEC(".maps");
SEC("tc") int longer(struct __sk_buff *skb) { return bpf_skb_change_tail(skb, 72, 0) ? 2 : 3; }
SEC("tc") int further(struct __sk_buff *skb) { bpf_tail_call(skb, &programs, 0); return 3; }
__attribute__((noinline)) static int inner(struct __sk_buff *skb)
{
    volatile char room[440] = {};
    room[skb->len & 255] = 3;
    return room[64];
}
SEC("tc") int deep(struct __sk_buff *skb) { return inner(skb); }
char LICENSE[] SEC("license") = "GPL";
""",
}


class Extension:
    """A member that is loaded: what it returns can be set, and how often it ran is counted."""

    def __init__(self, opened: OpenObject, name: str) -> None:
        self.fd = next(each for each in opened.programs if each.name == name).fd
        self.id = bpf.program_info(self.fd).id
        self.globals = {each.section: (each.fd, each.value_size) for each in opened.maps if each.section}

    def returns(self, result: int) -> None:
        fd, size = self.globals[".data"]
        bpf.map_update(fd, bytes(4), (result & 0xFFFFFFFF).to_bytes(4, "little").ljust(size, b"\0"))

    @property
    def count(self) -> int:
        fd, size = self.globals[".bss"]
        return int.from_bytes((bpf.map_lookup(fd, bytes(4), size) or b"")[:4], "little")


@contextmanager
def extensions(hook: str, number: int, source: str = "", name: str = "counted") -> Iterator[list[Extension]]:
    """So many of them, each loaded on its own by libbpf."""
    with ExitStack() as stack:
        found = []
        for _ in range(number):
            opened = stack.enter_context(libbpf.open_object(compile_source(source or SOURCES[hook]), name="members"))
            for each in opened.programs:
                each.set_autoload(each.name == name)
            with extend(opened, name, hook):
                opened.load()
            found.append(Extension(opened, name))
        yield found


def planned(hook: str, programs: Sequence[Extension], masks: Sequence[int], *, frags: bool = False) -> Plan:
    found = [
        Member(each.id, f"p{at}", 10 * at, proceed_on | ALWAYS, frags=frags)
        for at, (each, proceed_on) in enumerate(zip(programs, masks, strict=True))
    ]
    return Plan(hook, tuple(found))


def built(plan: Plan, programs: Sequence[Extension], end: int | None = None) -> Built:
    fds = {each.id: each.fd for each in programs}
    protocol = 2 if plan.hook == "xdp" else 0
    return build(plan, fds, protocol=protocol, end=END[plan.hook] if end is None else end)


def ran(made: Built) -> int:
    """What a packet comes to, signed."""
    result = bpf.test_run(made.dispatcher, PACKET)[0]
    return result - (1 << 32) if result >> 31 else result


@contextmanager
def natives(
    source: str, name: str, flags: tuple[str, ...] = ("-g", "-O2")
) -> Iterator[tuple[loading.Code, bytes, list[int]]]:
    """A program that is loaded as what its section says, as `bpfimg load` does: what it is made of, types, and maps."""
    data = compile_source(source, flags=flags)
    with libbpf.open_object(data, name="natives") as opened:
        opened.load()
        maps = [each.fd for each in opened.maps]
        code = taken_code(opened, data, name, maps)
        fd = next(each for each in opened.programs if each.name == name).fd
        number = bpf.program_info(fd).btf_id
        yield code, dump.btf_data(number) if number else b"", maps
