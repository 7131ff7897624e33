"""Images made by a container engine, for those who need them there: docker, or podman through its Docker API.

An engine stamps the time and its own version into what it makes, so its images are not byte-reproducible, and it keeps
layers unpacked, so their manifest digests are settled only when it pushes.
"""

from __future__ import annotations

import io
import json

from bpfimg._value import value
from bpfimg.build._containerfile import labels_of, plain
from bpfimg.errors import Error, ImageError, quoted
from bpfimg.oci import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bpfimg.image import BytecodeImage
    from bpfimg.oci import Reference, Repository

__all__ = ["ENGINES", "Engine", "EngineImage"]

ENGINES = ("docker", "podman")

_TIMEOUT = 600
_ARCHIVE_LIMIT = 256 << 20
_GZIP = b"\x1f\x8b"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_SHOWN = 300


@value(frozen=True, slots=True)
class EngineImage:
    """What an engine made: `id` is the digest of its config, `digest` that of its manifest where the engine has one.

    `names` are the references that it is tagged with there.
    """

    platform: str
    id: str
    digest: str | None
    names: tuple[str, ...]


class Engine:
    """A running engine of `kind`, "docker" or "podman"; close it, or use it in a `with`.

    `environ` says where it is, as for its own client: DOCKER_HOST and docker's contexts, CONTAINER_HOST and
    XDG_RUNTIME_DIR. Raises Error when nothing answers there, or when the docker SDK is not installed.
    """

    def __init__(self, kind: str, environ: Mapping[str, str]) -> None:
        import os

        self.kind = kind
        self._engine = places.Engine(environ, os.geteuid(), kind=kind, timeout=_TIMEOUT)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def build(self, image: BytecodeImage, references: Sequence[Reference]) -> EngineImage:
        """Lets the engine make `image` from a Containerfile, checks what it made, and returns it.

        The build runs nothing, pulls nothing and has no network. Raises Error with the engine's words when it fails,
        ImageError when the engine's image is another one than was asked for.
        """
        names = [str(reference) for reference in references]
        sdk = self._engine.sdk
        with self._engine.talking("build the image"):
            made = _built(self._steps(image, names[0]), self.kind)
            for reference, name in zip(references[1:], names[1:], strict=True):
                sdk.tag(made, name.rpartition(":")[0], tag=reference.tag)
            facts = sdk.inspect_image(made)
            archive = _bounded(sdk.get_image(made), self.kind)
        _check(image, archive, references[0].repository, self.kind)
        digests = [word.partition("@")[2] for word in facts.get("RepoDigests") or () if "@" in word]
        return EngineImage(str(image.platform), facts["Id"], digests[0] if digests else None, tuple(names))

    def _steps(self, image: BytecodeImage, name: str) -> Iterable[Mapping[str, object]]:
        steps: Iterable[Mapping[str, object]] = self._engine.sdk.build(
            fileobj=io.BytesIO(_context(image)),
            custom_context=True,
            dockerfile="Containerfile",
            tag=name,
            platform=str(image.platform),
            nocache=True,  # podman 4 takes steps of one platform's build for another's
            network_mode="none",
            rm=True,
            forcerm=True,
            decode=True,
        )
        return steps


def _context(image: BytecodeImage) -> bytes:
    """The build context: the Containerfile and the object, nobody's and of no time."""
    import tarfile

    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        files = {"Containerfile": plain(image).encode(), image.file_name: image.bytecode}
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def _built(steps: Iterable[Mapping[str, object]], kind: str) -> str:
    """The id of the image at the end of a build; Error with the step that failed."""
    made = ""
    for step in steps:
        if "error" in step:
            said = str(step["error"])
            raise Error(f"{kind} cannot build the image: {quoted(said, _SHOWN)}", hint=_own_platform(said))
        aux = step.get("aux")
        if isinstance(aux, dict) and isinstance(aux.get("ID"), str):
            made = aux["ID"]
    if not made:
        raise Error(f"{kind} says no id of what it built, expected one at the end of the build")
    return made


def _own_platform(said: str) -> str:
    """Docker's builder of this API commits the first step for its own platform, then does not find it for another."""
    if "does not match the specified platform" not in said:
        return ""
    return "this builder makes images for its own platform only: use podman, or build without an engine"


def _bounded(pieces: Iterable[bytes], kind: str) -> bytes:
    content = bytearray()
    for piece in pieces:
        content += piece
        if len(content) > _ARCHIVE_LIMIT:
            raise ImageError(f"{kind} gives back more than {_ARCHIVE_LIMIT} bytes, expected one small image")
    return bytes(content)


def _check(image: BytecodeImage, archive: bytes, repository: Repository, kind: str) -> None:
    """Reads the engine's image as any other: one layer, one object, and what it says is what was asked for."""
    made = _read_back(archive, image, repository, kind)
    if made.bytecode != image.bytecode:
        raise ImageError(f"{kind} made an image with another object than it was given")
    if (made.platform.os, made.platform.architecture) != (image.platform.os, image.platform.architecture):
        raise ImageError(f"{kind} made an image for {made.platform}, expected {image.platform}")
    stated = labels_of(made)
    for name, text in labels_of(image).items():
        if stated.get(name) != text:
            raise ImageError(f"{kind} made an image whose label {quoted(name)} is {quoted(stated.get(name))}")


def _read_back(archive: bytes, image: BytecodeImage, repository: Repository, kind: str) -> BytecodeImage:
    from bpfimg.image import BytecodeImage
    from bpfimg.oci import Descriptor, Manifest, Memory

    config, layers = _saved(archive, kind)
    blobs = [(Descriptor.of(config, _CONFIG), config)]
    blobs += [(Descriptor.of(each, f"{_LAYER}+gzip" if each[:2] == _GZIP else _LAYER), each) for each in layers]
    manifest = Manifest.build(config=blobs[0][0], layers=[descriptor for descriptor, _ in blobs[1:]])
    place = Memory(repository)
    for descriptor, content in (*blobs, (manifest.descriptor, manifest.raw)):
        place.push(descriptor, content)
    return BytecodeImage.fetch(place, manifest.descriptor, image.platform)


def _saved(archive: bytes, kind: str) -> tuple[bytes, list[bytes]]:
    """Config and layers of the one image in what `docker save` writes."""
    import tarfile

    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as opened:

            def content(name: str) -> bytes:
                file = opened.extractfile(name)
                return file.read() if file else b""

            (only,) = json.loads(content("manifest.json"))
            return content(only["Config"]), [content(name) for name in only["Layers"]]
    except (tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise ImageError(f"{kind} gives back what cannot be read: {quoted(error)}") from error
