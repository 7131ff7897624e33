"""One image from where it was found to where it goes."""

from __future__ import annotations

from bpfimg.errors import RegistryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.cli._copy_options import Copying
    from bpfimg.cli._options import Options
    from bpfimg.cli._places import Found
    from bpfimg.oci import Descriptor, Target, places

__all__ = ["copied", "moved"]

_NOT_WHOLE = ("MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN")
"""What registries say of an index that names images which they do not have."""


def copied(options: Options, found: Found, target: Target, tag: str | None, what: Copying) -> Descriptor:
    """Copies, with a bar on a terminal, and returns what is there now; an archive is a file from then on."""
    from bpfimg.cli._bar import watching

    with watching(options) as progress:
        descriptor = moved(options, found, target, tag, what, progress=progress)
        options.open.publish()
    return descriptor


def moved(
    options: Options,
    found: Found,
    target: Target,
    tag: str | None,
    what: Copying,
    *,
    progress: places.Progress | None,
    at_once: int = 8,
) -> Descriptor:
    """Copies what `what` says of an image; returns the descriptor of what was named.

    NotFound for a single image that is not for the platforms that are asked for.
    """
    from bpfimg.cli._limits import limits
    from bpfimg.cli._parser import note, warn
    from bpfimg.oci import Index, copy, parse_document, places

    descriptor, platforms = found.descriptor, what.platforms
    note(options, f"{found.name} is {descriptor.digest}")
    if what.flatten and descriptor.is_index:
        document = parse_document(found.place.fetch(descriptor), descriptor.media_type, limits(options))
        assert isinstance(document, Index)
        descriptor, platforms = document.select(platforms[0]), ()
        note(options, f"of {found.name}, {descriptor.digest} is the image for {what.platforms[0]}")
    elif platforms and not what.assumed:
        from bpfimg.run import fetching

        fetching.check_platforms(found.place, descriptor, found.name, platforms, limits(options))
    if isinstance(target, places.DockerDaemon) and not platforms:
        platforms = (target.platform,)  # an engine has one image under a name
    try:
        top = copy(
            found.place,
            descriptor,
            target,
            tag,
            referrers=what.referrers,
            platform=platforms,
            limits=limits(options),
            progress=progress,
            at_once=at_once,
            together=options.open.together,
            warn=warn,
        )
    except RegistryError as error:
        if platforms and descriptor.is_index and error.code in _NOT_WHOLE:
            error.hint = "it takes no index without all of its images: --flatten puts the one image in its place"
        raise
    if isinstance(target, places.DockerDaemon) and tag is not None:
        return target.resolve(tag)  # an engine makes a manifest of its own, under which it is found again
    return top
