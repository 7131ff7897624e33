"""A host with a thousand programs: `bpfimg list --all -o json` beside the four commands of bpftool that say the same.

The programs are foreign ones, each with a map and a link; every other one is pinned, with its map and its link, the
rest is held by the process that made them. bpftool's four processes run one after the other, as a person would.
"""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.processes import BPFIMG, Surroundings
from bpfimg.kernel import Fd, abi, bpf
from bpfimg.kernel._syscall import address, fill
from bpfimg.kernel._syscall import bpf as call
from tests.support.netns import bpffs

PROGRAMS = 1000
_RAW_TRACEPOINT = abi.PROGRAM_TYPES.index("raw_tracepoint")
_NEVER = "mm_vmscan_kswapd_wake"  # a tracepoint that hardly ever runs
_COMMANDS = ("prog", "map", "link", "net")


def main(runs: int) -> None:
    """Prints the medians, and their ratio."""
    if shutil.which("bpftool") is None:
        print("a host with 1,000 programs: not measured, needs bpftool")
        return
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bpfimg-bench-")))
        mount = stack.enter_context(bpffs())
        around = Surroundings(folder, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "BPFIMG_BPFFS": mount})
        stack.enter_context(programs(mount, PROGRAMS))
        _check(around)
        figures = _figures(around, runs)
    total = sum(statistics.median(figures[name]) for name in _COMMANDS)
    print(f"{f'{PROGRAMS} programs, maps and links, median of {runs}':50} {'ms':>8} {'ratio':>7} {'aim':>7}")
    for name in _COMMANDS:
        print(f"{f'bpftool -j {name} show':50} {statistics.median(figures[name]):8.1f}")
    print(f"{'  all four':50} {total:8.1f} {1:6.1f}x")
    for name in ("list", "list --all"):
        wall = statistics.median(figures[name])
        aim = "<= 2.5x" if name == "list --all" else ""
        print(f"{f'bpfimg {name} -o json':50} {wall:8.1f} {wall / total:6.1f}x {aim:>7}")


def _figures(around: Surroundings, runs: int) -> dict[str, list[float]]:
    cases = {name: ["bpftool", "-j", name, "show"] for name in _COMMANDS}
    cases |= {"list": [BPFIMG, "list", "-o", "json"], "list --all": [BPFIMG, "list", "--all", "-o", "json"]}
    figures: dict[str, list[float]] = {name: [] for name in cases}
    for name, argv in cases.items():
        around.measure(argv)  # warms the page cache
        figures[name] = []
    for _ in range(runs):
        for name, argv in cases.items():
            figures[name].append(around.measure(argv))
    return figures


def _check(around: Surroundings) -> None:
    """What is measured is right: every program, map and link that bpftool has is there, with the same figures."""
    ours = {each["id"]: each for each in json.loads(around.do(BPFIMG, "list", "--all", "-o", "json"))["programs"]}
    maps = {each["id"]: each for each in json.loads(around.do("bpftool", "-j", "map", "show"))}
    links = {each["id"]: each for each in json.loads(around.do("bpftool", "-j", "link", "show"))}
    found = 0
    for each in json.loads(around.do("bpftool", "-j", "prog", "show")):
        entry = ours.get(each["id"])
        if entry is None or entry["name"] != each.get("name") or not entry["name"].startswith("bench_"):
            continue
        found += 1
        assert entry["kernel"]["memlock"] == each["bytes_memlock"]
        assert entry["kernel"]["tag"] == each["tag"]
        (map,), (link,) = entry["maps"], entry["links"]
        assert map["memlock"] == maps[map["id"]]["bytes_memlock"]
        assert (link["program_id"], link["target"]) == (each["id"], links[link["kernel_id"]]["tp_name"])
        assert entry["held_by"]
    if found != PROGRAMS:
        raise SystemExit(f"bench: {found} of {PROGRAMS} programs are in both lists")


@contextlib.contextmanager
def programs(mount: str, count: int) -> Iterator[None]:
    """So many programs, each with a map and a link, made by a process of its own and gone with it."""
    argv = [sys.executable, "-m", "bench.host", mount, str(count)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise SystemExit("bench: the programs could not be loaded")
        try:
            yield
        finally:
            process.communicate(b"")


def _made(mount: str, count: int) -> None:
    limit = min(3 * count + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    kept = []
    for number in range(count):
        map = bpf.map_create(abi.MAP_TYPE_ARRAY, 4, 8, 1, name=f"bench_{number}")
        program = _program(f"bench_{number}", map)
        link = bpf.raw_tracepoint_open(_NEVER, program)
        for kind, fd in (("map", map), ("prog", program), ("link", link)):
            if number % 2:
                kept.append(fd)
            else:
                bpf.pin(fd, f"{mount}/{kind}_{number}")
                fd.close()
    print("ready", flush=True)
    sys.stdin.read()


def _program(name: str, map: Fd) -> Fd:
    """`return 0`, with a map that it looks at."""
    load = struct.pack("=BBhi", 0x18, 0x11, 0, map.fileno()) + bytes(8)
    instructions = bytearray(load + b"\xb7" + bytes(7) + b"\x95" + bytes(7))
    license = bytearray(b"GPL\0")
    values: dict[str, int | bytes] = {
        "prog_type": _RAW_TRACEPOINT,
        "insn_cnt": len(instructions) // 8,
        "insns": address(instructions),
        "license": address(license),
        "prog_name": name.encode(),
    }
    return Fd(call(abi.PROG_LOAD, fill(abi.ATTR_PROG_LOAD, values), name))


if __name__ == "__main__":
    _made(sys.argv[1], int(sys.argv[2]))
