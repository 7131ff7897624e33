"""The freplace builder on a kernel: generated dispatchers, members loaded once, their results against a model."""

from __future__ import annotations

import errno
import random
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from bpfimg._value import replace
from bpfimg.dispatcher import Member, Plan
from bpfimg.dispatcher._alone import alone
from bpfimg.dispatcher._freplace import Built, build
from bpfimg.dispatcher._record import HAS_FRAGS, decode
from bpfimg.dispatcher._returns import returns
from bpfimg.dispatcher._template import extend, extension, fits
from bpfimg.dispatcher._tests import goes_on
from bpfimg.dispatcher._words import ALWAYS, mask
from bpfimg.errors import AttachError, KernelError
from bpfimg.kernel import abi, bpf, dump, libbpf, netlink, netns
from bpfimg.load._taken_code import taken_code
from tests.support.features import needs
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.kernel import OpenObject
    from bpfimg.load import members as loading
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, needs("trampolines")]

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


def modelled(hook: str, masks: Sequence[int], results: Sequence[int], end: int) -> tuple[int, int]:
    """The result of a chain, and how many of its members ran."""
    for at, (each, result) in enumerate(zip(masks, results, strict=True), 1):
        if not goes_on(hook, each | ALWAYS, result):
            return result, at
    return end, len(masks)


@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_each_of_ten_slots_runs_in_order_and_the_chain_ends_as_a_model_says(hook: str) -> None:
    chosen = random.Random(7)
    codes = [0, 1, 2, 3, 4, 31] if hook == "xdp" else [-1, 0, 1, 2, 3, 4, 7, 8, 30]
    with extensions(hook, 10) as programs:
        for count in range(1, 11):
            for _ in range(6):
                masks = [chosen.getrandbits(32) | ALWAYS for _ in range(count)]
                end = chosen.choice([END[hook], 0]) if hook == "tc" else END[hook]
                used = chosen.sample(programs, count)
                with built(planned(hook, used, masks), used, end) as made:
                    for _ in range(8):
                        results = [chosen.choice([*codes, 5, 77]) for _ in range(count)]
                        before = [each.count for each in used]
                        for each, result in zip(used, results, strict=True):
                            each.returns(result)
                        expected, reached = modelled(hook, masks, results, end)
                        assert ran(made) == expected, (masks, results)
                        steps = [each.count - old for each, old in zip(used, before, strict=True)]
                        assert steps == [1] * reached + [0] * (count - reached)


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


@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_what_was_loaded_without_a_hook_gets_an_instance_with_the_same_maps(hook: str) -> None:
    with natives(SOURCES[hook], "counted") as (code, types, maps), extension(hook, code, types, maps) as instance:
        info = bpf.program_info(instance)
        assert abi.PROGRAM_TYPES[info.type] == "ext"
        assert info.name == "counted"
        assert {bpf.map_info(fd).id for fd in maps} >= set(info.map_ids) > set()
        member = Member(info.id, "counted", 50, mask(hook, ("pass",) if hook == "xdp" else ("pipe",)))
        with build(Plan(hook, (member,)), {info.id: instance}, protocol=0, end=END[hook]) as made:
            assert ran(made) == END[hook]


def targets(made: Built) -> list[int]:
    """The functions of the dispatcher that the links have replaced, by their type ids."""
    found = [bpf.link_info(link) for link in made.links]
    assert {info.target_program for info in found} == {made.id}
    return [info.target_type or 0 for info in found]


def test_a_single_program_takes_the_place_of_main_where_nobody_can_tell() -> None:
    with extensions("xdp", 1) as programs:
        with built(planned("xdp", programs, [mask("xdp", ("pass",))]), programs) as made:
            (main,) = targets(made)
            assert ran(made) == 2
            programs[0].returns(1)
            assert ran(made) == 1
            assert programs[0].count == 2
        with built(planned("xdp", programs, [mask("xdp", ("pass", "drop"))]), programs) as made:
            assert targets(made) == [main + 1]
            assert ran(made) == 2  # a dropped packet that goes on ends as all do
        member = Member(programs[0].id, "p", 50, mask("xdp", ("tx",)), returns=(1, 2))
        with built(Plan("xdp", (member,)), programs) as made:
            assert targets(made) == [main]


def test_xdp_has_libxdp_s_record_and_name() -> None:
    with extensions("xdp", 3) as programs:
        masks = [mask("xdp", names) for names in (("pass",), ("drop", "pass"), ("pass", "tx"))]
        with built(planned("xdp", programs, masks), programs) as made:
            info = bpf.program_info(made.dispatcher)
            assert info.name == "xdp_dispatcher"
            assert info.id == made.id
            (number,) = info.map_ids
            with bpf.map_by_id(number) as record:
                value = bpf.map_lookup(record, bytes(4), 124) or b""
                what = bpf.map_info(record)
            assert (what.type, what.key_size, what.value_size, what.max_entries, what.flags) == (2, 4, 124, 1, 0x80)
            assert (what.name, what.frozen) == ("xdp_disp.rodata", True)
            assert value[:16] == bytes.fromhex("ec 02 03 00 04000080 06000080 0c000080")
            found = decode(value)
            assert (found.masks, found.priorities, found.flags) == (tuple(masks), (0, 10, 20), (0, 0, 0))


@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_programs_stay_the_same_from_one_dispatcher_to_the_next(hook: str) -> None:
    on = mask(hook, ("pass",) if hook == "xdp" else ("pipe",))
    with extensions(hook, 3) as programs, ExitStack() as stack:
        for used in (programs[:1], programs[:2], programs, [programs[2], programs[0]], programs[1:]):
            stack.enter_context(made := built(planned(hook, used, [on] * len(used)), used))
            assert ran(made) == END[hook]
            assert [bpf.link_info(link).prog_id for link in made.links] == [each.id for each in used]
        assert [each.count for each in programs] == [4, 3, 3]


def test_a_slot_whose_link_is_gone_lets_the_chain_go_on() -> None:
    with extensions("xdp", 2) as programs:
        masks = [mask("xdp", ("pass",))] * 2
        with built(planned("xdp", programs, masks), programs) as made:
            programs[0].returns(1)
            assert ran(made) == 1
            made.links[0].close()
            programs[1].returns(3)
            assert ran(made) == 3
            made.links[1].close()
            assert ran(made) == 2


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


@pytest.mark.parametrize("name", ["longer", "further", "deep"])
@pytest.mark.parametrize("hook", ["xdp", "tc"])
def test_programs_that_change_packets_or_call_go_anywhere(hook: str, name: str) -> None:
    on = mask(hook, ("pass",) if hook == "xdp" else ("pipe",))
    with extensions(hook, 2) as plain, extensions(hook, 1, CHANGING[hook], name) as special:
        for used in (special, [*plain, *special], [*special, *plain]):
            with built(planned(hook, used, [on] * len(used)), used) as made:
                result, packet, _ = bpf.test_run(made.dispatcher, PACKET)
                assert result == END[hook] & 0xFFFFFFFF
                assert len(packet) == (72 if name == "longer" else 64)


def test_fragments_are_taken_where_every_member_takes_them(ns: Namespace) -> None:
    ns.exec(["ip", "link", "set", ns.peer_interface, "mtu", "9000"], peer=True)
    ns.exec(["ip", "link", "set", ns.interface, "mtu", "9000"])
    with extensions("xdp", 2, name="fragments") as programs:
        masks = [mask("xdp", ("pass",))] * 2
        with built(planned("xdp", programs, masks, frags=True), programs) as made:
            (number,) = bpf.program_info(made.dispatcher).map_ids
            with bpf.map_by_id(number) as record:
                found = decode(bpf.map_lookup(record, bytes(4), 124) or b"")
            assert (found.frags, found.flags) == (True, (HAS_FRAGS, HAS_FRAGS))
            with attached(ns, made):
                assert ns.exec(["ping", "-n", "-q", "-c", "1", "-s", "8000", ns.address], peer=True).returncode == 0
        one, other = planned("xdp", programs, masks, frags=True).members
        mixed = Plan("xdp", (one, replace(other, frags=False)))
        with built(mixed, programs) as made, pytest.raises(KernelError) as caught, attached(ns, made):
            pass
        assert caught.value.errno == errno.ERANGE


@contextmanager
def attached(ns: Namespace, made: Built) -> Iterator[None]:
    def attach(fd: int | None) -> None:
        libbpf.xdp_attach(netlink.interface_index(ns.interface), fd, flags=abi.XDP_NATIVE)

    netns.call(ns.path, lambda: attach(made.dispatcher.fileno()))
    try:
        yield
    finally:
        netns.call(ns.path, lambda: attach(None))


@pytest.mark.parametrize(
    ("source", "refusal"),
    [
        ('SEC("xdp") int f(void *ctx) { return 2; }', r"is 'int \(void \*\)', expected int \(struct xdp_md \*\)"),
        ('struct xdp_md { int x; }; SEC("xdp") long f(struct xdp_md *ctx) { return 2; }', r"is 'long \(struct xdp_md"),
        ('struct __sk_buff { int x; }; SEC("xdp") int f(struct __sk_buff *ctx) { return 2; }', "struct __sk_buff"),
    ],
)
def test_what_has_other_types_is_refused_with_them(source: str, refusal: str) -> None:
    with (
        libbpf.open_object(compile_source(source), name="other") as opened,
        pytest.raises(AttachError, match=refusal),
        extend(opened, "f", "xdp"),
    ):
        pass


def test_what_has_no_types_is_refused() -> None:
    source = 'SEC("xdp") int f(void *ctx) { return 2; }'
    with (
        libbpf.open_object(compile_source(source, flags=("-O2",)), name="other") as opened,
        pytest.raises(AttachError, match=r"'f' has no types \(BTF\)"),
        extend(opened, "f", "xdp"),
    ):
        pass


def test_what_is_no_extension_is_refused_by_name() -> None:
    with libbpf.open_object(compile_source(SOURCES["xdp"]), name="plain") as opened:
        opened.load()
        fd = opened.programs[0].fd
        number = bpf.program_info(fd).id
        plan = Plan("xdp", (Member(number, "counted", 50, ALWAYS),))
        with pytest.raises(AttachError, match=rf"program 'counted' \(id {number}\).*was not loaded for one"):
            build(plan, {number: fd}, protocol=2, end=2)


def test_results_are_told_from_the_code_that_libbpf_has_loaded() -> None:
    source = """
struct xdp_md { __u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex; };
SEC("xdp") int some(struct xdp_md *ctx) { return ctx->rx_queue_index > 3 ? 1 : ctx->ingress_ifindex & 1 ? 2 : 3; }
SEC("xdp") int one(struct xdp_md *ctx) { return 2; }
SEC("xdp") int any(struct xdp_md *ctx) { return ctx->ingress_ifindex; }
"""
    with libbpf.open_object(compile_source(source), name="results") as opened:
        opened.load()
        found = {each.name: returns(each.code()) for each in opened.programs}
    assert found == {"some": (1, 2, 3), "one": (2,), "any": None}
    member = Member(1, "some", 50, mask("xdp", ("pass",)), returns=found["some"])
    assert alone("xdp", member, 2)


ODD = {
    "void": 'SEC("{hook}") int odd(void *ctx)',
    "enum": 'struct {context} {{ int x; }}; enum r {{ A, B = {end} }}; SEC("{hook}") enum r odd(struct {context} *ctx)',
    "unsigned": 'struct {context} {{ int x; }}; SEC("{hook}") __u32 odd(struct {context} *ctx)',
    "long": 'SEC("{hook}") long odd(long *ctx)',
}
BODY = """
volatile int count;
__attribute__((noinline)) static int inner(int number, long *other) { count++; return number + (other != 0); }
%s { long some = 7; return inner(count, &some) - count + %d; }
char LICENSE[] SEC("license") = "GPL";
"""


@pytest.mark.parametrize("flags", [("-g", "-O2"), ("-O2",)], ids=["types", "no types"])
@pytest.mark.parametrize("hook", ["xdp", "tc"])
@pytest.mark.parametrize("kind", sorted(ODD))
def test_programs_of_other_types_and_of_none_get_an_instance_that_fits(
    kind: str, hook: str, flags: tuple[str, ...]
) -> None:
    context = {"xdp": "xdp_md", "tc": "__sk_buff"}[hook]
    end = 2 if hook == "xdp" else 3
    source = BODY % (ODD[kind].format(hook=hook, context=context, end=end), end)
    with libbpf.open_object(compile_source(source, flags=flags), name="odd") as opened:
        assert fits(opened, "odd", hook) is (kind == "unsigned" and "-g" in flags)
    with natives(source, "odd", flags) as (code, types, maps), extension(hook, code, types, maps) as instance:
        number = bpf.program_info(instance).id
        plan = Plan(hook, (Member(number, "odd", 50, ALWAYS),))
        with build(plan, {number: instance}, protocol=0, end=END[hook]) as made:
            assert ran(made) == end


def test_programs_called_by_a_member_are_loaded_so_that_they_can_be() -> None:
    source = CHANGING["xdp"].replace(
        'SEC(".maps");\n', 'SEC(".maps");\nSEC("xdp") int called(struct xdp_md *ctx) { return 1; }\n', 1
    )
    with libbpf.open_object(compile_source(source), name="called") as opened:
        for each in opened.programs:
            each.set_autoload(each.name in ("further", "called"))
        with extend(opened, "further", "xdp"):
            opened.load()
        found = {each.name: each for each in opened.programs}
        member = Extension(opened, "further")
        bpf.map_update(opened.maps[0].fd, bytes(4), found["called"].fd.to_bytes(4, "little"))
        with built(planned("xdp", [member], [ALWAYS]), [member]) as made:
            assert ran(made) == 1
