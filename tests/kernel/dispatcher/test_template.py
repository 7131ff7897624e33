"""Programs for the slots of dispatchers: set up before the load, or once more from their code, of any types."""

from __future__ import annotations

import pytest

from bpfimg.dispatcher import Member, Plan
from bpfimg.dispatcher._alone import alone
from bpfimg.dispatcher._freplace import build
from bpfimg.dispatcher._prototypes import fits
from bpfimg.dispatcher._returns import returns
from bpfimg.dispatcher._template import extend, extension
from bpfimg.dispatcher._words import ALWAYS, mask
from bpfimg.kernel import abi, bpf, libbpf
from tests.support.extensions import CHANGING, END, SOURCES, Extension, built, natives, planned, ran
from tests.support.features import needs
from tests.support.objects import compile_source

pytestmark = [pytest.mark.kernel, needs("trampolines")]


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


@pytest.mark.parametrize("flags", [("-g", "-O2"), ("-O2",)], ids=["types", "no types"])
@pytest.mark.parametrize(
    "source",
    [
        'SEC("xdp") int f(void *ctx) { return 2; }',
        'struct xdp_md { int x; }; SEC("xdp") long f(struct xdp_md *ctx) { return 2; }',
        'struct __sk_buff { int x; }; SEC("xdp") int f(struct __sk_buff *ctx) { return 2; }',
    ],
)
def test_what_has_other_types_or_none_is_loaded_as_what_it_is(source: str, flags: tuple[str, ...]) -> None:
    with libbpf.open_object(compile_source(source, flags=flags), name="other") as opened:
        types = [each.type_id for each in opened.programs]
        assert extend(opened, "f", "xdp") is None
        assert [each.type_id for each in opened.programs] == types


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
        assert fits(opened.btf(), "odd", hook) is (kind == "unsigned" and "-g" in flags)
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
        target = extend(opened, "further", "xdp")
        assert target is not None
        with target:
            opened.load()
        found = {each.name: each for each in opened.programs}
        member = Extension(opened, "further")
        bpf.map_update(opened.maps[0].fd, bytes(4), found["called"].fd.to_bytes(4, "little"))
        with built(planned("xdp", [member], [ALWAYS]), [member]) as made:
            assert ran(made) == 1
