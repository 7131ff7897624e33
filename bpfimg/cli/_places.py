"""Where an image is: the local store, a registry, a layout, an archive; and where a bare name is looked for first."""

from __future__ import annotations

from bpfimg._value import replace, value
from bpfimg.errors import NotFound, RegistryError, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.cli._options import Options
    from bpfimg.oci import Descriptor, Digest, Layout, Platform, Reference, Registry, Repository, Target, places

__all__ = [
    "BARE",
    "Found",
    "find",
    "first_there",
    "here",
    "in_full",
    "located",
    "names",
    "registry",
    "spelt",
    "store",
    "target",
]


BARE = ("store:", "docker-daemon:")
"""Transports that take images under the names that they have."""


@value(frozen=True, slots=True)
class Found:
    """An image and where it is; `reference` is its name there, `name` as messages and documents say it."""

    place: Target
    name: str
    reference: Reference
    descriptor: Descriptor


def store(options: Options, repository: Repository) -> Layout:
    """The local store, as seen from one repository."""
    return _layout(options, options.store, repository, short_names=False)


def registry(options: Options, repository: Repository, *, writes: bool = False) -> Registry:
    """The repository in its registry; connections are shared by all of one command.

    Who `writes` reads there as well: no mirror says what is to be signed, replaced or removed.
    """
    from bpfimg.cli._access import one_login, registry_options
    from bpfimg.cli._limits import limits
    from bpfimg.oci import Registry

    one_login(options, repository.host)
    connections = options.open.connections(lambda: replace(registry_options(options), limits=limits(options)))
    found = Registry(repository, connections=connections)
    if writes:
        found.lock()
    return found


def names(text: str) -> tuple[Reference, ...]:
    """What a bare name may mean, the first first: for short names by registries.conf(5), else what it says."""
    import os

    from bpfimg.oci import Reference, Repository, places

    if Repository.has_host(text):
        return (Reference.parse(text),)
    return places.Registries.load(os.environ, os.geteuid()).candidates(text)


def here(options: Options, text: str) -> Found | None:
    """The image of that bare name in the local store, None when it has none; of a short name any that is meant.

    What was built here under a short name has Docker Hub's full one, whatever registries.conf says.
    """
    from bpfimg.oci import Reference

    for reference in dict.fromkeys((*names(text), Reference.parse(text))):
        local = store(options, reference.repository)
        try:
            return Found(local, str(reference), reference, local.resolve(reference.selector))
        except NotFound:
            continue
    return None


def first_there(options: Options, references: Sequence[Reference], *, writes: bool = False) -> Found:
    """The first of these that its registry has; the error of the first one when none has it."""
    from bpfimg.cli._parser import note

    failed: RegistryError | None = None
    for number, reference in enumerate(references, 1):
        remote = registry(options, reference.repository, writes=writes)
        try:
            return Found(remote, str(reference), reference, remote.resolve(reference.selector))
        except RegistryError as error:
            failed = failed or error
            # Docker Hub says "denied" of what does not exist; anything else might hide that it is there
            if not (isinstance(error, NotFound) or error.status in (401, 403)) or number == len(references):
                raise failed if number == len(references) else error from None
            note(options, f"{error}; asking {references[number].repository.host}")
    raise UsageError("there is no name to look for, expected one")


def _no_file(text: str) -> None:
    """UsageError for the path of a file: no registry is asked for what was meant for `bpfimg build`."""
    import os

    if os.path.isfile(text):
        hint = f"`bpfimg build -t NAME {text}` makes an image of an object file or a C source"
        raise UsageError(f"{quoted(text)} is a file, expected the name of an image", hint=hint)


def find(options: Options, text: str, *, writes: bool = False) -> Found:
    """A bare name means the local store first, then the registry; raises `NotFound` where neither has it."""
    from bpfimg.cli._parser import note

    found = here(options, text)
    if found is not None:
        return found
    _no_file(text)
    references = names(text)
    note(options, f"{references[0]} is not in {options.store}, asking {references[0].repository.host}")
    try:
        return first_there(options, references, writes=writes)
    except RegistryError as error:
        # whoever misspelt the tag of what they have just built learns little from "connection refused"
        from bpfimg.cli._near import near_image

        lacking = f"the local store {options.store} does not have it either"
        error.hint = near_image(options, text, "; ".join(filter(None, (lacking, error.hint))))
        raise


def located(options: Options, text: str, *, goes: str = "", writes: bool = False) -> Found:
    """The image that [TRANSPORT:]NAME names; a bare name is looked for as `find` does.

    `goes` is where it will be copied: the store is not asked for what shall come into it under the same name. Who
    `writes` something about the image there asks no mirror what it is.
    """
    from bpfimg.oci import Digest, Reference, places

    where = places.Location.parse(text)
    _announce(options, goes)
    if not where.transport:
        name = goes.removeprefix("store:") or where.reference
        same = goes.startswith("store:") and Reference.parse(name) in names(where.reference)
        return first_there(options, names(where.reference)) if same else find(options, where.reference, writes=writes)
    if where.transport == "store":
        found = here(options, where.reference)
        if found is None:
            from bpfimg.cli._near import near_image

            hint = near_image(options, where.reference, "`bpfimg images` lists what it has")
            raise NotFound(f"the store {options.store} has no {where.reference}", hint=hint)
        return replace(found, name=text)
    if where.transport == "registry":
        return replace(first_there(options, names(where.reference), writes=writes), name=text)
    if not where.path:
        reference = Reference.parse(where.reference)
        place = _named(options, where.transport, reference.repository)
        return Found(place, text, reference, place.resolve(reference.selector))
    place, selector = _opened(options, where)
    tag, digest = (None, selector) if isinstance(selector, Digest) else (selector, None)
    try:
        return Found(place, text, Reference(place.repository, tag, digest), place.resolve(selector))
    except NotFound as error:
        raise _lacking(where, error) from error


def _lacking(where: places.Location, error: NotFound) -> NotFound:
    """What is said of an image that is not at a path: what people typed, not what it is called within."""
    import os

    place = f"{where.transport}:{where.path}"
    if not os.path.exists(where.path):
        return NotFound(f"there is no {where.path}, expected {'a directory' if where.transport == 'oci' else 'a file'}")
    if not where.reference or error.hint:
        return error
    hint = f"`bpfimg images --store {where.path}` lists what it holds" if where.transport == "oci" else ""
    return NotFound(f"{place} has no image {quoted(where.reference)}", hint=hint)


def _announce(options: Options, goes: str) -> None:
    """Before a source is asked, who else will be: its login must not go to the source."""
    from bpfimg.cli._access import given_login, one_login
    from bpfimg.oci import places

    if not goes or goes in BARE:
        return
    where = places.Location.parse(goes)
    if where.transport in ("", "registry") and given_login()[0] is not None:
        one_login(options, names(where.reference)[0].repository.host)


def target(
    options: Options, text: str, *, named: Reference | None = None, platform: Platform | None = None
) -> tuple[Target, str | None]:
    """Where an image goes, and the tag it is given there (None: the name has a digest alone).

    Without a transport that is a registry. A path alone takes the name of the source, `named`. `platform` is the one
    that a container engine shall have of an index, else this machine's.
    """
    from bpfimg.oci import Reference, places

    where = places.Location.parse(text)
    if where.path:
        name = where.reference or (str(named) if named is not None and named.repository.host != "localhost" else "")
        if not name:
            hint = f"as in {where.transport}:{where.path}:registry.example/xdp_counter:v1"
            raise UsageError(
                f"{quoted(text)} says no name for the image, expected {where.transport}:PATH:NAME", hint=hint
            )
        return _at(options, where, name)
    reference = Reference.parse(where.reference)
    if where.transport in ("", "registry"):
        reference, *others = names(where.reference)
        if others:
            raise UsageError(
                f"the short name {quoted(where.reference)} may be any of {', '.join(map(str, (reference, *others)))}, "
                "expected a full one to write to"
            )
    return _named(options, where.transport, reference.repository, platform), reference.tag


def in_full(text: str, named: Reference | None) -> str:
    """`store:` or `docker-daemon:` alone with the name of the source, `named`; UsageError when that has none."""
    if text not in BARE or named is None:
        return text
    if named.repository.host == "localhost":
        raise UsageError(f"{text} takes an image under its name, and this one has none, expected {text}NAME")
    return f"{text}{replace(named, digest=None) if named.tag else named}"


def spelt(text: str, repository: Repository, tag: str | None) -> str:
    """A destination as it is said: what was typed, with the name that a path alone took."""
    from bpfimg.oci import places

    where = places.Location.parse(text)
    return f"{text}:{repository}:{tag}" if where.path and not where.reference and tag else text


def _named(options: Options, transport: str, repository: Repository, platform: Platform | None = None) -> Target:
    """What a word and a name mean; no word means a registry."""
    if transport == "store":
        return store(options, repository)
    if transport != "docker-daemon":
        return registry(options, repository, writes=True)
    import os

    from bpfimg.cli._limits import limits
    from bpfimg.cli._parser import warn
    from bpfimg.oci import places

    engine = places.DockerDaemon(repository, environ=os.environ, platform=platform, warn=warn, limits=limits(options))
    return options.open.enter_context(engine)


def _opened(options: Options, where: places.Location) -> tuple[Target, str | Digest]:
    """What is at a path."""
    from bpfimg.cli._limits import limits
    from bpfimg.cli._parser import warn
    from bpfimg.oci import Layout, places

    if where.transport == "oci":
        return Layout.named(where.rest, limits=limits(options), lock_timeout=options.lock_timeout)
    archive, selector = places.Archive.named(
        where.rest,
        docker=where.transport == "docker-archive",
        limits=limits(options),
        lock_timeout=options.lock_timeout,
        warn=warn,
    )
    return options.open.archive(archive), selector


def _at(options: Options, where: places.Location, name: str) -> tuple[Target, str | None]:
    """Where an image of that name goes, at a path."""
    from bpfimg.cli._limits import limits
    from bpfimg.cli._parser import warn
    from bpfimg.oci import Reference, places

    if where.transport == "oci":
        if set(name) & set("/:@"):
            reference = Reference.parse(name)
            return _layout(options, where.path, reference.repository), reference.tag
        # a bare tag is written as it stands: the same words find it again, and other tools' words
        return _layout(options, where.path, where.nameless, bare=True), name
    docker = where.transport == "docker-archive"
    # in an archive that docker writes or reads, a word is a name: busybox is docker.io/library/busybox:latest
    full = docker or bool(set(name) & set("/:@"))
    reference = Reference.parse(name) if full else Reference(where.nameless, name)
    archive = places.Archive(
        where.path,
        reference.repository,
        docker=docker,
        bare=not full,
        limits=limits(options),
        lock_timeout=options.lock_timeout,
        warn=warn,
    )
    return options.open.archive(archive), reference.tag


def _layout(
    options: Options, path: str, repository: Repository, *, short_names: bool = True, bare: bool = False
) -> Layout:
    from bpfimg.cli._limits import limits
    from bpfimg.oci import Layout

    return Layout(
        path,
        repository,
        lock_timeout=options.lock_timeout,
        short_names=short_names,
        bare=bare,
        limits=limits(options),
        batch=options.open.batch_of(path),
    )
