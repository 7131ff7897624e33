"""`docs/python.md`: its boxes, run as they stand, one after the other in one interpreter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.pages import BOX, DOCS

if TYPE_CHECKING:
    from tests.support.cli import Cli
    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel
PAGE = (DOCS / "python.md").read_text()
EXAMPLE = "examples/bytecode/xdp_counter.bpf.c"


def test_every_box_runs_as_it_stands(host: Cli, network: Namespace) -> None:
    name = "127.0.0.1:5000/team/xdp_counter:v1"
    host("key", "generate", "k")
    host("build", "-t", name, str(DOCS.parent / EXAMPLE))
    host("sign", "--key", "k.key", name)
    host("policy", "init", "--key", "k.pub", "--scope", "127.0.0.1:5000/team/**", "policy.json")
    script = "\n".join(text for kind, text in BOX.findall(PAGE) if kind == "python")
    for there, here in {
        "/var/lib/bpfimg/store": host.environ["BPFIMG_STORE"],
        "/etc/bpfimg/policy.json": str(host.folder / "policy.json"),
        '"/sys/fs/bpf"': repr(host.environ["BPFIMG_BPFFS"]),
        '"eth1"': repr(network.interface),
    }.items():
        assert there in script
        script = script.replace(there, here)
    script += "\nimport os\nprint(sorted(os.listdir('/proc/self/fd'), key=int))\n"
    done = subprocess.run(
        ["nsenter", f"--net={network.path}", sys.executable, "-W", "error", "-c", script],
        cwd=DOCS.parent,
        env={**os.environ, "PYTHONPATH": str(DOCS.parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    first, *_, descriptors = lines = done.stdout.splitlines()
    assert first == f"xdp_counter is on {network.interface}"
    assert sum(bool(re.fullmatch(r"\d+ packets, \d+ bytes", line)) for line in lines) == 3
    assert f"[('xdp', '{network.interface}', 'attached')]" in lines
    assert re.search(r"^TCX: (True|False)$", done.stdout, re.M)
    assert re.search(r"^Busy take them off with `bpfimg detach \d+`$", done.stdout, re.M)
    assert "array __u32 struct counter 1" in lines
    assert "0 {'packets': 0, 'bytes': 0}" in lines
    assert "True None" in lines
    assert "the value (struct counter): packets (__u64) takes 0 to 18446744073709551615, not -1" in lines
    assert re.search(r"^\{'counters': 'load \d+'\}$", done.stdout, re.M)
    assert "version = 1" in lines
    assert descriptors == "['0', '1', '2', '3']"  # 3 is that of the listing itself
    assert host.json("programs", "list") == {"programs": []}


def test_the_first_box_is_a_program_of_twenty_lines() -> None:
    first = next(text for kind, text in BOX.findall(PAGE) if kind == "python")
    assert sum(bool(line.strip()) for line in first.splitlines()) <= 20
