"""What an image consists of: its documents, children before their index, and the blobs that they name."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import DigestMismatch, ImageError, NotFound
from bpfimg.oci._model import Index, Manifest, parse_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.oci._copying._ends import Ends
    from bpfimg.oci._descriptor import Descriptor, Platform
    from bpfimg.oci._digest import Digest


class TooMuch(ImageError):  # noqa: N818 - named as errors.py names its classes
    """The copy as a whole is beyond its bounds: no piece of junk to pass over."""


@value(frozen=True, slots=True)
class Document:
    """A manifest or index with its bytes; `document` is what was read out of them."""

    descriptor: Descriptor
    document: Manifest | Index


@value(frozen=True, slots=True)
class Tree:
    """An image or artifact, or several: `levels` has documents that name no other ones first, `blobs` each once."""

    levels: tuple[tuple[Document, ...], ...]
    blobs: tuple[Descriptor, ...]

    @property
    def top(self) -> Document:
        return self.levels[-1][0]

    @property
    def documents(self) -> tuple[Document, ...]:
        """All of them, in the order to push them."""
        return tuple(each for level in self.levels for each in level)


class _Grown:
    """What was read of one tree so far."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.heights: dict[Digest, int] = {}
        self.blobs: dict[Digest, Descriptor] = {}

    def tree(self) -> Tree:
        levels: list[list[Document]] = [[] for _ in range(max(self.heights.values()) + 1)]
        for each in self.documents:
            levels[self.heights[each.descriptor.digest]].append(each)
        return Tree(tuple(map(tuple, levels)), tuple(self.blobs.values()))


class Trees:
    """Reads trees for one copy, within its bounds. Documents that a target on this machine has already are read
    there: by digest they are the same."""

    def __init__(self, ends: Ends, platforms: Sequence[Platform]) -> None:
        self._source = ends.source
        self._local = ends.target if ends.target.at_once == 1 else None
        self._limits = ends.limits
        self._platforms = platforms
        self._parts = self._bytes = 0

    def read(self, top: Descriptor, *, about: Digest | None = None) -> Tree:
        """Returns the tree below `top`; NotFound, ImageError and DigestMismatch as the source raises them.

        With `about`, ImageError when the subject of `top` is something else: before its parts are read or counted.
        """
        grown, before = _Grown(), (self._parts, self._bytes)
        try:
            self._add(top, 0, grown, about)
        except TooMuch:
            self._parts, self._bytes = before  # whoever goes on without it has what it took
            raise
        return grown.tree()

    def _add(self, descriptor: Descriptor, depth: int, grown: _Grown, about: Digest | None = None) -> int:
        """Reads what `descriptor` names and what that names; returns how high it stands above its deepest part."""
        if descriptor.digest in grown.heights:  # one child may stand under several platforms
            return grown.heights[descriptor.digest]
        if depth > self._limits.nesting:
            raise ImageError(f"manifests are nested deeper than {self._limits.nesting} levels at {descriptor.digest}")
        document = parse_document(self._fetch(descriptor, depth), descriptor.media_type)
        if about is not None and (document.subject is None or document.subject.digest != about):
            raise ImageError(f"{descriptor.digest} is listed as a referrer of {about}, which is not its subject")
        children = self._children(document, descriptor, depth)
        self._count(descriptor, children)
        self._source.fetch_soon(child for child in children if child.is_document and not self._is_here(child))
        height = 0
        for child in children:
            if child.is_document:
                height = max(height, self._add(child, depth + 1, grown) + 1)
            else:
                grown.blobs.setdefault(child.digest, child)
        grown.heights[descriptor.digest] = height
        grown.documents.append(Document(descriptor, document))
        return height

    def _is_here(self, descriptor: Descriptor) -> bool:
        return self._local is not None and self._local.exists(descriptor)

    def _children(self, document: Manifest | Index, top: Descriptor, depth: int) -> Sequence[Descriptor]:
        if isinstance(document, Manifest):
            return document.parts
        if depth >= self._limits.nesting:
            raise ImageError(f"indexes are nested deeper than {self._limits.nesting} levels at {top.digest}")
        if self._platforms:
            return tuple({each.digest: each for each in map(document.select, self._platforms)}.values())
        return document.manifests

    def _count(self, descriptor: Descriptor, children: Sequence[Descriptor]) -> None:
        """Each part has its limit; a stranger's list of parts, and all documents in memory together, need one, too."""
        self._parts += len(children)
        self._bytes += descriptor.size
        if self._parts > self._limits.copy_parts:
            raise TooMuch(
                f"the image and what goes with it come to over {self._limits.copy_parts} parts",
                hint="`--limit copy_parts=NUMBER` takes more",
            )
        if self._bytes > self._limits.blob:
            raise TooMuch(f"the manifests that go with the image come to over {self._limits.blob} bytes")

    def _fetch(self, descriptor: Descriptor, depth: int) -> bytes:
        if self._local is not None:
            try:
                return self._local.fetch(descriptor)
            except (NotFound, DigestMismatch):
                pass
        try:
            return self._source.fetch(descriptor)
        except NotFound as error:
            if depth == 0:
                raise
            what = f"for {descriptor.platform} " if descriptor.platform else ""
            raise NotFound(
                f"the image {what}({descriptor.digest}) that the index names is not there: {error}",
                hint="an index that was pulled for one platform is not whole: pull it with --all-platforms first",
            ) from error
