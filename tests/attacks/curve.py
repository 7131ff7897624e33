"""ECDSA from the formula, for naive verifiers: no range checks, and any curve that somebody describes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from asn1crypto import keys
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

Point = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Curve:
    """y^2 = x^3 + ax + b over the field of p, with a generator of order n."""

    p: int
    a: int
    b: int
    generator: tuple[int, int]
    n: int


_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
P256 = Curve(
    _P,
    _P - 3,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    (
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    ),
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
)


def verifies(curve: Curve, key: tuple[int, int], signature: bytes, message: bytes) -> bool:
    """Whether the signature (DER) is right, by the formula alone (FIPS 186-5, section 6.4.2, without its step 1)."""
    r, s = decode_dss_signature(signature)
    inverse = pow(s, curve.n - 2, curve.n)
    hashed = int.from_bytes(hashlib.sha256(message).digest(), "big")
    first = _times(curve, hashed * inverse % curve.n, curve.generator)
    found = _plus(curve, first, _times(curve, r * inverse % curve.n, key))
    return (found[0] if found else 0) % curve.n == r


def signed(curve: Curve, secret: int, message: bytes) -> bytes:
    """A signature (DER) with a secret number, on whatever curve."""
    nonce = int.from_bytes(hashlib.sha256(b"nonce" + message).digest(), "big") % curve.n
    point = _times(curve, nonce, curve.generator)
    assert point is not None
    hashed = int.from_bytes(hashlib.sha256(message).digest(), "big")
    r = point[0] % curve.n
    return encode_dss_signature(r, pow(nonce, -1, curve.n) * (hashed + r * secret) % curve.n)


def where_the_secret_is_one(key: tuple[int, int]) -> Curve:
    """The curve with another generator: the key itself, so that its secret number is 1 (CVE-2020-0601)."""
    return replace(P256, generator=key)


def described(curve: Curve, key: tuple[int, int]) -> bytes:
    """The key as SubjectPublicKeyInfo (DER) that describes its curve instead of naming it."""
    domain = keys.SpecifiedECDomain(
        {
            "version": "ecdpVer1",
            "field_id": {"field_type": "prime_field", "parameters": curve.p},
            "curve": {"a": curve.a.to_bytes(32, "big"), "b": curve.b.to_bytes(32, "big")},
            "base": keys.ECPoint.from_coords(*curve.generator),
            "order": curve.n,
            "cofactor": 1,
        }
    )
    parameters = keys.ECDomainParameters({"specified": domain})
    algorithm = keys.PublicKeyAlgorithm({"algorithm": "ec", "parameters": parameters})
    return bytes(
        keys.PublicKeyInfo({"algorithm": algorithm, "public_key": keys.ECPointBitString.from_coords(*key)}).dump()
    )


def read_key(spki: bytes) -> tuple[tuple[int, int], Curve]:
    """A key and its curve: the named one, or the one that it describes."""
    info = keys.PublicKeyInfo.load(spki)
    point = info["public_key"].to_coords()
    parameters = info["algorithm"]["parameters"]
    if parameters.name != "specified":
        return point, P256
    base = parameters.chosen["base"].to_coords()
    return point, replace(P256, generator=base)


def mirrored(signature: bytes) -> bytes:
    """The other signature that is as good: (r, n - s)."""
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, P256.n - s)


def nothing() -> bytes:
    """The signature (0, 0) (CVE-2022-21449)."""
    return encode_dss_signature(0, 0)


def _plus(curve: Curve, one: Point, two: Point) -> Point:
    if one is None or two is None:
        return one or two
    if one[0] == two[0] and (one[1] + two[1]) % curve.p == 0:
        return None
    if one == two:
        slope = (3 * one[0] * one[0] + curve.a) * pow(2 * one[1], -1, curve.p)
    else:
        slope = (two[1] - one[1]) * pow(two[0] - one[0], -1, curve.p)
    x = (slope * slope - one[0] - two[0]) % curve.p
    return x, (slope * (one[0] - x) - one[1]) % curve.p


def _times(curve: Curve, number: int, point: Point) -> Point:
    found: Point = None
    while number:
        if number & 1:
            found = _plus(curve, found, point)
        point = _plus(curve, point, point)
        number >>= 1
    return found
