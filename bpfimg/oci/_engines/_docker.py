"""Images in a container engine's own storage: `docker-daemon:NAME`, of dockerd or of podman.

An engine takes and gives archives of whole images, keeps layers unpacked and knows images by tag. So an image goes in
when it gets its tag, and is read back then: its config (labels, the digests of what layers hold) is what it was, its
manifest is another, made anew. What is about a manifest, signatures above all, has no place there.
"""

from __future__ import annotations

from _thread import RLock
from contextlib import AbstractContextManager, nullcontext

from bpfimg.errors import DigestMismatch, Error, ImageError, NotFound, UsageError, quoted
from bpfimg.oci._about import is_about_digest
from bpfimg.oci._check import check_content
from bpfimg.oci._descriptor import Descriptor, Platform
from bpfimg.oci._digest import Digest
from bpfimg.oci._limits import DEFAULT
from bpfimg.oci._model import Index, Manifest, parse_document
from bpfimg.oci._reference import check_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bpfimg.oci._archives._archive import Archive
    from bpfimg.oci._engines._engine import Engine
    from bpfimg.oci._engines._saved import Saved
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._reference import Repository
    from bpfimg.oci._target import Source

_MOST_SEARCHED = 64


def _silent(_: str) -> None:
    """Nobody listens."""


class DockerDaemon:
    """A `Target`: the images of one repository in a running engine; `close` (or `with`) ends that.

    The engine is the one at `socket`, else the one that docker's and podman's own clients would find by `environ`. What
    was pushed is in it once it has a tag. Of an index only the image for `platform` (this machine's, unless given) goes
    in; referrers and cosign's tags do not. `warn` is told what an engine does not keep, each once.
    """

    at_once = 1

    def __init__(
        self,
        repository: Repository,
        *,
        socket: str | None = None,
        environ: Mapping[str, str] | None = None,
        platform: Platform | None = None,
        warn: Callable[[str], None] = _silent,
        limits: Limits = DEFAULT,
    ) -> None:
        self.repository = repository
        self.platform = platform or Platform.host()
        self._socket = socket
        self._environ = environ or {}
        self._warn = warn
        self._limits = limits
        self._lock = RLock()
        self._opened: Engine | None = None
        self._staged: Archive | None = None
        self._saved: dict[str, Saved] = {}
        self._said: set[str] = set()

    def __enter__(self) -> DockerDaemon:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forgets what was pushed and got no tag, and ends the connections."""
        with self._lock:
            if self._staged is not None:
                self._staged.discard()
                self._staged = None
            self._saved = {}
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    # reading

    def resolve(self, selector: str | Digest) -> Descriptor:
        if isinstance(selector, Digest):
            return self._by_digest(selector)
        name = f"{self.repository}:{check_tag(selector)}"
        if is_about_digest(selector):
            raise NotFound(f"{name} would be signatures, which no engine keeps")
        saved = self._read(name)
        if not saved.is_original:
            self._say(self._has_its_own(name, saved.descriptor.digest))
        return saved.descriptor

    def fetch(self, descriptor: Descriptor, *, limit: int = DEFAULT.blob) -> bytes:
        return self._place_of(descriptor).fetch(descriptor, limit=limit)

    def stream(self, descriptor: Descriptor) -> Iterator[bytes]:
        return self._place_of(descriptor).stream(descriptor)

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """None: no engine keeps them."""
        return ()

    def exists(self, descriptor: Descriptor) -> bool:
        """Says whether it was read from here or pushed: an engine cannot be asked for parts of images."""
        return any(place.exists(descriptor) for place in self._places())

    # writing

    def push(self, descriptor: Descriptor, data: bytes, *, tag: str | None = None) -> None:
        check_content(descriptor, data, "what is pushed")
        document = parse_document(data, descriptor.media_type, self._limits) if descriptor.is_document else None
        if document and document.subject:
            self._leave_out()
            return
        self._stage.push(descriptor, data)
        if tag is not None:
            self.tag(descriptor, tag)

    def push_stream(self, descriptor: Descriptor, content: Callable[[], Iterator[bytes]]) -> None:
        self._stage.push_stream(descriptor, content)

    def adopt(self, descriptor: Descriptor, source: Source) -> bool:
        return False

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        name = f"{self.repository}:{check_tag(tag)}"
        if is_about_digest(tag):
            self._leave_out()
            return
        manifest = self._manifest(descriptor)
        with self._lock:
            self._load(manifest, name)
        made = Manifest.parse(self.fetch(found := self._read(name).descriptor), found.media_type)
        want, got = str(manifest.config.digest), str(made.config.digest)
        if got != want:
            raise DigestMismatch(
                f"{self._engine.kind} has {name} with the config {got}, expected {want}", want=want, got=got
            )
        if found.digest != manifest.descriptor.digest:
            self._say(
                f"{self._engine.kind} gives {name} a manifest of its own ({found.digest}): signatures of "
                f"{descriptor.digest} do not count for it"
            )
            self._said.add(self._has_its_own(name, found.digest))  # the same, for who reads it again

    def keep(self, descriptor: Descriptor) -> None:
        """UsageError: an engine keeps what has a tag."""
        raise UsageError(f"an engine keeps images by tag, and there is none for {descriptor.digest}, expected NAME:TAG")

    def lock(self) -> AbstractContextManager[object]:
        """Keeps nobody out: an engine has no such thing."""
        return nullcontext()

    @property
    def _engine(self) -> Engine:
        import os

        from bpfimg.oci._engines._engine import Engine

        with self._lock:
            if self._opened is None:
                self._opened = Engine(self._environ, os.geteuid(), socket=self._socket)
            return self._opened

    @property
    def _stage(self) -> Archive:
        """What was pushed: in a file without a name, beside others of its kind."""
        import os
        import tempfile

        from bpfimg.oci._archives._archive import Archive

        with self._lock:
            if self._staged is None:
                # a name that nobody guesses: what somebody had put there would be read as what was pushed
                path = f"{tempfile.gettempdir()}/bpfimg-{os.urandom(16).hex()}"
                self._staged = Archive(path, self.repository, limits=self._limits)
            return self._staged

    def _read(self, name: str) -> Saved:
        """The image as the engine has it now; NotFound."""
        from bpfimg.oci._engines._saved import save

        with self._lock:
            saved = save(self._engine, name, self.repository, self._limits, self._saved.get(name))
            self._saved[name] = saved
            return saved

    def _places(self) -> list[Archive]:
        with self._lock:
            staged = [self._staged] if self._staged else []
            return [*staged, *(saved.archive for saved in self._saved.values())]

    def _place_of(self, descriptor: Descriptor) -> Archive:
        places = self._places()
        return next((place for place in places if place.exists(descriptor)), places[0] if places else self._stage)

    def _by_digest(self, digest: Digest) -> Descriptor:
        """Looks among what is here, then among all that the engine has of this repository."""
        for place in self._places():
            try:
                return place.resolve(digest)
            except NotFound:
                continue
        for name in self._names()[:_MOST_SEARCHED]:
            saved = self._read(name)
            if saved.descriptor.digest == digest:
                return saved.descriptor
        hint = "engines give manifests digests of their own; name the image by its tag"
        raise NotFound(f"{self._engine.kind} has no {self.repository}@{digest}", hint=hint)

    def _names(self) -> list[str]:
        """The tags that the engine has in this repository, which docker calls by its shortest name."""
        from bpfimg.oci._archives._docker_archive import full_name

        with self._engine.talking(f"list {self.repository}"):
            tags = [tag for each in self._engine.sdk.images() for tag in each.get("RepoTags") or ()]
        names = [full_name(tag) for tag in tags]
        return [name for name in names if name and name.rpartition(":")[0] == str(self.repository)]

    def _manifest(self, descriptor: Descriptor) -> Manifest:
        """The one that goes in; of an index that for the platform, or the only one that was pushed."""
        from bpfimg.oci._archives._docker_index import is_image

        document = parse_document(self.fetch(descriptor), descriptor.media_type, self._limits)
        if isinstance(document, Index):
            pushed = [child for child in document.manifests if self.exists(child)]
            child = pushed[0] if len(pushed) == 1 else document.select(self.platform)
            if len(document.manifests) > 1:
                self._say(f"an engine keeps one image under a tag: that for {child.platform} of {descriptor.digest}")
            document = parse_document(self.fetch(child), child.media_type, self._limits)
        if isinstance(document, Index) or not is_image(document):
            kind = "an index of indexes" if isinstance(document, Index) else quoted(document.config.media_type)
            raise ImageError(f"{descriptor.digest} is {kind}, expected an image: engines keep no artifacts")
        return document

    def _load(self, manifest: Manifest, name: str) -> None:
        """Sends an archive with the one image."""
        import tempfile

        from bpfimg.oci._archives._archive import Archive
        from bpfimg.oci._archives._tar_draft import archive_error

        tag = name.rpartition(":")[2]
        try:
            with tempfile.TemporaryDirectory(prefix="bpfimg-") as folder:
                with Archive(f"{folder}/image.tar", self.repository, docker=True, limits=self._limits) as archive:
                    for part in manifest.parts:
                        archive.push_stream(part, lambda part=part: self.stream(part))  # type: ignore[misc]
                    archive.push(manifest.descriptor, manifest.raw, tag=tag)
                with open(f"{folder}/image.tar", "rb") as file, self._engine.talking(f"load {name}"):
                    steps = list(self._engine.sdk.load_image(file))
        except OSError as error:
            raise archive_error("write to", tempfile.gettempdir(), error) from error
        for step in steps:
            if "error" in step:
                raise Error(f"{self._engine.kind} refuses to load {name}: {quoted(step['error'], 300)}")

    def _has_its_own(self, name: str, digest: Digest) -> str:
        what = f"{self._engine.kind} has {name} under a manifest of its own ({digest})"
        return f"{what}: no signature in a registry is about that"

    def _leave_out(self) -> None:
        self._say(f"{self._engine.kind} keeps no signatures and other referrers: they stay behind")

    def _say(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self._warn(sentence)
