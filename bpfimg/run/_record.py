"""What is written down about the image of a load: which bytes, and who vouched for them by which rule."""

from __future__ import annotations

from bpfimg.load import ImageRecord, SignerRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci import Digest
    from bpfimg.sign import Believed, VerifiedImage


def image_record(verified: VerifiedImage, manifest: Digest, pull: str) -> ImageRecord:
    """The record of an image that is believed; `manifest` is the one for this platform, `pull` the pull policy."""
    return ImageRecord(
        reference=str(verified.reference),
        digest=str(verified.descriptor.digest),
        manifest=str(manifest),
        policy=verified.policy,
        rule=verified.rule,
        signers=tuple(dict.fromkeys(map(_signer, verified.signers))),
        unsafe=verified.unsafe,
        pull=pull,
    )


def _signer(believed: Believed) -> SignerRecord:
    return SignerRecord(authority=believed.authority, key=believed.fingerprint, format=believed.format)
