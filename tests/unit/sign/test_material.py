"""What stands beside a signature, read out of bundles and annotations: all of it, strictly, and bounded."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from bpfimg.sign._formats._beside import in_annotations, in_bundle
from bpfimg.sign._material import NOTHING, InclusionProof, LogEntry, Material
from bpfimg.sign._strict import Junk
from tests.unit.sign.craft import LOG_ENTRY, PEM, SET, STAMP, b64, dumps

ENTRY = LogEntry(
    log=b"i" * 32,
    index=7,
    time=1700000000,
    body=b"{}",
    kind="dsse",
    version="0.0.1",
    promise=b"set",
    proof=InclusionProof(index=5, size=9, root=b"r" * 32, hashes=(b"h" * 32,), checkpoint="log\n9\n"),
)
HINT = {"publicKey": {"hint": b64(b"f" * 32)}}
LEAF = {"certificate": {"rawBytes": b64(b"leaf")}}
CERTIFICATE = "dev.sigstore.cosign/certificate"
CHAIN = "dev.sigstore.cosign/chain"
BUNDLE = "dev.sigstore.cosign/bundle"
TIMESTAMP = "dev.sigstore.cosign/rfc3161timestamp"


def chain(*certificates: bytes) -> dict[str, Any]:
    return {"x509CertificateChain": {"certificates": [{"rawBytes": b64(one)} for one in certificates]}}


def stamps(*stamps: bytes) -> dict[str, Any]:
    return {"timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": b64(one)} for one in stamps]}}


def entry(*removed: str, **changes: Any) -> dict[str, Any]:
    found = {**copy.deepcopy(LOG_ENTRY), **changes}
    return {"tlogEntries": [{name: value for name, value in found.items() if name not in removed}]}


def proof(**changes: Any) -> dict[str, Any]:
    return entry(inclusionProof={**LOG_ENTRY["inclusionProof"], **changes})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (HINT, Material(hint=b"f" * 32)),
        ({"publicKey": {}}, NOTHING),
        ({"publicKey": {"hint": "no base64!"}}, NOTHING),  # it decides nothing
        (LEAF, Material(certificate=b"leaf")),
        ({**LEAF, "publicKey": None}, Material(certificate=b"leaf")),
        (chain(b"leaf", b"ca"), Material(certificate=b"leaf", chain=(b"ca",))),
        ({**HINT, **entry()}, Material(hint=b"f" * 32, entries=(ENTRY,))),
        ({**LEAF, **stamps(b"1", b"2")}, Material(certificate=b"leaf", timestamps=(b"1", b"2"))),
        ({**LEAF, "tlogEntries": [], "timestampVerificationData": {}}, Material(certificate=b"leaf")),
        ({**LEAF, "tlogEntries": None, "timestampVerificationData": None}, Material(certificate=b"leaf")),
    ],
)
def test_a_bundle(value: dict[str, Any], expected: Material) -> None:
    assert in_bundle(value, chains=True) == expected


@pytest.mark.parametrize(
    ("value", "index", "time"),
    [
        (entry(logIndex=7, integratedTime=1700000000), 7, 1700000000),  # protobuf's JSON takes numbers, too
        (entry("integratedTime", "inclusionPromise"), 7, 0),
        (entry("logIndex"), 0, 1700000000),  # zero is left out
        (entry(integratedTime="0"), 7, 0),
        (entry(logIndex=str((1 << 63) - 1)), (1 << 63) - 1, 1700000000),
    ],
)
def test_numbers_of_an_entry(value: dict[str, Any], index: int, time: int) -> None:
    (found,) = in_bundle({**HINT, **value}, chains=False).entries
    assert (found.index, found.time) == (index, time)


def test_what_an_entry_need_not_have() -> None:
    (found,) = in_bundle({**HINT, **entry("inclusionPromise", "inclusionProof")}, chains=False).entries
    assert (found.promise, found.proof) == (b"", None)
    small = {"treeSize": "1", "rootHash": b64(b"r")}
    (found,) = in_bundle({**HINT, **entry(inclusionProof=small)}, chains=False).entries
    assert found.proof == InclusionProof(index=0, size=1, root=b"r", hashes=(), checkpoint="")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({}, "has no signer"),
        ({**HINT, **LEAF}, "has publicKey and certificate"),
        ({**LEAF, **chain(b"leaf")}, "has certificate and x509CertificateChain"),
        ({"publicKey": []}, "publicKey is a list"),
        ({"publicKey": {"hint": 1}}, "hint is a number"),
        ({"publicKey": {"rawBytes": ""}}, "unknown field"),
        ({"certificate": {"rawBytes": ""}}, "0 bytes, expected 1 to 65536"),
        ({"certificate": {"rawBytes": b64(b"x" * 65537)}}, "65537 bytes"),
        ({"certificate": {"rawBytes": "AA=A"}}, "is not base64"),
        ({"certificate": {"rawBytes": "-_-_"}}, "is not base64"),
        (chain(), "x509CertificateChain is empty"),
        (chain(*[b"c"] * 9), "9 entries, expected at most 8"),
        ({**HINT, "tlogEntries": [LOG_ENTRY] * 33}, "33 entries, expected at most 32"),
        ({**HINT, **stamps(*[b"s"] * 33)}, "33 entries, expected at most 32"),
        ({**HINT, **stamps(b"")}, "0 bytes"),
        ({**HINT, **entry("logId")}, "lacks 'logId'"),
        ({**HINT, **entry("kindVersion")}, "lacks 'kindVersion'"),
        ({**HINT, **entry("canonicalizedBody")}, "lacks 'canonicalizedBody'"),
        ({**HINT, **entry(more=1)}, "unknown field 'more'"),
        ({**HINT, **entry(logIndex="-1")}, "logIndex is '-1', expected a number"),
        ({**HINT, **entry(logIndex="07")}, "expected a number"),
        ({**HINT, **entry(logIndex="7\n")}, "expected a number"),
        ({**HINT, **entry(logIndex="\u0667")}, "expected a number"),
        ({**HINT, **entry(logIndex=str(1 << 63))}, "expected a number"),
        ({**HINT, **entry(logIndex=1 << 63)}, "expected a number"),
        ({**HINT, **entry(logIndex=-1)}, "expected a number"),
        ({**HINT, **entry(logIndex=True)}, "expected a number"),
        ({**HINT, **entry(logIndex=7.0)}, "expected a number"),
        ({**HINT, **entry(integratedTime="now")}, "integratedTime is 'now'"),
        ({**HINT, **entry(logId={"keyId": b64(b"i" * 65)})}, "keyId has 65 bytes"),
        ({**HINT, **entry(kindVersion={"kind": "dsse"})}, "lacks 'version'"),
        ({**HINT, **entry(kindVersion={"kind": 1, "version": "0.0.1"})}, "kind is a number"),
        ({**HINT, **entry(inclusionPromise={})}, "lacks 'signedEntryTimestamp'"),
        ({**HINT, **entry(inclusionPromise={"signedEntryTimestamp": None})}, "is null, expected a string"),
        ({**HINT, **entry(inclusionPromise={"signedEntryTimestamp": ""})}, "0 bytes"),
        ({**HINT, **entry(canonicalizedBody=b64(b"x" * ((1 << 20) + 1)))}, "expected 1 to 1048576"),
        ({**HINT, **proof(hashes=[b64(b"h")] * 65)}, "65 entries, expected at most 64"),
        ({**HINT, **proof(hashes=[""])}, "an inclusion hash has 0 bytes"),
        ({**HINT, **proof(checkpoint={"envelope": "x" * 65537})}, "checkpoint has 65537 characters"),
        ({**HINT, **proof(checkpoint="x")}, "checkpoint is a string"),
        ({**HINT, **proof(more=1)}, "unknown field"),
    ],
)
def test_a_wrong_bundle(value: dict[str, Any], says: str) -> None:
    with pytest.raises(Junk) as caught:
        in_bundle(value, chains=True)
    assert says in str(caught.value)
    assert str(caught.value).isascii()


def test_a_chain_only_where_it_belongs() -> None:
    with pytest.raises(Junk, match="expected certificate in a bundle of version"):
        in_bundle(chain(b"leaf"), chains=False)


LEGACY_ENTRY = LogEntry(log=b"i" * 32, index=7, time=1700000000, body=b"{}", promise=b"set")


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, NOTHING),
        ({"anything": "else"}, NOTHING),
        ({CERTIFICATE: "", CHAIN: "", BUNDLE: "", TIMESTAMP: ""}, NOTHING),
        ({CERTIFICATE: PEM}, Material(certificate=b"leaf")),
        ({CERTIFICATE: f"\n{PEM}\n\n", CHAIN: PEM * 2}, Material(certificate=b"leaf", chain=(b"leaf", b"leaf"))),
        ({CERTIFICATE: PEM.replace("\n", "\r\n"), CHAIN: f"{PEM}\n{PEM}"}, Material(b"leaf", (b"leaf", b"leaf"))),
        ({BUNDLE: SET}, Material(entries=(LEGACY_ENTRY,))),
        ({TIMESTAMP: STAMP}, Material(timestamps=(b"stamp",))),
    ],
)
def test_annotations(annotations: dict[str, str], expected: Material) -> None:
    assert in_annotations(annotations) == expected


def promise(**changes: Any) -> str:
    payload = {"body": b64(b"{}"), "integratedTime": 1, "logIndex": 1, "logID": "69" * 32, **changes}
    return dumps({"SignedEntryTimestamp": b64(b"set"), "Payload": payload}).decode()


@pytest.mark.parametrize(
    ("annotations", "says"),
    [
        ({CERTIFICATE: "PEM"}, "is not PEM"),
        ({CERTIFICATE: PEM * 2}, "at most 1 blocks"),
        ({CERTIFICATE: f"{PEM}x"}, "nothing else"),
        ({CERTIFICATE: f"x{PEM}"}, "nothing else"),
        ({CERTIFICATE: PEM.replace("CERTIFICATE", "PUBLIC KEY")}, "is not PEM"),
        ({CERTIFICATE: PEM.replace(b64(b"leaf"), "A")}, "is not base64"),
        ({CERTIFICATE: PEM.replace(b64(b"leaf"), "é")}, "is not PEM"),
        ({CERTIFICATE: "-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----"}, "0 bytes"),
        ({CERTIFICATE: "x" * 200_000}, "characters, expected at most"),
        ({CHAIN: PEM * 9}, "at most 8 blocks"),
        ({BUNDLE: "{}"}, "lacks 'SignedEntryTimestamp'"),
        ({BUNDLE: "x"}, "not JSON"),
        ({BUNDLE: SET[:-1] + ',"Payload":{}}'}, "twice"),
        ({BUNDLE: promise(more=1)}, "unknown field"),
        ({BUNDLE: promise(logIndex="1")}, "logIndex is '1', expected a number"),
        ({BUNDLE: promise(logIndex=True)}, "expected a number"),
        ({BUNDLE: promise(integratedTime=-1)}, "expected a number"),
        ({BUNDLE: promise(logID="69" * 31)}, "expected 64 hex digits"),
        ({BUNDLE: promise(logID="6G" * 32)}, "expected 64 hex digits"),
        ({BUNDLE: promise(logID=1)}, "logID is a number"),
        ({BUNDLE: promise(body="")}, "body has 0 bytes"),
        ({TIMESTAMP: "{}"}, "lacks 'SignedRFC3161Timestamp'"),
        ({TIMESTAMP: "[]"}, "expected a JSON object"),
        ({TIMESTAMP: '{"SignedRFC3161Timestamp":""}'}, "0 bytes"),
    ],
)
def test_wrong_annotations(annotations: dict[str, str], says: str) -> None:
    with pytest.raises(Junk) as caught:
        in_annotations(annotations)
    assert says in str(caught.value)
    assert str(caught.value).isascii()
