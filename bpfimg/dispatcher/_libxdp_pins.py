"""The directory in bpffs that libxdp's tools look into: published whole, taken away whole, swept.

`<bpffs>/xdp` is root's, and a flock on it is the lock of all who change what is below. libxdp waits for it without
limit, so it is held for file operations only, never over a change of an interface. What is made or taken away has the
name of a draft meanwhile, which libxdp's tools pass over; a draft that is there when the lock is free is of a writer
that was killed.
"""

from __future__ import annotations

import errno
import os
import re
import time
from contextlib import ExitStack, contextmanager, suppress

from bpfimg.errors import KernelError, LockTimeout
from bpfimg.kernel import bpf, bpffs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bpfimg.kernel import Fd

PATIENCE = 30.0  # seconds
GRACE = 10.0  # seconds: libxdp pins a dispatcher before it attaches it
_FOLDER = re.compile(r"dispatch-([0-9]{1,10})-([0-9]{1,10})")
_DRAFT = re.compile(r"bpfimg-[0-9]{1,10}-[0-9]{1,10}")
_PIN = re.compile(r"prog[0-9]{1,2}-(?:link|prog)")


def folder_of(mount: str, ifindex: int, dispatcher: int) -> str:
    """Where the pins of a dispatcher are."""
    return f"{mount}/xdp/dispatch-{ifindex}-{dispatcher}"


@contextmanager
def locked(mount: str, timeout: float = PATIENCE) -> Iterator[None]:
    """Holds libxdp's lock; LockTimeout says who may hold it."""
    try:
        with bpffs.lock(f"{mount}/xdp", timeout=timeout):
            yield
    except LockTimeout as error:
        error.hint = "xdp-loader, or another program of libxdp's, is at work there; wait for it"
        raise


def publish(
    mount: str, ifindex: int, dispatcher: int, pairs: Sequence[tuple[Fd | int, Fd | int]], timeout: float = PATIENCE
) -> None:
    """Pins the link and the program of each slot for libxdp's tools, in the order of the slots; nobody sees half of it.

    What is pinned there already, whole or in part, is exchanged.
    """
    folder, draft = folder_of(mount, ifindex, dispatcher), _draft(mount, ifindex, dispatcher)
    with locked(mount, timeout):
        _cleared(draft)
        bpffs.make_directory(draft)
        with ExitStack() as undo:
            undo.callback(_undone, draft)
            for at, (link, program) in enumerate(pairs):
                bpf.pin(link, f"{draft}/prog{at}-link")
                bpf.pin(program, f"{draft}/prog{at}-prog")
            _cleared(folder)
            bpffs.rename(draft, folder)
            undo.pop_all()


def _undone(draft: str) -> None:
    with suppress(OSError):  # the error that brought us here says more
        _cleared(draft)


def is_published(mount: str, ifindex: int, dispatcher: int, count: int) -> bool:
    """True when links and programs of all slots of a dispatcher are pinned where libxdp's tools look for them."""
    return not missing(folder_of(mount, ifindex, dispatcher), count)


def missing(folder: str, count: int) -> tuple[str, ...]:
    """The names that are not in the directory of a dispatcher with so many slots."""
    try:
        names = frozenset(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        names = frozenset()
    return tuple(name for at in range(count) for name in (f"prog{at}-link", f"prog{at}-prog") if name not in names)


def remove(mount: str, ifindex: int, dispatcher: int, timeout: float = PATIENCE) -> None:
    """Takes the pins of a dispatcher away; those that are gone are fine, and what others put beside them stays."""
    if not os.path.isdir(folder_of(mount, ifindex, dispatcher)):
        return
    with locked(mount, timeout):
        _removed(mount, ifindex, dispatcher)


def sweep(
    mount: str, is_attached: Callable[[int, int], bool], grace: float = GRACE, timeout: float = PATIENCE
) -> tuple[tuple[int, int], ...]:
    """Takes the pins of dispatchers away that run nowhere; returns them, as (interface index, program id).

    `is_attached(ifindex, dispatcher)` says whether that program is on an interface with that index in any namespace in
    sight. Others pin a dispatcher before they attach it: what is younger than `grace` seconds stays.
    """
    stale = [each for each in candidates(mount, grace) if not is_attached(*each)]
    if stale:
        with locked(mount, timeout):
            for ifindex, dispatcher in stale:
                _removed(mount, ifindex, dispatcher)
    sweep_drafts(mount, timeout)
    return tuple(stale)


def sweep_drafts(mount: str, timeout: float = PATIENCE) -> None:
    """Takes away what writers that were killed left half made, or half removed; costs one look where there is none."""
    if not _drafts(mount):
        return
    with locked(mount, timeout):
        for name in _drafts(mount):  # whoever was making or removing it held this lock
            _cleared(f"{mount}/xdp/{name}")


def _drafts(mount: str) -> list[str]:
    return [name for name in _names(mount) if _DRAFT.fullmatch(name)]


def candidates(mount: str, grace: float = 0.0) -> list[tuple[int, int]]:
    """(interface index, program id) of every directory of a dispatcher that is at least `grace` seconds old."""
    found = []
    for match in filter(None, map(_FOLDER.fullmatch, _names(mount))):
        with suppress(OSError):
            status = os.stat(f"{mount}/xdp/{match[0]}", follow_symlinks=False)
            if time.time() - status.st_mtime >= grace:
                found.append((int(match[1]), int(match[2])))
    return found


def _names(mount: str) -> list[str]:
    try:
        return sorted(os.listdir(f"{mount}/xdp"))
    except OSError:
        return []


def _draft(mount: str, ifindex: int, dispatcher: int) -> str:
    return f"{mount}/xdp/bpfimg-{ifindex}-{dispatcher}"


def _removed(mount: str, ifindex: int, dispatcher: int) -> None:
    folder, draft = folder_of(mount, ifindex, dispatcher), _draft(mount, ifindex, dispatcher)
    _cleared(draft)
    try:
        bpffs.rename(folder, draft)
    except KernelError as error:
        if error.errno != errno.ENOENT:
            raise
        return
    _cleared(draft)


def _cleared(folder: str) -> None:
    """Removes a directory of pins, and nothing in it that is not a pin of a slot: then the directory stays, too."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in filter(_PIN.fullmatch, names):
        bpffs.unlink(f"{folder}/{name}")
    with suppress(OSError):
        os.rmdir(folder)
