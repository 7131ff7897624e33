"""What `DIR[:REF]` names: an image layout, and one image in it."""

from __future__ import annotations

import os

from bpfimg.oci._reference import Reference
from bpfimg.oci._store._entries import NAME, annotations_of, described
from bpfimg.oci._store._layout import Layout, load
from bpfimg.oci._transport import nameless, split_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._reference import Repository


def split_layout(text: str, limits: Limits) -> tuple[str, Repository, str | Digest]:
    """Returns the directory, repository and selector that `DIR[:REF]` names, as `split_place` does."""
    return split_place(text, os.path.isdir, lambda path: _images(path, limits), "oci")


def _images(path: str, limits: Limits) -> Iterator[tuple[Reference | str, object]]:
    """The images with a name; where nothing has one, what skopeo, crane and oras put there without."""
    named = False
    for name, found in Layout.images(path, limits):
        named = True
        yield name, found
    if not named:
        for descriptor in _without_name(path, limits):
            yield Reference(nameless(path), None, descriptor.digest), descriptor


def _without_name(path: str, limits: Limits) -> Iterator[Descriptor]:
    place = Layout(path, nameless(path), limits=limits)
    for entry in load(path, limits):
        if NAME not in annotations_of(entry):
            descriptor = described(entry, "without a name")
            if place.document(descriptor).subject is None:
                yield descriptor
