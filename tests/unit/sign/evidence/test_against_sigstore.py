"""The second opinion: sigstore-python on the same bundles, good and bad. Where they differ, the table says why."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from sigstore.errors import Error
from sigstore.models import Bundle
from sigstore.models import TrustedRoot as SigstoresRoot
from sigstore.verify.verifier import Verifier
from sigstore_models.trustroot.v1 import TrustedRoot as SigstoresModel

from bpfimg.sign._evidence._root import TrustedRoot
from bpfimg.sign._strict import Junk
from tests.support.sigstack import Authority, CtLog, Rekor, Secret, Tsa
from tests.support.sigstack._authority import fulcio as fulcio_extension
from tests.support.sigstack._documents import certifier, rfc3339
from tests.unit.sign.evidence.scene import AT, STATEMENT, believed, bundle, seen, world
from tests.unit.sign.evidence.test_certificates import also, instead, usage, without
from tests.unit.sign.evidence.test_mutations import GOOD, OTHERS, changed, texts, whole

if TYPE_CHECKING:
    from collections.abc import Callable

YES, NO = "believed", "refused"


class Anybody:
    """A policy that leaves the identity to others, as we do here."""

    def verify(self, _certificate: object) -> None:
        pass


@functools.cache
def verifier(document: str) -> Verifier:
    return Verifier(trusted_root=SigstoresRoot(SigstoresModel.from_json(document)))


def theirs(data: bytes, document: str) -> str:
    """What sigstore-python says; some malformed bundles make it raise what is no verdict, which is none."""
    try:
        kind, payload = verifier(document).verify_dsse(Bundle.from_json(data), Anybody())
    except (Error, ValueError, OverflowError, x509.ExtensionNotFound):
        return NO
    assert (kind, payload) == ("application/vnd.in-toto+json", STATEMENT)
    return YES


def ours(data: bytes, document: str) -> str:
    """What a policy says that asks what sigstore-python asks: a log, a time, a certificate."""
    trusted = TrustedRoot.parse(document.encode())
    try:
        believed(data, trusted)
    except Junk:
        return NO
    return NO if seen(data, trusted).failed else YES


@dataclass(frozen=True)
class Case:
    """A bundle, made `how`, against the root changed by `root`; both say `verdict`, or they `differ` and we say it."""

    name: str
    verdict: str
    how: dict[str, Any] = field(default_factory=dict)
    root: Callable[[dict[str, Any]], object] | None = None
    differ: str = ""


def edit(name: str, change: Callable[[Any], object]) -> dict[str, Any]:
    """How to change the verification material."""
    return {"edit": lambda document: change(document["verificationMaterial"][name])}


def entry(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    return edit("tlogEntries", lambda entries: change(entries[0]))


def proof(**values: Any) -> dict[str, Any]:
    return entry(lambda one: one["inclusionProof"].update(values))


def issue(**words: Any) -> dict[str, Any]:
    return {"issue": words}


def windows(part: str, window: dict[str, str]) -> Callable[[dict[str, Any]], object]:
    def change(document: dict[str, Any]) -> None:
        for one in document[part]:
            (one.get("publicKey", one))["validFor"] = window

    return change


class Several(CtLog):
    def promise(self, certificate: x509.Certificate, issuer: bytes, at: float) -> bytes:
        joined = b"".join(one.promise(certificate, issuer, at)[2:] for one in (CtLog("x"), CtLog("evidence")))
        return len(joined).to_bytes(2, "big") + joined


def two_names(parts: Any) -> Any:
    names = [x509.RFC822Name("a@example.org"), x509.RFC822Name("b@example.org")]
    return instead(x509.SubjectAlternativeName, (x509.SubjectAlternativeName(names), True))(parts)


STRANGE = Authority("a stranger's", ct=world().authority.ct)
ENDED = {"start": rfc3339(AT - 1000), "end": rfc3339(AT - 1)}
LATER = {"start": rfc3339(AT + 1)}

CASES = (
    Case("Rekor 1 and a timestamp", YES),
    Case("Rekor 1 alone", YES, {"tsa": False}),
    Case("Rekor 2 and a timestamp", YES, {"rekor": 2}),
    Case("Rekor 2 alone: no time", NO, {"rekor": 2, "tsa": False}),
    Case("no log", NO, {"rekor": None}),
    Case("bundle 0.3", YES, {"version": "0.3"}),
    Case("bundle 0.2", YES, {"version": "0.2"}),
    Case("bundle 0.1", YES, {"version": "0.1"}),
    Case("an address", YES, {"subject": "me@example.org"}),
    Case(
        "P-384",
        YES,
        {"key": Secret.of("p384", "ecdsa-p384"), "authority": world().authority},
        differ="they hash with SHA-256 whatever the key",
    ),
    Case(
        "P-384 in Rekor 2",
        YES,
        {"key": Secret.of("p384", "ecdsa-p384"), "authority": world().authority, "rekor": 2},
        differ="they hash with SHA-256 whatever the key",
    ),
    Case("intoto/0.0.2", YES, {"kind": "intoto"}, differ="npm's and cosign 2's; sigstore-python never read it"),
    Case("two logs", YES, {"rekor": (1, 2)}, differ="sigstore-python takes exactly one entry"),
    Case("two timestamps", YES, {"tsa": (True, True)}),
    # time
    Case("logged and stamped too late", NO, {"issued_at": AT - 4000}),
    Case("logged and stamped too early", NO, {"issued_at": AT + 4000}),
    Case(
        "stamped too late, logged in time", YES, {"stamped_at": AT + 4000}, differ="one verified time within is proof"
    ),
    Case("logged too late, stamped in time", YES, {"logged_at": AT + 4000}, differ="one verified time within is proof"),
    Case("Rekor 2, stamped too late", NO, {"rekor": 2, "stamped_at": AT + 4000}),
    Case("a timestamp of something else", NO, {"stamped": b"x"}, differ="what is there must verify; they pass over it"),
    Case("Rekor 2, a timestamp of something else", NO, {"rekor": 2, "stamped": b"x"}),
    Case("a stranger's timestamp", NO, {"tsa": Tsa("x")}, differ="what is there must verify; they pass over it"),
    Case("Rekor 2, a stranger's timestamp", NO, {"rekor": 2, "tsa": Tsa("x")}),
    Case("no promise: its time counts for nothing", NO, {"tsa": False, **entry(lambda e: e.pop("inclusionPromise"))}),
    # the log entry
    Case("of another statement", NO, {"about": STATEMENT + b" "}),
    Case("Rekor 2, of another statement", NO, {"about": STATEMENT + b" ", "rekor": 2}),
    Case("of a stranger's log", NO, {"rekor": Rekor(1, "x")}),
    Case("of a stranger's Rekor 2", NO, {"rekor": Rekor(2, "x")}),
    Case("no proof", YES, entry(lambda e: e.pop("inclusionProof")), differ="a promise is enough, as in every `.sig`"),
    Case("a wrong root", NO, proof(rootHash="A" * 43 + "=")),
    Case("a wrong index in the proof", NO, proof(logIndex="0")),
    Case("no hashes", NO, proof(hashes=[])),
    Case("no checkpoint", YES, proof(checkpoint={}), differ="a promise is enough; the proof without it is no evidence"),
    Case(
        "a checkpoint of another tree", NO, proof(checkpoint={"envelope": world().rekors[1].checkpoint(9, b"x" * 32)})
    ),
    Case("a stranger's checkpoint", NO, proof(checkpoint={"envelope": Rekor(1, "x").checkpoint(9, b"x" * 32)})),
    Case("another index", NO, entry(lambda e: e.update(logIndex="1"))),
    Case(
        "Rekor 2, another index",
        NO,
        {"rekor": 2, **entry(lambda e: e.update(logIndex="1"))},
        differ="it is said, not checked",
    ),
    Case("another time", NO, entry(lambda e: e.update(integratedTime=str(AT + 1)))),
    Case(
        "a promise without a time",
        NO,
        entry(lambda e: e.pop("integratedTime")),
        differ="they leave the promise unchecked",
    ),
    Case("another log's id", NO, entry(lambda e: e["logId"].update(keyId="A" * 43 + "="))),
    # the certificate
    Case("a stranger's authority", NO, {"authority": STRANGE}),
    Case("no certificate log", NO, {"sct": False}),
    Case("a stranger's certificate log", NO, {"sct": CtLog("x")}),
    Case(
        "two certificate logs",
        YES,
        {"sct": Several("evidence")},
        differ="one of those that we know is enough; they want one",
    ),
    Case("not for signing code", NO, issue(usages=[ExtendedKeyUsageOID.SERVER_AUTH])),
    Case("for anything", NO, issue(usages=[ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])),
    Case(
        "for code and clients", YES, issue(usages=[ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.CLIENT_AUTH])
    ),
    Case("no purpose", NO, issue(edit=without(x509.ExtendedKeyUsage))),
    Case("no key usage", NO, issue(edit=without(x509.KeyUsage))),
    Case("key agreement", NO, issue(edit=instead(x509.KeyUsage, (usage(key_agreement=True), True)))),
    Case(
        "may revoke",
        NO,
        issue(edit=instead(x509.KeyUsage, (usage(digital_signature=True, crl_sign=True), True))),
        differ="a signer's certificate is for signatures",
    ),
    Case("an authority", NO, issue(edit=also((x509.BasicConstraints(ca=True, path_length=None), True)))),
    Case("an unknown critical extension", NO, issue(edit=also((fulcio_extension(99, b"\5\0"), True)))),
    Case("an unknown extension", YES, issue(edit=also((fulcio_extension(99, b"\5\0"), False)))),
    Case("two subjects", NO, issue(edit=two_names), differ="whose identity is it? they leave it to the policy"),
    # the root
    Case(
        "an authority that has ended",
        NO,
        {},
        windows("certificateAuthorities", ENDED),
        "they leave its window unchecked",
    ),
    Case(
        "an authority that was not yet",
        NO,
        {},
        windows("certificateAuthorities", LATER),
        "they leave its window unchecked",
    ),
    Case("a log that has ended", NO, {}, windows("tlogs", ENDED), "they leave the window of its key unchecked"),
    Case(
        "Rekor 2, a log that has ended",
        NO,
        {"rekor": 2},
        windows("tlogs", ENDED),
        "they leave the window of its key unchecked",
    ),
    Case(
        "a certificate log that has ended",
        NO,
        {},
        windows("ctlogs", ENDED),
        "they leave the window of its key unchecked",
    ),
    Case(
        "a timestamp authority that has ended",
        NO,
        {},
        windows("timestampAuthorities", ENDED),
        "what is there must verify; they pass over it",
    ),
    Case("Rekor 2, a timestamp authority that has ended", NO, {"rekor": 2}, windows("timestampAuthorities", ENDED)),
    Case("no timestamp authorities", NO, {}, lambda d: d.update(timestampAuthorities=[])),
    Case("another root", NO, {}, lambda d: d.update(certificateAuthorities=[certifier(STRANGE.chain, "https://x")])),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_sigstore_python_says_the_same_or_the_table_says_why_not(case: Case) -> None:
    document = world().root_document()
    if case.root is not None:
        case.root(document)
    data, trusted = bundle(**case.how), json.dumps(document)
    assert ours(data, trusted) == case.verdict
    same = theirs(data, trusted) == case.verdict
    assert same is not bool(case.differ), case.differ or "sigstore-python says otherwise"


DIFFERENT = {
    (1, "integratedTime"): "a promise that cannot be checked is not passed over",
    (1, "envelope"): "beside a promise a proof may lack its checkpoint",
    (2, "logIndex"): "the index that is said must be the index that is proven",
}


@pytest.mark.parametrize("rekor", [1, 2])
def test_every_changed_field_gets_the_same_verdict(rekor: int) -> None:
    data, trusted, count = GOOD[rekor], world().trusted_root().decode(), 0
    assert theirs(data, trusted) == YES
    for path, _ in texts(json.loads(data)):
        for other in OTHERS:
            count += 1
            other_bundle = changed(data, path, other)
            try:
                whole(other_bundle)
                mine = YES
            except Junk:
                mine = NO
            if mine != theirs(other_bundle, trusted):
                assert (rekor, path[-1]) in DIFFERENT, (path, other, mine)
    assert count > 300
