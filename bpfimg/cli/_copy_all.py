"""`bpfimg copy --all`: which images a place has, and where each of them goes."""

from __future__ import annotations

import os

from bpfimg.errors import NotFound, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpfimg.cli._copy_lines import Job
    from bpfimg.cli._options import Options
    from bpfimg.oci import Layout, places

__all__ = ["jobs_of_all"]

_PLACES = "oci:DIR, oci-archive:FILE, docker-archive:FILE, store: or registry:HOST/NAME"


def jobs_of_all(options: Options, source: str, destination: str) -> list[Job]:
    """Every image of the place; UsageError for what is no place. What cannot go there by its name is said."""
    from bpfimg.cli._copy_lines import jobs_for
    from bpfimg.cli._parser import warn

    found = _names(options, source)
    before = source if source == "store:" else f"{source}:"
    if source.startswith("registry:"):
        before = "registry:"
    wanted, left = jobs_for(found, before, destination)
    for name in left:
        hint = f"`bpfimg copy {before}{name} DST` gives it one" if source != "store:" else "`bpfimg tag` gives it one"
        warn(f"{before}{name} is passed over: {quoted(name)} is no full name of an image; {hint}")
    return wanted


def _names(options: Options, source: str) -> Iterable[str]:
    """What the images there are called."""
    from bpfimg.oci import places

    if source == "store:":
        return _in_layout(options, options.store, source)
    where = places.Location.parse(source)
    if where.transport == "registry":
        return _tags(options, where.reference)
    if not where.path or where.reference:
        raise UsageError(f"--all is given and {quoted(source)} is no place of many images, expected {_PLACES}")
    if not os.path.exists(where.path):
        raise NotFound(f"there is no {where.path}, expected {'a directory' if where.transport == 'oci' else 'a file'}")
    return _in_layout(options, where.path, source) if where.transport == "oci" else _in_archive(options, where, source)


def _tags(options: Options, text: str) -> list[str]:
    """The images of a repository in its registry, without what goes along with them."""
    from bpfimg.cli._places import registry
    from bpfimg.oci import Repository

    try:
        repository = Repository.parse(text)
    except UsageError as error:
        raise UsageError(
            f"{quoted(text)} is not a repository, expected registry:HOST/NAME with --all: {error}"
        ) from error
    tags = registry(options, repository).tags()
    return [f"{repository}:{tag}" for tag in tags if not _goes_along(tag)]


def _goes_along(tag: str) -> bool:
    """Whether what is known about an image is kept there: a copy brings it with its image."""
    from bpfimg.oci import Digest

    name, _, ending = tag.partition(".")
    try:
        digest = Digest.parse(name.replace("-", ":", 1))
    except UsageError:
        return False
    return digest.tag == name and ending in ("", "sig", "att")


def _in_layout(options: Options, path: str, source: str) -> list[str]:
    from bpfimg.cli._limits import limits
    from bpfimg.oci import Layout, places

    layout = Layout(path, places.Location("oci", path, "").nameless, limits=limits(options))
    return _told(layout, source)


def _in_archive(options: Options, where: places.Location, source: str) -> list[str]:
    from bpfimg.cli._limits import limits
    from bpfimg.cli._parser import warn
    from bpfimg.oci import places

    archive = places.Archive(
        where.path,
        where.nameless,
        docker=where.transport == "docker-archive",
        limits=limits(options),
        lock_timeout=options.lock_timeout,
        warn=warn,
    )
    return _told(options.open.archive(archive), source)


def _told(place: Layout | places.Archive, source: str) -> list[str]:
    """The names; what has none is said."""
    from bpfimg.cli._parser import warn
    from bpfimg.oci import places

    names, nameless = places.stores.names(place)
    for each in nameless:
        hint = f"; `bpfimg copy {source}:@{each.digest} DST` gives it one" if source != "store:" else ""
        warn(f"{each.digest} in {source} is passed over: it has no name{hint}")
    return names
