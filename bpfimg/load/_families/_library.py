"""Where a program or shared library is that was asked for by name: `bash`, `c`, `libssl`, `libc.so.6`.

The same answer for every user: neither PATH nor LD_LIBRARY_PATH is looked at. A name with `.so` in it, or that begins
with `lib`, is a library; any other the program of that name, else the library `lib<name>.so`.
"""

from __future__ import annotations

import os

from bpfimg.errors import AttachError, BytecodeError, quoted
from bpfimg.kernel import userspace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PROGRAMS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_CACHE = "/etc/ld.so.cache"
_CACHE_BYTES = 16 << 20


def located(name: str, pid: int | None) -> Sequence[str]:
    """The paths that the name may mean, the first that is of this machine's kind counts; AttachError: there is none."""
    if not (name.startswith("lib") or ".so" in name):
        for folder in _PROGRAMS:
            if name in userspace.names_in(folder, pid):
                return (f"{folder}/{name}",)
    found = _libraries(name, pid)
    if found:
        return found
    raise AttachError(
        f"there is no program and no shared library called {quoted(name)}",
        hint="give its path; programs are looked for in the usual directories, libraries in /etc/ld.so.cache too",
    )


def _libraries(name: str, pid: int | None) -> Sequence[str]:
    """Of the dynamic linker's list, and only without one there of the standard directories."""
    stem = name if name.startswith("lib") else f"lib{name}"
    exact = stem if ".so" in stem else f"{stem}.so"
    for known in (_cached(pid), _in_directories(pid)):
        paths: dict[str, list[str]] = {}
        for soname, path in known:
            if soname == exact or soname.startswith(f"{exact}."):
                paths.setdefault(soname, []).append(path)
        if exact in paths:
            return paths[exact]
        if len(paths) > 1:
            raise AttachError(
                f"there are {len(paths)} shared libraries called {quoted(name)}, expected the name of one",
                hint=f"they are {', '.join(sorted(paths)[:8])}",
            )
        if paths:
            return next(iter(paths.values()))
    return ()


def _in_directories(pid: int | None) -> Iterator[tuple[str, str]]:
    machine = os.uname().machine
    for folder in ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"):
        for place in (folder, f"{folder}/{machine}-linux-gnu"):
            for name in sorted(userspace.names_in(place, pid)):
                if ".so" in name:
                    yield name, f"{place}/{name}"
                    if name.startswith("libc.musl-"):  # Alpine's only name for it
                        yield "libc.so.1", f"{place}/{name}"


def _cached(pid: int | None) -> Sequence[tuple[str, str]]:
    from bpfimg.bytecode import executable

    try:
        with userspace.open_file(_CACHE, pid) as file:
            return executable.libraries(os.pread(file.fileno(), _CACHE_BYTES, 0))
    except (AttachError, BytecodeError):
        return ()  # musl has none, and a damaged one is no reason to stop
