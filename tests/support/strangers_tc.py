"""Programs of others on tc: in the TCX chain by link or without, and as clsact filters. Nothing here is bpfimg's."""

from __future__ import annotations

import struct
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpfimg.kernel import Fd, abi, bpf, libbpf, netlink, netns
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.netns import Namespace

ATTACH_TYPES = {"ingress": abi.ATTACH_TCX_INGRESS, "egress": abi.ATTACH_TCX_EGRESS}
HEAD, TAIL = abi.F_BEFORE, 0


def program(result: int = -1, name: str = "stranger", attach_type: int = 0) -> Fd:
    """Loads `return result` as a tc program."""
    code = struct.pack("=BBhiBBhi", 0xB7, 0, 0, result, 0x95, 0, 0, 0)
    return bpf.prog_load(bpf.Program(type=3, code=code, license="GPL", name=name, attach_type=attach_type))


_COUNTING = """
static void *(*lookup)(void *map, const void *key) = (void *)1;
struct {{ __uint(type, 2); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); }} hits SEC(".maps");
SEC("tc") int {name}(struct __sk_buff *ctx)
{{
	__u32 key = 0;
	__u64 *value = lookup(&hits, &key);
	if (value)
		__sync_fetch_and_add(value, 1);
	return {result};
}}
char LICENSE[] SEC("license") = "GPL";
"""


@contextmanager
def counting(result: int, name: str = "stranger") -> Iterator[Counter]:
    """A tc program that counts packets and returns `result`, loaded as any other tool loads one."""
    with libbpf.open_object(compile_source(_COUNTING.format(name=name, result=result)), name=name) as opened:
        opened.load()
        (program,), maps = opened.programs, {each.name: each for each in opened.maps}
        yield Counter(program.fd, maps["hits"].fd)


@dataclass(frozen=True, slots=True)
class Counter:
    """Descriptors of such a program and of its map."""

    program: int
    map: int

    @property
    def seen(self) -> int:
        """How many packets it has counted."""
        value = bpf.map_lookup(self.map, bytes(4), 8)
        assert value is not None
        return int.from_bytes(value, sys.byteorder)


def link(ns: Namespace, direction: str, program: Fd | int, flags: int = TAIL, anchor: int = 0) -> Fd:
    """Puts a program into the TCX chain by a link: at its head or tail, or relative to the link with that id."""

    def create() -> Fd:
        index = netlink.interface_index(ns.interface)
        extra = struct.pack("=IIQ", anchor, 0, 0)
        return bpf.link_create(program, index, ATTACH_TYPES[direction], flags=flags, extra=extra)

    return netns.call(ns.path, create)


def plain(ns: Namespace, direction: str, program: Fd | int, flags: int = TAIL) -> None:
    """Puts a program into the TCX chain without a link, as BPF_PROG_ATTACH does."""

    def attach() -> None:
        bpf.prog_attach(netlink.interface_index(ns.interface), program, ATTACH_TYPES[direction], flags=flags)

    netns.call(ns.path, attach)


def filter_at(
    ns: Namespace, direction: str, program: Fd | int, preference: int, handle: int = 1, *, replace: bool = False
) -> None:
    """Adds a clsact filter, as bpfman and tc(8) do."""

    def add() -> None:
        index = netlink.interface_index(ns.interface)
        libbpf.tc_attach(index, direction, program, priority=preference, handle=handle, replace=replace)

    netns.call(ns.path, add)


def filters(ns: Namespace, direction: str) -> list[tuple[int, int, int]]:
    """(preference, handle, program id) of each BPF filter of that direction, in the order in which they run."""

    def asked() -> list[tuple[int, int, int]]:
        index = netlink.interface_index(ns.interface)
        found = [each for each in netlink.filters() if (each.ifindex, each.direction) == (index, direction)]
        found.sort(key=lambda each: each.priority)  # the kernel tells those of one preference as they run: newest first
        return [(each.priority, each.handle, each.prog_id) for each in found]

    return netns.call(ns.path, asked)


def links(ns: Namespace, direction: str) -> list[tuple[int, int]]:
    """(program id, link id) of each member of the TCX chain, in its order."""

    def asked() -> list[tuple[int, int]]:
        programs, ids, _ = bpf.prog_query(netlink.interface_index(ns.interface), ATTACH_TYPES[direction])
        return list(zip(programs, ids, strict=True))

    return netns.call(ns.path, asked)


def number(program: Fd | int) -> int:
    """The kernel id of a program."""
    return bpf.program_info(program, memlock=False).id
