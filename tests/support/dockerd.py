"""Docker's engine as a peer: dockerd from Debian, unpacked below `.cache/` and never installed.

`python -m tests.support.dockerd` fetches it where it is not there yet (65 MB), and says plainly why it cannot be had.
It runs in namespaces of its own for mounts and network, without bridge or firewall rules: nothing of the host changes,
and no container runs.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support import debian
from tests.support.podman import answers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ROOT = debian.CACHE / "dockerd"
#: docker.io last: where it is, all is there
_PACKAGES = ("containerd", "runc", "docker.io")
_FLAGS = ("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--bridge=none")


@contextmanager
def dockerd(folder: Path) -> Iterator[Path]:
    """Starts dockerd with everything below `folder` and gives its socket; skips, naming what lacks."""
    if os.geteuid() != 0:
        pytest.skip("needs root: dockerd without it wants newuidmap and subordinate ids")
    if not (_ROOT / "usr/sbin/dockerd").exists():
        pytest.skip("needs dockerd below .cache (python -m tests.support.dockerd)")
    (folder / "daemon.json").write_text("{}")
    environ = {"PATH": f"{_ROOT}/usr/bin:{_ROOT}/usr/sbin:{os.environ.get('PATH', '')}", "HOME": str(folder)}
    path = folder / "docker.sock"
    command = ["unshare", "--mount", "--net", "--propagation", "private", "dockerd", *_FLAGS]
    command += ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
    command += ["--host", f"unix://{path}", "--storage-driver", "vfs", "--config-file", f"{folder}/daemon.json"]
    with (folder / "dockerd.log").open("wb") as log:
        service = subprocess.Popen(command, env=environ, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        if not answers(service, path):
            said = (folder / "dockerd.log").read_text()[-2000:]
            pytest.skip(f"needs a dockerd that starts here, and it says: {said}")
        yield path
    finally:
        service.terminate()
        service.wait(timeout=60)


def fetch() -> None:
    """Downloads and unpacks what is not there yet; raises `LookupError` with the reason when it cannot be had."""
    if (_ROOT / "usr/sbin/dockerd").exists():
        return
    for package in _PACKAGES:
        debian.unpack(package, None, _ROOT)


def main() -> int:
    """Fetches dockerd; 1 when it cannot be had."""
    return debian.attempt("dockerd", fetch)


if __name__ == "__main__":
    raise SystemExit(main())
