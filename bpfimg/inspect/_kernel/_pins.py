"""What is pinned, in every bpffs that can be reached: those mounted here, and those of other mount namespaces."""

from __future__ import annotations

import os

from bpfimg.kernel import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MAX_PINS = 20_000
_MAX_FOLDERS = 20_000
_MAX_NAMESPACES = 256


def pins(bpffs: str, namespaces: Mapping[int, int], unseen: list[str]) -> Iterator[tuple[str, str, int]]:
    """(Path, kind, id) of every pin; `bpffs` is one mount, `namespaces` are mount namespaces with a PID in each.

    What may not be looked at, or is too much, is said in `unseen`.
    """
    closed = 0
    for path, kind, number in walk.pinned(_paths(_roots(bpffs, namespaces, unseen), unseen)):
        if kind:
            yield path, kind, number
        else:
            closed += 1
    if closed:
        unseen.append(f"{closed} pins may not be opened by this user")


def _roots(bpffs: str, namespaces: Mapping[int, int], unseen: list[str]) -> list[str]:
    """One path for each bpffs: each mount of the type is a filesystem of its own, known by its device."""
    found: dict[str, str] = {}
    if len(namespaces) > _MAX_NAMESPACES:
        unseen.append(f"pins in {len(namespaces) - _MAX_NAMESPACES} of {len(namespaces)} mount namespaces")
    for process in ("self", *map(str, list(namespaces.values())[:_MAX_NAMESPACES])):
        prefix = "" if process == "self" else f"/proc/{process}/root"
        # a bind mount of a directory inside has another root than "/": better than nothing
        for _, device, _, path in sorted(walk.seen_by(process, ("bpf",)), key=lambda each: each[2] != "/"):
            if device not in found and _device(f"{prefix}{path}") == device:
                found[device] = f"{prefix}{path}"
    found.setdefault(_device(bpffs), bpffs)
    return [path for device, path in found.items() if device]


def _device(path: str) -> str:
    """As mountinfo has it; what was mounted over is on another one. Empty where there is nothing."""
    try:
        number = os.stat(path).st_dev
    except OSError:
        return ""
    return f"{os.major(number)}:{os.minor(number)}"


def _paths(roots: list[str], unseen: list[str]) -> Iterator[str]:
    folders, pins = _MAX_FOLDERS, _MAX_PINS
    for root in roots:
        waiting = [root]
        while waiting:
            folder = waiting.pop()
            folders -= 1
            for entry in _entries(folder):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif not entry.is_symlink():
                    pins -= 1
                    yield entry.path
                if pins <= 0 or folders <= 0:
                    unseen.append(f"pins in bpffs after the first {_MAX_PINS}")
                    return


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []
