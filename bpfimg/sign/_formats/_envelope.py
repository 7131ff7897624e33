"""The DSSE envelope around an in-toto statement: what is signed in bundles and in `.att` layers.

Sources: DSSE 1.0 (protocol.md, envelope.md), in-toto attestation framework v1 (statement.md, resource_descriptor.md).
"""

from __future__ import annotations

from bpfimg._value import value as made
from bpfimg.errors import quoted
from bpfimg.sign._strict import Junk, base64, document, fields, items, mapping, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bpfimg.oci import Digest

PAYLOAD = "application/vnd.in-toto+json"
STATEMENTS = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
"""The predicate type that makes a statement a signature; every other makes it an attestation."""
STATEMENT_LIMIT = 16 * 1024 * 1024
_SUBJECTS = 256
_RESOURCE = ("name", "uri", "content", "downloadLocation", "mediaType", "annotations")


def pae(payload: bytes) -> bytes:
    """Returns the DSSE pre-authentication encoding of an in-toto payload: the bytes that are signed."""
    return b"DSSEv1 %d %b %d %b" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


def opened(value: object, what: str = "dsseEnvelope") -> tuple[bytes, bytes]:
    """Returns payload and signature of a DSSE envelope that has exactly one of each; else `Junk`."""
    envelope = fields(value, what, ("payload", "payloadType", "signatures"))
    if envelope["payloadType"] != PAYLOAD:
        raise Junk(f"payloadType is {quoted(envelope['payloadType'])}, expected {PAYLOAD}")
    signatures = items(envelope["signatures"], "signatures", least=1, most=1)
    one = fields(signatures[0], "signature", ("sig",), ("keyid",))
    if one.get("keyid", "") != "":
        raise Junk(f"keyid is {quoted(one['keyid'])}, expected none")
    return base64(envelope["payload"], "payload"), base64(one["sig"], "sig")


@made(frozen=True, slots=True)
class Said:
    """What a statement says of one digest: of which type it is, the names that it gives to the digest ("" where it
    gives none), and the signed annotations about it."""

    predicate_type: str
    names: tuple[str, ...]
    claims: Mapping[str, str]


def said(payload: bytes, wanted: Digest) -> Said:
    """Returns what the in-toto statement in `payload` says of the digest; `Junk` when it is about something else."""
    top = document(payload, limit=STATEMENT_LIMIT, what="statement")
    found = fields(top, "statement", ("_type", "subject", "predicateType"), ("predicate",))
    if found["_type"] not in STATEMENTS:
        raise Junk(f"_type is {quoted(found['_type'])}, expected {STATEMENTS[0]}")
    predicate_type = string(found["predicateType"], "predicateType")
    if not predicate_type:
        raise Junk("predicateType is empty, expected a URI")
    names: list[str] = []
    claims: dict[str, str] = {}
    for value in items(found["subject"], "subject", most=_SUBJECTS):
        subject = fields(value, "subject", ("digest",), _RESOURCE)
        digests = mapping(subject["digest"], "subject.digest")
        if digests.get(wanted.algorithm) == wanted.hex:
            names.append(string(subject.get("name", ""), "subject.name"))
            _claim(claims, subject.get("annotations"))
    if not names:
        raise Junk("it is about another image")
    return Said(predicate_type, tuple(names), claims)


def _claim(claims: dict[str, str], annotations: object) -> None:
    """Adds the annotations of one subject; texts only, for others are claims that nobody here asks for."""
    if annotations is None:
        return
    for name, text in mapping(annotations, "subject.annotations").items():
        if type(text) is str and claims.setdefault(name, text) != text:
            raise Junk(f"it says two things of the image: {quoted(name)} is {quoted(claims[name])} and {quoted(text)}")
