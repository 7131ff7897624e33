"""Sign an image; decide whether to believe one.

`image` and `attest` sign, with a key or in somebody's name (`signers`), in both of cosign's formats. `verify` asks a
`Policy` and returns a `VerifiedImage`, which nobody outside can make: whoever holds one holds the proof. Nothing here
knows what is inside an image.

Behind the door, from below: `_keys` verify and sign bytes; `_evidence` judges certificates, logs and timestamps by a
trusted root; `_policy` is the language of rules, `_formats` that of signatures; `_services` are who is asked while
signing. Believing goes from `_collect` (what is there) over `_whose` (for whom one counts) and `_judge` (are they
enough) to `_verify`; signing from `_signers` over `_stored` to `_sign` and `_attest`.
"""

from __future__ import annotations

from bpfimg._door import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.sign import _policies_door as policies
    from bpfimg.sign import _signers_door as signers
    from bpfimg.sign._attest import attest
    from bpfimg.sign._attested import Attestation
    from bpfimg.sign._believed import Believed
    from bpfimg.sign._history import History
    from bpfimg.sign._keys._private import PrivateKey
    from bpfimg.sign._keys._public import PublicKey
    from bpfimg.sign._local import local_file
    from bpfimg.sign._policy._policy import Policy
    from bpfimg.sign._sign import Signed, image
    from bpfimg.sign._verified import VerifiedImage
    from bpfimg.sign._verify import attestations, verify

__all__ = [
    "Attestation",
    "Believed",
    "History",
    "Policy",
    "PrivateKey",
    "PublicKey",
    "Signed",
    "VerifiedImage",
    "attest",
    "attestations",
    "image",
    "local_file",
    "policies",
    "signers",
    "verify",
]

__getattr__ = opened(
    __name__,
    {
        "Attestation": "_attested",
        "Believed": "_believed",
        "History": "_history",
        "Policy": "_policy._policy",
        "PrivateKey": "_keys._private",
        "PublicKey": "_keys._public",
        "Signed": "_sign",
        "VerifiedImage": "_verified",
        "attest": "_attest",
        "attestations": "_verify",
        "image": "_sign",
        "local_file": "_local",
        "policies": "_policies_door*",
        "signers": "_signers_door*",
        "verify": "_verify",
    },
)
