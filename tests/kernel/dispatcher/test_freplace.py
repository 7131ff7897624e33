"""The freplace builder on a kernel: generated dispatchers, members loaded once, their results against a model."""

from __future__ import annotations

import random
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from bpfimg.dispatcher import Member, Plan
from bpfimg.dispatcher._freplace import Built, build
from bpfimg.dispatcher._template import extend, extension
from bpfimg.dispatcher._tests import goes_on
from bpfimg.dispatcher._words import ALWAYS, mask
from bpfimg.kernel import abi, bpf, dump, libbpf
from bpfimg.load import members as loading
from bpfimg.load._taken_code import taken_code
from tests.support.features import needs
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.kernel import OpenObject

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
        Member(each.id, f"p{at}", 10 * at, mask | ALWAYS, frags=frags)
        for at, (each, mask) in enumerate(zip(programs, masks, strict=True))
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
    for at, (mask, result) in enumerate(zip(masks, results, strict=True), 1):
        if not goes_on(hook, mask | ALWAYS, result):
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
def natives(source: str, name: str) -> Iterator[tuple[loading.Code, bytes, list[int]]]:
    """A program that is loaded as what its section says, as `bpfimg load` does: what it is made of, types, and maps."""
    data = compile_source(source)
    with libbpf.open_object(data, name="natives") as opened:
        opened.load()
        maps = [each.fd for each in opened.maps]
        code = taken_code(opened, data, name, maps)
        fd = next(each for each in opened.programs if each.name == name).fd
        yield code, dump.btf_data(bpf.program_info(fd).btf_id), maps


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
