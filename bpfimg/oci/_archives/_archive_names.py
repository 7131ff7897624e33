"""What `FILE[:REF]` names: an archive of images, and one image in it."""

from __future__ import annotations

import os

from bpfimg.oci._archives._archive_contents import Contents
from bpfimg.oci._archives._docker_archive import full_name
from bpfimg.oci._digest import Digest
from bpfimg.oci._reference import Reference, Repository
from bpfimg.oci._transport import nameless, split_path, split_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.oci._archives._docker_archive import SavedImage
    from bpfimg.oci._limits import Limits


def split_archive(text: str, docker: bool, limits: Limits) -> tuple[str, Repository, str | Digest]:
    """Returns the file, repository and selector that `FILE[:REF]` names, as `split_place` does for directories.

    In docker's archives REF is the name of an image, as for skopeo: `busybox` is docker.io/library/busybox:latest.
    """
    if docker:
        path, name = split_path(text, os.path.exists)
        if name:
            reference = Reference.parse(name)
            return path, reference.repository, reference.selector

    def images(path: str) -> Iterator[tuple[Reference | str, object]]:
        return _images(path, docker, limits)

    return split_place(text, os.path.exists, images, "docker-archive" if docker else "oci-archive")


def _images(path: str, docker: bool, limits: Limits) -> Iterator[tuple[Reference | str, object]]:
    """Each image in an archive by one of its names, by its digest where it has none."""
    contents = Contents.of(path, docker, limits)
    found: dict[Digest | SavedImage, str] = {}
    for name, what in contents.images():
        found[what] = found.get(what) or name
    only = len(found) == 1
    for what, name in found.items():
        full = full_name(name)
        if full == name:
            yield Reference.parse(name), what
        elif name or not only:
            yield name or "one without a name", what
        else:
            digest = what if isinstance(what, Digest) else contents.make(what)
            yield Reference(nameless(path), None, digest), what
