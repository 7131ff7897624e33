"""Somebody who follows the pages of `docs/how-to` on a machine of their own (`tests/support/machines.py`)."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support import xdptools
from tests.support.debian import find
from tests.support.machines import ROOT, machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.machines import Machine

#: commands whose output is compared to the letter
EXACT = r"bpfimg (map (get|dump)|lint) |stat |grep "
#: the heading of what only kernels can do that take freplace programs
FREPLACE = "Where the kernel takes freplace"
_IMAGE = re.compile(r"(registry\.example|127\.0\.0\.1:5000)/team/(\w+):v1")
#: an interface eth1 with a neighbour who answers pings, and no other traffic
_ETH1 = """set -e
ip netns add neighbour
ip link add eth1 type veth peer name eth0 netns neighbour
echo 1 > /proc/sys/net/ipv6/conf/eth1/disable_ipv6
ip netns exec neighbour sh -c 'echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6'
ip address add 10.77.0.1/24 dev eth1
ip link set eth1 up
ip -n neighbour address add 10.77.0.2/24 dev eth0
ip -n neighbour link set eth0 up
ping -q -c 1 10.77.0.2
set +e
"""


class Reader:
    """Somebody who follows how-to pages: the images of the team are there when they are named."""

    def __init__(self, host: Machine) -> None:
        self.host = host
        self._known: set[tuple[str, str]] = set()
        host.does(_ETH1)
        host.does("export COSIGN_PASSWORD=; bpfimg key generate release")
        host.does("bpfimg policy init --key release.pub --scope 'registry.example/team/**'")

    def types(self, line: str) -> str:
        """What the terminal shows after a command."""
        self.has(line)
        return self.host.types(line)

    def does(self, script: str) -> str:
        """Runs lines that must succeed."""
        self.has(script)
        return self.host.does(script)

    def has(self, text: str) -> None:
        """Builds and signs the images that a text names, once."""
        for host, name in sorted(set(_IMAGE.findall(text)) - self._known):
            self._known.add((host, name))
            source, image = f"examples/bytecode/{name}.bpf.c", f"{host}/team/{name}:v1"
            if (ROOT / source).exists() and f"-t {image}" not in text:
                self.host.does(f"bpfimg build -q -t {image} {source}")
                self.host.does(f"bpfimg sign -q --key release.key {image}")
                if host != "registry.example":
                    self.host.does(f"bpfimg push -q {image}")

    def registry(self) -> None:
        """Starts Debian's registry where pages look for one, 127.0.0.1:5000; it ends with the machine."""
        program = find("docker-registry")
        if program is None:
            pytest.skip("needs the program docker-registry (Debian package docker-registry)")
        config = {
            "version": "0.1",
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": "/root/.registry"}, "delete": {"enabled": True}},
            "http": {"addr": "127.0.0.1:5000"},
        }
        self.host.does(f"echo '{json.dumps(config)}' > /root/.registry.json")
        self.host.does(f"{program} serve /root/.registry.json > /root/.registry.log 2>&1 &")
        self.host.does("for i in $(seq 300); do ss -tln | grep -q :5000 && break; sleep 0.1; done")

    def xdp_tools(self) -> None:
        """Puts Debian 13's xdp-loader among the programs."""
        if not xdptools.there("trixie"):
            pytest.skip("needs xdp-tools of trixie (`python -m tests.support.xdptools` fetches them)")
        objects = next(iter(xdptools._folder("trixie").glob("usr/lib/*/bpf")))
        command = " ".join(xdptools.command_of("trixie", "xdp-loader"))
        script = f'#!/bin/sh\nLIBXDP_OBJECT_PATH={objects} exec {command} "$@"\n'
        self.host.does("mkdir -p /root/.bin; export PATH=/root/.bin:$PATH")
        self.host.does(f"cat > /root/.bin/xdp-loader <<'EOF'\n{script}EOF")
        self.host.does("chmod +x /root/.bin/xdp-loader")


@contextmanager
def reader(path: Sequence[str] = ()) -> Iterator[Reader]:
    with machine(path) as host:
        yield Reader(host)
