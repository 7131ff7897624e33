"""Finding what may be signatures and attestations of a digest, bounded, in whatever order the source has it.

Nothing is decided here. What turns out to be junk, and what could not be read, are findings too: junk must not hide
a good signature, and an error must not look like "not signed".
"""

from __future__ import annotations

from bpfimg.errors import Error, NotFound, quoted
from bpfimg.oci import Manifest
from bpfimg.sign._candidate import Candidate
from bpfimg.sign._formats import _attached, _bundle, _simplesigning
from bpfimg.sign._formats._envelope import SIGNATURE
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.oci import Descriptor, Digest, Source

    Finding = Candidate | Junk | Error

MOST = 64
"""How much of each is looked at for one image: layers under its tags, referrers, layers of those."""
ATTESTED = 64 * 1024 * 1024
"""Bytes of attestations that are read for one image."""


class Other(Junk):
    """Something of another kind than was asked for, and nothing wrong with it: news only where nothing is believed."""


class Evidence:
    """What a source holds about one digest: candidates, junk, and errors.

    Lazy: nothing is read before it is asked for, so a caller who has enough pays for no more, and nothing small is
    read twice. Signatures are no attestations and attestations no signatures, whoever has signed them.
    """

    def __init__(self, source: Source, digest: Digest, formats: tuple[str, ...]) -> None:
        self._source = source
        self._digest = digest
        self._formats = formats
        self._listed: tuple[Descriptor, ...] | Error | None = None
        self._manifests: dict[Digest, Manifest | Junk] = {}
        self._parsed: dict[Digest, Candidate | Junk] = {}
        self._left = ATTESTED

    def signatures(self) -> Iterator[Finding]:
        """Yields what may be signatures."""
        if "legacy" in self._formats and self._digest.algorithm == "sha256":  # longer digests do not fit into a tag
            yield from self._tagged(legacy_tag(self._digest), _simplesigning.MEDIA_TYPE)
        yield from self._referring(attestations=False)

    def attestations(self) -> Iterator[Finding]:
        """Yields what may be attestations, of every predicate type."""
        if "legacy" in self._formats and self._digest.algorithm == "sha256":
            yield from self._tagged(attached_tag(self._digest), _attached.MEDIA_TYPE)
        yield from self._referring(attestations=True)

    def _tagged(self, tag: str, media_type: str) -> Iterator[Finding]:
        try:
            descriptor = self._source.resolve(tag)
        except NotFound:
            return
        except Error as error:
            yield error
            return
        manifest = self._manifest(descriptor)
        if isinstance(manifest, Manifest):
            yield from self._layers(manifest, descriptor, tag, media_type)
        else:
            yield manifest

    def _layers(
        self, manifest: Manifest, holder: Descriptor, where: str, media_type: str, *, most: int = MOST
    ) -> Iterator[Finding]:
        """Yields what the layers of a manifest in cosign's older formats hold."""
        layers = manifest.layers
        what = "attestation" if media_type == _attached.MEDIA_TYPE else "signature"
        for number, layer in enumerate(layers[:most]):
            place = f"{where} layer {number}" if len(layers) > 1 else where
            if layer.media_type != media_type:
                yield Junk(f"{place} is no {what}: its media type is {layer.media_type}")
                continue
            try:
                yield self._layer(layer, holder, place)
            except Junk as junk:
                yield type(junk)(f"{place} is no {what}: {junk}")
            except Error as error:
                yield error
        if len(layers) > most:
            yield Junk(f"{where} has {len(layers)} layers, of which only the first {most} are looked at")

    def _layer(self, layer: Descriptor, holder: Descriptor, place: str) -> Candidate:
        if layer.media_type == _simplesigning.MEDIA_TYPE:
            data = self._source.fetch(layer, limit=_simplesigning.PAYLOAD_LIMIT)
            return _simplesigning.parse(data, layer.annotations, str(self._digest), holder, place)
        self._spend(layer)
        data = self._source.fetch(layer, limit=_bundle.ATTESTATION_LIMIT)
        found = _attached.parse(data, layer.annotations, self._digest, holder, place)
        if found.predicate_type == SIGNATURE:
            raise Other("it is a signature where only attestations belong")
        return found

    def _referring(self, *, attestations: bool) -> Iterator[Finding]:
        """Yields what is in the manifests whose subject is the digest: bundles, and layers as cosign's experimental
        mode attached them. Registries get the artifact type in the list wrong, so every one is opened."""
        older = _attached.MEDIA_TYPE if attestations else _simplesigning.MEDIA_TYPE
        referrers = self._referrers()
        if isinstance(referrers, Error):
            yield referrers
            return
        most = MOST
        for referrer in referrers[:MOST]:
            manifest = self._about(referrer)
            if not isinstance(manifest, Manifest):
                yield manifest
            elif any(layer.media_type == older for layer in manifest.layers):
                if "legacy" in self._formats:
                    yield from self._layers(manifest, referrer, f"referrer {referrer.digest}", older, most=most)
                    most = max(0, most - len(manifest.layers))
            elif "bundle" in self._formats:
                yield self._bundled(manifest, referrer, attestations=attestations)
        if len(referrers) > MOST:
            yield Junk(f"there are {len(referrers)} referrers, of which only the first {MOST} are looked at")

    def _referrers(self) -> tuple[Descriptor, ...] | Error:
        if self._listed is None:
            try:
                self._listed = self._source.referrers(self._digest)
            except Error as error:
                self._listed = error
        return self._listed

    def _about(self, referrer: Descriptor) -> Manifest | Junk | Error:
        """Returns the manifest of a referrer; junk when it is about something else."""
        known = self._manifests.get(referrer.digest)
        if known is not None:
            return known
        manifest = self._manifest(referrer)
        if isinstance(manifest, Manifest) and (manifest.subject is None or manifest.subject.digest != self._digest):
            manifest = Junk(f"referrer {referrer.digest} is about another image")
        if not isinstance(manifest, Error):
            self._manifests[referrer.digest] = manifest
        return manifest

    def _bundled(self, manifest: Manifest, holder: Descriptor, *, attestations: bool) -> Finding:
        where = f"referrer {holder.digest}"
        what = "attestation" if attestations else "signature"
        if len(manifest.layers) != 1 or manifest.layers[0].media_type not in _bundle.MEDIA_TYPES:
            return Other(f"{where} is no {what}, but {manifest.artifact_type or manifest.config.media_type}")
        found = self._read_bundle(manifest.layers[0], holder, where, large=attestations)
        if isinstance(found, Junk):
            return type(found)(f"{where} is no {what}: {found}")
        if isinstance(found, Candidate) and (found.predicate_type != SIGNATURE) is not attestations:
            if attestations:
                return Other(f"{where} is a signature, not an attestation")
            kind = quoted(found.predicate_type)
            return Other(f"{where} is no signature: it is an attestation of the type {kind}, not a signature")
        return found

    def _read_bundle(self, layer: Descriptor, holder: Descriptor, where: str, *, large: bool) -> Finding:
        """Returns what is in a bundle; what is too large for a signature is read only where attestations are wanted,
        and never kept."""
        known = self._parsed.get(holder.digest)
        if known is not None:
            return known
        found: Candidate | Junk
        try:
            if layer.size <= _bundle.BUNDLE_LIMIT:
                limit = _bundle.BUNDLE_LIMIT
            elif large:
                self._spend(layer)
                limit = _bundle.ATTESTATION_LIMIT
            else:
                raise Other(f"it has {layer.size} bytes, expected at most {_bundle.BUNDLE_LIMIT}")
            found = _bundle.parse(self._source.fetch(layer, limit=limit), self._digest, holder, where)
        except Junk as junk:
            found = junk
        except Error as error:
            return error
        if layer.size <= _bundle.BUNDLE_LIMIT:
            self._parsed[holder.digest] = found
        return found

    def _spend(self, layer: Descriptor) -> None:
        """Raises `Junk` when a layer is more than may still be read."""
        if layer.size > min(self._left, _bundle.ATTESTATION_LIMIT):
            most = f"{_bundle.ATTESTATION_LIMIT} bytes, and {ATTESTED} for all attestations of an image"
            raise Junk(f"it has {layer.size} bytes, expected at most {most}")
        self._left -= layer.size

    def _manifest(self, descriptor: Descriptor) -> Manifest | Junk | Error:
        if not descriptor.is_document or descriptor.is_index:
            return Junk(f"{descriptor.digest} is no signature: its media type is {descriptor.media_type}")
        try:
            return Manifest.parse(self._source.fetch(descriptor), descriptor.media_type)
        except Error as error:
            return error


def signatures(source: Source, digest: Digest, formats: tuple[str, ...]) -> Iterator[Finding]:
    """Yields what `source` holds that may be signatures of `digest` in these formats, lazily."""
    return Evidence(source, digest, formats).signatures()


def attestations(source: Source, digest: Digest, formats: tuple[str, ...]) -> Iterator[Finding]:
    """Yields what `source` holds that may be attestations about `digest` in these formats, lazily."""
    return Evidence(source, digest, formats).attestations()


def legacy_tag(digest: Digest) -> str:
    """Returns the tag under which the `.sig` manifest of `digest` lies."""
    return f"{digest.tag}.sig"


def attached_tag(digest: Digest) -> str:
    """Returns the tag under which the `.att` manifest of `digest` lies."""
    return f"{digest.tag}.att"
