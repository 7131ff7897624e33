"""An image as an engine gives it out: one archive in a file without a name, read in place."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import Error, ImageError, NotFound, StoreError, quoted
from bpfimg.oci._archives._archive import Archive
from bpfimg.oci._archives._tar_draft import archive_error
from bpfimg.oci._media import OCI_MANIFEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO

    from bpfimg.oci._descriptor import Descriptor
    from bpfimg.oci._engines._engine import Engine
    from bpfimg.oci._limits import Limits
    from bpfimg.oci._reference import Repository

_PIECE = 1 << 20
_ERROR_BODY = 1 << 16
_LIBPOD = "v4.0.0/libpod/images"
"""podman's own API: its archives are image layouts, with packed layers and the annotations of the manifest."""


@value(frozen=True, slots=True)
class Saved:
    """One image: `facts` are what the engine says of it, `is_original` when its manifest is the one it came with."""

    archive: Archive
    descriptor: Descriptor
    facts: str
    is_original: bool


def save(engine: Engine, name: str, repository: Repository, limits: Limits, before: Saved | None) -> Saved:
    """Returns the image that the engine calls `name`: `before` itself where it still is that.

    NotFound when there is none, ImageError when it has more than `limits.copy` bytes or is no such archive.
    """
    import tempfile

    with engine.talking(f"find {name}"):
        found = engine.sdk.inspect_image(name)
    digests = str(found.get("RepoDigests"))
    facts = f"{found.get('Id')} {digests}"  # one config may have come with several manifests
    if before is not None and before.facts == facts:
        return before
    try:
        with tempfile.TemporaryFile(prefix="bpfimg-") as file:
            docker = _copy(engine, name, file, limits.copy)
            # it has no name: the archive opens it by the descriptor that is held here, and keeps one of its own
            archive = Archive(f"/proc/self/fd/{file.fileno()}", repository, docker=docker, limits=limits)
            try:
                descriptor = archive.resolve(name.rpartition(":")[2])
            except (NotFound, StoreError) as error:
                raise ImageError(f"what {engine.kind} saves of {name} cannot be read: {error}") from error
    except OSError as error:
        raise archive_error("write to", tempfile.gettempdir(), error) from error
    return Saved(archive, descriptor, facts, str(descriptor.digest) in digests)


def _copy(engine: Engine, name: str, file: IO[bytes], most: int) -> bool:
    """Writes the archive and says whether it is one of docker's kind."""
    docker = engine.kind != "podman" or not _is_oci(engine, name)
    size = 0
    for piece in _pieces(engine, name, docker=docker):
        size += len(piece)
        if size > most:
            raise ImageError(f"{engine.kind} saves {name} in more than {most} bytes, the limit of a copy")
        file.write(piece)
    file.flush()
    return docker


def _pieces(engine: Engine, name: str, *, docker: bool) -> Iterator[bytes]:
    with engine.talking(f"save {name}"):
        yield from engine.sdk.get_image(name) if docker else _libpod(engine, name)


def _is_oci(engine: Engine, name: str) -> bool:
    """Whether podman keeps the image as an OCI one: of another it would change the config to make it one."""
    sdk = engine.sdk
    with engine.talking(f"find {name}"):
        answer = sdk.get(f"{sdk.base_url}/{_LIBPOD}/{name}/json", timeout=sdk.timeout)
        found = answer.json() if answer.status_code == 200 else {}
    return isinstance(found, dict) and found.get("ManifestType") == OCI_MANIFEST


def _libpod(engine: Engine, name: str) -> Iterable[bytes]:
    sdk = engine.sdk
    url = f"{sdk.base_url}/{_LIBPOD}/{name}/get?format=oci-archive"
    with sdk.get(url, stream=True, timeout=sdk.timeout) as answer:
        if answer.status_code == 404:
            raise NotFound(f"podman cannot save {name}: it has no such image", status=404)
        if answer.status_code != 200:
            said = quoted(next(answer.iter_content(_ERROR_BODY), b""), 300)
            raise Error(f"podman refuses to save {name}: {said}")
        yield from answer.iter_content(_PIECE)
