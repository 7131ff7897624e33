"""Control groups (v2): where they are mounted, and their directories."""

from __future__ import annotations

import os

from bpfimg.errors import AttachError, KernelError, NotSupported, quoted
from bpfimg.kernel import _mounts
from bpfimg.kernel._fd import Fd

_MAGIC = 0x63677270  # CGROUP2_SUPER_MAGIC


def mount() -> str:
    """Returns where cgroup2 is mounted: /sys/fs/cgroup, or `unified` below it; NotSupported when nowhere."""
    found = _mounts.of_type("cgroup2")
    if found:
        return found[0]
    raise NotSupported(
        "no cgroup2 filesystem is mounted here, expected one for the path of a control group",
        feature="cgroup2",
        hint="mount -t cgroup2 cgroup2 /sys/fs/cgroup; in a container mount the host's",
    )


def absolute(path: str) -> str:
    """Returns the directory of a control group; a relative path begins where cgroup2 is mounted."""
    return os.path.normpath(path if path.startswith("/") else f"{mount()}/{path}")


def opened(path: str) -> Fd:
    """Opens the directory of a control group; AttachError when there is none, or it is something else."""
    try:
        fd = Fd(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    except (FileNotFoundError, NotADirectoryError):
        raise AttachError(f"no control group {quoted(path)}", hint=_near(path)) from None
    except OSError as error:
        from bpfimg.kernel._failure import reason

        number = error.errno or 0
        raise KernelError(f"cannot open control group {quoted(path)}: {reason(number)}", errno=number) from error
    if _is_cgroup(path):
        return fd
    fd.close()
    raise AttachError(
        f"{quoted(path)} is a directory, but not of a control group (v2)",
        hint=f"cgroup2 is mounted at {', '.join(_mounts.of_type('cgroup2')) or 'no place'}",
    )


def identity(fd: Fd) -> int:
    """Returns the id of an open control group, as the kernel has it in links and in bpf_get_current_cgroup_id()."""
    return os.fstat(fd.fileno()).st_ino


def _is_cgroup(path: str) -> bool:
    from bpfimg.kernel._syscall import filesystem_magic

    try:
        return filesystem_magic(path) == _MAGIC
    except OSError:
        return False


def _near(path: str) -> str:
    """What there is where the path leads no further."""
    parent = os.path.dirname(path)
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    if not _is_cgroup(parent):
        return f"cgroup2 is mounted at {', '.join(_mounts.of_type('cgroup2')) or 'no place'}"
    names = sorted(entry.name for entry in os.scandir(parent) if entry.is_dir(follow_symlinks=False))
    return f"{parent} has: {', '.join(names[:8])}" if names else f"{parent} has no groups inside"
