"""The fused builder on a kernel: one program of many, with all that members may use, and in words what it refuses."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from bpfimg._value import replace
from bpfimg.btf import Btf, Limits
from bpfimg.dispatcher._words import ALWAYS, goes_on
from bpfimg.errors import Error, NotSupported, VerifierError
from bpfimg.kernel import bpf, dump
from tests.support.features import native, needs
from tests.support.fused import ENDS, PACKET, Chain, source
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.kernel, needs("xdp")]

both_ways = pytest.mark.parametrize("inline", [False, True], ids=["called", "inlined"])
both_hooks = pytest.mark.parametrize("hook", ["xdp", "tc"])


@pytest.fixture
def chain() -> Iterator[Chain]:
    """An XDP chain without members."""
    with Chain("xdp") as made:
        yield made


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
DEEP = """
SEC("xdp") int deep(CTX *ctx)
{
	volatile char room[440];
	count(0);
	for (int at = 0; at < 440; at += 8) room[at] = at;
	return room[8] == 8 ? verdict : 0;
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


TAIL = """
int there(CTX *ctx);
struct {
	__uint(type, 3); __uint(max_entries, 2); __uint(key_size, 4); __array(values, int (CTX *));
} jumps SEC(".maps") = { .values = { [0] = &there } };
SEC("xdp") int there(CTX *ctx) { count(1); return verdict; }
SEC("xdp") int goes(CTX *ctx) { count(0); tail_call(ctx, &jumps, 0); return 0; }
SEC("xdp") int fails(CTX *ctx) { count(2); tail_call(ctx, &jumps, 1); return verdict; }
"""


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
WITH_TEXT = ("-g", "-O2", "-gdwarf-5", "-gembed-source")


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


NESTED = """
#define LEVEL(name, next) static __attribute__((noinline)) int name(CTX *ctx) { count(1); return next(ctx) + 1; }
static __attribute__((noinline)) int bottom(CTX *ctx) { count(2); return verdict - 6; }
LEVEL(six, bottom) LEVEL(five, six) LEVEL(four, five) LEVEL(three, four) LEVEL(two, three) LEVEL(one, two)
SEC("xdp") int nested(CTX *ctx) { count(0); return one(ctx); }
"""


def test_a_refusal_names_the_member_and_its_source_line(chain: Chain) -> None:
    chain.fixed(2)
    nested = chain.compiled(NESTED, flags=WITH_TEXT)
    assert bpf.test_run(chain.programs[nested], PACKET)[0] == 2
    assert chain.run(chain.build(inline=True)) == 2
    with pytest.raises(VerifierError, match="takes program 'nested' alone, but not in one fused dispatcher") as caught:
        chain.build(inline=False)
    assert "the call stack of" in str(caught.value)
    assert caught.value.program == "nested"
    assert caught.value.source.startswith("<stdin>:")
    assert "--dispatcher freplace" in caught.value.hint


def test_frames_that_are_too_deep_together_are_inlined_or_refused(chain: Chain) -> None:
    chain.fixed(2)
    chain.compiled(DEEP.replace("440", "496"))
    chain.fixed(3)
    assert chain.run(chain.build(inline=True)) == 3
    said = ""
    try:
        assert chain.run(chain.build(inline=False)) == 3
    except VerifierError as error:  # 6.1 counts 32 bytes for a main function that has no frame
        said = str(error)
    alone = "the kernel's verifier takes the programs alone, but not in one fused dispatcher of 3 programs: "
    assert not said or said.startswith(f"{alone}combined stack size of 2 calls")


LICENCES = ["GPL", "Dual BSD/GPL", "Proprietary", "Dual MIT/GPL", "BSD"]


@pytest.mark.parametrize("first", LICENCES)
@pytest.mark.parametrize("second", LICENCES)
def test_licences_are_not_mixed(chain: Chain, first: str, second: str) -> None:
    chain.fixed(2, license=first)
    chain.fixed(3, license=second)
    if ("GPL" in first) == ("GPL" in second):
        built = chain.build(inline=True)
        assert chain.run(built) == 3
        assert bpf.program_info(built.dispatcher).gpl == ("GPL" in first)
        return
    with pytest.raises(NotSupported) as caught:
        chain.build(inline=True)
    assert caught.value.feature == "fused"
    for word in (f"'fixed_0' (licence '{first}')", f"'fixed_1' (licence '{second}')"):
        assert word in str(caught.value)


THROWS = """
extern void bpf_throw(__u64 cookie) __attribute__((section(".ksyms"))) __attribute__((weak));
SEC("xdp") int throws(CTX *ctx) { count(0); if (verdict == 7) bpf_throw(1); return verdict; }
"""


def test_exceptions_are_refused_by_name(chain: Chain) -> None:
    chain.fixed(2)
    try:
        chain.compiled(THROWS)
    except Error:
        pytest.skip("this kernel has no bpf_throw for programs of this type")
    with pytest.raises(NotSupported, match="'throws' cannot be in a fused dispatcher: it throws exceptions"):
        chain.build(inline=True)


MAKES = """
extern void *bpf_obj_new_impl(__u64 type, void *meta) __attribute__((section(".ksyms")));
extern void bpf_obj_drop_impl(void *object, void *meta) __attribute__((section(".ksyms")));
struct own { __u64 number; };
SEC("xdp") int makes(CTX *ctx)
{
	struct own *made = bpf_obj_new_impl(__builtin_btf_type_id(*(struct own *)0, 0), 0);
	count(0);
	if (made) bpf_obj_drop_impl(made, 0);
	return verdict;
}
"""


def test_objects_of_own_types_are_refused_by_name(chain: Chain) -> None:
    chain.fixed(2)
    try:
        chain.compiled(MAKES)
    except Error:
        pytest.skip("this kernel has no bpf_obj_new for programs of this type")
    with pytest.raises(NotSupported, match=r"'makes' cannot be .* types of its own \(bpf_obj_new_impl\)"):
        chain.build(inline=True)


@pytest.mark.parametrize(
    ("changed", "said"), [({"modules": True}, "functions of kernel modules"), ({"flags": 1 << 6}, "bound to a device")]
)
def test_what_one_program_cannot_be_given_is_refused(chain: Chain, changed: dict[str, object], said: str) -> None:
    chain.fixed(2)
    chain.change(chain.fixed(2), **changed)
    with pytest.raises(NotSupported, match=f"'fixed_1' cannot be in a fused dispatcher: it .*{said}"):
        chain.build(inline=True)


def test_too_many_functions_are_refused(chain: Chain) -> None:
    for _ in range(40):
        chain.compiled(NESTED)
    with pytest.raises(NotSupported, match="the 40 programs have 320 functions, expected fewer than 256"):
        chain.build(inline=True)


def test_fragments_are_for_all_or_none_and_a_table_of_programs_for_them_is_the_reason(chain: Chain) -> None:
    data = compile_source(source("xdp", TAIL.replace('SEC("xdp")', 'SEC("xdp.frags")'), verdict=2))
    chain.add(data, "goes", proceed_on=("pass",))
    assert chain.run(chain.build(inline=True)) == 2
    chain.fixed(1)
    with pytest.raises(
        NotSupported, match="'goes' calls others by a map for programs built for fragments, and not all"
    ):
        chain.build(inline=True)


@native("a million instructions are too many for it")
def test_more_instructions_than_the_verifier_takes_are_refused(chain: Chain) -> None:
    body = 'SEC("xdp") int busy_%d(CTX *ctx) { count(0); _Pragma("clang loop unroll(disable)")'
    body += " for (int at = 0; at < 30000; at++) { __u32 key = at & 3; __u64 *value = lookup(&counts, &key);"
    body += " if (value && *value == 1234567 + at) return 0; } return verdict; }\n"
    for number in range(3):
        chain.compiled(body % number)
    with pytest.raises(VerifierError, match="but not in one fused dispatcher of 3 programs") as caught:
        chain.build(inline=True)
    assert "too large" in str(caught.value).lower()
