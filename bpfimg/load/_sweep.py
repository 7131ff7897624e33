"""Sweeping what killed writers left, and finishing what they had committed. All of it under the writer's lock."""

from __future__ import annotations

import os
from contextlib import suppress

from bpfimg.errors import DamagedRecord, Error, KernelError
from bpfimg.kernel import bpf, bpffs
from bpfimg.load import _paths
from bpfimg.load._host import is_committed, read_load
from bpfimg.load._remove import discard, remove_link, remove_load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.load._host import Host, Load


def sweep(host: Host) -> None:
    """Removes what killed writers left behind. What cannot be removed stays, and is shown as unfinished."""
    loads = _finish_all(host)
    for name in _paths.listed(host.directory):
        path = f"{host.directory}/{name}"
        with suppress(Error):
            if name.startswith(_paths.WORK):
                discard(host, path)
            elif _paths.is_id(name):
                _sweep_load(host, path, loads.get(path))
    if host.chains is not None:
        links = [link for load in loads.values() for link in load.links if os.path.isdir(load.path)]
        host.chains.sweep(host, links)


def _sweep_load(host: Host, path: str, load: Load | None) -> None:
    if os.path.islink(path):
        return
    if not _paths.listed(path):  # somebody else has removed all that was in it
        bpffs.remove_tree(path)
    names = _paths.listed(f"{path}/{_paths.LINKS}")
    marker = f"{path}/{_paths.UNFINISHED}"
    is_marked = os.path.lexists(marker)
    if load is not None and not is_marked and len(names) == len(load.links) + len(load.damaged_links):
        return  # all that is there counts
    links = [f"{path}/{_paths.LINKS}/{name}" for name in names]
    committed = [link for link in links if is_committed(link)]
    if is_marked:
        if len(committed) < len(links) or not links:
            remove_load(host, path)
            return
        bpffs.unlink(marker)
    for link in links:
        if link not in committed:
            remove_link(host, link)


def _finish_all(host: Host) -> dict[str, Load]:
    """What a killed writer did not come to: removes every load that has been replaced; returns the others by path."""
    found = {}
    for name in _paths.listed(host.directory):
        if _paths.is_id(name):
            path = f"{host.directory}/{name}"
            with suppress(KernelError, DamagedRecord):
                load = read_load(path)
                if load is not None:
                    found[path] = load
    for load in list(found.values()):
        if load.record is not None and load.record.replaces:
            with suppress(KernelError, DamagedRecord):
                finish(host, load)
            found.pop(f"{host.directory}/{load.record.replaces}", None)
    return found


def finish(host: Host, new: Load) -> None:
    """Removes the load in whose place `new` is. The links that both have pinned stay attached."""
    if new.record is None or not new.record.replaces:
        return
    path = f"{host.directory}/{new.record.replaces}"
    if not os.path.isdir(path) or os.path.islink(path):
        return
    kept = {number for link in new.links if (number := _kernel_id(new.link_pin(link.id)))}
    for name in _paths.listed(f"{path}/{_paths.LINKS}"):
        folder = f"{path}/{_paths.LINKS}/{name}"
        pin = f"{folder}/{_paths.LINK}"
        if os.path.lexists(pin) and _kernel_id(pin) in kept:
            bpffs.unlink(pin)  # not `unlink_link`, which would detach what is ours by now
            bpffs.remove_tree(folder)
    remove_load(host, path)


def _kernel_id(pin: str) -> int:
    try:
        with bpf.get(pin) as fd:
            return bpf.link_info(fd).id if bpf.kind(fd) == "link" else 0
    except KernelError:
        return 0
