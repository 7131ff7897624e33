"""Attesting: a signed statement about an image that says more than "this is it": an SBOM, provenance, a report."""

from __future__ import annotations

from dataclasses import dataclass

from bpfimg._json import NotStrict, strict_object
from bpfimg.errors import UsageError
from bpfimg.oci import Descriptor, Manifest
from bpfimg.sign._collect import attached_tag, attestations
from bpfimg.sign._formats import _attached, _write
from bpfimg.sign._formats._envelope import said
from bpfimg.sign._keys._private import PrivateKey
from bpfimg.sign._policy._names import claim
from bpfimg.sign._policy._rules import FORMATS
from bpfimg.sign._predicates import predicate_type as named_type
from bpfimg.sign._sign import signed_things, wanted_formats
from bpfimg.sign._signers import KeySigner
from bpfimg.sign._stored import Referrer, Signed, Tagged, There, found, moment, read_tagged, room_beside, room_in
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bpfimg.oci import Target
    from bpfimg.sign._candidate import Candidate
    from bpfimg.sign._signers import Signer
    from bpfimg.sign._stored import Ready

PREDICATE_LIMIT = 16 * 1000 * 1000
"""Bytes of a predicate: readers take statements of 16 MiB."""


def attest(
    target: Target,
    descriptor: Descriptor,
    signer: Signer | PrivateKey,
    *,
    predicate_type: str,
    predicate: bytes,
    formats: Collection[str] = FORMATS,
    recursive: bool = False,
    created: int | None = None,
    warn: Callable[[str], None] | None = None,
) -> tuple[Signed, ...]:
    """Says of the image or index `descriptor` in `target` what `predicate` says (a JSON object), and signs that.

    `predicate_type` is a URI, or a word for one (`PREDICATE_TYPES`). What is said of an index holds for all in it, so
    the images in it are attested only if `recursive`. One signature stands in both formats. Saying the same again as
    the same signer changes nothing. All is made and verified before the first of it is stored.
    """
    if isinstance(signer, PrivateKey):
        signer = KeySigner(signer)
    kind = named_type(predicate_type)
    wanted = wanted_formats(formats, signer, warn)
    _check(predicate)
    ready: list[Ready] = []
    for each in signed_things(target, descriptor, recursive=recursive):
        if "legacy" in wanted and each.digest.algorithm != "sha256":
            hint = "attest it with --format bundle"
            raise UsageError(f"{each.digest} cannot have an attestation in the legacy format", hint=hint)
        statement = _write.attesting_statement(claim(str(target.repository)), each.digest, kind, predicate)
        try:
            said(statement, each.digest)  # as its readers will
        except Junk as junk:
            raise UsageError(f"the predicate cannot be attested: {junk}") from None
        ready += _attested(target, _Saying(each, kind, statement, moment(created)), signer, wanted)
    return tuple(each.store(target) for each in ready)


def _check(predicate: bytes) -> None:
    try:
        strict_object(predicate, limit=PREDICATE_LIMIT)
    except NotStrict as error:
        raise UsageError(f"the predicate {error}") from None


@dataclass(frozen=True, slots=True)
class _Saying:
    """What is to be said of one image, and when."""

    subject: Descriptor
    kind: str
    statement: bytes
    created: str


def _attested(target: Target, saying: _Saying, signer: Signer, wanted: Collection[str]) -> list[Ready]:
    """Returns what is to be stored: one signature, in each format where it is not there yet."""
    subject = saying.subject
    tag = attached_tag(subject.digest) if "legacy" in wanted else ""
    ready: list[Ready] = []
    lacking: list[str] = []
    for form in ("legacy", "bundle"):
        if form in wanted:
            there = found(attestations(target, subject.digest, (form,)), saying.statement, signer)
            if there is None:
                lacking.append(form)
            else:
                ready.append(There(Signed(subject, form, there, new=False)))
    if not lacking:
        return ready
    if "legacy" in lacking:
        room_in(read_tagged(target, tag), tag)
    if "bundle" in lacking:
        room_beside(target, subject)
    bundle, made = signer.bundle(saying.statement)
    if "legacy" in lacking:
        ready.append(_layer(subject, tag, signer, made, saying.kind))
    if "bundle" in lacking:
        ready.append(Referrer(subject, bundle, saying.kind, saying.created))
    return ready


def _layer(subject: Descriptor, tag: str, signer: Signer, made: Candidate, kind: str) -> Tagged:
    blob, annotations = signer.attachment(made, kind)
    layer = Descriptor.of(blob, _attached.MEDIA_TYPE, annotations=dict(annotations))

    def held(manifest: Manifest) -> bool:
        return any(each.digest == layer.digest and each.media_type == layer.media_type for each in manifest.layers)

    return Tagged(subject, tag, layer, blob, held)
