"""Places for kernel tests: network namespaces, a bpffs and a tracefs of their own, all gone afterwards."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpfimg.kernel import netns
from tests.support.features import needs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NETNS = "/var/run/netns"
_numbers = itertools.count(1)


def skip_unless(*wanted: str) -> None:
    """Skips the test by name of what is lacking: root, a tool, or a feature of the kernel (see `needs`)."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for tool in ("ip", "ping", "nsenter", "mount"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs the command {tool}")
    needs(*wanted)


@dataclass(frozen=True, slots=True)
class Namespace:
    """Two network namespaces and the veth pair between them; `interface` is in `name`, its other end in `peer`.

    Nothing but what a test sends travels there: no IPv6, and the neighbours are known, so there is no ARP.
    """

    name: str
    peer: str
    interface: str
    address: str
    peer_interface: str
    peer_address: str

    @property
    def path(self) -> str:
        """The file that names the namespace to setns(2)."""
        return f"{_NETNS}/{self.name}"

    def exec(self, argv: Sequence[str], *, check: bool = True, peer: bool = False) -> subprocess.CompletedProcess[str]:
        """Runs a command in the namespace (or in the peer's).

        By nsenter, because `ip netns exec` also hides bpffs, tracefs and cgroups.
        """
        place = f"{_NETNS}/{self.peer if peer else self.name}"
        done = subprocess.run(["nsenter", f"--net={place}", *argv], capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"{list(argv)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def ping(self, count: int = 1) -> bool:
        """Sends `count` echo requests from the peer to `interface`, and says whether every one came back."""
        argv = ["ping", "-n", "-q", "-c", str(count), "-i", "0.01", "-W", "2", "-s", "56", self.address]
        return self.exec(argv, check=False, peer=True).returncode == 0


@contextmanager
def namespace() -> Iterator[Namespace]:
    """Two new namespaces joined by a veth pair, both ends up, with addresses; deleted at the end, whatever happens."""
    number = next(_numbers)
    name = f"bpfimg-{os.getpid()}-{number}-{secrets.token_hex(3)}"
    ns = Namespace(name, f"{name}-peer", f"veth{number}a", "10.77.0.1", f"veth{number}b", "10.77.0.2")
    macs = ("02:bf:00:00:00:01", "02:bf:00:00:00:02")
    with ExitStack() as stack:
        stack.callback(_delete, ns)
        _ip(*(f"netns add {each}" for each in (ns.name, ns.peer)))
        for each in (ns.name, ns.peer):
            netns.call(each, _no_ipv6)
        first, second = ns.interface, ns.peer_interface
        # Both ends are born inside: the host never sees an interface of ours.
        pair = f"link add {first} address {macs[0]} type veth peer name {second} address {macs[1]} netns {ns.peer}"
        _ip(pair, *_up(first, ns.address, ns.peer_address, macs[1]), place=ns.name)
        _ip(*_up(second, ns.peer_address, ns.address, macs[0]), place=ns.peer)
        yield ns


def _up(device: str, address: str, other: str, mac: str) -> list[str]:
    return [
        f"address add {address}/24 dev {device}",
        f"link set {device} up",
        f"neighbour add {other} lladdr {mac} dev {device} nud permanent",
    ]


def _no_ipv6() -> None:
    for each in ("all", "default"):
        path = Path(f"/proc/sys/net/ipv6/conf/{each}/disable_ipv6")
        if path.exists():
            path.write_text("1", encoding="ascii")


def _delete(ns: Namespace) -> None:
    _ip(*(f"netns del {each}" for each in (ns.name, ns.peer) if Path(f"{_NETNS}/{each}").exists()))


@contextmanager
def bpffs() -> Iterator[str]:
    """A new, empty bpffs in a directory of its own: pins there work as in /sys/fs/bpf, which is never touched."""
    with _mounted("bpf", "bpfimg-bpffs-") as place:
        yield place


@contextmanager
def tracefs() -> Iterator[str]:
    """Where tracefs is; where it is not mounted it is for as long as this lasts, in a directory of its own."""
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    found = [line.split()[4] for line in mounts if line.partition(" - ")[2].startswith("tracefs ")]
    if found:
        yield found[0]
        return
    with _mounted("tracefs", "bpfimg-tracefs-") as place:
        yield place


@contextmanager
def _mounted(kind: str, prefix: str) -> Iterator[str]:
    place = tempfile.mkdtemp(prefix=prefix)
    try:
        _run("mount", "-t", kind, kind, place)
        try:
            yield place
        finally:
            # A process that a test killed may still be on its way out: then the mount goes with its last user.
            if subprocess.run(["umount", place], capture_output=True, check=False).returncode:
                _run("umount", "-l", place)
    finally:
        os.rmdir(place)


def _ip(*lines: str, place: str | None = None) -> None:
    """Runs these commands of ip(8) by one process, because starting many is slow where a kernel is emulated."""
    _run("ip", *(["-n", place] if place else []), "-batch", "-", given="\n".join(lines))


def _run(*argv: str, given: str = "") -> None:
    done = subprocess.run(argv, input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr}")
