"""Objects for trials: programs that a kernel takes, refuses, or cannot judge alone."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support.objects import compile_source

if TYPE_CHECKING:
    from pathlib import Path

_HEAD = """
char LICENSE[] SEC("license") = "GPL";
static void *(*lookup)(void *map, const void *key) = (void *)1;
static long (*tail_call)(void *ctx, void *map, __u32 index) = (void *)12;
struct { __uint(type, 1); __uint(max_entries, 16); __uint(pinning, 1); __type(key, __u32); __type(value, __u64); }
counts SEC(".maps");
"""
_GOOD = """
SEC("xdp") int good(void *ctx) { __u32 key = 1; __u64 *value = lookup(&counts, &key); return value ? 2 : 1; }
"""
_MIXED = (
    _HEAD
    + _GOOD
    + """
SEC("xdp") int bad(void *ctx) { __u32 key = 1; __u64 *value = lookup(&counts, &key); return *value; }
SEC("?xdp") int spare(void *ctx) { return *(volatile int *)0; }
SEC("freplace/other") int replacing(void *ctx) { return 0; }
SEC("fentry") int unbound(void *ctx) { return 0; }
"""
)
_JUMPS = (
    _HEAD
    + """
int last(void *ctx); int wrong(void *ctx);
struct { __uint(type, 3); __uint(max_entries, 1); __uint(key_size, 4); __array(values, int(void *)); }
fine SEC(".maps") = { .values = { [0] = (void *)&last } };
struct { __uint(type, 3); __uint(max_entries, 1); __uint(key_size, 4); __array(values, int(void *)); }
broken SEC(".maps") = { .values = { [0] = (void *)&wrong } };
SEC("xdp") int first(void *ctx) { tail_call(ctx, &fine, 0); return 1; }
SEC("xdp") int second(void *ctx) { tail_call(ctx, &broken, 0); return 1; }
SEC("xdp") int last(void *ctx) { return 2; }
SEC("xdp") int wrong(void *ctx) { return *(volatile int *)0; }
"""
)


def good() -> bytes:
    """One XDP program, `good`, that every kernel takes; its map wants to be pinned by name."""
    return compile_source(_HEAD + _GOOD)


def mixed() -> bytes:
    """`good`; `bad` and the optional `spare`, which are refused; `replacing` and `unbound`, which cannot be tried."""
    return compile_source(_MIXED)


def jumps() -> bytes:
    """`first` jumps to `last`, `second` to `wrong`, which is refused."""
    return compile_source(_JUMPS)


def greedy() -> bytes:
    """`large`, whose map takes 3 GB, in tables of which it looks one up."""
    return compile_source(
        _HEAD
        + """
struct { __uint(type, 1); __uint(max_entries, 3 << 20); __type(key, __u32); __type(value, char[960]); }
much SEC(".maps");
SEC("xdp") int large(void *ctx) { __u32 key = 1; return lookup(&much, &key) ? 2 : 1; }
"""
    )


def operations(section: str) -> bytes:
    """`mine_init`, an operation of a table in that section."""
    return compile_source(
        'char LICENSE[] SEC("license") = "GPL";'
        "struct tcp_congestion_ops { __u32 (*ssthresh)(void *); void (*init)(void *); char name[16]; };"
        'SEC("struct_ops/mine_init") void mine_init(void *ctx) { }'
        f'SEC("{section}") struct tcp_congestion_ops mine = {{ .init = (void *)mine_init, .name = "mine" }};'
    )


def agent(folder: Path, data: bytes, *programs: str) -> bytes:
    """What the agent of guests answers on this kernel, from a process of its own as in a guest."""
    (folder / "object").write_bytes(data)
    command = [sys.executable, "-m", "bpfimg.load._trial_agent", "object", *programs]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = (folder / "answer").read_bytes()
    assert json.loads(found)["version"] == 1
    return found
