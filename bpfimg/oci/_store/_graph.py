"""What content of a layout belongs to what: the manifests of an index, the config and layers of a manifest."""

from __future__ import annotations

import os
import re

from bpfimg.errors import DigestMismatch, ImageError, NotFound, StoreError, UsageError
from bpfimg.oci._digest import ALGORITHMS, Digest
from bpfimg.oci._limits import DEFAULT
from bpfimg.oci._model import Index
from bpfimg.oci._reference import Repository
from bpfimg.oci._store._files import closing, open_inside
from bpfimg.oci._store._layout import Layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._model import Manifest

_DIGESTS = re.compile(rb"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


class Graph:
    """Reads what belongs to what, and remembers what it came by in `marked`."""

    def __init__(self, path: str, limits: Limits = DEFAULT) -> None:
        self.marked: set[Digest] = set()
        self._limits = limits
        self._layout = Layout(path, Repository("localhost", "store"), limits=limits)

    def document(self, descriptor: Descriptor) -> Manifest | Index | None:
        """Returns a manifest or index, None when it is not there; StoreError when nobody can say what belongs to it."""
        try:
            return self._layout.document(descriptor)
        except NotFound:
            return None
        except (DigestMismatch, ImageError) as error:
            raise StoreError(
                f"what belongs to {descriptor.digest} is not known: {error}",
                hint="`bpfimg fsck` says which image it is: pull it again, or remove its name with `bpfimg rm`",
            ) from error

    def keep(self, digest: Digest) -> None:
        """Marks an image that may be there or not."""
        try:
            self.mark(self._layout.resolve(digest), must=False)
        except (NotFound, DigestMismatch, ImageError):
            self.marked.add(digest)

    def mark(self, top: Descriptor, *, must: bool = True) -> None:
        """Marks an image with all that belongs to it.

        StoreError when something of it cannot be read, and (`must`) when it is not there: its parts may be.
        """
        ahead = [(top, must)]
        while ahead:
            descriptor, must = ahead.pop()
            if descriptor.digest in self.marked:
                continue
            self.marked.add(descriptor.digest)
            if not descriptor.is_document:
                self._mark_strange(descriptor.digest)
                continue
            document = self.document(descriptor)
            if document is None:
                if must:
                    raise StoreError(
                        f"the manifest {descriptor.digest} is not in the store, so what belongs to it is not known",
                        hint="pull or copy the image again, or remove its name with `bpfimg rm`",
                    )
                continue  # an index that was pulled for one platform is not whole
            if isinstance(document, Index):
                ahead += [(child, False) for child in document.manifests]
            else:
                self.marked.update(part.digest for part in document.parts)

    def _mark_strange(self, digest: Digest) -> None:
        """Marks whatever a document of another tool's kind speaks of: it may belong to it."""
        ahead = [digest]
        while ahead:
            try:
                content = self._layout.read(ahead.pop(), self._limits.document)
            except (NotFound, StoreError):
                continue
            if not content.startswith(b"{") or len(content) > self._limits.document:
                continue
            found = {Digest.parse(text.decode()) for text in _DIGESTS.findall(content)} - self.marked
            self.marked |= found
            ahead += found


def blobs(path: str) -> Iterator[tuple[str, Digest | None, os.stat_result | None]]:
    """Yields what lies among the content: its name, its digest and state; None for what is none of the store's."""
    with closing(open_inside(path, "blobs")) as blobs, os.scandir(blobs) as folders:
        algorithms = sorted(folder.name for folder in folders)
    for algorithm in algorithms:
        name = f"blobs/{algorithm}"
        if algorithm not in ALGORITHMS or os.path.islink(f"{path}/{name}") or not os.path.isdir(f"{path}/{name}"):
            yield name, None, None
            continue
        with closing(open_inside(path, "blobs", algorithm)) as folder, os.scandir(folder) as entries:
            for entry in entries:
                try:
                    found = entry.stat(follow_symlinks=False) if entry.is_file(follow_symlinks=False) else None
                    yield f"{name}/{entry.name}", Digest(algorithm, entry.name), found
                except UsageError:
                    yield f"{name}/{entry.name}", None, None
                except FileNotFoundError:
                    continue
