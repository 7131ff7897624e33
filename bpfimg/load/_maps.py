"""The maps of this host: found by load and name, by kernel id or by pin, and opened as `Map`.

`of_load` is what `Host.map` calls; `by_id` and `by_pin` open anybody's. `Sharing` says which maps a load takes from
others, `Access` who may open the pins of its own.
"""

from __future__ import annotations

from contextlib import ExitStack

from bpfimg.errors import Error, KernelError, UsageError, quoted
from bpfimg.kernel import bpf
from bpfimg.load._map import Map
from bpfimg.load._map_access import Access
from bpfimg.load._paths import is_id
from bpfimg.load._sharing import Sharing, kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.kernel import Fd
    from bpfimg.load._host import Host, Load

__all__ = ["Access", "Map", "Sharing", "by_id", "by_pin", "find", "kept", "of_load"]

_ENOENT = 2


def of_load(host: Host, load: Load | int | str, name: str) -> Map:
    """Opens the map called `name` of a load: what `run` returned, the id of a program, or the name of an application.

    UsageError when it has none of that name; globals are in `.bss`, `.data` and `.rodata`.
    """
    loads = _loads(host, load)
    found: dict[int, tuple[str, Load]] = {}
    for each in loads:
        for (known, number), pin in zip(each.record.maps if each.record else (), each.map_pins(), strict=True):
            if known == name:
                found[number] = pin, each
    if len(found) == 1:
        pin, each = next(iter(found.values()))
        return by_pin(pin, name, each.program_pins())
    if found:
        ids = ", ".join(str(each.id) for each in loads)
        message = f"{len(loads)} loads of application {quoted(load)} have a map {quoted(name)} each, expected one"
        raise UsageError(message, hint=f"give the id of one: {ids}")
    raise _unknown(loads, name)


def _loads(host: Host, load: Load | int | str) -> Sequence[Load]:
    if not isinstance(load, int | str):
        return (load,)
    if not is_id(str(load)):
        named = [each for each in host.loads() if each.name == load]
        if named:
            return named
    return (host.find(load),)


def _unknown(loads: Sequence[Load], name: str) -> UsageError:
    from difflib import get_close_matches

    names = sorted({known for each in loads if each.record for known, _ in each.record.maps})
    near = get_close_matches(name[:128], names, 3)
    listed = ", ".join([*near, *(each for each in names if each not in near)][:30])
    what = f"load {loads[0].id} ({loads[0].name})"
    return UsageError(f"{what} has no map {quoted(name)}, expected one of its {len(names)}", hint=f"it has: {listed}")


def by_id(number: int, name: str = "") -> Map:
    """Opens a map by its kernel id, whosever it is; Error when there is none."""
    try:
        return _opened(bpf.map_by_id(number), name)
    except KernelError as error:
        if error.errno != _ENOENT:
            raise
        raise Error(
            f"there is no map {number} in this kernel", hint="`bpfimg maps --all` shows what there is"
        ) from error


def by_pin(path: str, name: str = "", programs: Sequence[str] = ()) -> Map:
    """Opens a map by the path of its pin; read-only where no more is allowed.

    `programs` are pins of programs of its object, which may know types that the kernel does not.
    """
    try:
        fd = bpf.get(path)
    except KernelError as error:
        if error.errno not in (1, 13):
            raise
        fd = bpf.get(path, read_only=True)
    if bpf.kind(fd) != "map":
        fd.close()
        raise UsageError(f"{quoted(path)} is no pin of a map")
    return _opened(fd, name, programs)


def _opened(fd: Fd, name: str, programs: Sequence[str] = ()) -> Map:
    with ExitStack() as stack:
        stack.enter_context(fd)
        opened = Map(fd, name, programs)
        stack.pop_all()
    return opened


def find(host: Host, words: Sequence[str]) -> Map:
    """Opens the map that one or two words name: ID or PIN; LOAD or APPLICATION and NAME."""
    if len(words) == 2:
        return of_load(host, words[0], words[1])
    (word,) = words
    if "/" in word:
        return by_pin(word)
    if not is_id(word):
        raise UsageError(
            f"the map is {quoted(word)}, expected its id, or a load and the name of one of its maps",
            hint="`bpfimg maps` shows both; the path of a pin has a slash",
        )
    number = int(word)
    for load in host.loads():
        for name, known in load.record.maps if load.record else ():
            if known == number:
                return of_load(host, load, name)
    return by_id(number)
