"""One look at every process: what of eBPF its descriptors hold, in which namespaces it is."""

from __future__ import annotations

import os

from bpfimg._value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

_MAX_DESCRIPTORS = 200_000
_FDINFO = 512
# A link is "bpf_link" where it was created and "bpf-link" where it was opened later.
_KINDS = {
    "anon_inode:bpf-prog": ("program", b"prog_id:"),
    "anon_inode:bpf-map": ("map", b"map_id:"),
    "anon_inode:bpf_link": ("link", b"link_id:"),
    "anon_inode:bpf-link": ("link", b"link_id:"),
    "anon_inode:btf": ("btf", b"btf_id:"),
}
_PERF = "anon_inode:[perf_event]"
_READ = os.O_RDONLY | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@value(frozen=True, slots=True)
class Processes:
    """What one look found; all of it plain values.

    `held`: (kind, id) -> processes, as `name (PID)`. `events`: (PID, descriptor) of perf events. `networks` and
    `mounts`: inode of a namespace -> path that leads to it, PID of a process in it. `hidden` counts processes that may
    not be looked into, `cut` is true when there were too many descriptors.
    """

    held: dict[tuple[str, int], list[str]]
    events: list[tuple[int, int]]
    networks: dict[int, str]
    mounts: dict[int, int]
    hidden: int
    cut: bool


def look(only: Collection[int] = (), skip: Collection[int] = ()) -> Processes:
    """Looks at every process, or at those alone, but not at those in `skip`; what vanishes meanwhile is left out."""
    seen = Processes({}, [], {}, {}, 0, False)
    hidden, left = 0, _MAX_DESCRIPTORS
    for process in map(str, only) if only else _listed("/proc"):
        if not process.isdigit():
            continue
        _namespaces(process, seen)
        if int(process) in skip:
            continue
        try:
            folder = os.open(f"/proc/{process}/fd", _DIRECTORY)
        except OSError as error:
            hidden += error.errno in (1, 13)
            continue
        try:
            names = os.listdir(folder)[:left]
            left -= len(names)
            _descriptors(int(process), folder, names, seen)
        except OSError:
            pass  # it has gone
        finally:
            os.close(folder)
        if not left:
            break
    return replace(seen, hidden=hidden, cut=not left)


def _namespaces(process: str, seen: Processes) -> None:
    try:
        network = _inode(os.readlink(f"/proc/{process}/ns/net"))
        mount = _inode(os.readlink(f"/proc/{process}/ns/mnt"))
    except OSError:
        return  # it has gone, or we may not look
    seen.networks.setdefault(network, f"/proc/{process}/ns/net")
    seen.mounts.setdefault(mount, int(process))


def _inode(link: str) -> int:
    return int(link[link.find("[") + 1 : -1])  # net:[4026531840]


def _descriptors(pid: int, folder: int, names: list[str], seen: Processes) -> None:
    readlink, process, infos = os.readlink, "", -1
    try:
        for name in names:
            try:
                target = readlink(name, dir_fd=folder)
            except OSError:
                continue
            if target in _KINDS:
                if infos < 0:
                    infos, process = os.open(f"/proc/{pid}/fdinfo", _DIRECTORY), f"{_name(pid)} ({pid})"
                kind, key = _KINDS[target]
                number = _number(infos, name, key)
                if number:
                    holders = seen.held.setdefault((kind, number), [])
                    if process not in holders:
                        holders.append(process)
            elif target == _PERF:
                seen.events.append((pid, int(name)))
            elif target.startswith("net:["):
                seen.networks.setdefault(_inode(target), f"/proc/{pid}/fd/{name}")
    finally:
        if infos >= 0:
            os.close(infos)


def _number(infos: int, name: str, key: bytes) -> int:
    try:
        file = os.open(name, _READ, dir_fd=infos)
    except OSError:
        return 0
    try:
        text = os.read(file, _FDINFO)
    except OSError:
        return 0
    finally:
        os.close(file)
    at = text.find(key)
    try:
        return int(text[at + len(key) : text.find(b"\n", at)]) if at >= 0 else 0
    except ValueError:
        return 0


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "a process"


def _listed(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path), key=len)  # by PID, roughly: the oldest of several is shown
    except OSError:
        return []
