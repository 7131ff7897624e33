"""The objects that `make bench` looks at, and how many of them are linted in a second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.support.objects import compile_source

if TYPE_CHECKING:
    from pathlib import Path

_TABLE = "const volatile unsigned char table[1000000] = {1, 2, 3};"
_PROGRAM = """
SEC("xdp") int program_%(n)d(__u32 *c)
{
    __u32 key = %(n)d; __u64 *value = lookup(&counters, &key), sum = %(n)d;
    if (!value) return 1;
%(body)s
    *value += sum;
    return sum & 1 ? 1 : 2;
}
"""
_HEAD = """
struct { __uint(type, 1); __uint(max_entries, 512); __type(key, __u32); __type(value, __u64); } counters SEC(".maps");
static void *(*lookup)(void *map, const void *key) = (void *)1;
char LICENSE[] SEC("license") = "GPL";
"""


def with_data() -> bytes:
    """1 MiB, nearly all of it one global table."""
    return compile_source(_TABLE + 'SEC("xdp") int p(__u32 *c) { return table[*c & 0xffff]; }' + _HEAD)


def with_programs(count: int = 74) -> bytes:
    """About 1 MiB of code, BTF, source lines and symbols of that many programs."""
    steps = "".join(f"    sum = (sum ^ c[{n}]) * {n * 2 + 3}u; if (sum > {n + 99}) c[{n}] = sum;\n" for n in range(56))
    return compile_source(_HEAD + "".join(_PROGRAM % {"n": n, "body": steps} for n in range(count)))


def lint_rate(root: Path, seconds: float = 3.0) -> tuple[int, float, float]:
    """(objects, their mean size in KiB, objects linted per second of CPU) over those of Debian's packages."""
    from bpfimg.inspect import lint

    paths = sorted(path for path in (root / ".cache" / "packages").rglob("*") if path.is_file())
    data = [content for path in paths if (content := path.read_bytes()).startswith(b"\x7fELF")] or [with_data()]
    context, done, start = lint.Context(), 0, time.process_time()
    while time.process_time() - start < seconds:
        for content in data:
            lint.problems(content, context)
        done += len(data)
    return len(data), sum(map(len, data)) / len(data) / 1024, done / (time.process_time() - start)
