"""The word before a reference that says where an image is: `oci:DIR`, `store:NAME`, `registry:NAME`."""

from __future__ import annotations

import os
import re

from bpfimg.errors import NotFound, UsageError, quoted
from bpfimg.oci._layout import Layout
from bpfimg.oci._reference import Reference, Repository, check_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci._digest import Digest

SUPPORTED = ("registry", "store", "oci")
_PLANNED = ("oci-archive", "docker-archive", "docker-daemon")


def split_transport(text: str) -> tuple[str, str]:
    """Returns the transport word and the rest of `[TRANSPORT:]NAME`; without one it is "" and the caller decides.

    `oci:v1` could also be the tag v1 of a Docker Hub image called `oci`: it is the transport, as for skopeo.
    UsageError for `docker://` and other transports that are not supported.
    """
    word, colon, rest = text.partition(":")
    if not colon:
        return "", text
    if word in SUPPORTED:
        if not rest:
            raise UsageError(f"nothing follows {word}: in the reference, expected {word}:NAME")
        return word, rest
    if word in _PLANNED or rest.startswith("//"):
        raise UsageError(
            f"the transport {word}: is not supported, expected one of {', '.join(f'{name}:' for name in SUPPORTED)}",
            hint="copy the image into a layout with another tool and name that as oci:DIR:TAG",
        )
    return "", text


def split_layout(text: str) -> tuple[str, Repository, str | Digest]:
    """Returns the directory, repository and selector that `DIR[:REF]` names.

    REF is a reference or, without / : and @, a tag as other tools write it: of `localhost/NAME`, NAME being that of
    the directory.
    Without REF the layout must hold one image: NotFound names what it holds.
    """
    path, reference = _split_directory(text)
    if set(reference) & set("/:@"):
        found = Reference.parse(reference)
        return path, found.repository, found.selector
    if not reference:
        return _only_image(path)
    return path, _nameless(path), check_tag(reference)


def _split_directory(text: str) -> tuple[str, str]:
    if os.path.isdir(text):
        return text, ""
    colons = [at for at, letter in enumerate(text) if letter == ":"]
    for at in colons:
        if os.path.isdir(text[:at]):
            return text[:at], text[at + 1 :]
    path, _, reference = text.partition(":")
    return path, reference


def _only_image(path: str) -> tuple[str, Repository, str | Digest]:
    images = list(Layout.images(path))
    if len(images) != 1:
        names = ", ".join(str(name) for name, _ in images) or "none"
        raise NotFound(
            f"the image layout {path} holds {len(images)} named images ({quoted(names, 400)}), expected one",
            hint=f"name one as oci:{path}:REF",
        )
    name, _ = images[0]
    if isinstance(name, Reference):
        return path, name.repository, name.selector
    return path, _nameless(path), check_tag(name)


def _nameless(path: str) -> Repository:
    word = re.sub("[^a-z0-9]+", "-", os.path.basename(os.path.abspath(path)).lower()).strip("-")
    return Repository("localhost", word or "layout")
