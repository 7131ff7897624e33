"""podman as a peer: from Debian, unpacked below `.cache/` and never installed, with a store of the test's own.

`python -m tests.support.podman` fetches it where it is not there yet, and says plainly why it cannot be had. Nothing is
pulled and no container runs, so conmon and crun are only looked at when it starts.
"""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support import debian

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT = debian.CACHE / "podman"
#: podman last: where it is, all is there
_PACKAGES = ("conmon", "crun", "podman")
#: what podman 5 does not start without, beside the libraries, whose names differ between releases of Debian
_PARTS = ("netavark",)
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Podman:
    """A podman whose Docker-compatible API listens on `socket`; `run` is the same podman as a command."""

    socket: Path
    command: tuple[str, ...]
    environ: dict[str, str]

    def run(self, *words: str, expect: int = 0) -> str:
        """The standard output of `podman WORDS`; fails unless it ends with `expect`."""
        done = subprocess.run(
            [*self.command, *words], env=self.environ, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
        assert done.returncode == expect, f"podman {' '.join(words)} ended with {done.returncode}: {done.stderr}"
        return done.stdout


@contextmanager
def podman(folder: Path) -> Iterator[Podman]:
    """Starts podman's service with everything below `folder`, stops it at the end; skips, naming what lacks."""
    if os.geteuid() != 0:
        pytest.skip("needs root: podman without it wants newuidmap and subordinate ids")
    found = ROOT / "usr/bin/podman"
    if not found.exists():
        pytest.skip("needs podman below .cache (python -m tests.support.podman)")
    for name in ("root", "run", "tmp"):
        (folder / name).mkdir()
    config = folder / "containers.conf"
    config.write_text(
        f'[engine]\nconmon_path = ["{ROOT}/usr/bin/conmon"]\nruntime = "crun"\n'
        f'helper_binaries_dir = ["{ROOT}/usr/lib/podman", "/usr/lib/podman"]\n'
        f'[engine.runtimes]\ncrun = ["{ROOT}/usr/bin/crun"]\n'
    )
    for name, text in (("registries.conf", ""), ("policy.json", '{"default": [{"type": "insecureAcceptAnything"}]}')):
        (folder / name).write_text(text)
    environ = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "LD_LIBRARY_PATH": f"{ROOT}/usr/lib/{platform.machine()}-linux-gnu",
        "CONTAINERS_CONF": str(config),
        "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf"),
        "TMPDIR": str(folder / "tmp"),
    }
    command = (str(found), "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--tmpdir", f"{folder}/tmp")
    command += ("--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "file")
    path = folder / "podman.sock"
    with (folder / "podman.log").open("wb") as log:
        service = subprocess.Popen(
            [*command, "system", "service", "--time=0", f"unix://{path}"], env=environ, stdout=log, stderr=log
        )
    try:
        if not answers(service, path):
            said = (folder / "podman.log").read_text()[-2000:]
            pytest.skip(f"needs a podman that starts here, and it says: {said}")
        yield Podman(path, command, environ)
    finally:
        service.terminate()
        service.wait(timeout=_PATIENCE)


def answers(service: subprocess.Popen[bytes], path: Path) -> bool:
    """Whether a service takes connections at a socket, within a minute."""
    end = time.monotonic() + _PATIENCE
    while service.poll() is None and time.monotonic() < end:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(path))
            except OSError:
                time.sleep(0.02)
            else:
                return True
    return False


def fetch() -> None:
    """Downloads and unpacks what is not there yet; raises `LookupError` with the reason when it cannot be had."""
    if (ROOT / "usr/bin/podman").exists():
        return
    brought = [name for name in debian.brought(*_PACKAGES) if name.startswith("lib") or name in _PARTS]
    for package in (*brought, *_PACKAGES):
        debian.unpack(package, None, ROOT)


def main() -> int:
    """Fetches podman; 1 when it cannot be had."""
    return debian.attempt("podman", fetch)


if __name__ == "__main__":
    raise SystemExit(main())
