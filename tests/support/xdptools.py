"""xdp-loader and xdp-filter of three releases of Debian, unpacked below `.cache/` and run by their own C library.

`python -m tests.support.xdptools` fetches what is not there yet. Each speaks its own version of libxdp's protocol:
1.3.1 (bookworm) and 1.5.4 (trixie) version 2, 1.6 (sid) version 3. They attach to what they are told in the namespace
they run in, and use the bpffs that they are given; `xdp-loader clean` looks into one namespace only and is for guests.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import debian

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.netns import Namespace

_BOTH = ("xdp-tools", "libxdp1", "libbpf1", "libc6", "zlib1g", "libzstd1", "libgcc-s1")
#: suite -> the packages to run its tools
SUITES = {
    "bookworm": (*_BOTH, "libelf1"),
    "trixie": (*_BOTH, "libelf1t64"),
    "sid": (*_BOTH, "libelf1t64"),
}
#: the version of libxdp's protocol that each speaks
PROTOCOL = {"bookworm": 2, "trixie": 2, "sid": 3}
_PATIENCE = 120.0
#: what 1.3.1 keeps its number in, leaves when it is killed, and then starts no more
PID_FILE = Path("/run/xdp-loader.lck")
_ROW = re.compile(
    r"^ =>\s+(?P<priority>[0-9]+)\s+(?P<name>\S+)\s+(?P<id>[0-9]+)\s+(?P<tag>[0-9a-f]+)(?:\s+(?P<actions>.+?))?\s*$"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A program as `xdp-loader status` prints it; `actions` are its chain call actions."""

    priority: int
    name: str
    id: int
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of one suite, to be run in `ns` with that bpffs."""

    suite: str
    ns: Namespace
    bpffs: str
    more: tuple[tuple[str, str], ...] = ()  # variables of the environment

    @property
    def protocol(self) -> int:
        """The version of libxdp's dispatchers that they make."""
        return PROTOCOL[self.suite]

    def run(self, tool: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs one command to its end; the caller looks at the exit code."""
        running = self.start(tool, *words)
        out, err = running.communicate(timeout=_PATIENCE)
        return subprocess.CompletedProcess(running.args, running.returncode, out, err)

    def start(self, tool: str, *words: str) -> subprocess.Popen[str]:
        """Starts one command beside others."""
        command = ["nsenter", f"--net={self.ns.path}", *command_of(self.suite, tool), *words]
        return subprocess.Popen(command, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @property
    def environ(self) -> dict[str, str]:
        """What they run with: the objects of their own release, and the bpffs of the test."""
        objects = next(iter(_folder(self.suite).glob("usr/lib/*/bpf")), Path("/nonexistent"))
        return {
            "PATH": os.environ.get("PATH", ""),
            "LIBXDP_BPFFS": self.bpffs,
            "LIBXDP_BPFFS_AUTOMOUNT": "0",
            "LIBXDP_OBJECT_PATH": str(objects),
            **dict(self.more),
        }

    def load(self, *objects: Path, words: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """`xdp-loader load` of these objects on the interface."""
        return self.run("xdp-loader", "load", *words, self.ns.interface, *map(str, objects))

    def unload(self, program: int) -> subprocess.CompletedProcess[str]:
        """`xdp-loader unload` of one program by its id."""
        return self.run("xdp-loader", "unload", self.ns.interface, "--id", str(program))

    def unload_all(self) -> subprocess.CompletedProcess[str]:
        """`xdp-loader unload --all`."""
        return self.run("xdp-loader", "unload", self.ns.interface, "--all")

    def status(self) -> tuple[Row, ...]:
        """The members that `xdp-loader status` lists for the interface, in order; it must succeed."""
        done = self.run("xdp-loader", "status", self.ns.interface)
        assert done.returncode == 0, f"status ended with {done.returncode}: {done.stdout}{done.stderr}"
        return tuple(row for row in map(_row, done.stdout.splitlines()) if row)


def _row(line: str) -> Row | None:
    match = _ROW.match(line)
    if match is None:
        return None
    actions = tuple(re.findall(r"XDP_[A-Z]+", match["actions"] or ""))
    return Row(int(match["priority"]), match["name"], int(match["id"]), actions)


def there(suite: str) -> bool:
    """Whether the tools of that suite were fetched."""
    return _program(suite, "xdp-loader").exists()


def require(suite: str, ns: Namespace, bpffs: str) -> Tools:
    """The tools of that suite; skips the test where they were not fetched."""
    if not there(suite):
        pytest.skip(f"needs xdp-tools of {suite} (`python -m tests.support.xdptools` fetches them)")
    return Tools(suite, ns, bpffs)


def fetch(suite: str) -> None:
    """Downloads and unpacks the tools of a suite; LookupError with the reason when they cannot be had."""
    if _program(suite, "xdp-loader").exists():
        return
    folder = _folder(suite)
    draft = folder.with_name(f"draft-{os.getpid()}-{folder.name}")
    try:
        draft.mkdir(parents=True)
        for package in SUITES[suite]:
            debian.unpack(package, suite, draft)
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier try
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _folder(suite: str) -> Path:
    return debian.CACHE / f"xdp-tools-{suite}"


def _program(suite: str, tool: str) -> Path:
    return _folder(suite) / "usr" / "sbin" / tool


@functools.cache
def command_of(suite: str, tool: str) -> tuple[str, ...]:
    folder = _folder(suite)
    loaders = [path for start in ("usr/lib", "lib") for path in sorted(folder.glob(f"{start}/*/ld-linux-*.so.*"))]
    triple = loaders[0].parent.name
    return (
        str(loaders[0]),
        "--library-path",
        f"{folder}/usr/lib/{triple}:{folder}/lib/{triple}",
        str(_program(suite, tool)),
    )


def main() -> int:
    """Fetches all; 1 when one cannot be had."""
    return max(debian.attempt(f"xdp-tools of {suite}", functools.partial(fetch, suite)) for suite in SUITES)


if __name__ == "__main__":
    sys.exit(main())
