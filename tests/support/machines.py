"""A machine to follow pages on, word by word: the programs of this one, and all that they change is its own.

Its network, processes and mounts are in namespaces that end with it: `/etc`, `/var`, `/run`, `/media`, home, bpffs and
control groups are its own, `/tmp` is shared, and what else is on disk cannot be written. This checkout, Python and the
folder of temporary files are there, wherever they are.
Commands go to one shell, as in a terminal: variables and the folder stay from line to line.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.cgroups import cgroup
from tests.support.netns import skip_unless

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 600.0
_END = re.compile(r"\x1e(\d+)\x1e\n")
_SETUP = """set -e
exec 4<{root} 5<{prefix} 6<{tmp}
mount -t tmpfs tmpfs /mnt
cp -a /etc /mnt/etc
mount --bind /mnt/etc /etc
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var
mkdir -p /var/lib /var/cache /var/tmp
mount -t tmpfs tmpfs /root
mount -t tmpfs tmpfs /media
mount --rbind /tmp /tmp
shown() {{ [ -e "$2" ] || {{ mkdir -p "$2" && mount -c --bind /proc/self/fd/$1 "$2"; }}; }}
shown 4 {root}
shown 5 {prefix}
shown 6 {tmp}
exec 4<&- 5<&- 6<&-
mount -o remount,bind,ro /
mkdir /run/netns /run/lock
ln -s /run /var/run
umount -R -l /sys
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup || true
mount -t tracefs tracefs /sys/kernel/tracing || true
ip link set lo up
rm -rf /etc/bpfimg
ln -s {root}/examples /root/examples
cd /root
set +e
"""


class Machine:
    """`does` runs what must succeed, `types` says what a terminal shows."""

    def __init__(self, shell: subprocess.Popen[bytes]) -> None:
        self._shell = shell

    def __call__(self, command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command, or some lines of them, and waits for its end."""
        assert self._shell.stdin is not None
        # nothing is read from the terminal; what is between braces is no process of its own
        self._shell.stdin.write(f"{{ {command}\n}} </dev/null 2>&1; printf '\\036%d\\036\\n' $?\n".encode())
        self._shell.stdin.flush()
        said = self._answer(command)
        found = _END.search(said)
        assert found is not None, f"$ {command}\n{said}\nand the shell has ended"
        return subprocess.CompletedProcess(command, int(found[1]), said[: found.start()])

    def _answer(self, command: str) -> str:
        assert self._shell.stdout is not None
        said, end = b"", time.monotonic() + _PATIENCE
        while not re.search(rb"\x1e\d+\x1e\n", said):
            ready, _, _ = select.select([self._shell.stdout], [], [], max(0, end - time.monotonic()))
            assert ready, f"$ {command}\ndoes not end: {said.decode(errors='replace')}"
            piece = os.read(self._shell.stdout.fileno(), 1 << 16)
            if not piece:
                break
            said += piece
        return said.decode(errors="replace")

    def does(self, command: str) -> str:
        """What it printed; it must succeed."""
        done = self(command)
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        return done.stdout

    def types(self, command: str) -> str:
        """What the terminal shows after a command."""
        return self(command).stdout


@contextmanager
def machine(path: Sequence[str] = (), **environ: str) -> Iterator[Machine]:
    """A new one, at `/root` as root, with `path` before the folders of programs; nothing of it is left at the end."""
    skip_unless()
    folders = (*path, str(Path(sys.executable).parent), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin")
    apart = "unshare --mount --net --pid --cgroup --fork --kill-child --mount-proc sh"
    with ExitStack() as stack:
        group = stack.enter_context(cgroup())
        shell = subprocess.Popen(
            ["sh", "-c", f"echo 0 > {group.path}/cgroup.procs && exec {apart}"],
            env={"HOME": "/root", "PATH": ":".join(folders), "COLUMNS": "80", "LANG": "C.UTF-8", **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        stack.callback(shell.communicate)
        stack.callback(shell.kill)
        it = Machine(shell)
        done = it(_SETUP.format(root=ROOT, prefix=sys.base_prefix, tmp=tempfile.gettempdir()))
        if done.returncode:
            pytest.skip(f"needs namespaces to make a machine of: {done.stdout}")
        yield it
