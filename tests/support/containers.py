"""podman that builds images and runs containers, from Debian and never installed, with a store of the test's own.

The unpacked packages (tests/support/podman.py) lie above this machine's /usr, in a mount namespace that only podman is
in; there it also sees control groups of version 2, of which it is asked to use none, and nobody else's images.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import podman

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 600.0
_MEMORY, _ENOUGH = "/dev/shm", 4 << 30
# $1 podman's usr; then what to run
_START = """
mount --make-rprivate /
mount -t overlay -o "lowerdir=$1:/usr" overlay /usr
mount -t cgroup2 none /sys/fs/cgroup
for place in /etc/containers /var/lib/containers; do [ ! -d $place ] || mount -t tmpfs none $place; done
mount -t tmpfs none /run
shift
exec "$@"
"""
# a machine may not raise these, and podman asks for more than many have
_SETTINGS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "crun"
lock_type = "file"
"""


@dataclass(frozen=True, slots=True)
class Containers:
    """A podman with all that it keeps below `folder`."""

    folder: Path

    def tries(self, *words: str, given: bytes | None = None, apart: bool = False) -> subprocess.CompletedProcess[str]:
        """Runs `podman WORDS`; what it says is in one piece, in its order. `apart`: where there is no network."""
        place = self.folder
        environ = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(place),
            "TMPDIR": f"{place}/tmp",
            "CONTAINERS_CONF": f"{place}/containers.conf",
            "CONTAINERS_REGISTRIES_CONF": f"{place}/registries.conf",
        }
        argv = ["unshare", "--mount", *(["--net"] if apart else []), "sh", "-ec", _START, "sh", f"{podman.ROOT}/usr"]
        argv += ["podman", "--root", f"{place}/root", "--runroot", f"{place}/run", "--tmpdir", f"{place}/state"]
        argv += ["--cgroup-manager", "cgroupfs", "--events-backend", "file"]
        done = subprocess.run(
            [*argv, *words],
            env=environ,
            cwd=place,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
            check=False,
        )
        return subprocess.CompletedProcess(words, done.returncode, done.stdout.decode(errors="replace"), "")

    def does(self, *words: str, given: bytes | None = None, apart: bool = False) -> str:
        """What `podman WORDS`, which must succeed, says."""
        done = self.tries(*words, given=given, apart=apart)
        assert done.returncode == 0, f"podman {' '.join(words)} ended with {done.returncode}: {done.stdout[-3000:]}"
        return done.stdout

    def build(self, context: Path, name: str, *words: str) -> str:
        """Builds an image of the Containerfile in that folder. Steps run without a network."""
        options = ["--isolation=chroot", "--network=host", f"--signature-policy={self.folder}/policy.json"]
        return self.does("build", *options, "--tag", name, *words, str(context), apart=True)

    def run(self, name: str, *words: str, options: tuple[str, ...] = (), network: str = "none") -> str:
        """What a container, which must succeed, says."""
        return self.does("run", "--rm", "--cgroups=disabled", f"--network={network}", *options, name, *words)

    def take(self, tree: Path, name: str) -> None:
        """Makes an image of a folder."""
        packed = subprocess.run(["tar", "-C", str(tree), "-c", "."], stdout=subprocess.PIPE, check=True)
        self.does("import", "-q", f"--signature-policy={self.folder}/policy.json", "-", name, given=packed.stdout)


@contextmanager
def containers() -> Iterator[Containers]:
    """A podman with an empty store, which goes at the end; skips, naming what lacks."""
    if os.geteuid() != 0:
        pytest.skip("needs root: podman without it wants newuidmap and subordinate ids")
    if not (podman.ROOT / "usr/bin/podman").exists():
        pytest.skip("needs podman below .cache (python -m tests.support.podman)")
    with tempfile.TemporaryDirectory(prefix="bpfimg-podman-", dir=_place()) as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        (folder / "containers.conf").write_text(_SETTINGS)
        (folder / "registries.conf").write_text("")
        (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        made = Containers(folder)
        done = made.tries("info")
        if done.returncode:
            pytest.skip(f"needs a podman that starts here, and it says: {done.stdout[-1000:]}")
        yield made


def _place() -> str | None:
    """Memory, where there is enough of it: a store is a gigabyte in many small files."""
    if not os.path.isdir(_MEMORY):
        return None
    free = os.statvfs(_MEMORY)
    return _MEMORY if free.f_bavail * free.f_frsize > _ENOUGH else None
