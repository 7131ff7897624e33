"""Static probes of executables and libraries: a perf event and a link for each place where the probe is."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack

from bpfimg._value import value
from bpfimg.errors import AttachError, BytecodeError, KernelError, NotSupported, quoted
from bpfimg.kernel import bpf, userspace
from bpfimg.load._attach import Attachment
from bpfimg.load._families import _usdt_spec
from bpfimg.load._families._recorded import recorded
from bpfimg.load._families._target import opened
from bpfimg.load._families._uprobe import explained

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.bytecode import executable
    from bpfimg.kernel import Fd
    from bpfimg.load._attach import Loaded, Scene
    from bpfimg.load._families._target import Target
    from bpfimg.load._hooks import Usdt

_PARTS_MAX = 1024
_SHOWN = 12


@value(frozen=True, slots=True)
class Location:
    """One place of the probe: offsets in the file (`semaphore` 0: none), and what is written down of its arguments."""

    offset: int
    semaphore: int
    arguments: str


def check(hook: Usdt) -> None:
    """AttachError when there is no such file, probe or process; nothing is attached."""
    with opened(hook.target, hook.container_pid) as target:
        _locations(target, hook)


def foresee(hook: Usdt, scene: Scene) -> str:
    """Where it would go: the offsets in the file."""
    with opened(hook.target, hook.container_pid) as target:
        found = _locations(target, hook)
        first = ", ".join(f"{each.offset:#x}" for each in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        return f"offset{'s' if len(found) > 1 else ''} {first}{more} of {target.shown}"


def attach(program: Loaded, hook: Usdt, scene: Scene) -> Attachment:
    """Attaches at every place; where the program asks for arguments it is told first where they are."""
    with opened(hook.target, hook.container_pid) as target, ExitStack() as stack:
        found = _locations(target, hook)
        specs = _specified(program, scene, found)
        links = [
            stack.enter_context(_link(program, target, each, hook, spec))
            for each, spec in zip(found, specs, strict=True)
        ]
        target.still_there()
        details: dict[str, object] = {
            **target.details(),
            "offsets": [each.offset for each in found[:_SHOWN]],
            "semaphore": any(each.semaphore for each in found),
            "arguments": found[0].arguments[:200],
        }
        if any(spec is not None for spec in specs):
            details["specs"] = sorted({spec for spec in specs if spec is not None})
        where = f"{target.shown}:{hook.provider}:{hook.name}"
        record = recorded(program, hook, where, details=details, parts=len(links) - 1, absolute={"target": target.path})
        stack.pop_all()
    return Attachment(record, links[0], links[0].fileno(), parts=links[1:])


def _link(program: Loaded, target: Target, each: Location, hook: Usdt, spec: int | None) -> Fd:
    try:
        with userspace.uprobe_event(target.for_kernel, each.offset, pid=hook.pid, semaphore=each.semaphore) as event:
            return userspace.uprobe_link(program.fd, event, spec or 0)
    except NotSupported:
        raise
    except KernelError as error:
        raise explained(error, target) from error


def _locations(target: Target, hook: Usdt) -> list[Location]:
    from bpfimg.bytecode import executable

    try:
        probes = executable.probes(target.elf)
    except BytecodeError as error:
        raise AttachError(f"{target.shown} cannot be probed: {error}") from error
    found = [each for each in probes if (each.provider, each.name) == (hook.provider, hook.name)]
    if not found:
        raise _missing(target, hook, probes)
    if len(found) > _PARTS_MAX:
        raise AttachError(f"probe {hook.provider}:{hook.name} is at {len(found)} places, expected at most {_PARTS_MAX}")
    return [_location(target, each) for each in found]


def _location(target: Target, probe: executable.Probe) -> Location:
    offset = target.elf.file_offset(probe.address)
    semaphore = target.elf.data_offset(probe.semaphore) if probe.semaphore else 0
    if offset is None or semaphore is None or semaphore >= 1 << 32:
        name = f"{quoted(probe.provider)[1:-1]}:{quoted(probe.name)[1:-1]}"
        raise AttachError(f"probe {name} of {target.shown} is said to be where the file has nothing")
    return Location(offset, semaphore, probe.arguments)


def _missing(target: Target, hook: Usdt, probes: Sequence[executable.Probe]) -> AttachError:
    message = f"{target.shown} has no static probe {hook.provider}:{hook.name}"
    names = sorted({f"{each.provider}:{each.name}" for each in probes})
    if not names:
        return AttachError(message, hint="it has none at all; its shared libraries may have: give one as the target")
    from difflib import get_close_matches

    near = get_close_matches(f"{hook.provider}:{hook.name}", names, _SHOWN, 0.5) or names[:_SHOWN]
    more = "" if len(near) == len(names) else f"; `bpfimg hooks usdt {target.path}` lists all {len(names)}"
    return AttachError(message, hint=f"it has {', '.join(quoted(each)[1:-1] for each in near)}{more}")


def _specified(program: Loaded, scene: Scene, found: Sequence[Location]) -> list[int | None]:
    """The number of each place's specification; None for a program that asks for no arguments."""
    from bpfimg.bytecode import executable

    if _usdt_spec.MAP not in scene.unit.names:
        return [None] * len(found)
    fd = scene.unit.map(_usdt_spec.MAP)
    layout = _layout(program)
    info = bpf.map_info(fd)
    if info.value_size != layout.size or info.key_size != 4:
        raise AttachError(
            f"map {_usdt_spec.MAP} has values of {info.value_size} bytes, expected {layout.size} by the program's types"
        )
    table = _Table(fd, info.id, info.max_entries, layout.size, scene)
    numbers: list[int | None] = []
    for each in found:
        try:
            arguments = executable.arguments(each.arguments, os.uname().machine)
        except BytecodeError as error:
            raise AttachError(f"the program asks for arguments, but at offset {each.offset:#x}: {error}") from error
        numbers.append(table.number(layout.encode(arguments)))
    return numbers


def _layout(program: Loaded) -> _usdt_spec.Layout:
    try:
        return _usdt_spec.layout(program.btf())
    except KernelError as error:
        if error.errno not in (errno.EPERM, errno.EACCES):
            raise
        return _usdt_spec.CLASSIC  # who may attach need not be allowed to ask for types
    except BytecodeError as error:
        raise AttachError(str(error)) from error


class _Table:
    """The program's map of specifications. Equal ones share a place; a place is given away once none is free."""

    def __init__(self, fd: int, id: int, room: int, size: int, scene: Scene) -> None:
        self._fd = fd
        entries = [bpf.map_lookup(fd, _key(index), size) for index in range(room)]
        self._places = {content: index for index, content in enumerate(entries) if content and any(content)}
        self._free = [index for index, content in enumerate(entries) if content and not any(content)]
        self._id, self._room, self._scene = id, room, scene

    def number(self, content: bytes) -> int:
        """Where the specification is, written there if it was not."""
        if content not in self._places:
            if not self._free:
                self._free = self._abandoned()
            index = self._free.pop(0)
            bpf.map_update(self._fd, _key(index), content)
            self._places = {each: at for each, at in self._places.items() if at != index} | {content: index}
        return self._places[content]

    def _abandoned(self) -> list[int]:
        """Places that no recorded link has any more."""
        loads = [
            load
            for load in self._scene.loads
            if load.record is not None and self._id in [number for _, number in load.record.maps]
        ]
        used = {number for load in loads for link in load.links for number in _numbers(link.details)}
        free = [index for index in range(self._room) if index not in used] if loads else []
        if not free:
            raise AttachError(
                f"the program's map of probes is full with {self._room} of them",
                hint="compile it with a larger BPF_USDT_MAX_SPEC_CNT, or load it once more",
            )
        return free


def _numbers(details: object) -> list[int]:
    specs = details.get("specs") if isinstance(details, dict) else None
    return [number for number in specs if isinstance(number, int)] if isinstance(specs, list) else []


def _key(index: int) -> bytes:
    import sys

    return index.to_bytes(4, sys.byteorder)
