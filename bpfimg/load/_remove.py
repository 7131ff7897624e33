"""Taking things away again. All of it under the writer's lock."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, suppress

from bpfimg.errors import AttachError, DamagedRecord, KernelError
from bpfimg.kernel import bpf, bpffs
from bpfimg.load import _paths
from bpfimg.load._attach import MEMBER, undo
from bpfimg.load._host import read_link
from bpfimg.load._replace import give_back

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._host import Host
    from bpfimg.load._records import LinkRecord


def remove_load(host: Host, path: str) -> None:
    """Unloads what is published at `path`. The rename is the point of no return: a sweeper finishes what follows."""
    work = _paths.work_directory(host.directory)
    bpffs.rename(path, work)  # COMMIT
    discard(host, work)


def remove_link(host: Host, path: str) -> None:
    """Takes the program off its hook and the link's directory away; no error when its target has gone.

    Unlinking the pin is the commit. A clsact filter goes before it: should that fail, the link is still listed. Its
    parts go after it: a sweeper finishes that. A member of a chain is taken out of sight first, which is the commit of
    that, and comes back should the chain not let it go.
    """
    record = _record(path)
    if record is None or record.how != MEMBER:
        release(host, path)
        bpffs.remove_tree(path)
        return
    work = _paths.work_directory(host.directory)
    away = f"{work}/{_paths.LINKS}/{os.path.basename(path)}"
    with ExitStack() as undo:
        undo.callback(_brought_back, work, away, path)
        bpffs.make_directory(work)
        bpffs.make_directory(os.path.dirname(away))
        bpffs.rename(path, away)  # COMMIT
        release(host, away)
        undo.pop_all()
    bpffs.remove_tree(work)


def _brought_back(work: str, away: str, path: str) -> None:
    with suppress(KernelError):  # the error that brought us here says more
        if os.path.isdir(away):
            bpffs.rename(away, path)
        bpffs.remove_tree(work)


def discard(host: Host, work: str) -> None:
    """Removes a directory that readers do not see (any more): what is attached first."""
    if not os.path.islink(work):
        for name in _paths.listed(f"{work}/{_paths.LINKS}"):
            release(host, f"{work}/{_paths.LINKS}/{name}")
    bpffs.remove_tree(work)


def release(host: Host, path: str) -> None:
    """Takes what the link directory at `path` stands for off its hook, and its pin away; then the hook is free.

    A symbolic link in its place leads to what is not ours.
    """
    if os.path.islink(path):
        return
    record = _record(path)
    if record is not None and record.replaces and give_back(host, path, record):
        return
    if record is not None and record.how != "link":
        undo(host, record)
    elif record is None:
        _release_lost(host, path)
    bpffs.unlink_link(f"{path}/{_paths.LINK}")  # COMMIT
    for name in _paths.listed(path):
        if name.startswith(_paths.PART):
            bpffs.unlink_link(f"{path}/{name}")


def _release_lost(host: Host, path: str) -> None:
    """Without its record a link is still known by its pin; a filter by the program pinned in the link's place; a member
    by what is written down of its chain."""
    name = os.path.basename(path)
    try:
        with bpf.get(f"{path}/{_paths.LINK}") as fd:
            program = bpf.program_info(fd, memlock=False).id if bpf.kind(fd) == "program" else 0
    except KernelError:
        return
    if program and _paths.is_id(name):
        from bpfimg.load._families._tc import detach_lost

        with suppress(KernelError, AttachError):
            detach_lost(int(name), program)
        if host.chains is not None:
            host.chains.release_unread(host, int(name))


def _record(path: str) -> LinkRecord | None:
    try:
        return read_link(path)
    except (DamagedRecord, ValueError):
        return None
    except KernelError as error:
        if error.errno not in (errno.ENOENT, errno.EINVAL):  # what it stands for would be taken for nothing
            raise
        return None  # it has gone, or is no record
