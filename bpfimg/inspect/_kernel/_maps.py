"""Maps: those of our loads, or all, with the programs that use them."""

from __future__ import annotations

from bpfimg.errors import KernelError
from bpfimg.inspect._kernel._views import MapView, word
from bpfimg.kernel import abi, bpf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bpfimg.inspect._kernel._holders import Holders
    from bpfimg.inspect._kernel._views import ProgramView
    from bpfimg.load import Load

    Own = dict[int, tuple[str, int, str]]
    """Map id -> name in full, load, pin."""


def of(loads: Sequence[Load], programs: Sequence[ProgramView]) -> tuple[MapView, ...]:
    """Returns the maps of our loads."""
    users, own = _users(programs), _own(loads)
    found = []
    for number, (_, _, pin) in own.items():
        try:
            with bpf.get(pin) as fd:
                info = bpf.map_info(fd)
        except KernelError:
            continue  # it has gone meanwhile, or somebody removed its pin
        if info.id == number:
            found.append(_view(info, own, users, ()))
    return tuple(found)


def everything(
    infos: Iterable[bpf.MapInfo], loads: Sequence[Load], programs: Sequence[ProgramView], held: Holders
) -> Iterator[MapView]:
    """Returns a view of every map, ours first; names of ours are in full."""
    users, own = _users(programs), _own(loads)
    for info in sorted(infos, key=lambda each: each.id not in own):
        yield _view(info, own, users, held.of("map", info.id))


def _view(info: bpf.MapInfo, own: Own, users: dict[int, list[int]], held_by: tuple[str, ...]) -> MapView:
    name, load, pin = own.get(info.id, ("", None, ""))
    return MapView(
        info.id,
        name or info.name,
        word(abi.MAP_TYPES, info.type),
        info.key_size,
        info.value_size,
        info.max_entries,
        info.flags,
        info.memlock,
        info.frozen,
        tuple(users.get(info.id, ())),
        load,
        pin,
        info.btf_id,
        info.btf_key_type_id,
        info.btf_value_type_id,
        held_by,
        info.map_extra,
    )


def _users(programs: Sequence[ProgramView]) -> dict[int, list[int]]:
    users: dict[int, list[int]] = {}
    for program in programs:
        for number in program.map_ids:
            users.setdefault(number, []).append(program.id)
    return users


def _own(loads: Sequence[Load]) -> Own:
    """A map that several loads use is shown as that of the one that made it, else of the oldest."""
    own: Own = {}
    made: set[int] = set()
    for load in loads:
        record = load.record
        for (name, number), pin in zip(record.maps if record else (), load.map_pins(), strict=True):
            owner = record is not None and record.shared.get(name, "application") == "application"
            if number not in own or (owner and number not in made):
                own[number] = (name, load.id, pin)
            if owner:
                made.add(number)
    return own
