"""What a guest boots from: a static busybox, modules in the order of their needs, and a script that hands over."""

from __future__ import annotations

import gzip

#: Mounts this machine's root, read-only, and the folder of this run; the folder's `guest.sh` goes on from there.
INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do $b insmod $module; done
how=trans=virtio,version=9p2000.L,msize=512000
$b mount -t 9p -o ro,$how,cache=loose host /newroot || exec $b poweroff -f
$b mount -t tmpfs -o mode=755 run /newroot/run
$b mkdir -p /newroot/run/out
$b mount -t 9p -o rw,$how out /newroot/run/out || exec $b poweroff -f
for place in proc sys dev; do $b mount --move /$place /newroot/$place; done
exec $b switch_root /newroot /bin/sh /run/out/guest.sh
"""


def build(busybox: bytes, modules: list[bytes]) -> bytes:
    """The archive, as the kernel's `Documentation/driver-api/early-userspace/buffer-format.rst` describes it."""
    entries = [(name, 0o40755, b"") for name in ("bin", "dev", "modules", "newroot", "proc", "sys")]
    entries += [("bin/busybox", 0o100755, busybox), ("init", 0o100755, INIT.encode())]
    entries += [(f"modules/{number:03}.ko", 0o100644, data) for number, data in enumerate(modules)]
    parts = [_entry(number, *entry) for number, entry in enumerate(entries, 1)]
    return gzip.compress(b"".join([*parts, _entry(0, "TRAILER!!!", 0, b"")]), 6, mtime=0)


def _entry(inode: int, name: str, mode: int, data: bytes) -> bytes:
    path = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
