"""Changes that are not done: what a killed writer left for the next one to sweep, and what still runs from it."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.errors import DamagedRecord, KernelError
from bpfimg.kernel import bpf, bpffs
from bpfimg.load._host import is_committed, read_link
from bpfimg.load._paths import LINK, LINKS, PART, RECORD, UNFINISHED, WORK, is_id, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._host import Host
    from bpfimg.load._records import LinkRecord


@value(frozen=True, slots=True)
class Unfinished:
    """A directory that readers do not count, and the kernel ids of programs that are on a hook because of it."""

    path: str
    running: tuple[int, ...]


def found(host: Host) -> tuple[Unfinished, ...]:
    """Returns what is unfinished. While a writer is at work its changes cannot be told from those of a killed one:
    then only those that have a program running."""
    paths = _paths(host)
    if not paths:
        return ()
    if bpffs.is_locked(host.directory):
        changes = (Unfinished(path, _running(host, path)) for path in paths)
        return tuple(change for change in changes if change.running)
    # what was there before and after a moment without a writer is nobody's work in progress: names are not used twice
    still = _paths(host)
    return tuple(Unfinished(path, _running(host, path)) for path in paths if path in still)


def _paths(host: Host) -> list[str]:
    paths = []
    replaced = {str(load.record.replaces) for load in host.loads() if load.record is not None}
    for name in listed(host.directory):
        path = f"{host.directory}/{name}"
        if name.startswith(WORK):
            paths += [] if _is_alive(name) else [path]
        elif name in replaced:
            paths.append(path)  # another load is in its place: it is to go
        elif is_id(name):
            paths += _below(path)
    return paths


def _is_alive(name: str) -> bool:
    process = name.removeprefix(WORK).partition("-")[0]
    return is_id(process) and os.path.exists(f"/proc/{process}")


def _below(path: str) -> list[str]:
    links = [f"{path}/{LINKS}/{name}" for name in listed(f"{path}/{LINKS}") if is_id(name)]
    open_ends = [link for link in links if not is_committed(link)]
    if os.path.lexists(f"{path}/{UNFINISHED}") and (open_ends or not links):
        return [path]
    return open_ends


def _running(host: Host, path: str) -> tuple[int, ...]:
    folders = [path, *(f"{path}/{LINKS}/{name}" for name in listed(f"{path}/{LINKS}"))]
    return tuple(sorted({number for folder in folders for number in _running_from(host, folder)}))


def _running_from(host: Host, folder: str) -> list[int]:
    record = _record(folder)
    if record is not None and record.how != "link":
        return [record.program_id] if _is_attached(host, record) else []
    pins = [name for name in listed(folder) if name == LINK or name.startswith(PART)]
    return [number for pin in pins if (number := _program_of(f"{folder}/{pin}", record))]


def _program_of(pin: str, record: LinkRecord | None) -> int:
    """The program that a pinned link runs; 0 when it is no link, or has vanished. Links of tables name none."""
    try:
        with bpf.get(pin) as fd:
            found = bpf.link_info(fd).prog_id if bpf.kind(fd) == "link" else 0
            return found or (record.program_id if record is not None and record.hook == "struct_ops" else 0)
    except KernelError:
        return 0


def _is_attached(host: Host, record: LinkRecord) -> bool:
    try:
        return host.has_filter(record)
    except KernelError:
        return False  # a hook that this version does not know


def _record(folder: str) -> LinkRecord | None:
    try:
        return read_link(folder) if os.path.lexists(f"{folder}/{RECORD}") else None
    except (KernelError, DamagedRecord, ValueError):
        return None
