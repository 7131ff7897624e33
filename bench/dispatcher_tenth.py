"""What the tenth program of a chain takes to add, in a guest: instructions of the whole process that adds it.

Each tool adds to a chain of nine of its own. The processor time of a process is exact there: a nanosecond is one
instruction of it, in the kernel too; what it waits for does not count.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.processes import BPFIMG
from bpfimg import dispatcher, load, run
from bpfimg.dispatcher._record import decode
from bpfimg.kernel import bpf, libbpf, netlink, netns
from bpfimg.load import hooks
from tests.support import xdptools
from tests.support.netns import Namespace, bpffs, namespace

BEFORE = 9
POLICY = {"version": 1, "default": "deny", "rules": [], "localFiles": "insecure-allow-unsigned"}


def process(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Runs a process to its end; the instructions that it, and all that it started, took."""
    before = _children()
    done = subprocess.run(argv, env=dict(environ), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: {list(argv)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return _children() - before


def _children() -> int:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round((used.ru_utime + used.ru_stime) * 1e9)


def loaded_by(tools: xdptools.Tools, objects: Sequence[Path]) -> int:
    """`xdp-loader load` of these on the interface."""
    loader = xdptools.command_of(tools.suite, "xdp-loader")
    argv = ["nsenter", f"--net={tools.ns.path}", *loader, "load", tools.ns.interface, *map(str, objects)]
    return process(argv, tools.environ)


def xdp_loader(suite: str, object: Path) -> int:
    with namespace() as ns, bpffs() as mount:
        tools = xdptools.Tools(suite, ns, mount)
        loaded_by(tools, [object] * BEFORE)
        took = loaded_by(tools, [object])
        assert netns.call(ns.path, members, ns.interface) == BEFORE + 1
    return took


def members(interface: str) -> int:
    """How many programs the dispatcher on an interface has, as its record says."""
    running = libbpf.xdp_query(netlink.interface_index(interface)).prog_id
    with bpf.program_by_id(running) as program:
        (number,) = bpf.program_info(program).map_ids
    with bpf.map_by_id(number) as record:
        value = bpf.map_lookup(record, bytes(4), bpf.map_info(record).value_size)
    return len(decode(value or b"").masks)


@contextlib.contextmanager
def nine(object: Path) -> Iterator[tuple[load.Host, Namespace]]:
    """A chain of nine by bpfimg."""
    with namespace() as ns, bpffs() as mount:
        host = dispatcher.host(mount)
        for _ in range(BEFORE):
            added(host, ns, object)
        try:
            yield host, ns
        finally:
            with host.writer() as writer:
                for each in host.loads():
                    writer.unload(each.id)


def added(host: load.Host, ns: Namespace, object: Path) -> None:
    """What `bpfimg run` does once an image is believed."""
    hook = hooks.Xdp(ns.interface, netns=ns.path)
    with load.prepare(object.read_bytes(), name="bench", hook=hook, host=host) as prepared:
        prepared.load()
        with host.writer() as writer:
            writer.run(prepared, load.Origin("bench"), hook)


def in_process(object: Path) -> int:
    """Load and change, in a process that has done it before."""
    with nine(object) as (host, ns):
        before = time.process_time_ns()
        added(host, ns, object)
        return time.process_time_ns() - before


def changed(object: Path) -> int:
    """The change of the chain alone: another priority for the last program of ten."""
    with nine(object) as (host, ns):
        added(host, ns, object)
        last = [link for each in host.loads() for link in each.links][-1]
        before = time.process_time_ns()
        run.change(host, last.id, priority=10)
        return time.process_time_ns() - before


def whole(object: Path) -> int:
    """`bpfimg run FILE xdp`."""
    with nine(object) as (host, ns):
        policy = Path("/tmp/policy.json")
        policy.write_text(json.dumps(POLICY))
        argv = [BPFIMG, "--bpffs", host.bpffs, "--policy", str(policy), "--store", "/tmp/store", "run", str(object)]
        argv += ["xdp", "-i", ns.interface, "--netns", ns.path]
        took = process(argv, {"PATH": os.environ["PATH"], "HOME": "/tmp"})
        assert netns.call(ns.path, members, ns.interface) == BEFORE + 1
        return took


def main(out: Path) -> None:
    """One line of JSON for each figure."""
    object = out / "xdp_hidden.o"
    rows = [(f"xdp-loader {suite}", lambda suite=suite: xdp_loader(suite, object)) for suite in xdptools.SUITES]
    rows = [row for row in rows if (out / f"has-{row[0].split()[1]}").exists()]
    environ = {"PATH": os.environ["PATH"], "HOME": "/tmp"}
    rows += [
        ("python3 -c pass, for comparison", lambda: process([sys.executable, "-c", "pass"], environ)),
        ("bpfimg run, whole process", lambda: whole(object)),
        ("bpfimg load and attach, in a running process", lambda: in_process(object)),
        ("bpfimg set (the change alone), in a running process", lambda: changed(object)),
    ]
    for name, measured in rows:
        took = [measured() for _ in range(2)][-1]  # the first one reads files
        print(json.dumps(["tenth", name, "10", took]), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
