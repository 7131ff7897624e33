"""Signatures and other artifacts about what is copied: manifests with a `subject`, and cosign's tags."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import DigestMismatch, ImageError, NotFound
from bpfimg.oci._copying._cosign import TAG_ENDINGS, merge
from bpfimg.oci._copying._tree import TooMuch
from bpfimg.oci._media import SIGSTORE_BUNDLE
from bpfimg.oci._model import Manifest, parse_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bpfimg.oci._copying._ends import Ends
    from bpfimg.oci._copying._move import Mover
    from bpfimg.oci._copying._tree import Tree, Trees
    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._model import Index


@value(frozen=True, slots=True)
class Found:
    """A manifest that says something about `subject`; `tag` is cosign's, where it is found by one."""

    subject: Digest
    descriptor: Descriptor
    tag: str | None


@value(frozen=True, slots=True)
class _Piece:
    found: Found
    tree: Tree


class Evidence:
    """Finds and brings what the source knows about parts of one copy."""

    def __init__(
        self, ends: Ends, trees: Trees, mover: Mover, *, warn: Callable[[str], None], lenient: bool = False
    ) -> None:
        self._source = ends.source
        self._target = ends.target
        self._writers = ends.writers
        self._limits = ends.limits
        self._trees = trees
        self._mover = mover
        self._warn = warn
        self._lenient = lenient
        self._count = 0
        self._brought: set[Digest] = set()

    def look_soon(self, digests: Iterable[Digest]) -> None:
        """Says that `about` will be asked of these."""
        for digest in digests:
            self._source.look_soon(digest, (digest.tag + ending for ending in TAG_ENDINGS))

    def about(self, digests: Iterable[Digest]) -> list[Found]:
        """Returns what the source knows about these."""
        found = []
        for digest in digests:
            found += [Found(digest, entry, None) for entry in self._source.referrers(digest)]
            for tag in (digest.tag + ending for ending in TAG_ENDINGS):
                try:
                    found.append(Found(digest, self._source.resolve(tag), tag))
                except NotFound:
                    continue
        self._source.fetch_soon(each.descriptor for each in found)
        return found

    def bring(self, found: Sequence[Found]) -> None:
        """Copies evidence, and what there is about that, as deep as the limits say; signatures are not signed.

        What cannot be read is passed over, and said: anybody who may push can list junk beside the real ones. So is,
        where the copy is lenient, what is beyond its limits.
        """
        for deeper in reversed(range(self._limits.nesting)):
            new = [each for each in found if each.tag is not None or each.descriptor.digest not in self._brought]
            self._count += len(new)
            if self._count > self._limits.evidence:
                raise ImageError(
                    f"{self._count} signatures and other referrers go with the image, "
                    f"expected at most {self._limits.evidence}"
                )
            pieces = self._whole([piece for each in new if (piece := self._piece(each)) is not None])
            self._push(pieces)
            inner = [piece.found.descriptor.digest for piece in pieces if deeper and not _is_signature(piece)]
            self.look_soon(inner)
            found = self.about(inner)
            if not found:
                return

    def _piece(self, found: Found) -> _Piece | None:
        if found.tag is not None:
            tree = self._trees.read(found.descriptor)
            # in a place on this machine, what is named may be damaged: there it is looked at, blob by blob
            there = self._target.at_once > 1 and self._merged(tree.top.document, found.tag)[0] is None
            return None if there else _Piece(found, tree)
        try:
            return _Piece(found, self._trees.read(found.descriptor, about=found.subject))
        except TooMuch as error:
            if not self._lenient:
                raise
            self._pass_over(found, error)
        except (NotFound, ImageError) as error:
            self._pass_over(found, error)
        return None

    def _pass_over(self, found: Found, error: Exception) -> None:
        listed = found.descriptor.digest
        self._warn(f"{listed}, listed as a referrer of {found.subject}, was passed over: {error}")

    def _whole(self, pieces: Sequence[_Piece]) -> list[_Piece]:
        """Moves the content and returns the pieces of which there is all. What came of others, nothing will name."""
        pieces = self._affordable(pieces)
        failed = self._mover.move(blob for piece in pieces for blob in piece.tree.blobs)
        whole = []
        for piece in pieces:
            errors = [failed[blob.digest] for blob in piece.tree.blobs if blob.digest in failed]
            if errors and piece.found.tag is not None:
                raise errors[0]
            if errors:
                self._pass_over(piece.found, errors[0])
            else:
                whole.append(piece)
        return whole

    def _affordable(self, pieces: Sequence[_Piece]) -> Sequence[_Piece]:
        """Of a lenient copy, the pieces that its limit still has room for; signatures are small, and come first."""
        if not self._lenient:
            return pieces
        left, room = set(), self._mover.room
        for piece in sorted(pieces, key=lambda piece: sum(blob.size for blob in piece.tree.blobs)):
            size = sum(blob.size for blob in piece.tree.blobs)
            if size > room and piece.found.tag is None:
                left.add(piece.found.descriptor.digest)
                self._pass_over(piece.found, ImageError(f"it says that it has {size} bytes, there is room for {room}"))
            else:
                room -= size
        return [piece for piece in pieces if piece.found.descriptor.digest not in left]

    def _push(self, pieces: Sequence[_Piece]) -> None:
        """Pushes several at a time, those about one subject one after the other: they may share a list."""
        groups: dict[object, list[_Piece]] = {}
        for piece in pieces:
            groups.setdefault(piece.found.tag or piece.found.subject, []).append(piece)
            self._brought.add(piece.found.descriptor.digest)
        self._writers.each(self._push_group, groups.values())

    def _push_group(self, pieces: Sequence[_Piece]) -> None:
        for piece in pieces:
            if piece.found.tag is not None:
                self._push_tagged(piece, piece.found.tag)
            else:
                self._push_documents(piece)

    def _push_documents(self, piece: _Piece) -> None:
        for each in piece.tree.documents:
            self._target.push(each.descriptor, each.document.raw)

    def _push_tagged(self, piece: _Piece, tag: str) -> None:
        mine = piece.tree.top.document
        # the source may be slow, and others wait for this lock: nothing is asked of it here
        with self._target.lock():
            merged, config = self._merged(mine, tag)
            if merged is None:
                return
            if isinstance(merged, Manifest) and merged is not mine:
                self._target.push(merged.config, config)
                self._target.push(merged.descriptor, merged.raw, tag=tag)
                return
            self._push_documents(piece)
            self._target.tag(piece.found.descriptor, tag)

    def _merged(self, mine: Manifest | Index, tag: str) -> tuple[Manifest | Index | None, bytes]:
        """Returns what is to stand under the tag and, where it is new, its config; None when that stands there."""
        theirs = self._there(tag)
        if not (isinstance(mine, Manifest) and isinstance(theirs, Manifest)):
            return mine, b""
        merged, config = merge(theirs, mine)
        return (None if merged is theirs else merged), config

    def _there(self, tag: str) -> Manifest | Index | None:
        try:
            found = self._target.resolve(tag)
            return parse_document(self._target.fetch(found), found.media_type)
        except (NotFound, DigestMismatch):
            return None


def _is_signature(piece: _Piece) -> bool:
    """Cosign's, or a Sigstore bundle. Nobody signs those, so nobody needs to ask the registry who did."""
    document = piece.tree.top.document
    if piece.found.tag is not None:
        return True
    if not isinstance(document, Manifest):
        return False
    types = (document.artifact_type or "", *(layer.media_type for layer in document.layers))
    return any(each.startswith(SIGSTORE_BUNDLE) for each in types)
