"""Objects with maps and globals of every kind, and loads of them for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpfimg import load
from tests.support.loads import TAG
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.load import Host, Load

TYPES = """
enum colour { RED, GREEN = 7, BLUE };
struct key { __u32 prefix; __u8 address[4]; };
struct stats { __u64 packets; __u64 bytes; };
struct odd {
	char name[8];
	enum colour colour;
	_Bool on;
	__s16 low;
	union { __u32 whole; __u8 parts[4]; };
	__u32 three : 3, five : 5;
	struct stats stats[2];
	double ratio;
};
"""
MAPS = (
    TYPES
    + """
struct { __uint(type, 1); __uint(max_entries, 1000); __type(key, __u32); __type(value, struct odd); } odds SEC(".maps");
struct { __uint(type, 2); __uint(max_entries, 4); __type(key, __u32); __type(value, __s64); } numbers SEC(".maps");
struct { __uint(type, 6); __uint(max_entries, 2); __type(key, __u32); __type(value, struct stats); } cpus SEC(".maps");
struct { __uint(type, 5); __uint(max_entries, 8); __type(key, __u64); __type(value, __u64); } cpuhash SEC(".maps");
struct { __uint(type, 9); __uint(max_entries, 8); __type(key, enum colour); __type(value, __u32); } recent SEC(".maps");
struct { __uint(type, 11); __uint(max_entries, 8); __uint(map_flags, 1);
	__type(key, struct key); __type(value, __u32); } routes SEC(".maps");
struct { __uint(type, 22); __uint(max_entries, 3); __type(value, struct stats); } line SEC(".maps");
struct { __uint(type, 23); __uint(max_entries, 3); __uint(value_size, 4); } pile SEC(".maps");
struct { __uint(type, 1); __uint(max_entries, 4); __uint(key_size, 6); __uint(value_size, 3); } raw SEC(".maps");
struct { __uint(type, 3); __uint(max_entries, 4); __uint(key_size, 4); __uint(value_size, 4); } jumps SEC(".maps");
struct { __uint(type, 27); __uint(max_entries, 4096); } events SEC(".maps");
struct inner { __uint(type, 2); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } inside SEC(".maps");
struct { __uint(type, 12); __uint(max_entries, 2); __uint(key_size, 4); __uint(value_size, 4);
	__array(values, struct inner); } outside SEC(".maps");
"""
)
GLOBALS = """
volatile const __u32 limit = 5;
volatile const struct odd settings = { .name = "before", .low = -3 };
volatile __u64 counter = 9;
volatile int grid[2][3];
"""
PROGRAM = f"""
SEC("xdp") int {TAG}maps(void *ctx)
{{
	counter += limit + settings.low + grid[0][0];
	return 2;
}}
char LICENSE[] SEC("license") = "GPL";
"""


def every_kind() -> bytes:
    """Maps of every kind that can be read, and globals."""
    return compile_source(MAPS + GLOBALS + PROGRAM)


def shared(value: str = "__u64", entries: int = 4, *, pinning: bool = False, more: str = "") -> bytes:
    """A map `hits` with values of that C type, that is to be shared by name with `pinning`."""
    pin = "__uint(pinning, 1);" if pinning else ""
    if "{" in value:
        more += f"struct given {value.removeprefix('struct')};"
        value = "struct given"
    source = f"""
{more}
struct {{ __uint(type, 2); __uint(max_entries, {entries}); __type(key, __u32); __type(value, {value}); {pin} }}
	hits SEC(".maps");
static void *(*lookup)(void *map, const void *key) = (void *)1;
SEC("xdp") int {TAG}shared(void *ctx)
{{
	__u32 key = 0;
	{value} *value = lookup(&hits, &key);
	if (value)
		*(volatile __u8 *)value += 1;
	return 2;
}}
char LICENSE[] SEC("license") = "GPL";
"""
    return compile_source(TYPES + source)


def loaded(
    host: Host,
    data: bytes,
    name: str = "app",
    *,
    globals: Mapping[str, str] | None = None,
    sharing: load.maps.Sharing | None = None,
) -> Load:
    """Loads, as `run.load` does with the bytes of an image."""
    with load.prepare(data, name=name, globals=globals, sharing=sharing) as prepared:
        if prepared.alone:
            with host.writer() as writer:
                prepared.share(host, name)
                prepared.load()
                return writer.load(prepared, load.Origin(name))
        prepared.share(host, name)
        prepared.load()
        with host.writer() as writer:
            return writer.load(prepared, load.Origin(name))
