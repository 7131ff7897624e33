"""Signing: the same claim in both formats, so that old readers and new ones believe the image."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bpfimg.errors import ImageError, NotFound, RegistryError, UsageError
from bpfimg.oci import Descriptor, Digest, Index, Manifest, parse_document
from bpfimg.sign._candidate import Candidate
from bpfimg.sign._collect import MOST, legacy_tag, signatures
from bpfimg.sign._formats import _bundle, _simplesigning
from bpfimg.sign._formats._envelope import pae
from bpfimg.sign._policy._names import claim
from bpfimg.sign._policy._rules import FORMATS
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from bpfimg.oci import Target
    from bpfimg.sign._keys._private import PrivateKey

_EMPTY = b"{}"
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_NESTING = 2
_TRIES = 8


@dataclass(frozen=True, slots=True)
class Signed:
    """One signature: of what (`descriptor`), in which format, in which manifest (`where`). Not `new`: it was there."""

    descriptor: Descriptor
    format: str
    where: Descriptor
    new: bool


def image(
    target: Target,
    descriptor: Descriptor,
    key: PrivateKey,
    *,
    formats: Collection[str] = FORMATS,
    recursive: bool = True,
    annotations: Mapping[str, str] | None = None,
    created: int | None = None,
) -> tuple[Signed, ...]:
    """Signs the image or index `descriptor` in `target`, and what an index lists too; returns what is signed now.

    Signing again with the same key and annotations changes nothing. The name that is signed is that of
    `target.repository`. `created` (seconds since 1970, default now) is noted beside a bundle, unsigned.
    """
    unknown = [word for word in formats if word not in FORMATS]
    if unknown or not formats:
        raise UsageError(f"signature format {unknown or 'none'} is unknown, expected {' or '.join(FORMATS)}")
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(created))
    document = parse_document(target.fetch(descriptor), descriptor.media_type)
    children = _children(target, document) if recursive else ()
    top = Descriptor(document.media_type, descriptor.digest, descriptor.size)
    signed = []
    for each in dict.fromkeys((*children, top)):  # one image may stand under several platforms
        if "legacy" in formats:
            signed.append(_tagged(target, each, key, annotations or {}, moment))
        if "bundle" in formats:
            signed.append(_bundled(target, each, key, annotations or {}, moment))
    return tuple(signed)


def _children(target: Target, document: Manifest | Index, depth: int = 0) -> Iterator[Descriptor]:
    """Yields what an index lists, the deepest first; a store need not hold all of it: the index names it by digest."""
    if not isinstance(document, Index):
        return
    if depth == _NESTING:
        raise ImageError(f"the index is nested more than {_NESTING} deep")
    for child in document.manifests:
        if child.is_index:
            yield from _children(target, Index.parse(target.fetch(child), child.media_type), depth + 1)
        yield Descriptor(child.media_type, child.digest, child.size)


def _bundled(
    target: Target, subject: Descriptor, key: PrivateKey, annotations: Mapping[str, str], created: str
) -> Signed:
    statement = _bundle.statement(claim(str(target.repository)), subject.digest, annotations)
    message = pae(statement)
    there = _find_bundle(target, subject.digest, key, message)
    if there is not None:
        return Signed(subject, "bundle", there, new=False)
    bundle = _bundle.build(statement, key.sign(message), key.public.fingerprint)
    layer = Descriptor.of(bundle, _bundle.MEDIA_TYPE)
    config = Descriptor.of(_EMPTY, _EMPTY_TYPE)
    manifest = Manifest.build(
        config=config,
        layers=(layer,),
        subject=subject,
        artifact_type=_bundle.MEDIA_TYPE,
        annotations={
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": _bundle.PREDICATE,
            "org.opencontainers.image.created": created,
        },
    )
    for part, data in ((config, _EMPTY), (layer, bundle), (manifest.descriptor, manifest.raw)):
        target.push(part, data)
    return Signed(subject, "bundle", manifest.descriptor, new=True)


def _find_bundle(target: Target, digest: Digest, key: PrivateKey, message: bytes) -> Descriptor | None:
    """Returns the referrer in which `key` has signed `message` already; junk and dangling entries are passed over."""
    for finding in signatures(target, digest, ("bundle",)):
        if isinstance(finding, Candidate):
            if key.public.verify(message, finding.signature):
                return finding.holder
        elif not isinstance(finding, Junk | NotFound):
            raise finding
    return None


def _tagged(
    target: Target, subject: Descriptor, key: PrivateKey, annotations: Mapping[str, str], _created: str
) -> Signed:
    """Adds a layer to the `.sig` manifest. Registries have no compare-and-swap, so what was written is read again,
    and if another signer's write has displaced ours, ours is added to theirs."""
    if subject.digest.algorithm != "sha256":
        raise UsageError(
            f"{subject.digest} cannot have a signature in the legacy format, expected a sha256 digest",
            hint="sign it with --format bundle",
        )
    payload = _simplesigning.payload(claim(str(target.repository)), str(subject.digest), annotations)
    ours: Descriptor | None = None
    for attempt in range(_TRIES):
        if attempt > 1:
            _wait(attempt)
        with target.lock():
            manifest = _read_tagged(target, subject.digest)
            if manifest is not None and _holds(manifest, payload, key):
                return Signed(subject, "legacy", manifest.descriptor, new=ours is not None)
            if ours is None:
                signature = _simplesigning.annotation(key.sign(payload))
                ours = Descriptor.of(payload, _simplesigning.MEDIA_TYPE, annotations=signature)
            _write_tagged(target, subject.digest, manifest, ours, payload)
    raise RegistryError(
        f"{legacy_tag(subject.digest)} in {target.repository} was overwritten {_TRIES} times while it was being signed",
        hint="somebody else signs the same image: try again",
    )


def _wait(attempt: int) -> None:
    from random import uniform

    time.sleep(uniform(0.0, 0.02 * 2**attempt))  # noqa: S311 (jitter, no secret)


def _read_tagged(target: Target, digest: Digest) -> Manifest | None:
    try:
        descriptor = target.resolve(legacy_tag(digest))
    except NotFound:
        return None
    return Manifest.parse(target.fetch(descriptor), descriptor.media_type)


def _holds(manifest: Manifest, payload: bytes, key: PrivateKey) -> bool:
    """Says whether `key` has signed exactly this payload in this manifest."""
    wanted = Digest.of(payload)
    for layer in manifest.layers:
        if layer.digest == wanted and layer.media_type == _simplesigning.MEDIA_TYPE:
            try:
                if key.public.verify(payload, _simplesigning.signature_of(layer.annotations)):
                    return True
            except Junk:
                continue
    return False


def _write_tagged(target: Target, digest: Digest, there: Manifest | None, ours: Descriptor, payload: bytes) -> None:
    layers = (*there.layers, ours) if there else (ours,)
    if len(layers) > MOST:
        raise ImageError(
            f"{legacy_tag(digest)} has {len(layers) - 1} signatures, expected room for one more: verifiers read {MOST}",
            hint="sign with --format bundle, or remove signatures that nobody needs",
        )
    config = _simplesigning.config([str(layer.digest) for layer in layers])
    about = Descriptor.of(config, _simplesigning.CONFIG_TYPE)
    manifest = Manifest.build(config=about, layers=layers, annotations=there.annotations if there else None)
    target.push(about, config)
    target.push(Descriptor.of(payload, _simplesigning.MEDIA_TYPE), payload)
    target.push(manifest.descriptor, manifest.raw, tag=legacy_tag(digest))
