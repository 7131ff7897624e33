"""Storing what was signed: bundles as referrers, layers under the tags of cosign's older formats.

Everything is made before the first of it is stored, so what fails while signing leaves nothing behind.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bpfimg.errors import ImageError, NotFound, RegistryError
from bpfimg.oci import Descriptor, Manifest
from bpfimg.sign._candidate import Candidate
from bpfimg.sign._collect import MOST
from bpfimg.sign._formats import _write
from bpfimg.sign._formats._bundle import MEDIA_TYPE
from bpfimg.sign._rfc3339 import rfc3339
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bpfimg.oci import Target
    from bpfimg.sign._collect import Finding
    from bpfimg.sign._signers import Signer

_EMPTY = b"{}"
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
_TRIES = 8


@dataclass(frozen=True, slots=True)
class Signed:
    """One signature or attestation: of what (`descriptor`), in which format, in which manifest (`where`). Not `new`:
    it was there."""

    descriptor: Descriptor
    format: str
    where: Descriptor
    new: bool


@dataclass(frozen=True, slots=True)
class Referrer:
    """A bundle that is ready to be stored as a referrer of `subject`."""

    subject: Descriptor
    bundle: bytes
    predicate_type: str
    created: str

    def store(self, target: Target) -> Signed:
        """Stores it."""
        layer = Descriptor.of(self.bundle, MEDIA_TYPE)
        config = Descriptor.of(_EMPTY, _EMPTY_TYPE)
        manifest = Manifest.build(
            config=config,
            layers=(layer,),
            subject=self.subject,
            artifact_type=MEDIA_TYPE,
            annotations=_write.referrer_annotations(self.predicate_type, self.created),
        )
        for part, data in ((config, _EMPTY), (layer, self.bundle), (manifest.descriptor, manifest.raw)):
            target.push(part, data)
        return Signed(self.subject, "bundle", manifest.descriptor, new=True)


@dataclass(frozen=True, slots=True)
class Tagged:
    """A layer that is ready to be added to the manifest under `tag`; `held` says whether such a one is there."""

    subject: Descriptor
    tag: str
    layer: Descriptor
    blob: bytes
    held: Callable[[Manifest], bool]

    def store(self, target: Target) -> Signed:
        """Adds it. Registries have no compare-and-swap, so what was written is read again, and if another signer's
        write has displaced ours, ours is added to theirs."""
        written = False
        for attempt in range(_TRIES):
            if attempt > 1:
                _wait(attempt)
            with target.lock():
                manifest = read_tagged(target, self.tag)
                if manifest is not None and self.held(manifest):
                    return Signed(self.subject, "legacy", manifest.descriptor, new=written)
                self._write(target, manifest)
                written = True
        raise RegistryError(
            f"{self.tag} in {target.repository} was overwritten {_TRIES} times while it was being signed",
            hint="somebody else signs the same image: try again",
        )

    def _write(self, target: Target, there: Manifest | None) -> None:
        layers = (*there.layers, self.layer) if there else (self.layer,)
        config = _write.config([str(layer.digest) for layer in layers])
        about = Descriptor.of(config, _write.CONFIG_TYPE)
        manifest = Manifest.build(config=about, layers=layers, annotations=there.annotations if there else None)
        target.push(about, config)
        target.push(Descriptor.of(self.blob, self.layer.media_type), self.blob)
        target.push(manifest.descriptor, manifest.raw, tag=self.tag)


@dataclass(frozen=True, slots=True)
class There:
    """A signature that need not be made: it is there already."""

    signed: Signed

    def store(self, target: Target) -> Signed:
        """Returns it."""
        return self.signed


Ready = Referrer | Tagged | There
"""What is left to be done for one signature: `store` does it."""


def found(findings: Iterable[Finding], payload: bytes, signer: Signer) -> Descriptor | None:
    """Returns the manifest in which `signer` has signed this payload already; junk and what dangles is passed over,
    what cannot be read is raised."""
    for finding in findings:
        if isinstance(finding, Candidate):
            if finding.payload == payload and signer.made(finding):
                return finding.holder
        elif not isinstance(finding, Junk | NotFound):
            raise finding
    return None


def read_tagged(target: Target, tag: str) -> Manifest | None:
    """Returns the manifest under a tag, None where there is none."""
    try:
        descriptor = target.resolve(tag)
    except NotFound:
        return None
    return Manifest.parse(target.fetch(descriptor), descriptor.media_type)


def room_in(manifest: Manifest | None, tag: str) -> None:
    """Raises `ImageError` when one layer more would not be read."""
    if manifest is not None and len(manifest.layers) >= MOST:
        raise ImageError(
            f"{tag} has {len(manifest.layers)} signatures, expected room for one more: verifiers read {MOST}",
            hint="sign with --format bundle, or remove signatures that nobody needs",
        )


def room_beside(target: Target, subject: Descriptor) -> None:
    """Raises `ImageError` when one referrer more would make the whole list unreadable."""
    there = len(target.referrers(subject.digest))
    if there >= MOST:
        raise ImageError(
            f"{subject.digest} has {there} referrers, expected room for one more: verifiers read {MOST}",
            hint="remove signatures and attestations that nobody needs, or sign with --format legacy",
        )


def moment(created: int | None) -> str:
    """Returns a time (seconds since 1970, None: now) as it is noted beside a bundle."""
    return rfc3339(time.time() if created is None else created)


def _wait(attempt: int) -> None:
    from random import uniform

    time.sleep(uniform(0.0, 0.02 * 2**attempt))  # noqa: S311 (jitter, no secret)
