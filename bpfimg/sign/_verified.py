"""The proof that an image is believed. `VerifiedImage` is the only one, and it comes from this room alone."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn, SupportsIndex

    from bpfimg.oci import Descriptor, Reference
    from bpfimg.sign._attested import Attestation
    from bpfimg.sign._believed import Believed
    from bpfimg.sign._history import History
    from bpfimg.sign._mark import Mark

_PROOF = object()


class VerifiedImage:
    """Proof that `policy` said yes to the image or index `descriptor`.

    That is the top one, as it was given to `verify`, or the one of its images that was chosen for a platform and is
    believed for itself. An image that is chosen out of a verified index is believed through it: the index's bytes are
    under its digest, and they name the image by digest. `rule` is the scope of the rule that decided; `signers` are
    those who were looked at until it was satisfied, `attestations` those that it asks for. `unsafe` says that the rule
    demands no signature; `notes` is what was seen and did not count.

    `version` is the version label that was verified ("": none). `mark` is what `history` has to remember once the
    image is in use, under the name `repository` (None: the rule protects from nothing, or going back was allowed).
    `file` and `file_digest` are "" but for a file on this machine that no signature is about.

    Cannot be made, copied, changed or unpickled by anybody but `verify` and `local_file`: no dataclass, because a
    dataclass can be made again with some fields exchanged.
    """

    __slots__ = (
        "attestations",
        "descriptor",
        "file",
        "file_digest",
        "history",
        "mark",
        "notes",
        "policy",
        "policy_digest",
        "reference",
        "repository",
        "rule",
        "signers",
        "unsafe",
        "version",
    )

    reference: Reference
    descriptor: Descriptor
    signers: tuple[Believed, ...]
    attestations: tuple[Attestation, ...]
    policy: str
    policy_digest: str
    rule: str
    unsafe: bool
    notes: tuple[str, ...]
    version: str
    repository: str
    mark: Mark | None
    history: History | None
    file: str
    file_digest: str

    def __init__(self, proof: object, **fields: object) -> None:
        if proof is not _PROOF or fields.keys() != set(self.__slots__):
            raise TypeError("a VerifiedImage comes from sign.verify")
        for name, content in fields.items():
            object.__setattr__(self, name, content)

    def __setattr__(self, name: str, content: object) -> NoReturn:
        raise AttributeError("a VerifiedImage is frozen")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a VerifiedImage is frozen")

    def __repr__(self) -> str:
        return f"<VerifiedImage {self.reference} {self.descriptor.digest} by {self.policy}>"

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("VerifiedImage has no subclasses: one could skip the proof")

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a VerifiedImage cannot be copied or pickled: it proves what was verified in this process")


_ABSENT = {
    "signers": (),
    "attestations": (),
    "notes": (),
    "version": "",
    "mark": None,
    "history": None,
    "file": "",
    "file_digest": "",
}


def proved(**fields: object) -> VerifiedImage:
    """Returns the proof with these fields. For `verify` and `local_file`, after they have decided, and nobody else."""
    return VerifiedImage(_PROOF, **{**_ABSENT, **fields})
