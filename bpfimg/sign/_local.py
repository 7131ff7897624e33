"""A file on this machine, which nobody signed: believed only by a policy that says so, and never quietly."""

from __future__ import annotations

from bpfimg.errors import VerificationError, quoted
from bpfimg.sign._verified import proved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpfimg.oci import Descriptor, Digest, Reference
    from bpfimg.sign._policy._policy import Policy
    from bpfimg.sign._verified import VerifiedImage

RULE = "localFiles"
ALLOWED = '"localFiles": "insecure-allow-unsigned"'


def local_file(
    policy: Policy,
    file: str,
    digest: Digest,
    packed: Callable[[], tuple[Reference, Descriptor, Sequence[Digest]]],
) -> VerifiedImage:
    """Returns the proof, marked `unsafe`, that `policy` lets the file at the path `file` be used unsigned.

    `digest` is the file's own. `packed` makes an image of it, and says what that is called, what it is and which other
    digests the same content has in it; it is asked only where the policy allows local files at all. The policy's
    `denyDigests` count for all of them. Raises `VerificationError`.
    """
    if not policy.local_files:
        raise VerificationError(
            f"{quoted(file)} is not believed: nobody signed it, and {policy.origin} allows no local files",
            hint=f"for development, add to {policy.origin}, beside its rules: {ALLOWED}; else make an image of it and"
            " sign that: bpfimg build -t NAME FILE, bpfimg sign --key KEY NAME",
        )
    _refuse_denied(policy, file, (digest,))
    reference, descriptor, parts = packed()
    _refuse_denied(policy, file, (descriptor.digest, *parts))
    return proved(
        reference=reference,
        repository=str(reference.repository),
        descriptor=descriptor,
        policy=policy.origin,
        policy_digest=policy.digest,
        rule=RULE,
        unsafe=True,
        file=file,
        file_digest=str(digest),
    )


def _refuse_denied(policy: Policy, file: str, digests: Sequence[Digest]) -> None:
    for digest in digests:
        if str(digest) in policy.denied:
            raise VerificationError(
                f"{quoted(file)} is not believed: denyDigests of {policy.origin} has {digest}, which it is or becomes"
            )
