"""A repository in a registry (distribution-spec 1.1), over urllib3, which is imported at the first request."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from bpfimg.errors import DigestMismatch, ImageError, UsageError, quoted
from bpfimg.oci import _media
from bpfimg.oci._answers import announced, finish
from bpfimg.oci._check import check_content, check_limit, checked, in_pieces
from bpfimg.oci._connections import Connections
from bpfimg.oci._descriptor import Descriptor
from bpfimg.oci._digest import Digest
from bpfimg.oci._download import download_blob, download_document
from bpfimg.oci._listing import add_to_fallback, from_api, from_fallback
from bpfimg.oci._model import parse_document
from bpfimg.oci._options import RegistryOptions
from bpfimg.oci._reference import check_tag
from bpfimg.oci._upload import upload_blob
from bpfimg.oci._wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bpfimg.oci._reference import Repository
    from bpfimg.oci._target import Source

_WRITE = "pull,push"
_REMEMBERED = 64
_ACCEPT = {"Accept": ", ".join(_media.DOCUMENTS)}


class Registry:
    """A `Target`: one repository, reached with `options`. `close` (or `with`) ends its connections.

    Safe for threads. `connections` (and tokens) may be shared with other repositories; whoever made them ends them.
    """

    at_once = 8

    def __init__(
        self,
        repository: Repository,
        options: RegistryOptions | None = None,
        *,
        connections: Connections | None = None,
    ) -> None:
        self.repository = repository
        self._options = options or (connections.options if connections else RegistryOptions())
        self._connections = connections or Connections(self._options)
        self._shared = connections is not None
        self._wire = Wire(repository, self._options, self._connections)
        self._documents: dict[Digest, bytes] = {}

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if not self._shared:
            self._connections.close()

    # reading

    def resolve(self, selector: str | Digest) -> Descriptor:
        tag = check_tag(selector) if isinstance(selector, str) else None
        doing = f"read {self.repository}{':' if tag else '@'}{selector}"
        raw, headers = download_document(self._wire, self._manifest(selector), doing, _ACCEPT, _media.DOCUMENT_LIMIT)
        digest = Digest.of(raw) if isinstance(selector, str) else selector
        self._check_digest(raw, digest, headers)
        media_type = parse_document(raw, _promised(headers)).media_type
        self._remember(digest, raw)
        return Descriptor(media_type, digest, len(raw))

    def fetch(self, descriptor: Descriptor, *, limit: int = _media.BLOB_LIMIT) -> bytes:
        check_limit(descriptor, limit)
        doing = f"read {self.repository}@{descriptor.digest}"
        if not descriptor.is_document:
            url = f"{self._base}/blobs/{descriptor.digest}"
            return check_content(descriptor, download_blob(self._wire, url, doing, descriptor), self._place)
        raw = self._documents.get(descriptor.digest)
        if raw is None:
            url = self._manifest(descriptor.digest)
            raw, headers = download_document(self._wire, url, doing, _ACCEPT, _media.DOCUMENT_LIMIT)
            promised = _promised(headers)
            if promised and promised != descriptor.media_type:
                raise ImageError(f"{descriptor.digest} comes as {promised}, expected {descriptor.media_type}")
        self._remember(descriptor.digest, check_content(descriptor, raw, self._place))
        return raw

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        yield from in_pieces(self.fetch(descriptor, limit=descriptor.size))

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        found = from_api(self._wire, digest)
        if found is None:
            found = from_fallback(self, digest)
        if len(found) > _media.REFERRERS:
            raise ImageError(f"{digest} has {len(found)} referrers, expected at most {_media.REFERRERS}")
        return found

    def exists(self, descriptor: Descriptor) -> bool:
        """Says what the registry says, by digest and size: its content is checked when it is fetched."""
        digest = descriptor.digest
        url = self._manifest(digest) if descriptor.is_document else f"{self._base}/blobs/{digest}"
        doing = f"look for {self.repository}@{digest}"
        response = self._wire.request("HEAD", url, doing, expect=(200, 404), headers=_ACCEPT, actions=_WRITE)
        finish(response)
        return response.status == 200 and announced(response) in (None, descriptor.size)

    # writing

    def push(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        check_content(descriptor, data, "what is pushed")
        if len(self.repository.path) < 2:
            raise UsageError(f"the repository path {quoted(self.repository.path)} is too short, expected 2 letters")
        if not descriptor.is_document:
            upload_blob(self._wire, self.repository.path, descriptor, data)
            return
        document = parse_document(data, descriptor.media_type)
        answer = self._put(document.media_type, data, descriptor.digest if tag is None else check_tag(tag))
        self._remember(descriptor.digest, data)
        subject = document.subject
        if subject is None or answer.get("OCI-Subject") == str(subject.digest):
            return
        # go-containerregistry's registry lists referrers and does not say so: ask before the fallback is written
        if from_api(self._wire, subject.digest) is None:
            entry = document.as_referrer
            listed = Descriptor(
                entry.media_type, descriptor.digest, entry.size, entry.annotations, artifact_type=entry.artifact_type
            )
            add_to_fallback(self, subject.digest, listed, self._options.waits)

    def push_stream(self, descriptor: Descriptor, content: Callable[[], Iterator[bytes]]) -> None:
        self.push(descriptor, b"".join(checked(descriptor, content(), "what is pushed")))

    def adopt(self, descriptor: Descriptor, source: Source) -> bool:
        return False

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        check_tag(tag)
        self._put(descriptor.media_type, self.fetch(descriptor), tag)

    def keep(self, descriptor: Descriptor) -> None:
        """What was pushed stays: a registry has no list that it would have to be on."""

    def lock(self) -> AbstractContextManager[object]:
        """Keeps nobody out: a registry has no such thing. Whoever changes what others change reads it again."""
        return nullcontext()

    @property
    def _base(self) -> str:
        return f"/v2/{self.repository.path}"

    @property
    def _place(self) -> str:
        return f"the answer of {self._wire.host}"

    def _manifest(self, selector: str | Digest) -> str:
        return f"{self._base}/manifests/{selector}"

    def _put(self, media_type: str, raw: bytes, selector: str | Digest) -> Mapping[str, str]:
        colon = "@" if isinstance(selector, Digest) else ":"
        doing = f"push {self.repository}{colon}{selector}"
        headers = {"Content-Type": media_type}
        response = self._wire.request(
            "PUT", self._manifest(selector), doing, expect=(201, 202), headers=headers, body=raw, actions=_WRITE
        )
        finish(response)
        self._check_digest(raw, Digest.of(raw), response.headers)
        return response.headers

    def _check_digest(self, raw: bytes, digest: Digest, headers: Mapping[str, str]) -> None:
        if not digest.matches(raw):
            check_content(Descriptor("", digest, len(raw)), raw, self._place)
        said = headers.get("Docker-Content-Digest", "")
        if said.startswith(f"{digest.algorithm}:") and said != str(digest):
            raise DigestMismatch(
                f"{self._wire.host} says that {digest} is {quoted(said)}, expected the digest of its bytes",
                want=str(digest),
                got=said,
            )

    def _remember(self, digest: Digest, raw: bytes) -> None:
        """Keeps documents that were read or written, so that resolve and fetch are one request."""
        if len(self._documents) >= _REMEMBERED:
            self._documents.clear()
        self._documents[digest] = raw


def _promised(headers: Mapping[str, str]) -> str:
    """Returns the media type in the header, "" when it is one that servers give to any JSON."""
    found = headers.get("Content-Type", "").partition(";")[0].strip()
    return "" if found in ("", "application/json", "application/octet-stream", "text/plain") else found
