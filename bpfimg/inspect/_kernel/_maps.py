"""The maps that the listed programs use."""

from __future__ import annotations

from bpfimg.errors import KernelError
from bpfimg.inspect._kernel._host import word
from bpfimg.inspect._kernel._views import MapView
from bpfimg.kernel import abi, bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpfimg.inspect._kernel._views import ProgramView
    from bpfimg.load import Load


def of(loads: Sequence[Load], programs: Sequence[ProgramView], *, all: bool) -> tuple[MapView, ...]:
    """Returns the maps of our loads, then (with `all`) every other map in the kernel; names of ours are in full."""
    users: dict[int, list[int]] = {}
    for program in programs:
        for number in program.map_ids:
            users.setdefault(number, []).append(program.id)
    ours = {
        number: (name, load.id, pin)
        for load in loads
        if load.record
        for (name, number), pin in zip(load.record.maps, load.map_pins(), strict=True)
    }
    numbers = [*ours, *(number for number in bpf.map_ids() if number not in ours)] if all else list(ours)
    return tuple(_views(numbers, ours, users))


def _views(
    numbers: Iterable[int], ours: dict[int, tuple[str, int, str]], users: dict[int, list[int]]
) -> Iterable[MapView]:
    for number in numbers:
        name, load, pin = ours.get(number, ("", None, ""))
        try:
            with bpf.get(pin) if pin else bpf.map_by_id(number) as fd:
                info = bpf.map_info(fd)
        except KernelError:
            continue  # it has gone meanwhile, or somebody removed its pin
        if info.id != number:
            continue
        yield MapView(
            id=info.id,
            name=name or info.name,
            type=word(abi.MAP_TYPES, info.type),
            key_size=info.key_size,
            value_size=info.value_size,
            max_entries=info.max_entries,
            flags=info.flags,
            memlock=info.memlock,
            frozen=info.frozen,
            program_ids=tuple(users.get(number, ())),
            load=load,
            pin=pin,
        )
