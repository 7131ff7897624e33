"""Signing: the same claim in both formats, so that old readers and new ones believe the image."""

from __future__ import annotations

from bpfimg.errors import ImageError, UsageError
from bpfimg.oci import Descriptor, Digest, Index, Manifest, parse_document
from bpfimg.sign._collect import legacy_tag, signatures
from bpfimg.sign._formats import _simplesigning, _write
from bpfimg.sign._formats._envelope import SIGNATURE
from bpfimg.sign._keys._private import PrivateKey
from bpfimg.sign._policy._names import claim
from bpfimg.sign._policy._rules import FORMATS
from bpfimg.sign._signers import KeySigner
from bpfimg.sign._stored import Referrer, Signed, Tagged, There, found, moment, read_tagged, room_beside, room_in
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from bpfimg.oci import Target
    from bpfimg.sign._signers import Signer
    from bpfimg.sign._stored import Ready

__all__ = ["Signed", "image", "signed_things", "wanted_formats"]

_NESTING = 2


def image(
    target: Target,
    descriptor: Descriptor,
    signer: Signer | PrivateKey,
    *,
    formats: Collection[str] = FORMATS,
    recursive: bool = True,
    annotations: Mapping[str, str] | None = None,
    created: int | None = None,
    warn: Callable[[str], None] | None = None,
) -> tuple[Signed, ...]:
    """Signs the image or index `descriptor` in `target`, and what an index lists too; returns what is signed now.

    Signing again as the same signer, with the same annotations, changes nothing. The name that is signed is that of
    `target.repository`. `created` (seconds since 1970, default now) is noted beside a bundle, unsigned. All is signed
    and verified before the first of it is stored. `warn` is told what a signer cannot do in one of two formats; in the
    only one, that is a UsageError.
    """
    if isinstance(signer, PrivateKey):
        signer = KeySigner(signer)
    wanted = wanted_formats(formats, signer, warn)
    claims, when = annotations or {}, moment(created)
    ready: list[Ready] = []
    for each in signed_things(target, descriptor, recursive=recursive):
        if "legacy" in wanted:
            ready.append(_legacy(target, each, signer, claims))
        if "bundle" in wanted:
            ready.append(_bundled(target, each, signer, claims, when))
    return tuple(each.store(target) for each in ready)


def wanted_formats(formats: Collection[str], signer: Signer, warn: Callable[[str], None] | None) -> tuple[str, ...]:
    """Returns the formats that are asked for and can be had; UsageError when there are none."""
    unknown = [word for word in formats if word not in FORMATS]
    if unknown or not formats:
        raise UsageError(f"signature format {unknown or 'none'} is unknown, expected {' or '.join(FORMATS)}")
    lacking = signer.lacking() if "legacy" in formats else ""
    if lacking and "bundle" not in formats:
        raise UsageError(f"nothing can be written in the legacy format: {lacking}")
    said = f"only a bundle is written: {lacking}" if lacking else signer.notice() if "legacy" in formats else ""
    if said and warn is not None:
        warn(said)
    return tuple(word for word in FORMATS if word in formats and not (lacking and word == "legacy"))


def signed_things(target: Target, descriptor: Descriptor, *, recursive: bool) -> tuple[Descriptor, ...]:
    """Returns what is signed: an image, or an index after all that it lists."""
    document = parse_document(target.fetch(descriptor), descriptor.media_type)
    children = _children(target, document) if recursive else ()
    top = Descriptor(document.media_type, descriptor.digest, descriptor.size)
    return tuple(dict.fromkeys((*children, top)))  # one image may stand under several platforms


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


def _bundled(target: Target, subject: Descriptor, signer: Signer, claims: Mapping[str, str], created: str) -> Ready:
    statement = _write.signing_statement(claim(str(target.repository)), subject.digest, claims)
    there = found(signatures(target, subject.digest, ("bundle",)), statement, signer)
    if there is not None:
        return There(Signed(subject, "bundle", there, new=False))
    room_beside(target, subject)
    bundle, _ = signer.bundle(statement)
    return Referrer(subject, bundle, SIGNATURE, created)


def _legacy(target: Target, subject: Descriptor, signer: Signer, claims: Mapping[str, str]) -> Ready:
    if subject.digest.algorithm != "sha256":
        raise UsageError(
            f"{subject.digest} cannot have a signature in the legacy format, expected a sha256 digest",
            hint="sign it with --format bundle",
        )
    tag = legacy_tag(subject.digest)
    payload = _write.payload(claim(str(target.repository)), subject.digest, claims)

    def held(manifest: Manifest) -> bool:
        return _holds(manifest, payload, subject.digest, signer)

    manifest = read_tagged(target, tag)
    if manifest is not None and held(manifest):
        return There(Signed(subject, "legacy", manifest.descriptor, new=False))
    room_in(manifest, tag)
    layer = Descriptor.of(payload, _simplesigning.MEDIA_TYPE, annotations=dict(signer.legacy(payload)))
    return Tagged(subject, tag, layer, payload, held)


def _holds(manifest: Manifest, payload: bytes, digest: Digest, signer: Signer) -> bool:
    """Says whether `signer` has signed exactly this payload in this manifest."""
    wanted = Digest.of(payload)
    for layer in manifest.layers:
        if layer.digest == wanted and layer.media_type == _simplesigning.MEDIA_TYPE:
            try:
                if signer.made(_simplesigning.parse(payload, layer.annotations, str(digest), layer, "a layer")):
                    return True
            except Junk:
                continue
    return False
