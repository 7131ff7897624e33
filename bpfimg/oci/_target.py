"""The two protocols of everything that holds images: read from a `Source`, write to a `Target`."""

from __future__ import annotations

from typing import Protocol

from bpfimg.oci._limits import DEFAULT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._digest import Digest
    from bpfimg.oci._reference import Repository


class Source(Protocol):
    """One repository to read from. Every byte that comes back was checked for size and digest."""

    @property
    def repository(self) -> Repository:
        """The repository that this source is bound to."""

    @property
    def at_once(self) -> int:
        """How many reads it is worth having under way at the same time: 1 where there is nothing to wait for."""

    def resolve(self, selector: str | Digest) -> Descriptor:
        """Returns the descriptor of the manifest or index that a tag or digest names; NotFound when there is none."""

    def fetch(self, descriptor: Descriptor, *, limit: int = DEFAULT.blob) -> bytes:
        """Returns the content: exactly `descriptor.size` bytes with `descriptor.digest`.

        NotFound when it is not there, DigestMismatch when it is something else, ImageError when the descriptor
        says more than `limit` bytes (for manifests and indexes at most 4 MiB).
        """

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Yields the content of a blob in pieces of at most 1 MiB, for what is too large to hold.

        The last piece comes only after size and digest were checked: whoever was given all of it has the right bytes.
        NotFound and DigestMismatch as for `fetch`, the latter also after some pieces.
        """

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """Returns the manifests whose `subject` is `digest`: () says that there are none, errors raise.

        The artifact type in such a descriptor is a hint that registries get wrong: open the manifest to know.
        ImageError when there are more than 64.
        """


class Target(Source, Protocol):
    """One repository to read from and write to."""

    def exists(self, descriptor: Descriptor) -> bool:
        """Says whether the content is there, whole; altered content counts as missing."""

    def push(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        """Stores a blob, manifest or index, after checking size and digest (DigestMismatch).

        A manifest comes after its config and layers (else NotFound); with a `subject` it is found through
        `referrers` from then on. `tag` names a manifest or index in the same step.
        """

    def push_stream(self, descriptor: Descriptor, content: Callable[[], Iterator[bytes]]) -> None:
        """Stores a blob without holding it in memory; DigestMismatch, and nothing stored, when it is not that.

        `content` gives its bytes from the beginning: it is called again where an upload has to begin anew.
        """

    def adopt(self, descriptor: Descriptor, source: Source) -> bool:
        """Takes a blob over from `source` without its bytes passing through here, where both sides can do that (one
        registry, two repositories: a mount); False when it has to be copied."""

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """Lets `tag` name a manifest or index that is there; NotFound when it is not."""

    def keep(self, descriptor: Descriptor) -> None:
        """Lets a manifest or index that no tag names stay, to be found by its digest: where only what is listed stays,
        it is listed. NotFound when it is not there."""

    def lock(self) -> AbstractContextManager[object]:
        """Keeps other writers out while held, where the target can: read, change and write inside it."""
