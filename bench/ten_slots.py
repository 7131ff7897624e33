"""Peers' dispatchers as they are compiled, of a fixed ten slots: own sources, in the shape of bpfman's for XDP and tc.

bpfman 0.5 builds its own from C: a loop that the compiler unrolls, masks and count in read-only globals, and a stub
that returns a volatile. xdp-tools's own dispatchers are not here: the bench takes those of its packages.
"""

from __future__ import annotations

import struct

SLOTS = 10

_STUB = """
__attribute__((noinline)) int prog{slot}(struct {context} *ctx)
{{
    volatile int ret = {empty};
    if (!ctx)
        return {aborted};
    return ret;
}}
"""
_TEST = """
    if (num < {after})
        goto out;
    ret = prog{slot}(ctx);
    if (!((1U << {bit}) & CONFIG.actions[{slot}]))
        return ret;
"""
_MAIN = """
struct config {{ __u8 count; __u8 pad[3]; __u32 actions[10]; __u32 priorities[10]; }};
volatile const struct config CONFIG = {{}};
{stubs}
SEC("{section}") int {name}(struct {context} *ctx)
{{
    __u8 num = CONFIG.count;
    int ret;
{tests}
out:
    return {end};
}}
char LICENSE[] SEC("license") = "GPL";
"""
_CONTEXTS = {
    "xdp": "struct xdp_md { __u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex; };",
    "tc": "struct __sk_buff { __u32 len, pkt_type, mark; };",
}
_WORDS = {
    "xdp": {"context": "xdp_md", "empty": 31, "aborted": 0, "bit": "ret", "end": 2, "name": "xdp_dispatcher"},
    "tc": {"context": "__sk_buff", "empty": 30, "aborted": -1, "bit": "(ret + 1)", "end": 0, "name": "tc_dispatcher"},
}


def source(hook: str) -> str:
    """The C text of a dispatcher for xdp or tc."""
    words = _WORDS[hook]
    stubs = "".join(_STUB.format(slot=slot, **words) for slot in range(SLOTS))
    tests = "".join(_TEST.format(slot=slot, after=slot + 1, **words) for slot in range(SLOTS))
    return _CONTEXTS[hook] + _MAIN.format(stubs=stubs, tests=tests, section=hook, **words)


def config(masks: list[int]) -> bytes:
    """The value of its read-only globals."""
    rest = [0] * (SLOTS - len(masks))
    return struct.pack(f"=B3x{SLOTS}I{SLOTS}I", len(masks), *masks, *rest, *[50] * len(masks), *rest)
