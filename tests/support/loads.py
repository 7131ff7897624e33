"""Objects to load in kernel tests, with names that no other test run has, and the question what is left of them."""

from __future__ import annotations

import errno
import json
import os
import secrets
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from bpfimg import inspect, load
from bpfimg.errors import KernelError
from bpfimg.kernel import abi, bpf, libbpf, netlink, netns
from tests.support.descriptors import none_left
from tests.support.netns import Namespace
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: programs of this test run begin with it; the kernel keeps 15 characters of a name
TAG = f"t{os.getpid()}_"

_COUNTER = """
static void *(*lookup)(void *map, const void *key) = (void *)1;
struct { __uint(type, 2); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } hits SEC(".maps");
volatile const __u32 step = 1;
static __attribute__((always_inline)) void hit(void)
{
	__u32 key = 0;
	__u64 *value = lookup(&hits, &key);
	if (value)
		__sync_fetch_and_add(value, step);
}
char LICENSE[] SEC("license") = "Dual BSD/GPL";
"""


def xdp(name: str = "xdp") -> bytes:
    """One XDP program, called TAG + name, that adds the global `step` to the map `hits` for each packet."""
    return compile_source(_COUNTER + f'SEC("xdp") int {TAG}{name}(void *ctx) {{ hit(); return 2; }}')


def tc(name: str = "tc", result: int = -1) -> bytes:
    """One TC program of that kind; it returns `result`."""
    return compile_source(_COUNTER + f'SEC("tc") int {TAG}{name}(void *ctx) {{ hit(); return {result}; }}')


def tracepoint(name: str = "tp") -> bytes:
    """One tracepoint program of that kind."""
    return compile_source(
        _COUNTER + f'SEC("tracepoint/syscalls/sys_enter_getpid") int {TAG}{name}(void *ctx) {{ hit(); return 0; }}'
    )


def counting(section: str, name: str, result: int) -> bytes:
    """One program in that section, called TAG + name, that counts in the map `hits` and returns `result`."""
    return counting_each({section: name}, result)


def counting_each(sections: Mapping[str, str], result: int) -> bytes:
    """As `counting`, one program in each of the sections, which are given with the program's name."""
    each = (
        f'SEC("{section}") int {TAG}{name}(void *ctx) {{ hit(); return {result}; }}'
        for section, name in sections.items()
    )
    return compile_source(_COUNTER + "\n".join(each))


def several() -> bytes:
    """Two XDP programs (a, b), a TC program (c) and one in an odd section that `?` leaves out (d), with one map."""
    return compile_source(
        _COUNTER
        + f"""
SEC("xdp") int {TAG}a(void *ctx) {{ hit(); return 2; }}
SEC("xdp") int {TAG}b(void *ctx) {{ hit(); return 2; }}
SEC("tc") int {TAG}c(void *ctx) {{ hit(); return -1; }}
SEC("?tracepoint/syscalls/sys_enter_getpid") int {TAG}d(void *ctx) {{ hit(); return 0; }}
"""
    )


def refused() -> bytes:
    """A program that no verifier takes: it loops for ever."""
    return compile_source(f'SEC("xdp") int {TAG}bad(int *ctx) {{ while (ctx[0]) ; return 2; }}')


def hits(loaded: load.Load) -> int:
    """What the map `hits` of a load says."""
    record = loaded.record
    assert record is not None
    names = [name for name, _ in record.maps]
    with bpf.get(loaded.map_pins()[names.index("hits")]) as fd:
        value = bpf.map_lookup(fd, bytes(4), 8)
    assert value is not None
    return int.from_bytes(value, sys.byteorder)


def counted(loaded: load.Load, name: str = "counters") -> int:
    """The first number in the first entry of a map of a load, as the examples count."""
    record = loaded.record
    assert record is not None
    pin = loaded.map_pins()[[each for each, _ in record.maps].index(name)]
    with bpf.get(pin) as fd:
        value = bpf.map_lookup(fd, bytes(4), bpf.map_info(fd).value_size)
    assert value is not None
    return int.from_bytes(value[:8], sys.byteorder)


def detach(host: load.Host, link: int) -> None:
    """Takes a link off, in a writer of its own."""
    with host.writer() as writer:
        writer.detach(link)


def run(
    host: load.Host,
    data: bytes,
    hook: load.Hook,
    name: str = "app",
    globals: Mapping[str, str] | None = None,
    *,
    programs: tuple[str, ...] = (),
) -> load.Load:
    """Loads and attaches, as `run.image` does with the bytes of an image."""
    with load.prepare(data, name=name, programs=programs, hook=hook, globals=globals, host=host) as prepared:
        prepared.load()
        with host.writer() as writer:
            return writer.run(prepared, load.Origin(name), hook)


def only_load(host: load.Host, data: bytes, name: str = "app", programs: tuple[str, ...] = ()) -> load.Load:
    """Loads without attaching."""
    with load.prepare(data, name=name, programs=programs, host=host) as prepared:
        prepared.load()
        with host.writer() as writer:
            return writer.load(prepared, load.Origin(name))


def attach(host: load.Host, loaded: int, hook: load.Hook) -> load.LinkRecord:
    """Attaches what is loaded to one more hook."""
    with host.writer() as writer:
        return writer.attach(loaded, hook)[1]


def clear(host: load.Host) -> None:
    """Unloads everything, in one writer."""
    with host.writer() as writer:
        for each in host.loads():
            writer.unload(each.id)


def tree(host: load.Host) -> list[str]:
    """Every path below our directory."""
    return sorted(
        os.path.join(folder, name) for folder, folders, names in os.walk(host.directory) for name in (*folders, *names)
    )


def programs_left() -> list[str]:
    """Names of our programs in the kernel; waits for those that are on their way out."""
    deadline = time.monotonic() + 10
    while (found := _programs()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def _programs() -> list[str]:
    found = []
    for number in bpf.program_ids():
        try:
            with bpf.program_by_id(number) as fd:
                found.append(bpf.program_info(fd, memlock=False).name)
        except KernelError as error:
            if error.errno != errno.ENOENT:
                raise
    return [name for name in found if name.startswith(TAG)]


def becomes_stale(host: load.Host) -> bool:
    """True when the only link is listed as stale: the kernel takes groups and namespaces away in its own time."""
    deadline = time.monotonic() + 20
    while (states := [link.state for link in inspect.host(host).links]) == ["attached"] and time.monotonic() < deadline:
        time.sleep(0.02)
    return states == ["stale"]


@contextmanager
def nothing_left(host: load.Host) -> Iterator[None]:
    """Asserts that what happens inside changes neither our directory, nor our descriptors, nor the programs."""
    before = tree(host), _programs()
    with none_left():
        yield
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if (tree(host), _programs()) == before:
            break
        time.sleep(0.02)
    assert (tree(host), _programs()) == before


def attached(ns: Namespace) -> set[tuple[str, int]]:
    """(where, program id) of all that the kernel has on the interface: XDP, TCX and clsact."""
    found = netns.call(ns.path, attached_here, ns.interface)
    for direction in ("ingress", "egress"):
        text = ns.exec(["tc", "-j", "filter", "show", "dev", ns.interface, direction], check=False).stdout
        for entry in json.loads(text or "[]"):
            program = entry.get("options", {}).get("prog", {}).get("id")
            if program:
                found.add((f"clsact {direction}", program))
    return found


def attached_here(interface: str) -> set[tuple[str, int]]:
    """(where, program id) of XDP and TCX on an interface of the namespace that the caller is in."""
    index = netlink.interface_index(interface)
    found = set()
    program = libbpf.xdp_query(index).prog_id
    if program:
        found.add(("xdp", program))
    for direction, attach_type in (("ingress", abi.ATTACH_TCX_INGRESS), ("egress", abi.ATTACH_TCX_EGRESS)):
        try:
            programs, _, _ = bpf.prog_query(index, attach_type)
        except KernelError:
            continue  # a kernel without TCX
        found |= {(f"tcx {direction}", number) for number in programs}
    return found


def chain(ns: Namespace, direction: str) -> list[int]:
    """The programs of a TCX chain, in their order."""
    attach_type = {"ingress": abi.ATTACH_TCX_INGRESS, "egress": abi.ATTACH_TCX_EGRESS}[direction]
    return list(netns.call(ns.path, lambda: bpf.prog_query(netlink.interface_index(ns.interface), attach_type))[0])


def listed(host: load.Host) -> set[tuple[str, int]]:
    """The same as a listing has it."""
    found = set()
    for link in inspect.host(host).links:
        assert link.record is not None
        way = "clsact" if link.how == "clsact" else "tcx"
        kind = link.hook if link.hook == "xdp" else f"{way} {link.record.direction}"
        if link.state == "attached" and link.hook != "tracepoint":
            found.add((kind, link.program_id))
    return found


@contextmanager
def doomed_namespace() -> Iterator[Namespace]:
    """A namespace with a veth pair inside, that the test may delete."""
    name = f"bpfimg-doomed-{os.getpid()}-{secrets.token_hex(3)}"
    sh("ip", "netns", "add", name)
    try:
        sh("ip", "-n", name, "link", "add", "veth0a", "type", "veth", "peer", "name", "veth0b")
        sh("ip", "-n", name, "link", "set", "veth0a", "up")
        yield Namespace(name, name, "veth0a", "", "veth0b", "")
    finally:
        if os.path.exists(f"/var/run/netns/{name}"):
            sh("ip", "netns", "del", name)


@contextmanager
def process_in(ns: Namespace) -> Iterator[None]:
    """A process that lives in the namespace."""
    argv = ["nsenter", f"--net={ns.path}", "sh", "-c", "echo; exec cat"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        with suppress(OSError):
            process.kill()


def sh(*argv: str) -> None:
    """Runs a command; what it says is in the error."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (argv, done.stdout, done.stderr)
