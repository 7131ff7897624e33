"""Each value of a good keyless signature, replaced by every kind of wrong one: refused, or proved a second way."""

from __future__ import annotations

import base64
import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.errors import VerificationError
from bpfimg.sign import verify
from tests.unit.sign.craft import REPOSITORY, SIG, payload, place, pushed, put_bundle, put_legacy, reference, statement
from tests.unit.sign.test_keyless import AT, WORLD, believing

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[Any, ...]
POLICY = believing()
OTHERS: tuple[Any, ...] = (None, "", 0, True, -1, 1.5, 1 << 70, "x", "1" * 30, "é", [], ["x"], {}, {"a": 1})
ENTRY: Path = ("verificationMaterial", "tlogEntries", 0)
STAMPS: Path = ("verificationMaterial", "timestampVerificationData")


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    yield at
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inside:
        yield from paths(each, (*at, name))


def found(value: Any, at: Path) -> Any:
    for name in at:
        value = value[name]
    return value


def mutants(document: Any) -> Iterator[tuple[Path, Any]]:
    """Yields every document with one thing changed or gone, and where that is."""
    for at in paths(document):
        old = found(document, at)
        for new in (*OTHERS, *bent(old)):
            if new != old:
                yield at, put(document, at, new)
        if at:
            less = copy.deepcopy(document)
            del found(less, at[:-1])[at[-1]]
            yield at, less


def bent(old: Any) -> Iterator[Any]:
    """Yields what is nearly the same."""
    if isinstance(old, list):
        yield old[1:]
        yield old + old
    if not isinstance(old, str):
        return
    yield from (old[:-1], old + "A", old + "\n", " " + old, old.upper(), old * 2)
    try:
        data = base64.b64decode(old, validate=True)
    except ValueError:
        return
    for place_ in range(0, len(data), max(1, len(data) // 8)):
        yield base64.b64encode(data[:place_] + bytes([data[place_] ^ 1]) + data[place_ + 1 :]).decode()
    yield base64.b64encode(data + b"\0").decode()


def put(document: Any, at: Path, new: Any) -> Any:
    if not at:
        return new
    document = copy.deepcopy(document)
    found(document, at[:-1])[at[-1]] = new
    return document


def accepted(document: Any, *, legacy: bool = False) -> set[Path]:
    """Where something can be changed, and the image is still believed."""
    target = place()
    image = pushed(target)
    assert believed(document, legacy=legacy), "the document is good"
    assert image
    return {at for at, changed in mutants(document) if believed(changed, legacy=legacy)}


def believed(document: Any, *, legacy: bool) -> bool:
    target = place()
    image = pushed(target)
    if legacy:
        if not (isinstance(document, dict) and all(isinstance(each, str | dict) for each in document.values())):
            return False  # no annotations
        notes = {name: each if isinstance(each, str) else json.dumps(each) for name, each in document.items()}
        put_legacy(target, image.digest, (payload(image.digest), notes, SIG))
    else:
        put_bundle(target, image, json.dumps(document).encode())
    try:
        return bool(verify(target, reference(), image, POLICY).signers)
    except VerificationError:
        return False


def bundle(**how: Any) -> Any:
    image = pushed(place())
    return json.loads(WORLD.bundle(statement(image.digest, REPOSITORY), at=AT, **how))


def test_nothing_can_be_changed_where_all_is_needed() -> None:
    """Rekor 2 has no time of its own, and its entry one proof. The same thing twice is the same thing."""
    assert accepted(bundle(rekor=2)) == {ENTRY[:-1], (*STAMPS, "rfc3161Timestamps")}


@pytest.mark.parametrize("version", ["v0.3", "0.1"])
def test_only_what_is_proved_twice_can_be_taken_away(version: str) -> None:
    """What is there must verify: a wrong proof is not made good by a promise. Only leaving out the whole proof, or what
    makes it one, is the same as having none."""
    chain = ("verificationMaterial", "x509CertificateChain", "certificates")
    left_out = [("inclusionPromise",), ("inclusionProof",), ("inclusionProof", "checkpoint")]
    left_out.append(("inclusionProof", "checkpoint", "envelope"))
    for at in accepted(bundle(rekor=1, version=version)):
        # the log's promise or its proof; the log's time or the timestamp; a chain that the trusted root has, too
        elsewhere = any(at[: len(each)] == each for each in (STAMPS, chain))
        assert elsewhere or at == ENTRY[:-1] or at in [(*ENTRY, *each) for each in left_out], at


def test_a_legacy_signature() -> None:
    image = pushed(place())
    notes = WORLD.legacy(payload(image.digest), at=AT)
    document = {name: json.loads(text) if text.startswith("{") else text for name, text in notes.items()}
    extra = {"dev.sigstore.cosign/chain", "dev.sigstore.cosign/rfc3161timestamp"}
    certificate = ("dev.sigstore.cosign/certificate",)  # white space around PEM says nothing
    assert {at for at in accepted(document, legacy=True) if at[0] not in extra} <= {certificate}
