"""A repository in a registry (distribution-spec 1.1), over urllib3, which is imported at the first request."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from bpfimg.errors import ImageError, NotFound, UsageError, quoted
from bpfimg.oci import _media
from bpfimg.oci._about import is_about_digest
from bpfimg.oci._check import check_content, check_limit, checked
from bpfimg.oci._descriptor import Descriptor
from bpfimg.oci._digest import Digest
from bpfimg.oci._http._answers import announced, check_said, finish
from bpfimg.oci._http._connections import Connections
from bpfimg.oci._http._download import download_blob, download_document
from bpfimg.oci._http._endpoints import Endpoints
from bpfimg.oci._http._listing import add_to_fallback, from_api, from_fallback
from bpfimg.oci._http._put import put_manifest
from bpfimg.oci._http._upload import WRITE, give_up, is_there, mount_blob, upload_blob
from bpfimg.oci._model import parse_document
from bpfimg.oci._reference import Repository, check_tag
from bpfimg.oci._settings._options import RegistryOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bpfimg.oci._http._wire import Wire
    from bpfimg.oci._target import Source

_REMEMBERED, _SMALL = 64, 256 << 10
_ACCEPT = {"Accept": ", ".join(_media.DOCUMENTS)}


class Registry:
    """A `Target`: one repository, reached with `options`. `close` (or `with`) ends its connections.

    Safe for threads. `connections` (and tokens) may be shared with other repositories; whoever made them ends them.
    Read from the mirrors that `options` name, until it is written to.
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
        self._limits = self._options.limits
        self._connections = connections or Connections(self._options)
        self._shared = connections is not None
        self._places = Endpoints(repository, self._options, self._connections)
        self._documents: dict[Digest, bytes] = {}
        self._sessions: dict[Digest, str] = {}

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connections, unless they are shared."""
        if not self._shared:
            self._connections.close()

    @staticmethod
    def catalog(
        host: str, options: RegistryOptions | None = None, *, connections: Connections | None = None
    ) -> tuple[Repository, ...]:
        """Returns the repositories of a registry, as far as it tells; RegistryError where it does not, as most do."""
        from bpfimg.oci._http._names import list_repositories

        with Registry(Repository(host, "catalog"), options, connections=connections) as any_of_it:
            (*_, wire) = any_of_it._places.sources(by_digest=False)
            return list_repositories(wire, host)

    # reading

    def resolve(self, selector: str | Digest) -> Descriptor:
        tag = check_tag(selector) if isinstance(selector, str) else None
        doing = f"read {self.repository}{':' if tag else '@'}{selector}"

        def look(wire: Wire) -> Descriptor:
            raw, headers = download_document(wire, _manifest(wire, selector), doing, _ACCEPT)
            digest = Digest.of(raw) if isinstance(selector, str) else selector
            _check_digest(wire, raw, digest, headers)
            media_type = parse_document(raw, _promised(headers), self._limits).media_type
            self._remember(digest, raw)
            return Descriptor(media_type, digest, len(raw))

        read = self._places.read_evidence if tag and is_about_digest(tag) else self._places.read
        try:
            return read(look, by_digest=tag is None)
        except NotFound as error:
            error.hint = error.hint or f"`bpfimg images registry:{self.repository}` lists the tags that are there"
            raise

    def digest_of(self, tag: str) -> Digest:
        """Returns what `tag` names now, by a HEAD request, which registries do not count, where they say it that way;
        NotFound when it names nothing."""
        doing = f"read {self.repository}:{check_tag(tag)}"

        def look(wire: Wire) -> Digest | None:
            answer = wire.request("HEAD", _manifest(wire, tag), doing, headers=_ACCEPT)
            finish(answer)
            said = answer.headers.get("Docker-Content-Digest", "")
            try:
                return Digest.parse(said)
            except UsageError:
                return None

        return self._places.read(look, by_digest=False) or self.resolve(tag).digest

    def fetch(self, descriptor: Descriptor, *, limit: int | None = None) -> bytes:
        check_limit(descriptor, self._limits.blob if limit is None else limit, self._limits)
        if descriptor.is_document:
            return self._document(descriptor)
        return self._places.read(
            lambda wire: check_content(descriptor, b"".join(download_blob(wire, descriptor)), _answer(wire)),
            by_digest=True,
        )

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        if descriptor.is_document:
            yield self._document(descriptor)
        else:
            yield from self._places.stream(descriptor)

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        found = self._places.read_evidence(lambda wire: from_api(wire, digest), by_digest=True)
        if found is None:
            found = from_fallback(self, digest)
        if len(found) > self._limits.referrers:
            raise ImageError(f"{digest} has {len(found)} referrers, expected at most {self._limits.referrers}")
        return found

    def tags(self) -> tuple[str, ...]:
        """Returns every tag of the repository, in the registry's order; NotFound when there is no such repository."""
        from bpfimg.oci._http._names import list_tags

        return self._places.read(list_tags, by_digest=False)

    def exists(self, descriptor: Descriptor) -> bool:
        """Says what the registry says, by digest and size: its content is checked when it is fetched."""
        wire = self._places.target
        doing = f"look for {self.repository}@{descriptor.digest}"
        if not descriptor.is_document:
            found = is_there(wire, descriptor, doing)
            if found and (session := self._sessions.pop(descriptor.digest, "")):
                give_up(wire, session, doing)
            return found
        url = _manifest(wire, descriptor.digest)
        answer = wire.request("HEAD", url, doing, expect=(200, 404), headers=_ACCEPT, actions=WRITE)
        finish(answer)
        return answer.status == 200 and announced(answer) in (None, descriptor.size)

    # writing

    def push(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        check_content(descriptor, data, "what is pushed")
        wire = self._writable()
        if not descriptor.is_document:
            upload_blob(wire, descriptor, data, self._sessions.pop(descriptor.digest, ""))
            return
        document = parse_document(data, descriptor.media_type, self._limits)
        answer = put_manifest(wire, document, descriptor.digest if tag is None else check_tag(tag))
        self._remember(descriptor.digest, data)
        subject = document.subject
        if subject is None or answer.get("OCI-Subject") == str(subject.digest):
            return
        # go-containerregistry's registry lists referrers and does not say so: ask before the fallback is written
        if from_api(wire, subject.digest) is None:
            entry = document.as_referrer
            listed = Descriptor(
                entry.media_type, descriptor.digest, entry.size, entry.annotations, artifact_type=entry.artifact_type
            )
            add_to_fallback(self, subject.digest, listed, self._options.waits)

    def push_stream(self, descriptor: Descriptor, content: Callable[[], Iterator[bytes]]) -> None:
        if descriptor.is_document:
            self.push(descriptor, b"".join(checked(descriptor, content(), "what is pushed")))
        else:
            upload_blob(self._writable(), descriptor, content, self._sessions.pop(descriptor.digest, ""))

    def adopt(self, descriptor: Descriptor, source: Source) -> bool:
        """Mounts a blob of another repository of this registry; False when it cannot be had that way."""
        wire = self._writable()
        if not isinstance(source, Registry) or descriptor.is_document:
            return False
        places = source._places.sources(by_digest=True)
        origin = next((each.path for each in places if each.base == wire.base and each.path != wire.path), "")
        session = mount_blob(wire, descriptor, origin) if origin else ""
        if session:
            self._sessions[descriptor.digest] = session
        return session is None

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        check_tag(tag)
        wire = self._writable()
        put_manifest(wire, parse_document(self.fetch(descriptor), descriptor.media_type, self._limits), tag)

    def remove(self, selector: str | Digest) -> None:
        """Deletes the manifest that a digest names, with all its tags, or (where the registry can do that) a tag.

        NotFound when there is none. Content stays until the registry cleans up.
        """
        from bpfimg.oci._http._delete import remove_manifest

        if isinstance(selector, str):
            check_tag(selector)
        else:
            self._documents.pop(selector, None)
        remove_manifest(self._writable(), selector)

    def keep(self, descriptor: Descriptor) -> None:
        """What was pushed stays: a registry has no list that it would have to be on."""

    def lock(self) -> AbstractContextManager[object]:
        """Keeps nobody out: a registry has no such thing. Whoever changes what others change reads it again."""
        self._writable()
        return nullcontext()

    def _writable(self) -> Wire:
        if len(self.repository.path) < 2:
            raise UsageError(f"the repository path {quoted(self.repository.path)} is too short, expected 2 letters")
        return self._places.target

    def _document(self, descriptor: Descriptor) -> bytes:
        raw = self._documents.get(descriptor.digest)
        if raw is not None:
            return check_content(descriptor, raw, str(self.repository))
        doing = f"read {self.repository}@{descriptor.digest}"

        def look(wire: Wire) -> bytes:
            raw, headers = download_document(wire, _manifest(wire, descriptor.digest), doing, _ACCEPT)
            promised = _promised(headers)
            if promised and promised != descriptor.media_type:
                raise ImageError(f"{descriptor.digest} comes as {promised}, expected {descriptor.media_type}")
            return check_content(descriptor, raw, _answer(wire))

        raw = self._places.read(look, by_digest=True)
        self._remember(descriptor.digest, raw)
        return raw

    def _remember(self, digest: Digest, raw: bytes) -> None:
        """Keeps documents that were read or written, so that resolve and fetch are one request."""
        if len(self._documents) >= _REMEMBERED:
            self._documents.clear()
        if len(raw) <= _SMALL:
            self._documents[digest] = raw


def _manifest(wire: Wire, selector: str | Digest) -> str:
    return f"/v2/{wire.path}/manifests/{selector}"


def _answer(wire: Wire) -> str:
    return f"the answer of {wire.host}"


def _check_digest(wire: Wire, raw: bytes, digest: Digest, headers: Mapping[str, str]) -> None:
    if not digest.matches(raw):
        check_content(Descriptor("", digest, len(raw)), raw, _answer(wire))
    check_said(wire.host, digest, headers)


def _promised(headers: Mapping[str, str]) -> str:
    """Returns the media type in the header, "" when it is one that servers give to any JSON."""
    found = headers.get("Content-Type", "").partition(";")[0].strip()
    return "" if found in ("", "application/json", "application/octet-stream", "text/plain") else found
