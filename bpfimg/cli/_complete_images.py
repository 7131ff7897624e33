"""Candidates from the local store and from files: names of images, and what is in the object that the line names."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.bytecode import BytecodeObject
    from bpfimg.cli._complete_line import Line

__all__ = [
    "destinations",
    "globals",
    "limits",
    "maps",
    "names",
    "platform_list",
    "platforms",
    "programs",
    "references",
    "references_or_objects",
    "references_to_run",
    "registries",
    "rules",
]

_HUB = ("docker.io/library/", "docker.io/")
#: transport -> what it is, endings of its files; "/": folders
_TRANSPORTS = {
    "registry:": ("a registry", None),
    "store:": ("the local store", None),
    "oci:": ("an OCI image layout", ("/",)),
    "oci-archive:": ("a tar file of one", (".tar", ".tgz", ".gz")),
    "docker-archive:": ("as `docker save` writes it", (".tar", ".tgz", ".gz")),
    "docker-daemon:": ("a running docker or podman", None),
}
_WORDS = ("REF", "REF|OBJ", "REF|OBJ|DIR", "A", "SRC")


def names(line: Line) -> Iterator[tuple[str, str]]:
    """The images of the local store; those of Docker Hub as people write them, where that is how the word begins."""
    from bpfimg.oci import places

    given = {word for words in line.words.values() for word in words}
    for each in places.stores.listing(line.options().store):
        for name in _forms(each.name, line.current):
            if name not in given:
                yield name, ",".join(each.platforms or ())


def _forms(name: str, current: str) -> tuple[str, ...]:
    short = next((name.removeprefix(hub) for hub in _HUB if name.startswith(hub)), name)
    return (name,) if name.startswith(current) or not short.startswith(current) else (short,)


def references(line: Line) -> Iterator[tuple[str, str]]:
    """Images of the local store; or what lies at the place whose transport was begun."""
    transport, colon, rest = line.current.partition(":")
    about = _TRANSPORTS.get(transport + colon)
    if about is None:
        yield from names(line)
        yield from ((word, what) for word, (what, _) in _TRANSPORTS.items())
    elif transport == "store":
        from bpfimg._value import replace

        yield from ((f"store:{name}", what) for name, what in names(replace(line, current=rest)))
    elif about[1] is not None:
        yield from ((f"{transport}:{text}", what) for text, what in _at_path(rest, about[1], layout=transport == "oci"))


def _at_path(rest: str, endings: tuple[str, ...], *, layout: bool) -> Iterator[tuple[str, str]]:
    """Paths; behind the path of a layout and a colon the names of its images."""
    import os

    from bpfimg.cli._complete_system import named_files
    from bpfimg.oci import places

    path, colon, _ = rest.partition(":")
    if not colon:
        yield from named_files(rest, endings)
    elif layout:
        for each in places.stores.listing(os.path.expanduser(path)):
            yield f"{path}:{each.name}", ",".join(each.platforms or ())


def references_or_objects(line: Line) -> Iterator[tuple[str, str]]:
    """Images, and object files with the folders to them."""
    from bpfimg.cli._complete_system import named_files

    path = line.current.startswith(("./", "../", "/", "~"))
    if not path:
        yield from references(line)
    yield from named_files(line.current, (".o", ".elf"))


def references_to_run(line: Line) -> Iterator[tuple[str, str]]:
    """Images, and object files where a path was begun: those need a policy that lets them in."""
    if line.current.startswith(("./", "../", "/", "~")):
        yield from references_or_objects(line)
    else:
        yield from references(line)


def destinations(line: Line) -> Iterator[tuple[str, str]]:
    """Where an image can go: a transport, or registries that are known here."""
    yield from references(line)
    yield from ((f"{host}/", "") for host, _ in registries(line))


def registries(line: Line) -> Iterator[tuple[str, str]]:
    """The registries of the images in the local store."""
    from bpfimg.oci import places

    hosts = (each.name.partition("/") for each in places.stores.listing(line.options().store))
    yield from dict.fromkeys((host, "") for host, slash, _ in hosts if slash)


def programs(line: Line) -> Iterator[tuple[str, str]]:
    """The programs of the image or object that the line names."""
    return ((each.name, each.section) for each in _object(line).programs)


def globals(line: Line) -> Iterator[tuple[str, str]]:
    """`NAME=` for each global variable of it that was not given yet."""
    given = {text.partition("=")[0] for flag in ("--global", "--global-be") for text in line.values.get(flag, ())}
    if "=" not in line.current:
        yield from ((f"{each.name}=", each.type) for each in _object(line).globals if each.name not in given)


def maps(line: Line) -> Iterator[tuple[str, str]]:
    """The maps of it: `NAME=` for --map of `run` and `load`, where the id of another map follows."""
    name, equals, rest = line.current.partition("=")
    if equals:
        from bpfimg._value import replace
        from bpfimg.cli._complete_names import maps as there

        yield from ((f"{name}={number}", what) for number, what in there(replace(line, current=rest)))
        return
    tail = "=" if line.verb.partition(" ")[2] not in ("iter", "struct_ops") else ""
    yield from ((f"{each.name}{tail}", each.type) for each in _object(line).maps if not each.internal)


def _object(line: Line) -> BytecodeObject:
    """What the line names, read from here: a file, the local store, a layout or archive; never from a registry."""
    import os

    from bpfimg.cli._object_file import dissected, means_file, read_object
    from bpfimg.cli._places import here, located
    from bpfimg.errors import NotFound
    from bpfimg.image import BytecodeImage
    from bpfimg.oci import Platform, places

    text = next(filter(None, map(line.word, _WORDS)), "")
    if means_file(text):
        if not os.path.isfile(os.path.expanduser(text)):  # whoever opens a pipe waits
            raise NotFound(f"{text} is no file")
        return dissected(read_object(text), text).object
    where, options = places.Location.parse(text), line.options()
    with options.open:
        local = where.transport not in ("", "registry", "docker-daemon")
        found = located(options, text) if local else here(options, where.reference) if not where.transport else None
        if found is None:
            raise NotFound(f"{text} is not here")
        platform = Platform.host() if found.descriptor.is_index else None
        return BytecodeImage.fetch(found.place, found.descriptor, platform).object


def platforms(line: Line) -> Iterator[tuple[str, str]]:
    """Platforms that images can be for."""
    from bpfimg.image import MACHINES

    return ((f"linux/{machine}", "") for machine in MACHINES)


def platform_list(line: Line) -> Iterator[tuple[str, str]]:
    """The same, with commas between."""
    from bpfimg.cli._complete_system import listed

    return listed(line.current, platforms(line))


def rules(line: Line) -> Iterator[tuple[str, str]]:
    """Rules of lint, with commas between."""
    from bpfimg.cli._complete_system import listed
    from bpfimg.inspect import lint

    return listed(line.current, ((rule.id, f"{rule.name}: {rule.summary}") for rule in lint.RULES))


def limits(line: Line) -> Iterator[tuple[str, str]]:
    """`NAME=` of each bound."""
    from bpfimg.oci import places

    return ((f"{name}=", "") for name in places.Limits.__annotations__)
