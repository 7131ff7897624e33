"""One guest, from power-on until its script has ended: QEMU without KVM, which hangs where it is only half there."""

from __future__ import annotations

import shlex
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.guest.kernels import Kernel, program_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEMORY = "1536M"
# no_timer_check: on a busy machine the guest's clock ticks too late for its test of the timer.
_APPEND = "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on no_timer_check"
# One processor, and place for a second: maps with a value for each have two. Two running ones would wait for each other
# whenever the machine around has less than two to give: six times the work.
_MACHINE = "-machine q35 -cpu max -smp 1,maxcpus=2 -nodefaults -no-user-config -no-reboot"
_AS_FAST_AS_IT_GOES = "-accel tcg,thread=multi"
# An instruction of the guest is a nanosecond of its clock, however busy the machine around is.
_COUNTED = "-accel tcg,thread=single -icount shift=0,sleep=off"
_DEVICES = "-display none -net none -serial stdio"

#: What is there on a real system, and is not after a kernel's start. A checkout below a folder that is hidden by a
#: mount of its own keeps its place.
_SCRIPT = """
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home LANG=C.UTF-8
mkdir -p /run/home /run/netns /run/lock /run/project /dev/shm /dev/pts
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
mount -t securityfs securityfs /sys/kernel/security
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount --bind {boot} /boot
mount --bind {root} /run/project
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs -o mode=1777 tmp /var/tmp
[ -d {root} ] || mkdir -p {root}
mount --move /run/project {root}
ip link set lo up
cd {root}
{command} >/run/out/log 2>&1 </dev/null
echo $? >/run/out/rc
sync
busybox poweroff -f
"""


@contextmanager
def running(
    kernel: Kernel, out: Path, root: Path, command: list[str], *, counted: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """A guest that runs `command` in `root`; what it says is in `out`: `log`, `rc`, and the kernel's `console`.

    In a `counted` one the clock counts the guest's own instructions, a nanosecond each, and passes over idle time.
    It ends with the caller, and with the thread that made it. Raises `LookupError` where QEMU cannot be started.
    """
    words = {"boot": kernel.folder / "boot", "root": root}
    script = _SCRIPT.format(command=shlex.join(command), **{key: shlex.quote(str(path)) for key, path in words.items()})
    (out / "guest.sh").write_text(script, encoding="utf-8")
    argv = ["setpriv", "--pdeathsig", "KILL", "nice", "-n", "5", program_path("qemu-system-x86_64") or "qemu"]
    argv += [
        *_MACHINE.split(),
        *(_COUNTED if counted else _AS_FAST_AS_IT_GOES).split(),
        *_DEVICES.split(),
        "-m",
        MEMORY,
    ]
    for tag, path, more in (("host", "/", ",readonly=on,multidevs=remap"), ("out", str(out), "")):
        argv += ["-fsdev", f"local,id={tag},path={path},security_model=none{more}"]
        argv += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
    argv += ["-kernel", str(kernel.image), "-initrd", str(kernel.initramfs), "-append", _APPEND]
    with (out / "console").open("wb") as console:
        try:
            qemu = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT)
        except OSError as error:
            raise LookupError(f"{argv[0]}: {error}") from error
    try:
        yield qemu
    finally:
        qemu.kill()
        qemu.wait()
