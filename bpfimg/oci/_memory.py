"""Images in memory: a real target without a disk, for tests and for what is built only to be sent on."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from bpfimg.errors import ImageError, NotFound
from bpfimg.oci._check import check_content, check_limit, checked, in_pieces
from bpfimg.oci._descriptor import Descriptor
from bpfimg.oci._digest import Digest
from bpfimg.oci._limits import DEFAULT
from bpfimg.oci._model import parse_document
from bpfimg.oci._reference import check_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpfimg.oci._reference import Repository
    from bpfimg.oci._target import Source


class Memory:
    """A `Target` that lives as long as the object; as strict about order as a registry."""

    at_once = 1

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._content: dict[Digest, bytes] = {}
        self._documents: dict[Digest, Descriptor] = {}
        self._tags: dict[str, Digest] = {}
        self._referrers: dict[Digest, dict[Digest, Descriptor]] = {}

    def resolve(self, selector: str | Digest) -> Descriptor:
        digest = selector if isinstance(selector, Digest) else self._tags.get(check_tag(selector))
        found = self._documents.get(digest) if digest else None
        if found is None:
            raise NotFound(f"{self.repository} has no {selector} in memory")
        return found

    def fetch(self, descriptor: Descriptor, *, limit: int = DEFAULT.blob) -> bytes:
        check_limit(descriptor, limit)
        content = self._content.get(descriptor.digest)
        if content is None:
            raise NotFound(f"{self.repository} has no content {descriptor.digest} in memory")
        return check_content(descriptor, content, "memory")

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        yield from in_pieces(self.fetch(descriptor, limit=descriptor.size))

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        found = tuple(self._referrers.get(digest, {}).values())
        if len(found) > DEFAULT.referrers:
            raise ImageError(f"{digest} has {len(found)} referrers, expected at most {DEFAULT.referrers}")
        return found

    def exists(self, descriptor: Descriptor) -> bool:
        content = self._content.get(descriptor.digest)
        return content is not None and len(content) == descriptor.size

    def push(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        check_content(descriptor, data, "what is pushed")
        if descriptor.is_document:
            self._add_document(descriptor, data)
        self._content[descriptor.digest] = data
        if tag is not None:
            self.tag(descriptor, tag)

    def push_stream(self, descriptor: Descriptor, content: Callable[[], Iterator[bytes]]) -> None:
        self.push(descriptor, b"".join(checked(descriptor, content(), "what is pushed")))

    def adopt(self, descriptor: Descriptor, source: Source) -> bool:
        return False

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        if descriptor.digest not in self._documents:
            raise NotFound(f"{self.repository} has no manifest {descriptor.digest} in memory to name {tag}")
        self._tags[check_tag(tag)] = descriptor.digest

    def keep(self, descriptor: Descriptor) -> None:
        if descriptor.digest not in self._documents:
            raise NotFound(f"{self.repository} has no manifest {descriptor.digest} in memory to keep")

    def lock(self) -> AbstractContextManager[object]:
        return nullcontext()

    def _add_document(self, descriptor: Descriptor, data: bytes) -> None:
        document = parse_document(data, descriptor.media_type)
        for part in document.parts:
            if part.digest not in self._content:
                raise NotFound(f"{self.repository} has no content {part.digest} that the pushed manifest names")
        self._documents[descriptor.digest] = Descriptor(document.media_type, descriptor.digest, descriptor.size)
        if document.subject:
            found = self._referrers.setdefault(document.subject.digest, {})
            found[descriptor.digest] = document.as_referrer
