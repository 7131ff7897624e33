"""The fused builder on a kernel: one program of many, with all that members may use."""

from __future__ import annotations

import random
import time

import pytest

from bpfimg._value import replace
from bpfimg.btf import Btf, Limits
from bpfimg.dispatcher._words import ALWAYS, goes_on
from bpfimg.errors import Error
from bpfimg.kernel import bpf, dump
from tests.support.features import needs
from tests.support.fused import DEEP, ENDS, TAIL, WITH_TEXT, Chain, source
from tests.support.objects import compile_source

pytestmark = [pytest.mark.kernel, needs("xdp")]

both_ways = pytest.mark.parametrize("inline", [False, True], ids=["called", "inlined"])
both_hooks = pytest.mark.parametrize("hook", ["xdp", "tc"])


@both_ways
@both_hooks
@pytest.mark.parametrize("end", [None, 0])
def test_chains_do_what_their_masks_say(hook: str, inline: bool, end: int | None) -> None:
    chance = random.Random(f"{hook}{inline}{end}")
    codes = {"xdp": range(7), "tc": range(-1, 10)}[hook]
    behind = ENDS[hook] if end is None else end
    for members in (1, 2, 3, 10, 14):
        with Chain(hook) as chain:
            for _ in range(members):
                chain.fixed(2, proceed_on=chance.getrandbits(chance.choice((4, 9, 31))) | ALWAYS)
            built = chain.build(inline=inline, end=end)
            assert built.inlined == (inline,) * members
            expected = [0] * members
            for _ in range(60):
                verdicts = [chance.choice([*codes, 30, 31, 32, 34, 2, -7]) for _ in range(members)]
                result = behind
                for at, verdict in enumerate(verdicts):
                    chain.say(at, verdict)
                for at, (member, verdict) in enumerate(zip(chain.members, verdicts, strict=True)):
                    expected[at] += 1
                    if not goes_on(hook, member.proceed_on, verdict):
                        result = verdict
                        break
                assert chain.run(built) == result, (verdicts, chain.members)
            assert chain.counts() == expected


@both_ways
def test_maps_and_globals_stay_when_the_chain_is_built_again(chain: Chain, inline: bool) -> None:
    for verdict in (2, 2, 1):
        chain.fixed(verdict)
    assert chain.run(chain.build(inline=inline)) == 1
    chain.say(2, 3)
    chain.members[0], chain.members[1] = chain.members[1], chain.members[0]
    with chain.build(inline=inline) as again:
        assert chain.run(again) == 3
        ids = {bpf.map_info(fd).id for maps in chain.maps for fd in maps.values()}
        assert set(bpf.program_info(again.dispatcher).map_ids) == ids
    del chain.members[2]
    assert chain.run(chain.build(inline=inline)) == 2
    assert chain.counts() == [3, 3, 2]


CALLBACK = """
static int each(__u32 at, __u64 *sum) { *sum += at; count(1); return 0; }
SEC("xdp") int loops(CTX *ctx)
{ __u64 sum = 0; count(0); loop(5, each, &sum, 0); return sum == 10 ? verdict : 0; }
"""
SPIN = """
struct locked { struct bpf_spin_lock { __u32 val; } lock; __u32 number; };
struct { __uint(type, 2); __uint(max_entries, 1); __type(key, __u32); __type(value, struct locked); } box SEC(".maps");
SEC("xdp") int locks(CTX *ctx)
{
	__u32 key = 0;
	struct locked *value = lookup(&box, &key);
	count(0);
	if (!value) return 0;
	spin_lock(&value->lock);
	value->number += 1;
	spin_unlock(&value->lock);
	return verdict;
}
"""
TIMER = """
struct entry { struct bpf_timer { __u64 opaque[2]; } timer; };
struct { __uint(type, 2); __uint(max_entries, 1); __type(key, __u32); __type(value, struct entry); } wakes SEC(".maps");
static int fired(void *map, __u32 *key, struct entry *value) { count(1); return 0; }
SEC("xdp") int waits(CTX *ctx)
{
	__u32 key = 0;
	struct entry *value = lookup(&wakes, &key);
	count(0);
	if (!value) return 0;
	timer_init(&value->timer, &wakes, 1);
	timer_set_callback(&value->timer, fired);
	return timer_start(&value->timer, 1000, 0) ? 0 : verdict;
}
"""
FUNCTIONS = """
struct pair { int left, right; };
__attribute__((noinline)) int added(struct pair *pair) { return pair ? pair->left + pair->right : 0; }
static __attribute__((noinline)) int twice(CTX *ctx, int number)
{ volatile char room[40]; room[0] = number; count(1); return room[0] * 2; }
SEC("xdp") int calls(CTX *ctx)
{ struct pair pair = {.left = verdict, .right = 0}; count(0); return twice(ctx, added(&pair)) >> 1; }
"""
HEAD = """
static __attribute__((noinline)) int shorter(CTX *ctx) { return adjust_head(ctx, 14); }
SEC("xdp") int cuts(CTX *ctx)
{
	count(0);
	if (shorter(ctx)) return 0;
	unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	return data + 20 > end ? 0 : data[0] ? 1 : verdict;
}
"""
RELOCATED = """
#define HERE __attribute__((preserve_access_index))
struct net_device { int ifindex; int flags_that_none_has; } HERE;
struct xdp_buff;
SEC("xdp") int asks(CTX *ctx)
{
	struct net_device *device = 0;
	count(0);
	if (__builtin_preserve_field_info(device->flags_that_none_has, 2)) return 0;
	return __builtin_preserve_field_info(device->ifindex, 1) == 4 ? verdict : 1;
}
"""
USES = {
    "callback": CALLBACK,
    "lock": SPIN,
    "timer": TIMER,
    "functions": FUNCTIONS,
    "packets": HEAD,
    "types": RELOCATED,
    "stack": DEEP,
}


@both_ways
@pytest.mark.parametrize("uses", list(USES))
def test_members_may_use_what_they_may_use_alone(chain: Chain, uses: str, inline: bool) -> None:
    chain.fixed(2)
    first = chain.compiled(USES[uses], verdict=2)
    second = chain.compiled(USES[uses], verdict=2)
    chain.fixed(1)
    built = chain.build(inline=inline)
    assert chain.run(built) == 1
    assert chain.counts() == [1, 1, 1, 1]
    chain.say(second, 3)
    assert chain.run(built) == 3
    extra = {"callback": 10, "functions": 2}.get(uses, 0)
    assert uses == "timer" or chain.count(first, 1) == chain.count(second, 1) == extra
    deadline = time.monotonic() + 10
    while uses == "timer" and not (chain.count(first, 1) and chain.count(second, 1)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@both_ways
def test_all_of_it_in_one_chain_of_more_than_ten(chain: Chain, inline: bool) -> None:
    for _ in range(3):
        for body in USES.values():
            if body is not HEAD:
                chain.compiled(body, verdict=2)
        chain.fixed(2)
    chain.fixed(4)
    assert chain.run(chain.build(inline=inline)) == 4
    assert chain.counts() == [1] * 22


@both_ways
def test_the_result_of_a_program_jumped_to_goes_through_the_mask(chain: Chain, inline: bool) -> None:
    data = compile_source(source("xdp", TAIL, verdict=2))
    chain.fixed(2)
    goes = chain.add(data, "goes", proceed_on=("pass",))
    fails = chain.add(data, "fails", proceed_on=("pass",))
    chain.fixed(1)
    built = chain.build(inline=inline)
    assert built.inlined == (inline, False, False, inline)
    assert chain.run(built) == 1
    assert (chain.count(goes), chain.count(goes, 1), chain.count(fails, 2)) == (1, 1, 1)
    chain.say(goes, 4)
    assert chain.run(built) == 4
    assert (chain.count(goes, 1), chain.count(fails, 2), chain.counts()[3]) == (2, 1, 1)


@both_ways
def test_a_load_beyond_the_end_of_a_packet_gives_a_result_that_goes_through_the_mask(inline: bool) -> None:
    with Chain("tc") as chain:
        body = """
unsigned long long load_byte(void *skb, unsigned long long at) asm("llvm.bpf.load.byte");
SEC("tc") int loads(CTX *ctx) { count(0); if (load_byte(ctx, 100)) count(2); count(1); return -1; }
"""
        chain.fixed(-1, proceed_on=("unspec",))
        loads = chain.compiled(body, proceed_on=("ok",))
        chain.fixed(2, proceed_on=("unspec",))
        built = chain.build(inline=inline)
        assert chain.run(built, bytes(64)) == 2
        assert (chain.counts(), chain.count(loads, 1)) == ([1, 1, 1], 0)
        assert chain.run(built, bytes(128)) == -1
        assert (chain.counts(), chain.count(loads, 1)) == ([2, 2, 1], 1)


@both_ways
def test_members_without_types_come_in_too(chain: Chain, inline: bool) -> None:
    bare = compile_source(
        "static __attribute__((noinline)) int two(int *by) { return *by + 1; }\n"
        'SEC("xdp") int bare(int *ctx) { volatile int one = 1; return two((int *)&one); }\n'
        'char LICENSE[] SEC("license") = "GPL";\n',
        flags=("-O2",),
    )
    chain.fixed(2)
    chain.add(bare, proceed_on=("pass",))
    chain.fixed(3)
    built = chain.build(inline=inline)
    assert chain.run(built) == 3
    assert {"bpfimg_xdp", "fixed_0", "bare", "fixed_2"} & set(functions(built.dispatcher))


def functions(program: object) -> list[str]:
    """The names of the functions of a loaded program."""
    types = Btf(dump.btf_data(bpf.program_info(program).btf_id), "little", Limits())  # type: ignore[arg-type]
    return [types.name(number) for _, number in dump.program_dump(program).functions]  # type: ignore[arg-type]


def lines(program: object) -> list[tuple[str, str, int]]:
    """File, text and number of the source lines of a loaded program."""
    types = Btf(dump.btf_data(bpf.program_info(program).btf_id), "little", Limits())  # type: ignore[arg-type]
    rows = dump.program_dump(program).lines  # type: ignore[arg-type]
    return [(types.string(file), types.string(text), place >> 10) for _, file, text, place in rows]


@both_ways
def test_where_the_kernel_does_not_take_a_members_types_they_are_left_out(chain: Chain, inline: bool) -> None:
    for at, body in enumerate((FUNCTIONS, CALLBACK)):
        chain.compiled(body)
        old = chain.sources[chain.members[at].program]
        chain.sources[chain.members[at].program] = replace(old, btf=old.btf.replace(b"\0twice\0", b"\0tw ce\0"))
    built = chain.build(inline=inline)
    assert chain.run(built) == 2
    assert not {"twice", "each"} & set(functions(built.dispatcher))


KERNEL = """
struct bpf_dynptr { __u64 opaque[2]; } __attribute__((aligned(8)));
extern int bpf_dynptr_from_xdp(CTX *ctx, __u64 flags, struct bpf_dynptr *into) __attribute__((section(".ksyms")));
extern __u32 bpf_dynptr_size(struct bpf_dynptr *of) __attribute__((section(".ksyms")));
SEC("xdp") int kernel(CTX *ctx)
{
	struct bpf_dynptr all;
	count(0);
	if (bpf_dynptr_from_xdp(ctx, 0, &all)) return 0;
	return bpf_dynptr_size(&all) == 64 ? verdict : 1;
}
"""


@both_ways
def test_functions_of_the_kernel_itself_may_be_called(chain: Chain, inline: bool) -> None:
    chain.fixed(2)
    try:
        chain.compiled(KERNEL)
    except Error:
        pytest.skip("this kernel has no bpf_dynptr_from_xdp")
    chain.compiled(KERNEL)
    chain.fixed(1)
    assert chain.run(chain.build(inline=inline)) == 1
    assert chain.counts() == [1] * 4


#: how the compiler takes the text of lines into types where the source is no file


@both_ways
def test_functions_and_source_lines_are_the_members_own(chain: Chain, inline: bool) -> None:
    chain.fixed(2)
    chain.compiled(FUNCTIONS, flags=WITH_TEXT)
    chain.compiled(CALLBACK)
    built = chain.build(inline=inline)
    mains = [] if inline else ["fixed_0", "calls", "loops"]
    assert sorted(functions(built.dispatcher)) == sorted(["bpfimg_xdp", "twice", "added", "each", *mains])
    found = lines(built.dispatcher)
    alone = {row for row in lines(chain.programs[1]) if row[1]}
    assert len(alone) >= 4
    assert alone <= set(found)
    said = {text for file, text, _ in found if file == "bpfimg"}
    assert said == {"bpfimg_xdp", "fixed_0, priority 50", "calls, priority 50", "loops, priority 50"}
