"""What is written down about the image of a load: which bytes, and who vouched for them by which rule."""

from __future__ import annotations

from bpfimg.load import ImageRecord, SignerRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci import Digest
    from bpfimg.sign import Believed, VerifiedImage


def image_record(verified: VerifiedImage, manifest: Digest, pull: str) -> ImageRecord:
    """The record of an image that is believed; `manifest` is the one for this platform, `pull` the pull policy.

    Of a local file it has path and digest of the file, and no pull policy: no registry was asked.
    """
    return ImageRecord(
        reference=f"file:{verified.file}" if verified.file else str(verified.reference),
        digest=verified.file_digest or str(verified.descriptor.digest),
        manifest=str(manifest),
        policy=verified.policy,
        rule=verified.rule,
        signers=tuple(dict.fromkeys(map(_signer, verified.signers))),
        unsafe=verified.unsafe,
        pull="" if verified.file else pull,
        policy_digest=verified.policy_digest,
        version=verified.version[:128],
    )


def _signer(believed: Believed) -> SignerRecord:
    return SignerRecord(
        authority=believed.authority,
        key=believed.fingerprint,
        identity=believed.identity,
        issuer=believed.issuer,
        format=believed.format,
        signed_at=believed.when,
        logs=believed.logs,
        stamps=believed.stamps,
    )
