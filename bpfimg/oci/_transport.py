"""The word before a reference that says where an image is: `oci:DIR`, `store:NAME`, `registry:NAME`."""

from __future__ import annotations

import os
import re

from bpfimg._value import value
from bpfimg.errors import NotFound, UsageError, quoted
from bpfimg.oci._digest import Digest
from bpfimg.oci._reference import Reference, Repository, check_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TRANSPORTS = ("registry", "store", "oci", "oci-archive", "docker-archive", "docker-daemon")
_FILES = ("oci", "oci-archive", "docker-archive")
#: how skopeo, podman, crane, regctl and buildx spell it -> how it is spelt here; with // or without
_FOREIGN = {
    "docker": "registry:NAME",
    "docker-image": "registry:NAME",
    "http": "NAME without http://",
    "https": "NAME without https://",
    "ocidir": "oci:DIR[:REF]",
    "oci-layout": "oci:DIR[:REF]",
    "dir": "oci:DIR[:REF], after `skopeo copy dir:DIR oci:DIR`",
    "tarball": "docker-archive:FILE[:REF]",
    "containers-storage": "oci-archive:FILE, after `podman save --format oci-archive -o FILE NAME`",
}
#: words that could also be names of images (docker:dind): foreign only where a // follows
_IMAGES_TOO = ("docker", "http", "https", "dir", "tarball")


@value(frozen=True, slots=True)
class Location:
    """`[TRANSPORT:]NAME` or `TRANSPORT:PATH[:REF]`, taken apart; whether anything is there, only opening it tells.

    `transport` is "" for a bare name, else one of `TRANSPORTS`. `path` is that of a directory or file, "" for the
    other transports. `reference` is the name of the image, "" where a path stands alone.
    """

    transport: str
    path: str
    reference: str

    def __str__(self) -> str:
        return f"{self.transport}:{self.rest}" if self.transport else self.rest

    @property
    def rest(self) -> str:
        """What follows the transport."""
        return ":".join(filter(None, (self.path, self.reference)))

    @property
    def said(self) -> bool:
        """Whether it says which image at the path is meant; else the only one there is, whatever that calls itself."""
        return bool(split_path(self.rest, os.path.exists)[1])

    @property
    def nameless(self) -> Repository:
        """The repository of images at `path` that have a tag and no more."""
        return nameless(self.path)

    @staticmethod
    def parse(text: str) -> Location:
        """Returns the parts of `text`; UsageError for transports that other tools have, with the spelling of here.

        `oci:v1` could also be the tag v1 of a Docker Hub image called `oci`: it is the transport, as for skopeo.
        """
        word, colon, rest = text.partition(":")
        if not colon or word not in TRANSPORTS:
            _refuse_foreign(word, rest if colon else "")
            return Location("", "", text)
        if not rest:
            raise UsageError(f"nothing follows {word}: in the reference, expected {word}:{_expected(word)}")
        if word not in _FILES:
            return Location(word, "", rest)
        path, colon, reference = rest.partition(":")
        if not path or (colon and not reference):
            raise UsageError(f"{quoted(text)} lacks a part, expected {word}:{_expected(word)}")
        return Location(word, path, reference)


def _expected(word: str) -> str:
    return {"oci": "DIR[:REF]", "oci-archive": "FILE[:REF]", "docker-archive": "FILE[:REF]"}.get(word, "NAME")


def _refuse_foreign(word: str, rest: str) -> None:
    slashes = rest.startswith("//")
    if not slashes and (word not in _FOREIGN or not rest or word in _IMAGES_TOO):
        return
    here = _FOREIGN.get(word)
    raise UsageError(
        f"the transport {quoted(word)} is not one of {', '.join(f'{name}:' for name in TRANSPORTS)}",
        hint=f"write {here}" if here else "a name without a transport is looked for in the store, then in its registry",
    )


def split_place(
    text: str,
    there: Callable[[str], bool],
    images: Callable[[str], Iterable[tuple[Reference | str, object]]],
    word: str,
) -> tuple[str, Repository, str | Digest]:
    """Returns the path, repository and selector that `PATH[:REF]` names; `there` says which paths exist.

    REF is a reference or, without / : and @, a tag as other tools write it: of `localhost/NAME`, NAME being that of
    the directory or file; or `@sha256:...` alone, for what has no name. Without REF the place must hold one of
    `images`: NotFound names what it holds.
    """
    path, reference = split_path(text, there)
    if reference.startswith("@"):
        return path, nameless(path), Digest.parse(reference[1:])
    if set(reference) & set("/:@"):
        found = Reference.parse(reference)
        return path, found.repository, found.selector
    if not reference:
        return _only_image(path, images, word)
    return path, nameless(path), check_tag(reference)


def split_path(text: str, there: Callable[[str], bool]) -> tuple[str, str]:
    """Returns the path and what stands behind it. One that exists may have colons; oras writes `DIR@sha256:...`."""
    head, at_sign, digest = text.rpartition("@")
    if at_sign and digest.startswith("sha") and not there(text) and there(head.removesuffix(":")):
        return head.removesuffix(":"), f"@{digest}"
    for at in (len(text), *(at for at, letter in enumerate(text) if letter == ":")):
        if there(text[:at]):
            return text[:at], text[at + 1 :]
    path, _, reference = text.partition(":")
    return path, reference


def _only_image(
    path: str, images: Callable[[str], Iterable[tuple[Reference | str, object]]], word: str
) -> tuple[str, Repository, str | Digest]:
    found = list(images(path))
    if len(found) != 1:
        names = ", ".join(str(name) for name, _ in found)
        named = not any(isinstance(name, Reference) and not name.tag for name, _ in found)
        held = f"{len(found)} {'named ' if named else ''}images ({quoted(names, 800)})" if found else "no image"
        raise NotFound(
            f"{path} holds {held}, expected one",
            hint=f"name one as {word}:{path}:REF" if found else "check the spelling of the path",
        )
    name, _ = found[0]
    if isinstance(name, Reference):
        return path, name.repository, name.selector
    return path, nameless(path), check_tag(name)


def nameless(path: str) -> Repository:
    """Returns the repository of images at `path` that have a tag and no more: `localhost/NAME`."""
    name = os.path.basename(os.path.abspath(path)).lower()
    return Repository("localhost", re.sub("[^a-z0-9]+", "-", name).strip("-") or "layout")
