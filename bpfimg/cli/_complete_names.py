"""Candidates from what is loaded: programs, applications, links and maps."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.cli._complete_line import Line
    from bpfimg.inspect import Inventory
    from bpfimg.load import Load

__all__ = [
    "applications",
    "links",
    "map_words",
    "maps",
    "metadata",
    "programs",
    "programs_and_applications",
    "programs_of_application",
]


def _seen(line: Line, *, maps: bool = False) -> Inventory:
    """What bpfimg loaded, as `list` sees it; all that there is where the verb may have it (--all, --id)."""
    from bpfimg import dispatcher, inspect

    foreign = line.verb in ("inspect", "detach") or "--all" in line.values
    return inspect.host(dispatcher.host(line.options().bpffs), all=foreign, maps=maps)


def _loads(line: Line) -> tuple[Load, ...]:
    from bpfimg.load import Host

    return tuple(Host(line.options().bpffs).loads())


def programs(line: Line) -> Iterator[tuple[str, str]]:
    """Ids of programs, and what those are."""
    for view in _seen(line).programs:
        owner = f"{view.record.name}: " if view.record else ""
        yield str(view.id), f"{owner}{view.name or '-'} ({view.type})"


def applications(line: Line) -> Iterator[tuple[str, str]]:
    """Names of applications."""
    for name in dict.fromkeys(load.name for load in _loads(line) if load.record):
        yield name, "application"


def programs_and_applications(line: Line) -> Iterator[tuple[str, str]]:
    """Both, the names first."""
    given = {word for words in line.words.values() for word in words}
    for text, what in (*applications(line), *programs(line)):
        if text not in given:
            yield text, what


def programs_of_application(line: Line) -> Iterator[tuple[str, str]]:
    """The programs of the load that the word ID names."""
    for load in _named(line, line.word("ID")):
        for each in load.record.programs if load.record else ():
            yield each.name, each.type


def links(line: Line) -> Iterator[tuple[str, str]]:
    """Ids of links that were not named yet, and where those are."""
    inventory = _seen(line)
    names = {view.id: view.name for view in inventory.programs}
    given = line.words.get("LINK", ())
    for view in inventory.links:
        if view.id is not None and str(view.id) not in given:
            yield str(view.id), f"{names.get(view.program_id, '-')}: {view.words}"


def maps(line: Line) -> Iterator[tuple[str, str]]:
    """Ids of maps; behind `NAME=` those alone."""
    for view in _seen(line, maps=True).maps:
        yield str(view.id), f"{view.name or '-'} ({view.type})"


def metadata(line: Line) -> Iterator[tuple[str, str]]:
    """What was noted with the loads, as K=V."""
    for load in _loads(line):
        for key, text in load.record.metadata.items() if load.record else ():
            yield f"{key}={text}", load.name


def map_words(line: Line) -> Iterator[tuple[str, str]]:
    """The words of `map`: a map by id, or a load and the name of one of its maps; keys and values nobody knows."""
    given = line.words.get("WORD", [])
    if not given:
        yield from applications(line)
        yield from maps(line)
    elif len(given) == 1:
        for load in _named(line, given[0]):
            for name, number in load.record.maps if load.record else ():
                yield name, f"map {number}"


def _named(line: Line, word: str) -> list[Load]:
    """The loads of that application, or the one with a program of that id."""
    return [
        load
        for load in _loads(line)
        if load.name == word or (load.record and word in {str(each.id) for each in load.record.programs})
    ]
