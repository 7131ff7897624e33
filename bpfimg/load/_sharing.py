"""Maps that an object shares with what is loaded already: decided, and compared, before the kernel gets anything.

A map is taken from a load (`--map-owner`, every map that has the same name there), from a pin or an id (`--map`), or,
where the object asks for it by LIBBPF_PIN_BY_NAME, from an earlier load of the same application. Each load pins all
the maps that it uses in its own directory, so a map lives until the last of its users is unloaded: there is no
directory of shared maps that a kill could leave behind.
"""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import Error, KernelError, UsageError, quoted
from bpfimg.kernel import abi, bpf
from bpfimg.load._paths import is_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bpfimg.kernel import Fd, OpenObject, libbpf
    from bpfimg.load._host import Host, Load
    from bpfimg.load._map_access import Access

APPLICATION = "application"
_ENOENT = 2


@value(frozen=True, slots=True)
class Sharing:
    """What is asked: `owner`, the id or name of a load whose maps are taken by their names; `maps`, for a name in the
    object the path of a pin or the id of a map; `access`, who may open the pins of this load's maps."""

    owner: str = ""
    maps: Mapping[str, str] | None = None
    access: Access | None = None

    def __bool__(self) -> bool:
        return bool(self.owner or self.maps or self.access)


def wants_application(opened: OpenObject, sharing: Sharing) -> bool:
    """Whether maps are to be found by the application's name: then nobody else may load meanwhile."""
    given = sharing.maps or {}
    return any(each.pinned_by_name and _name(each) not in given for each in opened.maps)


def share(
    opened: OpenObject,
    host: Host,
    application: str,
    sharing: Sharing,
    *,
    home: str = "",
    tables: frozenset[str] = frozenset(),
) -> dict[str, str]:
    """Takes the maps that are to be shared into the open object; returns from whom each one is, for the record:
    "load 42", "map 7", or "application" (also for the first of an application, which creates it).

    `home` is the reference of the image where that alone gave the application its name: then only images of the same
    repository share with it, for anybody may call a repository so. `tables` are the maps of programs that the object
    fills itself, which are nobody else's. UsageError: no such load, map or name, or such a table. KernelError: a map
    that differs, with the first difference.
    """
    handles = {_name(each): each for each in opened.maps}
    shared: dict[str, str] = {}
    for name, word in (sharing.maps or {}).items():
        shared[name] = _take_given(_known(handles, name), word, tables)
    if sharing.owner:
        shared |= _take_from(host.find(sharing.owner), {n: h for n, h in handles.items() if n not in shared})
    for name, handle in handles.items():
        if handle.pinned_by_name and name not in shared:
            _take_of_application(handle, host, application, home, tables)
            shared[name] = APPLICATION
    return shared


def _take(handle: libbpf.MapHandle, fd: Fd, tables: frozenset[str]) -> None:
    """Takes a map. UsageError for a map of programs that the object fills itself: libbpf does so at load, and what
    jumps through it already would run the new programs before they are attached, after a failure or a kill for good."""
    if _name(handle) in tables:
        raise UsageError(
            f"map {quoted(_name(handle))} is a table of programs that the object fills when it is loaded, expected one"
            " that it only uses: whoever jumps through the shared table would run them at once",
            hint="leave the table empty in the object, or keep it apart: another --name, and no --map for it",
        )
    handle.reuse(fd)


def _name(handle: libbpf.MapHandle) -> str:
    return handle.section or handle.name


def _known(handles: Mapping[str, libbpf.MapHandle], name: str) -> libbpf.MapHandle:
    if name in handles:
        return handles[name]
    from difflib import get_close_matches

    near = get_close_matches(name[:128], list(handles)[:4096], 3)
    names = ", ".join([*near, *(each for each in list(handles)[:30] if each not in near)])
    raise UsageError(
        f"the object has no map {quoted(name)}, expected one of its {len(handles)}", hint=f"it has: {names}"
    )


def _take_given(handle: libbpf.MapHandle, word: str, tables: frozenset[str]) -> str:
    by_id = is_id(word)
    if not by_id and "/" not in word:
        raise UsageError(f"--map {_name(handle)} is {quoted(word)}, expected the id of a map or the path of its pin")
    try:
        opened = bpf.map_by_id(int(word)) if by_id else bpf.get(word)
    except KernelError as error:
        if error.errno != _ENOENT:
            raise
        what = f"map {word} in this kernel" if by_id else f"pin {quoted(word)}"
        raise UsageError(f"there is no {what}, expected one for map {_name(handle)!r}") from error
    with opened as fd:
        if bpf.kind(fd) != "map":
            raise UsageError(
                f"{quoted(word)} is the pin of a {bpf.kind(fd) or 'something else'}, expected that of a map"
            )
        _take(handle, fd, tables)
        return f"map {bpf.map_info(fd).id}"


def _take_from(owner: Load, handles: Mapping[str, libbpf.MapHandle]) -> dict[str, str]:
    """Globals stay each object's own, and so do maps of programs, which libbpf fills with those of the object."""
    if owner.record is None:
        raise Error(f"the maps of load {owner.id} cannot be shared, its record is damaged: {owner.damage}")
    there = dict(zip((name for name, _ in owner.record.maps), owner.map_pins(), strict=True))
    shared = {}
    for name, handle in handles.items():
        if (
            name in there
            and not handle.internal
            and abi.MAP_TYPES[handle.type_id : handle.type_id + 1] != ["prog_array"]
        ):
            with bpf.get(there[name]) as fd:
                handle.reuse(fd)
            shared[name] = f"load {owner.id}"
    if not shared:
        mine, theirs = _listed(handles), _listed(there)
        raise UsageError(
            f"the object has no map that load {owner.id} ({owner.name}) has too, expected one of the same name",
            hint=f"the object has {mine}; load {owner.id} has {theirs}",
        )
    return shared


def _listed(names: Mapping[str, object] | Sequence[str]) -> str:
    plain = [name for name in names if not name.startswith(".")]
    return ", ".join(plain[:20]) or "none"


def _take_of_application(
    handle: libbpf.MapHandle, host: Host, application: str, home: str, tables: frozenset[str]
) -> None:
    for load in host.loads():
        opened = _lent(load, application, handle.name)
        if opened is None:
            continue
        with opened as fd:
            _check_home(handle, load, application, home)
            try:
                _take(handle, fd, tables)
            except KernelError as error:
                hint = f"load {load.id} of application {application} has it: unload that, or give another --name"
                raise KernelError(str(error), errno=error.errno, hint=hint) from error
        return


def _check_home(handle: libbpf.MapHandle, load: Load, application: str, home: str) -> None:
    image = load.record.image if load.record else None
    if not home or image is None or _repository(image.reference) == _repository(home):
        return
    raise UsageError(
        f"map {_name(handle)!r} of application {application} is that of load {load.id} from"
        f" {quoted(_repository(image.reference))}, and this image is from {quoted(_repository(home))}",
        hint=f"--name {application} says that they are one application; another --name keeps them apart",
    )


def _repository(reference: str) -> str:
    """What stays of a reference without tag and digest."""
    name = reference.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return name if name.startswith("file:") else f"{folder}{slash}{last.partition(':')[0]}"


def _lent(load: Load, application: str, name: str) -> Fd | None:
    """The map of that name of a load of the application, which asked for it by name as well."""
    record = load.record
    if record is None or record.name != application or record.shared.get(name) != APPLICATION:
        return None
    for (found, _), pin in zip(record.maps, load.map_pins(), strict=True):
        if found == name:
            try:
                return bpf.get(pin)
            except KernelError as error:
                if error.errno != _ENOENT:
                    raise
    return None


def others_with(load: Load, loads: Sequence[Load]) -> Iterator[tuple[str, int, tuple[Load, ...]]]:
    """The maps of a load that other loads use too: name, id, and those loads."""
    for name, number in load.record.maps if load.record else ():
        users = tuple(
            each for each in loads if each.id != load.id and each.record and number in {n for _, n in each.record.maps}
        )
        if users:
            yield name, number, users


def kept(load: Load, loads: Sequence[Load]) -> tuple[str, ...]:
    """What outlives an unload, in words: maps that stay because other loads use them."""
    return tuple(
        f"map {name} (id {number}) stays: "
        + ", ".join(f"load {each.id} ({each.name})" for each in users[:8])
        + (f" and {len(users) - 8} more" if len(users) > 8 else "")
        + (" uses it" if len(users) == 1 else " use it")
        for name, number, users in others_with(load, loads)
    )
