"""Chains that are inlined, on a kernel, beside the same chains with calls: results, packets and maps are the same."""

from __future__ import annotations

import random
import struct
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from bpfimg.dispatcher import Member, Plan
from bpfimg.dispatcher import _instructions as i
from bpfimg.dispatcher._assemble import Part
from bpfimg.dispatcher._fused import build
from bpfimg.dispatcher._model import Source
from bpfimg.dispatcher._splice import Spliced, spliced
from bpfimg.dispatcher._words import ALWAYS
from bpfimg.errors import Error
from bpfimg.kernel import abi, bpf
from tests.support.bpf_chains import one_after_the_other, patched
from tests.support.bpf_members import PACKET, VALUES, member
from tests.support.features import native, needs
from tests.support.fused import ENDS, Chain

if TYPE_CHECKING:
    from bpfimg.kernel import Fd
    from bpfimg.load import members

pytestmark = [pytest.mark.kernel, needs("xdp")]

_ARRAY, _XDP = 2, abi.PROGRAM_TYPES.index("xdp")
_FILLED = bytes(range(8 * VALUES))


def taken(code: members.Code, maps: tuple[Fd, Fd]) -> bool:
    """Whether this kernel takes a program by itself, and behind a main function that calls it.

    Some instructions are younger than kernels; and where there is more than one function, 6.1 forgets of eight bytes
    in the frame that they were written when four of them are written again.
    """
    numbers = [(place, maps[number].fileno()) for place, number in code.maps]
    called = i.call(1) + i.leave()
    try:
        for before in (b"", called):
            insns = before + patched(code.insns, numbers)
            bpf.prog_load(bpf.Program(_XDP, insns, attach_type=abi.ATTACH_XDP)).close()
    except Error:
        return False
    return True


@pytest.mark.parametrize("seed", range(16))
def test_random_chains_do_on_the_kernel_what_their_members_do_alone(seed: int) -> None:
    chance = random.Random(seed)
    with ExitStack() as stack:
        parts, maps = [], []
        for _ in range(20):
            code = member(chance, 16, real=True)
            pair = tuple(stack.enter_context(bpf.map_create(_ARRAY, 4, len(_FILLED), 1)) for _ in range(2))
            if taken(code, (pair[0], pair[1])):
                mask = chance.getrandbits(chance.choice((3, 5, 31))) | 4 | ALWAYS
                parts.append(Part(code, mask, ""))
                maps.append(pair)
        assert len(parts) > 10, "the kernel takes most of what the machine takes"
        plan = Plan("xdp", tuple(Member(number, f"m{number}", 50, part.mask) for number, part in enumerate(parts)))
        sources = {
            at: Source(parts[at].code, b"", tuple(each.fileno() for each in maps[at])) for at in range(len(parts))
        }
        expected = one_after_the_other("xdp", parts, bytes(PACKET), (_FILLED,) * 2 * len(parts))
        for inline in (False, True):
            for each in [each for pair in maps for each in pair]:
                bpf.map_update(each, bytes(4), _FILLED)
            with build(plan, sources, end=ENDS["xdp"], inline=inline) as built:
                assert any(built.inlined) == inline
                verdict, packet, _ = bpf.test_run(built.dispatcher, bytes(PACKET))
            found = tuple(bpf.map_lookup(each, bytes(4), len(_FILLED)) for pair in maps for each in pair)
            assert (verdict, packet, found) == (expected.verdict & 0xFFFFFFFF, expected.packet, expected.maps)


PARSER = """
SEC("xdp") int parses(CTX *ctx)
{
	unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end, *at = data + 14;
	count(0);
	if (at + 20 > end) return 1;
	if (data[12] == 0x81 && data[13] == 0) { at += 4; if (at + 20 > end) return 0; count(1); }
	if (*at >> 4 != 4) { count(2); return data[12] == 0x86 ? 3 : verdict; }
	at += (*at & 15) * 4;
	if (at + 8 > end) return 1;
	count(3);
	at[1] = at[0] + 1;
	return at[3] & 1 ? 2 : at[3] & 2 ? 1 : at[3] & 4 ? 3 : verdict;
}
"""
CHECKSUM = """
SEC("xdp") int sums(CTX *ctx)
{
	unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 sum = 0;
	count(0);
	if (data + 33 > end) { count(1); return 4; }
	for (int at = 0; at < 32; at += 2) {
		sum += data[at] << 8 | data[at + 1];
		sum ^= sum << 3;
	}
	data[4] = sum;
	return sum % 5 == 4 ? 1 : verdict;
}
"""
TABLE = """
struct key { __u64 a, b, c; };
struct { __uint(type, 1); __uint(max_entries, 64); __type(key, struct key); __type(value, __u64); } seen SEC(".maps");
static long (*update)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static __attribute__((noinline)) void filled(struct key *key, __u32 with) { key->a = with; key->c = with + 1; }
SEC("xdp") int remembers(CTX *ctx)
{
	unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct key key = {};
	__u64 one = 1, *found;
	if (data + 8 > end) return 1;
	filled(&key, data[0]);
	key.b = data[1];
	found = lookup(&seen, &key);
	if (!found) { count(0); update(&seen, &key, &one, 0); return 2; }
	*found += 1;
	count(1);
	return *found > 3 ? 1 : verdict;
}
"""
ROOM = """
SEC("xdp") int sorts(CTX *ctx)
{
	unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	volatile __u8 room[16]; __u64 deep[%d]; void *volatile self = (void *)deep;
	count(0);
	if (data + 16 > end) return 1;
	for (int at = 0; at < 16; at++) room[at] = data[at];
	for (int at = 0; at < 16; at++)
		for (int to = 0; to < 15; to++)
			if (room[to] > room[to + 1]) { __u8 kept = room[to]; room[to] = room[to + 1]; room[to + 1] = kept; }
	for (int at = 0; at < %d; at++) ((volatile __u64 *)self)[at] = room[at & 15];
	data[5] = ((volatile __u64 *)deep)[3];
	return room[0] ? verdict : 3;
}
"""
CALLBACKS = """
struct pair { __u32 seen; __u32 limit; };
static int each(__u32 at, struct pair *pair) { pair->seen += at; count(1); return pair->seen > pair->limit; }
static __attribute__((noinline)) int walks(struct pair *pair) { loop(10, each, pair, 0); return pair->seen; }
SEC("xdp") int calls(CTX *ctx)
{
	unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct pair pair = {};
	if (data + 4 > end) return 0;
	pair.limit = data[2];
	loop(3, each, &pair, 0);
	if (walks(&pair) & 1) return 4;
	return pair.seen > 20 ? 1 : verdict;
}
"""
BODIES = (PARSER, CHECKSUM, TABLE, ROOM % (40, 40), CALLBACKS, PARSER, TABLE)


def packets() -> list[bytes]:
    """IPv4 with and without a VLAN tag, IPv6, short ones, and noise."""
    chance = random.Random(8)
    found = [bytes(size) for size in (14, 33, 64)]
    for kind in (b"\x08\x00", b"\x81\x00", b"\x86\xdd"):
        for _ in range(12):
            body = bytearray(chance.randbytes(chance.choice((34, 60, 100))))
            body[12:14] = kind
            body[14] = body[18] = 0x40 | chance.choice((5, 6, 9))
            found.append(bytes(body))
    return found


@pytest.mark.parametrize("mask", [4, 2 | 4, 4 | 8, 0x1F], ids=["pass", "drop", "tx", "all"])
def test_members_as_people_write_them(mask: int) -> None:
    results = []
    for inline in (False, True):
        with Chain("xdp") as chain:
            for body in BODIES:
                chain.compiled(body, proceed_on=mask | ALWAYS)
            built = chain.build(inline=inline)
            assert built.inlined == (inline,) * len(BODIES)
            runs = [bpf.test_run(built.dispatcher, packet)[:2] for packet in packets()]
            counts = [[chain.count(at, entry) for entry in range(4)] for at in range(len(BODIES))]
            tables = [sorted(bpf.map_entries(maps["seen"], 24, 8)) for maps in chain.maps if "seen" in maps]
            results.append((runs, counts, tables))
    assert results[0] == results[1]
    assert mask == 0x1F or len({verdict for verdict, _ in results[0][0]}) > 1


FILLS = """
SEC("%s") int fills(CTX *ctx)
{
	unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	volatile __u32 room[%d];
	for (int at = 0; at < %d; at++) room[at] = at;
	return data + 1 > end ? 0 : data[0] == room[1] ? verdict : 1;
}
"""
#: calls with something in each of r6 to r9
BUSY = """
SEC("%s") int busy(CTX *ctx)
{
	__u32 a = ctx->rest[0], b = ctx->rest[1], c = 3, d = 4;
	asm volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
	count(0); count(1);
	return a + b + c + d == 0xffff ? 0 : verdict;
}
"""


@pytest.mark.parametrize("hook", ["xdp", "tc"])
@pytest.mark.parametrize("words", [120, 126, 127])
@pytest.mark.parametrize("at", [1, 3])
def test_frames_that_leave_just_enough_room_for_the_slot_and_that_leave_none(hook: str, words: int, at: int) -> None:
    """A register that outlives calls keeps the context then; behind the last nobody asks for it."""
    goes = ("pass",) if hook == "xdp" else ("shot",)
    with Chain(hook) as chain:
        for each in range(4):
            if each == at:
                chain.compiled(FILLS % (hook, words, words), proceed_on=goes)
            else:
                chain.fixed(2, proceed_on=goes)
        built = chain.build(inline=True)
        assert built.inlined == (True,) * 4
        assert chain.run(built, bytes([1]) * 64) == ENDS[hook]
        assert chain.run(built, bytes([2]) * 64) == 1


def test_a_frame_that_leaves_no_room_beside_a_member_that_uses_every_register() -> None:
    with Chain("xdp") as chain:
        chain.compiled(BUSY % "xdp")
        chain.compiled(FILLS % ("xdp", 116, 116))
        chain.compiled(BUSY % "xdp")
        chain.compiled(FILLS % ("xdp", 127, 127))
        uses = spliced(chain.sources[chain.members[0].program].code)
        assert isinstance(uses, Spliced)
        assert uses.touched >> 6 & 0b1111 == 0b1111
        built = chain.build(inline=True)
        assert chain.run(built, bytes([1]) * 64) == 2
        assert chain.run(built, bytes([2]) * 64) == 1


@native("it is long for a verifier that is emulated")
def test_a_member_of_many_thousand_instructions() -> None:
    """Its own jumps fit; those of main to the exit behind it would not, and do not have to."""
    block = "  value = value * 3 + data[%d]; if (value == 77) { count(1); return 3; } value ^= value >> 7;\n"
    body = """
SEC("xdp") int long_one(CTX *ctx)
{
	unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 value = 7;
	count(0);
	if (data + 64 > end) return 1;
"""
    body += "".join(block % (at % 60) for at in range(420)) + "  data[9] = value; return verdict; }\n"
    results = []
    for inline in (False, True):
        with Chain("xdp") as chain:
            for _ in range(4):
                chain.compiled(body)
            built = chain.build(inline=inline)
            assert built.inlined == (inline,) * 4
            length = len(chain.sources[chain.members[0].program].code.insns) // 8
            results.append([bpf.test_run(built.dispatcher, struct.pack("<I", seed) * 16)[:2] for seed in range(50)])
    assert 4 * length > 32_768
    assert results[0] == results[1]
