"""Finding what may be signatures of a digest, bounded, in whatever order the source has it.

Nothing is decided here. What turns out to be junk, and what could not be read, are findings too: junk must not hide
a good signature, and an error must not look like "not signed".
"""

from __future__ import annotations

from bpfimg.errors import Error, NotFound, quoted
from bpfimg.oci import Manifest
from bpfimg.sign._formats import _bundle, _simplesigning
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.oci import Descriptor, Digest, Source
    from bpfimg.sign._candidate import Candidate

    Finding = Candidate | Junk | Error

MOST = 64
"""How much of each is looked at for one image: layers under its tag, referrers, layers of those."""


def signatures(source: Source, digest: Digest, formats: tuple[str, ...]) -> Iterator[Finding]:
    """Yields what `source` holds about `digest` in these formats: candidates, junk, and errors. Lazily: nothing is
    read before it is asked for, so a caller who has enough pays for no more."""
    if "legacy" in formats and digest.algorithm == "sha256":  # longer digests do not fit into a tag
        yield from _tagged(source, digest)
    yield from _referring(source, digest, formats)


def legacy_tag(digest: Digest) -> str:
    """Returns the tag under which the `.sig` manifest of `digest` lies."""
    return f"{digest.tag}.sig"


def _tagged(source: Source, digest: Digest) -> Iterator[Finding]:
    tag = legacy_tag(digest)
    try:
        descriptor = source.resolve(tag)
    except NotFound:
        return
    except Error as error:
        yield error
        return
    manifest = _manifest(source, descriptor)
    if isinstance(manifest, Manifest):
        yield from _layers(source, digest, manifest, descriptor, tag)
    else:
        yield manifest


def _layers(
    source: Source, digest: Digest, manifest: Manifest, holder: Descriptor, where: str, *, most: int = MOST
) -> Iterator[Finding]:
    """Yields the `.sig` signatures of a manifest."""
    layers = manifest.layers
    for number, layer in enumerate(layers[:most]):
        place = f"{where} layer {number}" if len(layers) > 1 else where
        if layer.media_type != _simplesigning.MEDIA_TYPE:
            yield Junk(f"{place} is no signature: its media type is {layer.media_type}")
            continue
        try:
            payload = source.fetch(layer, limit=_simplesigning.PAYLOAD_LIMIT)
            yield _simplesigning.parse(payload, layer.annotations, str(digest), holder, place)
        except Junk as junk:
            yield Junk(f"{place} is no signature: {junk}")
        except Error as error:
            yield error
    if len(layers) > most:
        yield Junk(f"{where} has {len(layers)} layers, of which only the first {most} are looked at")


def _referring(source: Source, digest: Digest, formats: tuple[str, ...]) -> Iterator[Finding]:
    """Yields the signatures among the manifests whose subject is `digest`: bundles, and `.sig` layers as cosign's
    experimental mode attached them. Registries get the artifact type in the list wrong, so every one is opened."""
    try:
        referrers = source.referrers(digest)
    except Error as error:
        yield error
        return
    most = MOST
    for referrer in referrers[:MOST]:
        manifest = _manifest(source, referrer)
        if not isinstance(manifest, Manifest):
            yield manifest
        elif manifest.subject is None or manifest.subject.digest != digest:
            yield Junk(f"referrer {referrer.digest} is about another image")
        elif any(layer.media_type == _simplesigning.MEDIA_TYPE for layer in manifest.layers):
            if "legacy" in formats:
                yield from _layers(source, digest, manifest, referrer, f"referrer {referrer.digest}", most=most)
                most = max(0, most - len(manifest.layers))
        elif "bundle" in formats:
            yield _bundled(source, digest, manifest, referrer)
    if len(referrers) > MOST:
        yield Junk(f"there are {len(referrers)} referrers, of which only the first {MOST} are looked at")


def _bundled(source: Source, digest: Digest, manifest: Manifest, holder: Descriptor) -> Finding:
    where = f"referrer {holder.digest}"
    if len(manifest.layers) != 1 or manifest.layers[0].media_type not in _bundle.MEDIA_TYPES:
        return Junk(f"{where} is no signature, but {manifest.artifact_type or manifest.config.media_type}")
    try:
        data = source.fetch(manifest.layers[0], limit=_bundle.BUNDLE_LIMIT)
        found = _bundle.parse(data, digest, holder, where)
        if found.predicate_type != _bundle.PREDICATE:
            raise Junk(f"it is an attestation of the type {quoted(found.predicate_type)}, not a signature")
        return found
    except Junk as junk:
        return Junk(f"{where} is no signature: {junk}")
    except Error as error:
        return error


def _manifest(source: Source, descriptor: Descriptor) -> Manifest | Junk | Error:
    if not descriptor.is_document or descriptor.is_index:
        return Junk(f"{descriptor.digest} is no signature: its media type is {descriptor.media_type}")
    try:
        return Manifest.parse(source.fetch(descriptor), descriptor.media_type)
    except Error as error:
        return error
