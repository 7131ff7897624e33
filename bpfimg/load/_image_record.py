"""Where the bytes of a load came from, and who vouched for them, as it is written down."""

from __future__ import annotations

from bpfimg._value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST = 8
"""Signers that are kept; the first ones. A record has to stay small, and one is enough to know whom to ask."""
_LONGEST = 512


@value(frozen=True, slots=True)
class SignerRecord:
    """One signature that was believed: for which `authority` of the policy, by which `key` (its fingerprint) or by
    whom (`identity`, as `issuer` knows him), in which `format`, when (`signed_at`, RFC 3339), and which `logs` and
    timestamp authorities (`stamps`) say so. "" where there is no such thing."""

    authority: str
    key: str = ""
    identity: str = ""
    issuer: str = ""
    format: str = ""
    signed_at: str = ""
    logs: tuple[str, ...] = ()
    stamps: tuple[str, ...] = ()

    @property
    def who(self) -> str:
        """In words: `release sha256:...`, or `ci https://ci.example/build of https://issuer.example`."""
        by = f"{self.identity} of {self.issuer}" if self.identity else self.key
        return f"{self.authority} {by}".strip()

    def to_dict(self) -> dict[str, object]:
        """The JSON document, without what is empty."""
        fields = {name: getattr(self, name) for name in self.__slots__ if getattr(self, name)}
        return {name: list(found) if isinstance(found, tuple) else found for name, found in fields.items()}

    @classmethod
    def from_dict(cls, document: Any) -> SignerRecord:
        """Reads a document; text is what records held before there was more to say: `AUTHORITY KEY`."""
        if isinstance(document, str):
            authority, _, key = document.rpartition(" ")
            return cls(authority, key)
        return cls(
            authority=str(document.get("authority", "")),
            key=str(document.get("key", "")),
            identity=str(document.get("identity", "")),
            issuer=str(document.get("issuer", "")),
            format=str(document.get("format", "")),
            signed_at=str(document.get("signed_at", "")),
            logs=tuple(map(str, document.get("logs", ()))),
            stamps=tuple(map(str, document.get("stamps", ()))),
        )


@value(frozen=True, slots=True)
class ImageRecord:
    """Where the bytes came from and who vouched for them.

    `digest` is what was verified: what the reference named, or the image for this machine in it; `manifest` is the one
    for this platform. `policy` (with `policy_digest`, that of its file) and `rule` say why it was believed, `signers`
    by whom (of many the first ones); `unsafe` is true when no signature was asked for; `pull` is the pull policy,
    `version` the label that was verified where the rule lets nothing go back. Of a local file the reference is
    `file:PATH`, and `digest` that of the file.
    """

    reference: str
    digest: str
    manifest: str
    policy: str
    rule: str
    signers: tuple[SignerRecord, ...] = ()
    unsafe: bool = False
    pull: str = ""
    policy_digest: str = ""
    version: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "signers", tuple(map(_short, self.signers[:_MOST])))

    def to_dict(self) -> dict[str, object]:
        """The JSON document, as it is written."""
        later = ("policy_digest", "version")  # only where there is something to say
        found = {name: getattr(self, name) for name in self.__slots__ if name not in later or getattr(self, name)}
        return {**found, "signers": [signer.to_dict() for signer in self.signers]}

    @classmethod
    def from_dict(cls, document: Any) -> ImageRecord:
        """Reads a document; KeyError, TypeError, ValueError or AttributeError when it is none."""
        return cls(
            reference=str(document["reference"]),
            digest=str(document["digest"]),
            manifest=str(document["manifest"]),
            policy=str(document["policy"]),
            rule=str(document["rule"]),
            signers=tuple(map(SignerRecord.from_dict, document.get("signers", ()))),
            unsafe=document.get("unsafe") is True,
            pull=str(document.get("pull", "")),
            policy_digest=str(document.get("policy_digest", "")),
            version=str(document.get("version", "")),
        )


def _short(signer: SignerRecord) -> SignerRecord:
    """A certificate may name somebody in 2 KiB; a record that many of them fill could not be written."""
    return replace(
        signer,
        authority=_cut(signer.authority),
        identity=_cut(signer.identity),
        issuer=_cut(signer.issuer),
        logs=tuple(map(_cut, signer.logs[:2])),
        stamps=tuple(map(_cut, signer.stamps[:2])),
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
