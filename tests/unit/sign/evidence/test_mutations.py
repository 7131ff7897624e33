"""Every field and every byte of evidence, changed: it is never believed, and nothing but `Junk` is ever raised."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfimg.sign._evidence._certificate import Certificate
from bpfimg.sign._evidence._certified import certified
from bpfimg.sign._evidence._checkpoint import checkpoint
from bpfimg.sign._evidence._root import TrustedRoot
from bpfimg.sign._evidence._timestamp import stamped
from bpfimg.sign._evidence._witness import witness
from bpfimg.sign._strict import Junk
from tests.unit.sign.evidence.scene import AT, bundle, parsed, root, world
from tests.unit.sign.evidence.test_certificates import issued

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

RAW = ("rawBytes", "keyId", "rootHash", "canonicalizedBody", "signedEntryTimestamp")
RAW += ("signedTimestamp", "sig", "payload")
GOOD = {rekor: bundle(rekor=rekor) for rekor in (1, 2)}
LEAF = issued()
STAMP = world().tsa.stamp(b"signature", at=AT)


def whole(data: bytes) -> int:
    """When everything in the bundle holds: its signature, its certificate, all of its entries and timestamps."""
    candidate = parsed(data)
    certificate = Certificate.parse(candidate.material.certificate)
    if not certificate.key.verify(candidate.message, candidate.signature):
        raise Junk("the signature is not the certificate's")
    found = witness(candidate, root(), certificate)
    if found.failed or not found.logs or not found.stamps:
        raise Junk(str(found.failed))
    return certified(certificate, candidate.material.chain, root(), found.times("any"))


def never(how: str, read: Callable[[bytes], object], data: bytes) -> None:
    """Fails unless `read` finds `data` junk."""
    try:
        found = read(data)
    except Junk:
        return
    pytest.fail(f"{how}: {found!r}")


def texts(found: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value that is no object or list, with its path."""
    if isinstance(found, dict | list):
        for name, one in found.items() if isinstance(found, dict) else enumerate(found):
            yield from texts(one, (*path, name))
    else:
        yield path, found


def changed(data: bytes, path: tuple[Any, ...], value: Any) -> bytes:
    """The document with another value, or without one (`...`), at the path."""
    document = json.loads(data)
    place = document
    for name in path[:-1]:
        place = place[name]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize("rekor", [1, 2])
def test_the_bundle_as_it_is_holds(rekor: int) -> None:
    assert whole(GOOD[rekor]) == AT


OTHERS: list[Any] = ["", "x", "0", "-1", "1", "9" * 19, "9" * 400, "AAAA", "////", "%", "\0", "\ud800", 0, 1, -1, 2**63]
OTHERS += [1.5, True, None, [], {}, [1], {"x": 1}, ...]


def immaterial(data: bytes, path: tuple[Any, ...], value: Any) -> bool:
    """What may be so without harm: no checkpoint beside a promise, and numbers as protobuf's JSON may spell them."""
    number = path[-1] in ("logIndex", "treeSize", "integratedTime")
    same = number and str(value) == str(dict(texts(json.loads(data)))[path])
    return same or (data == GOOD[1] and path[-1] == "envelope" and value in ("", None, ...))


@pytest.mark.parametrize("rekor", [1, 2])
def test_every_field_with_every_other_kind_of_value(rekor: int) -> None:
    data, count = GOOD[rekor], 0
    for path, value in texts(json.loads(data)):
        for other in OTHERS:
            if other is value or immaterial(data, path, other):
                continue
            count += 1
            never(f"believed with {path} = {other!r}", whole, changed(data, path, other))
    assert count > 300


@pytest.mark.parametrize("rekor", [1, 2])
def test_every_kind_of_byte_of_every_field(rekor: int) -> None:
    """Each byte of the short fields, every eleventh of the long ones, one bit changed."""
    data, count = GOOD[rekor], 0
    for path, value in texts(json.loads(data)):
        if path[-1] not in RAW and path[-2:-1] != ("hashes",):
            continue
        raw = base64.b64decode(value)
        for at in range(0, len(raw), 1 if len(raw) < 100 else 11):
            other = bytes([*raw[:at], raw[at] ^ (1 << at % 8), *raw[at + 1 :]])
            count += 1
            try:
                time = whole(changed(data, path, base64.b64encode(other).decode()))
            except Junk:
                continue
            # what a TSA does not sign of its answer, and decides nothing
            assert path[-1] == "signedTimestamp"
            assert time == AT
    assert count > 400


@pytest.mark.parametrize("rekor", [1, 2])
def test_every_field_of_another_bundle_of_the_same_signer(rekor: int) -> None:
    """Cut and paste between two good ones."""
    one, other = GOOD[rekor], bundle(rekor=rekor, at=AT + 60)
    theirs = dict(texts(json.loads(other)))
    for path, value in texts(json.loads(one)):
        if theirs.get(path, value) == value or immaterial(one, path, theirs[path]):
            continue
        never(f"believed with the other's {path}", whole, changed(one, path, theirs[path]))


def sure(der: bytes) -> int:
    """When a certificate is believed."""
    return certified(Certificate.parse(der), LEAF.chain, root(), (AT,))


def test_every_byte_of_a_certificate() -> None:
    for at in range(len(LEAF.leaf)):
        for mask in (1, 128, 255):
            other = bytes([*LEAF.leaf[:at], LEAF.leaf[at] ^ mask, *LEAF.leaf[at + 1 :]])
            never(f"believed with byte {at} ^ {mask}", sure, other)


def test_every_byte_of_a_timestamp() -> None:
    accepted = 0
    for at in range(len(STAMP)):
        other = bytes([*STAMP[:at], STAMP[at] ^ (1 << at % 8), *STAMP[at + 1 :]])
        try:
            found = stamped(other, b"signature", root().timestamp_authorities)
        except Junk:
            continue
        accepted += 1
        assert found.time == AT  # a byte that the authority does not sign, and nobody reads
    assert accepted < len(STAMP) // 20


def test_a_certificate_and_a_timestamp_cut_off_anywhere() -> None:
    for at in range(len(LEAF.leaf)):
        with pytest.raises(Junk):
            Certificate.parse(LEAF.leaf[:at])
    for at in range(len(STAMP)):
        with pytest.raises(Junk):
            stamped(STAMP[:at], b"signature", root().timestamp_authorities)


@given(st.randoms(use_true_random=False))
def test_der_with_anything_in_it_is_junk_or_good(chance: random.Random) -> None:
    for good in (LEAF.leaf, STAMP):
        data = bytearray(good)
        for _ in range(chance.choice((1, 2, 3, 8))):
            at, length = chance.randrange(len(data)), chance.randrange(1, 9)
            match chance.randrange(4):
                case 0:
                    del data[at : at + length]
                case 1:
                    data[at:at] = chance.randbytes(length)
                case 2:
                    start = chance.randrange(len(data))
                    data[at : at + length] = data[start : start + length]
                case _:
                    data[at] = chance.choice((0, 1, 2, 5, 6, 12, 0x13, 0x17, 0x18, 0x30, 0x31, 0x7F, 0x80, 0xA0, 0xFF))
        if not data:
            continue
        try:
            found = Certificate.parse(bytes(data))
            certified(found, LEAF.chain, root(), (AT,))
            assert bytes(data) == LEAF.leaf
        except Junk:
            pass
        with contextlib.suppress(Junk):
            assert stamped(bytes(data), b"signature", root().timestamp_authorities).time == AT


@given(st.binary(max_size=300))
def test_any_bytes_are_junk(data: bytes) -> None:
    for read in (Certificate.parse, TrustedRoot.parse, lambda one: stamped(one, b"", root().timestamp_authorities)):
        with pytest.raises(Junk):
            read(data)


@given(st.text(max_size=300))
def test_any_text_is_no_checkpoint(text: str) -> None:
    with pytest.raises(Junk):
        checkpoint(text)
