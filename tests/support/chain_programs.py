"""Programs for chains: they count what they see, with the time of the last, and decide by a word or by a map.

A packet is known by its UDP port: entry 0 of the map TAG + seen is for all, 1 for `GOOD`, 2 for `BAD`, 3 for any
other. Names begin with the tag of the test run.
"""

from __future__ import annotations

from tests.support.loads import TAG
from tests.support.objects import compile_source

#: the UDP port of packets that are to pass, and that of those for which a dropper is there
GOOD, BAD = 7001, 7002

_CONTEXT = {
    "xdp": "struct xdp_md { __u32 data; __u32 data_end; __u32 data_meta; __u32 rest[4]; };\n"
    "#define CTX struct xdp_md\n",
    "tc": "struct __sk_buff { __u32 rest[19]; __u32 data; __u32 data_end; __u32 more[10]; };\n"
    "#define CTX struct __sk_buff\n",
}
#: hook -> (what lets a packet go on, what drops it)
VERDICTS = {"xdp": (2, 1), "tc": (3, 2)}

_START = """
static void *(*lookup)(void *map, const void *key) = (void *)1;
static __u64 (*now)(void) = (void *)5;
static long (*tail_call)(void *ctx, void *map, __u32 at) = (void *)12;
static long (*pull_data)(CTX *ctx, __u32 size) = (void *)39;
static long (*adjust_tail)(CTX *ctx, int by) = (void *)65;
struct seen { __u64 hits; __u64 last; };
struct { __uint(type, 2); __uint(max_entries, 4); __type(key, __u32); __type(value, struct seen); } SEEN SEC(".maps");
static __attribute__((always_inline)) __u32 port(CTX *ctx)
{
	unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	if (data + 38 > end || data[12] != 8 || data[13] != 0 || data[14] != 0x45 || data[23] != 17)
		return 0;
	return data[36] << 8 | data[37];
}
static __attribute__((always_inline)) void count(__u32 at)
{
	struct seen *entry = lookup(&SEEN, &at);
	if (!entry)
		return;
	__sync_fetch_and_add(&entry->hits, 1);
	entry->last = now();
}
static __attribute__((always_inline)) __u32 count_port(CTX *ctx)
{
	__u32 found = port(ctx);
	count(0);
	count(found == 7001 ? 1 : found == 7002 ? 2 : 3);
	return found;
}
"""

_BODIES = {
    # what a global says before the load: the verifier knows the result, or both of them
    "fixed": "volatile const __s32 verdict = {go}; volatile const __u32 drops = 0;\n"
    "static __attribute__((always_inline)) int decide(CTX *ctx)\n"
    "{{ __u32 found = count_port(ctx); if (drops && found == drops) return {drop}; return verdict; }}\n",
    # what a map says, which the test may change at any time
    "judge": "struct {{ __uint(type, 2); __uint(max_entries, 1); __type(key, __u32); __type(value, __s32); }} rule"
    ' SEC(".maps");\n'
    "static __attribute__((always_inline)) int decide(CTX *ctx)\n"
    "{{ __u32 key = 0; count_port(ctx); __s32 *said = lookup(&rule, &key); return said ? *said : {go}; }}\n",
    # one that may change the packet, and so makes the kernel look twice
    "changer": "static __attribute__((always_inline)) int decide(CTX *ctx)\n"
    "{{ {change}; count_port(ctx); return {go}; }}\n",
    # one with functions of its own, one of them global
    "caller": "__attribute__((noinline)) int {tag}inner(CTX *ctx) {{ return port(ctx) == 7002 ? 1 : 0; }}\n"
    "static __attribute__((noinline)) int outer(CTX *ctx) {{ count_port(ctx); return {tag}inner(ctx); }}\n"
    "static __attribute__((always_inline)) int decide(CTX *ctx) {{ return outer(ctx) ? {drop} : {go}; }}\n",
    # one that ends in another program, which decides
    "tailer": 'SEC("{section}") int {tag}target(CTX *ctx) {{ count_port(ctx); return {go}; }}\n'
    "struct {{ __uint(type, 3); __uint(max_entries, 1); __uint(key_size, 4); __array(values, int (CTX *)); }} jumps"
    ' SEC(".maps") = {{ .values = {{ (void *)&{tag}target }} }};\n'
    "static __attribute__((always_inline)) int decide(CTX *ctx) {{ tail_call(ctx, &jumps, 0); return {drop}; }}\n",
}
_CHANGE = {"xdp": "adjust_tail(ctx, 0)", "tc": "pull_data(ctx, 0)"}


def program(hook: str, name: str, kind: str = "fixed", *, frags: bool = False, license: str = "Dual BSD/GPL") -> bytes:
    """One program for `hook` (xdp or tc), called TAG + name; `kind` is a key of `_BODIES`."""
    return _compiled(hook, (name,), kind, "xdp.frags" if frags else hook, license)


def several(hook: str, names: tuple[str, ...]) -> bytes:
    """Several of one object, which share its maps."""
    return _compiled(hook, names, "fixed", hook, "Dual BSD/GPL")


def _compiled(hook: str, names: tuple[str, ...], kind: str, section: str, license: str) -> bytes:
    go, drop = VERDICTS[hook]
    body = _BODIES[kind].format(go=go, drop=drop, tag=TAG, section=section, change=_CHANGE[hook])
    each = "".join(f'SEC("{section}") int {TAG}{name}(CTX *ctx) {{ return decide(ctx); }}\n' for name in names)
    said = f'char LICENSE[] SEC("license") = "{license}";\n'
    return compile_source(f"#define SEEN {TAG}seen\n" + _CONTEXT[hook] + _START + body + each + said)
