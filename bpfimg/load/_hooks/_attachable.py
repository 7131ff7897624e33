"""What there is to attach to: kernel functions, tracepoints, functions and static probes of executables.

Executables that are root's, or our own, are read by bcc's library where it is installed, since it is what others who
probe here see; those of containers and other users always by our own reader, which is made for files that nobody
vouches for.
"""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import AttachError, BytecodeError, NotSupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Protocol

    from bpfimg.load._families._target import Target

    class Reader(Protocol):
        """What bcc's library reads of a file."""

        def functions(self, path: str) -> list[tuple[str, int, int]]: ...
        def probes(self, path: str) -> list[tuple[str, str, int, int, str]]: ...


@value(frozen=True, slots=True)
class KernelFunction:
    """A function of the kernel; `module` None is the kernel proper."""

    name: str
    module: str | None


@value(frozen=True, slots=True)
class TracepointFields:
    """A tracepoint, and (name, type, offset, size) of each thing that it records."""

    group: str
    name: str
    fields: tuple[tuple[str, str, int, int], ...]


@value(frozen=True, slots=True)
class FileFunction:
    """A function of an executable: its place in the file and its size in bytes."""

    file: str
    name: str
    offset: int
    size: int


@value(frozen=True, slots=True)
class FileProbe:
    """A static probe of an executable: its places in the file, whether it has a semaphore, its arguments as written."""

    file: str
    provider: str
    name: str
    offsets: tuple[int, ...]
    semaphore: bool
    arguments: tuple[str, ...]


def kprobes(patterns: Sequence[str]) -> list[KernelFunction]:
    """The functions that a kprobe can be put on, by name; NotSupported on a kernel without kprobes."""
    from bpfimg.kernel import functions, perf

    perf.source("kprobe")
    fits, barred = _fitting(patterns), functions.blacklist()
    found = {(name, module or "") for name, module in functions.functions() if name not in barred and fits(name)}
    return [KernelFunction(name, module or None) for name, module in sorted(found)]


def tracepoints(patterns: Sequence[str]) -> list[TracepointFields]:
    """The tracepoints whose `GROUP/NAME`, or whose name, fits; NotSupported: tracefs is not mounted."""
    from bpfimg.kernel import functions

    fits = _fitting(patterns)
    return [
        TracepointFields(group, name, tuple(functions.fields(group, name)))
        for group, name in functions.tracepoints()
        if fits(f"{group}/{name}") or fits(name)
    ]


def uprobes(
    target: str, patterns: Sequence[str], container_pid: int | None = None, *, own: bool = False
) -> list[FileFunction]:
    """The functions of an executable that a uprobe can be put on; with `own` by our own reader in any case."""
    fits = _fitting(patterns)
    with _opened(target, container_pid) as file:
        rows = _functions(file, None if own else _bcc(file))
        found: dict[tuple[str, int], FileFunction] = {}
        for name, address, size in rows:
            offset = file.elf.file_offset(address)
            if offset is not None and fits(name):
                found.setdefault((name, offset), FileFunction(file.path, name, offset, size))
    return [found[key] for key in sorted(found)]


def probes(
    target: str, patterns: Sequence[str], container_pid: int | None = None, *, own: bool = False
) -> list[FileProbe]:
    """The static probes of an executable, each with all its places; with `own` by our own reader in any case."""
    fits = _fitting(patterns)
    places: dict[tuple[str, str], list[tuple[int, bool, str]]] = {}
    with _opened(target, container_pid) as file:
        for provider, name, address, semaphore, arguments in _probes(file, None if own else _bcc(file)):
            offset = file.elf.file_offset(address)
            if offset is not None and (fits(f"{provider}:{name}") or fits(name)):
                places.setdefault((provider, name), []).append((offset, bool(semaphore), arguments))
        return [
            FileProbe(
                file.path,
                *key,
                tuple(offset for offset, _, _ in places[key]),
                any(semaphore for _, semaphore, _ in places[key]),
                tuple(dict.fromkeys(text for _, _, text in places[key])),
            )
            for key in sorted(places)
        ]


def _functions(file: Target, bcc: Reader | None) -> Iterator[tuple[str, int, int]]:
    from bpfimg.bytecode import executable

    if bcc is not None:
        stubs = executable.stubs(file.elf)
        for name, start, size in bcc.functions(file.path):
            plain = name.partition("@")[0] or name
            if (plain, start) not in stubs:
                yield plain, start, size
        return
    for elf in (file.elf, file.debug_file()):
        for symbol in () if elf is None else executable.functions(elf):
            if symbol.kind == "function":
                yield symbol.name, symbol.address, symbol.size


def _probes(file: Target, bcc: Reader | None) -> list[tuple[str, str, int, int, str]]:
    from bpfimg.bytecode import executable

    if bcc is not None:
        return bcc.probes(file.path)
    try:
        found = executable.probes(file.elf)
    except BytecodeError as error:
        raise AttachError(f"{file.shown} cannot be probed: {error}") from error
    return [(each.provider, each.name, each.address, each.semaphore, each.arguments) for each in found]


def _bcc(file: Target) -> Reader | None:
    from bpfimg.kernel import userspace

    return userspace.bcc() if file.is_the_hosts else None


def _opened(target: str, container_pid: int | None) -> Target:
    from bpfimg.kernel import perf
    from bpfimg.load._families._target import opened

    try:
        perf.source("uprobe")
    except NotSupported as error:
        if error.feature == "uprobe":
            raise
    return opened(target, container_pid)


def _fitting(patterns: Sequence[str]) -> Callable[[str], bool]:
    """True for a name that fits one of the patterns (`*` and `?` as in the shell); without patterns for every one."""
    if not patterns:
        return lambda _name: True
    from fnmatch import translate
    from re import compile

    fits = compile("|".join(translate(pattern) for pattern in patterns)).match
    return lambda name: fits(name) is not None
