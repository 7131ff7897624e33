"""Control groups of a test's own: made below where cgroup2 is mounted, empty again and removed in the end."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Cgroup:
    """A control group (v2): `path` of its directory, `mount` of the hierarchy."""

    path: str
    mount: str

    @property
    def relative(self) -> str:
        """Its path from the mount on, without a leading slash."""
        return os.path.relpath(self.path, self.mount)

    def exec(self, argv: Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command whose process is in the group from its first instruction on."""
        enter = f'echo 0 > {self.path}/cgroup.procs && exec "$@"'
        done = subprocess.run(["sh", "-c", enter, "sh", *argv], capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise AssertionError(f"{list(argv)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def python(self, code: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs Python code in the group."""
        return self.exec([sys.executable, "-I", "-S", "-c", code, *arguments], check=check)

    def child(self, name: str) -> Cgroup:
        """Makes a group inside, which is removed with this one."""
        os.mkdir(f"{self.path}/{name}")
        return Cgroup(f"{self.path}/{name}", self.mount)

    def remove(self) -> None:
        """Removes the group and all in it; processes that have just ended may need a moment to leave."""
        for folder, _, _ in os.walk(self.path, topdown=False):
            deadline = time.monotonic() + 10
            while True:
                try:
                    os.rmdir(folder)
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.02)


def mount_point() -> str:
    """Where cgroup2 is mounted; skips where it is not, or for others than root."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        found = [line.split()[4] for line in file if line.partition(" - ")[2].startswith("cgroup2 ")]
    if not found:
        pytest.skip("cgroup2 is not mounted")
    return found[0]


@contextmanager
def cgroup() -> Iterator[Cgroup]:
    """A new control group, removed at the end, whatever happens."""
    mount = mount_point()
    path = f"{mount}/bpfimg-test-{os.getpid()}-{secrets.token_hex(3)}"
    os.mkdir(path)
    found = Cgroup(path, mount)
    try:
        yield found
    finally:
        if os.path.isdir(path):
            found.remove()
