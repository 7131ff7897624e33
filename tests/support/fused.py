"""Members for fused dispatchers: objects that libbpf loads one by one, with what a dispatcher takes of each."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from bpfimg._value import replace
from bpfimg.dispatcher import Member, Plan
from bpfimg.dispatcher._fused import build
from bpfimg.dispatcher._model import Source
from bpfimg.dispatcher._words import mask
from bpfimg.kernel import bpf, dump
from bpfimg.load._object import prepare
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from bpfimg.dispatcher._fused import Built

PACKET = bytes(64)
#: of a word of a hook: the section of its programs, the result behind the last
SECTIONS = {"xdp": "xdp", "tc": "tc"}
ENDS = {"xdp": 2, "tc": -1}
_CONTEXT = {
    "xdp": "struct xdp_md { __u32 data; __u32 data_end; __u32 data_meta; __u32 rest[4]; };\n"
    "#define CTX struct xdp_md\n",
    "tc": "struct __sk_buff { __u32 len; __u32 rest[18]; __u32 data; __u32 data_end; __u32 more[10]; };\n"
    "#define CTX struct __sk_buff\n",
}
#: before every source: what it may call, a count, and a verdict that the verifier does not know
_START = """
static void *(*lookup)(void *map, const void *key) = (void *)1;
static long (*tail_call)(void *ctx, void *map, __u32 at) = (void *)12;
static long (*adjust_head)(CTX *ctx, int by) = (void *)44;
static long (*spin_lock)(void *lock) = (void *)93;
static long (*spin_unlock)(void *lock) = (void *)94;
static long (*timer_init)(void *timer, void *map, __u64 flags) = (void *)169;
static long (*timer_set_callback)(void *timer, void *callback) = (void *)170;
static long (*timer_start)(void *timer, __u64 nsecs, __u64 flags) = (void *)171;
static long (*loop)(__u32 times, void *callback, void *ctx, __u64 flags) = (void *)181;
struct { __uint(type, 2); __uint(max_entries, 4); __type(key, __u32); __type(value, __u64); } counts SEC(".maps");
int verdict = %d;
static __attribute__((always_inline)) void count(__u32 at)
{ __u64 *value = lookup(&counts, &at); if (value) *value += 1; }
"""
_LICENSE = 'char LICENSE[] SEC("license") = "%s";\n'
#: flags by which objects have their source lines in them
WITH_TEXT = ("-g", "-O2", "-gdwarf-5", "-gembed-source")
#: a member whose frame is large
DEEP = """
SEC("xdp") int deep(CTX *ctx)
{
	volatile char room[440];
	count(0);
	for (int at = 0; at < 440; at += 8) room[at] = at;
	return room[8] == 8 ? verdict : 0;
}
"""
#: members that jump to another program, and to none
TAIL = """
int there(CTX *ctx);
struct {
	__uint(type, 3); __uint(max_entries, 2); __uint(key_size, 4); __array(values, int (CTX *));
} jumps SEC(".maps") = { .values = { [0] = &there } };
SEC("xdp") int there(CTX *ctx) { count(1); return verdict; }
SEC("xdp") int goes(CTX *ctx) { count(0); tail_call(ctx, &jumps, 0); return 0; }
SEC("xdp") int fails(CTX *ctx) { count(2); tail_call(ctx, &jumps, 1); return verdict; }
"""


def source(hook: str, body: str, *, verdict: int = 2, license: str = "GPL") -> str:
    """C of an object for a hook: `body` defines the programs."""
    return _CONTEXT[hook] + _START % verdict + body + _LICENSE % license


class Chain:
    """Members that are loaded one after the other; builds them, and looks into their maps."""

    def __init__(self, hook: str) -> None:
        self.hook, self._stack = hook, ExitStack()
        self.members: list[Member] = []
        self.sources: dict[int, Source] = {}
        self.maps: list[Mapping[str, int]] = []
        self.programs: list[int] = []

    def __enter__(self) -> Chain:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def add(self, data: bytes, program: str = "", *, proceed_on: Sequence[str] | int = (), priority: int = 50) -> int:
        """Loads an object; its program becomes the last member, whose number it gives."""
        number = len(self.members)
        prepared = self._stack.enter_context(prepare(data, name=f"o{number}", programs=[program] if program else []))
        prepared.keeps_code = True
        prepared.load()
        loaded = next(each for each in prepared.loaded if each.name == program or not program)
        assert loaded.code is not None
        maps = dict(prepared.maps)
        btf = bpf.program_info(loaded.fd).btf_id
        self.sources[loaded.id] = Source(loaded.code, dump.btf_data(btf) if btf else b"", tuple(maps.values()))
        wanted = proceed_on if isinstance(proceed_on, int) else mask(self.hook, tuple(proceed_on))
        self.members.append(Member(loaded.id, loaded.name, priority, wanted))
        self.maps.append(maps)
        self.programs.append(loaded.fd)
        return number

    def compiled(self, body: str, *, proceed_on: Sequence[str] | int = ("pass",), **more: object) -> int:
        """The same for C, with the start that all have."""
        flags: tuple[str, ...] = more.pop("flags", ("-g", "-O2"))  # type: ignore[assignment]
        text = source(self.hook, body, **more)  # type: ignore[arg-type]
        return self.add(compile_source(text, flags=flags), proceed_on=proceed_on)

    def fixed(self, verdict: int, *, proceed_on: Sequence[str] | int = ("pass",), **more: object) -> int:
        """A member that counts, and gives that verdict, which the verifier does not know."""
        body = f'SEC("{SECTIONS[self.hook]}") int fixed_{len(self.members)}(CTX *ctx) {{ count(0); return verdict; }}\n'
        return self.compiled(body, proceed_on=proceed_on, verdict=verdict, **more)

    def plan(self) -> Plan:
        """The members in order."""
        return Plan(self.hook, tuple(self.members))

    def build(self, *, inline: bool, end: int | None = None) -> Built:
        """The fused dispatcher; closed with the chain, if not before."""
        made = build(self.plan(), self.sources, end=ENDS[self.hook] if end is None else end, inline=inline)
        return self._stack.enter_context(made)

    def run(self, built: Built, packet: bytes = PACKET) -> int:
        """Its result for one packet, as a signed number."""
        result, _, _ = bpf.test_run(built.dispatcher, packet)
        return result - (1 << 32) if result >> 31 else result

    def count(self, member: int, at: int = 0) -> int:
        """How often a member has counted there."""
        found = bpf.map_lookup(self.maps[member]["counts"], at.to_bytes(4, "little"), 8)
        return int.from_bytes(found or b"", "little")

    def counts(self) -> list[int]:
        """How often each member has counted."""
        return [self.count(member) for member in range(len(self.maps))]

    def say(self, member: int, verdict: int) -> None:
        """Gives a member another verdict."""
        bpf.map_update(self.maps[member][".data"], bytes(4), verdict.to_bytes(4, "little", signed=True))

    def change(self, member: int, **fields: object) -> None:
        """Changes the code that was kept of a member."""
        number = self.members[member].program
        old = self.sources[number]
        self.sources[number] = replace(old, code=replace(old.code, **fields))  # type: ignore[arg-type]
