"""Trusted roots: which documents are read, what stands in them, and what is refused rather than guessed."""

from __future__ import annotations

import base64
import copy
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from sigstore.models import TrustedRoot as SigstoresRoot
from sigstore_models.trustroot.v1 import TrustedRoot as SigstoresModel

from bpfimg.sign._evidence._root import TrustedRoot
from bpfimg.sign._evidence._window import Window
from bpfimg.sign._strict import Junk
from tests.support.sigstack import Secret
from tests.support.sigstack._documents import log
from tests.unit.sign.evidence.scene import AT, believed, bundle, root, root_with, world

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MEDIA = "application/vnd.dev.sigstore.trustedroot"


def document() -> dict[str, Any]:
    return world().root_document()


def parsed(found: object) -> TrustedRoot:
    return TrustedRoot.parse(json.dumps(found).encode())


def snake(found: Any) -> Any:
    if isinstance(found, dict):
        return {re.sub("([A-Z])", lambda m: f"_{m[1].lower()}", name): snake(one) for name, one in found.items()}
    return [snake(one) for one in found] if isinstance(found, list) else found


def test_a_root_names_logs_authorities_and_stampers() -> None:
    found = root()
    assert [one.name for one in found.logs] == ["http://127.0.0.1/rekor1", "http://127.0.0.1/rekor2"]
    assert [one.host for one in found.logs] == ["127.0.0.1", "127.0.0.1"]
    assert [one.name for one in found.certificate_logs] == ["http://127.0.0.1/ct"]
    assert [one.name for one in found.authorities] == ["http://127.0.0.1/fulcio"]
    assert [one.name for one in found.timestamp_authorities] == ["http://127.0.0.1/tsa"]
    assert found.unused == ()


def test_names_may_be_spelled_as_protobuf_spells_them() -> None:
    trusted = parsed(snake(document()))
    assert [one.name for one in trusted.logs] == [one.name for one in root().logs]
    assert believed(bundle(), trusted) == AT


def test_one_name_in_two_spellings_is_refused() -> None:
    found = document()
    found["certificate_authorities"] = found["certificateAuthorities"]
    with pytest.raises(Junk, match="trusted root has certificateAuthorities in two spellings"):
        parsed(found)


def test_what_may_be_empty_may_be_missing_or_null() -> None:
    for empty in ({"mediaType": f"{MEDIA}+json;version=0.1"},):
        for names in ((), ("tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities")):
            for nothing in (None, []):
                found = parsed({**empty, **dict.fromkeys(names, nothing)})
                assert (found.logs, found.certificate_logs) == ((), ())
                assert (found.authorities, found.timestamp_authorities) == ((), ())


@pytest.mark.parametrize("media", ["+json;version=0.1", ".v0.1+json", ".v0.2+json"])
def test_every_version_of_the_media_type_is_read(media: str) -> None:
    assert parsed({**document(), "mediaType": f"{MEDIA}{media}"}).logs


@pytest.mark.parametrize("media", ["", f"{MEDIA}.v0.3+json", f"{MEDIA}+json;version=0.2", None, 1])
def test_another_media_type_is_refused(media: object) -> None:
    with pytest.raises(Junk, match="trusted root has the media type"):
        parsed({**document(), "mediaType": media})


def places(found: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every object in a document."""
    here = [path] if isinstance(found, dict) else []
    inner = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    return here + [one for name, value in inner for one in places(value, (*path, name))]


def at(found: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        found = found[name]
    return found


def test_an_unknown_field_is_refused_anywhere_as_sigstore_refuses_it() -> None:
    for path in places(document()):
        found = document()
        at(found, path)["newField"] = 1
        with pytest.raises(Junk, match="has the unknown field 'newField'"):
            parsed(found)
        with pytest.raises(ValueError, match="newField"):
            SigstoresModel.from_json(json.dumps(found))


def values(found: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document."""
    inner = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    return [one for name, value in inner for one in [(*path, name), *values(value, (*path, name))]]


@pytest.mark.parametrize("other", [1, True, "", "x", [], [1], {}, {"x": 1}, 1.5, -1, "\0", "=", ["x"] * 65])
def test_a_value_of_another_kind_is_junk_or_makes_less_of_the_root(other: object) -> None:
    whole = parsed(document())
    for path in values(document()):
        found = document()
        at(found, path[:-1])[path[-1]] = other
        try:
            less = parsed(found)
        except Junk:
            continue
        counts = [(len(one.logs), len(one.authorities), len(one.timestamp_authorities)) for one in (less, whole)]
        assert all(mine <= all_of_it for mine, all_of_it in zip(*counts, strict=True))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", b"{", b'{"mediaType":1}', b"\xff", b" " * 1_048_577])
def test_what_is_no_root_is_junk(data: bytes) -> None:
    with pytest.raises(Junk, match="trusted root"):
        TrustedRoot.parse(data)


def test_a_key_that_stands_twice_is_junk() -> None:
    data = world().trusted_root().replace(b'"tlogs"', b'"tlogs": [], "tlogs"', 1)
    with pytest.raises(Junk, match="'tlogs' twice"):
        TrustedRoot.parse(data)


# Keys of logs


def with_key(spki: bytes, details: str) -> Callable[[dict[str, Any]], object]:
    entry = {"rawBytes": base64.b64encode(spki).decode(), "keyDetails": details}
    return lambda d: d["tlogs"][0].update(publicKey=entry, logId={"keyId": "c29tZWxvZ3NvbWVsb2dzb21lbG9nc29tZWxvZ3M="})


def spki(public: Any) -> bytes:
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(public.public_bytes(encoding, form))


@pytest.mark.parametrize(
    ("key", "details", "kind"),
    [
        (Secret.of("k").spki, "PKIX_ECDSA_P256_SHA_256", "ecdsa-p256"),
        (Secret.of("k", "ecdsa-p384").spki, "PKIX_ECDSA_P384_SHA_384", "ecdsa-p384"),
        (spki(ec.generate_private_key(ec.SECP521R1()).public_key()), "PKIX_ECDSA_P521_SHA_512", "ecdsa-p521"),
        (Secret.of("k", "ed25519").spki, "PKIX_ED25519", "ed25519"),
        (spki(rsa.generate_private_key(65537, 2048).public_key()), "PKIX_RSA_PKCS1V15_2048_SHA256", "rsa-2048"),
        (spki(rsa.generate_private_key(65537, 2048).public_key()), "PKIX_RSA_PKCS1V5", "rsa-2048"),
    ],
    ids=lambda one: one if isinstance(one, str) else "key",
)
def test_logs_have_keys_of_known_kinds(key: bytes, details: str, kind: str) -> None:
    assert root_with(with_key(key, details)).logs[0].key.kind == kind


def test_keys_of_kinds_that_are_not_known_are_named_and_not_used() -> None:
    for details in (
        "ML_DSA_65",
        "PKIX_RSA_PSS_2048_SHA256",
        "PKIX_ED25519_PH",
        "LMS_SHA256",
        "",
        "PUBLIC_KEY_DETAILS_UNSPECIFIED",
    ):
        found = root_with(with_key(b"whatever", details))
        assert len(found.logs) == 1
        assert found.unused == (
            f"tlogs[0]'s publicKey is of the kind '{details}', which this version does not verify with",
        )
        assert believed(bundle(rekor=2), found) == AT
        with pytest.raises(Junk):
            believed(bundle(rekor=1), found)


def test_a_log_that_hashes_otherwise_is_not_used() -> None:
    found = root_with(lambda d: d["tlogs"][0].update(hashAlgorithm="SHA2_512"))
    assert found.unused == ("tlogs[0] hashes with 'SHA2_512', expected SHA2_256",)


@pytest.mark.parametrize(
    ("key", "details"),
    [
        (Secret.of("k").spki, "PKIX_ECDSA_P384_SHA_384"),
        (Secret.of("k", "ed25519").spki, "PKIX_ECDSA_P256_SHA_256"),
        (b"", "PKIX_ED25519"),
        (b"junk", "PKIX_ED25519"),
        (Secret.of("k").pem, "PKIX_ECDSA_P256_SHA_256"),
        (spki(ec.generate_private_key(ec.SECP256K1()).public_key()), "PKIX_ECDSA_P256_SHA_256"),
        (spki(rsa.generate_private_key(65537, 1024).public_key()), "PKIX_RSA_PKCS1V5"),
    ],
    ids=["P-256 as P-384", "Ed25519 as P-256", "none", "junk", "PEM", "another curve", "RSA-1024"],
)
def test_a_key_that_is_not_what_it_is_said_to_be_makes_a_root_unusable(key: bytes, details: str) -> None:
    with pytest.raises(Junk, match=r"tlogs\[0\]'s publicKey"):
        root_with(with_key(key, details))


def test_a_log_without_an_id_goes_by_the_hash_of_its_key() -> None:
    found = root_with(lambda d: [one.pop("logId") for one in d["tlogs"] + d["ctlogs"]])
    assert believed(bundle(), found) == AT


def test_a_log_may_have_an_id_of_its_own_for_checkpoints() -> None:
    def edit(found: dict[str, Any]) -> None:
        for one in found["tlogs"]:
            one["checkpointKeyId"] = one["logId"]

    assert believed(bundle(rekor=2), root_with(edit)) == AT


def test_ids_are_bounded() -> None:
    for data in (b"", b"abc", b"x" * 65):
        with pytest.raises(Junk, match="expected 32"):
            root_with(lambda d, data=data: d["tlogs"][0].update(logId={"keyId": base64.b64encode(data).decode()}))


def test_a_log_without_an_url_goes_by_its_id() -> None:
    found = root_with(lambda d: d["tlogs"][0].update(baseUrl=""))
    assert found.logs[0].name == world().rekors[1].log_id.hex()
    assert found.logs[0].host == ""


def test_an_url_that_is_none_is_junk() -> None:
    with pytest.raises(Junk, match="expected a URL"):
        root_with(lambda d: d["tlogs"][0].update(baseUrl="https://[x"))


# Windows


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2022-12-31T23:59:59.999Z", 1672531199.999),
        ("2022-12-31T23:59:59.123456789Z", 1672531199.123456),
        ("2022-12-31T23:59:59+01:00", 1672527599),
        ("0001-01-01T00:00:00Z", -62135596800),
        ("9999-12-31T23:59:59Z", 253402300799),
    ],
)
def test_times_are_rfc_3339(text: str, seconds: float) -> None:
    found = root_with(lambda d: d["tlogs"][0]["publicKey"].update(validFor={"start": text}))
    assert found.logs[0].window == Window(start=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2022-12-31",
        "2022-12-31 23:59:59Z",
        "2022-12-31T23:59:59",
        "2022-13-31T23:59:59Z",
        "2022-12-31T24:61:00Z",
        "2022-12-31T23:59:59.Z",
        "2022-12-31T23:59:59z",
        "٢022-12-31T23:59:59Z",
        " 2022-12-31T23:59:59Z",
        1,
        None,
        "2022-12-31T23:59:59+25:00",
        "2022-12-31T23:59:59.1234567890Z",
    ],
)
def test_other_times_are_junk(text: object) -> None:
    edit: Callable[[dict[str, Any]], object] = lambda d: d["tlogs"][0]["publicKey"].update(validFor={"end": text})  # noqa: E731
    if text is None:
        assert root_with(edit).logs[0].window == Window()
        return
    with pytest.raises(Junk, match=r"validFor\.end"):
        root_with(edit)


def test_a_window_that_ends_before_it_starts_is_junk() -> None:
    with pytest.raises(Junk, match="ends before it starts"):
        root_with(
            lambda d: d["ctlogs"][0]["publicKey"].update(
                validFor={"start": "2025-01-02T00:00:00Z", "end": "2025-01-01T00:00:00Z"}
            )
        )


def test_a_window_holds_both_its_ends() -> None:
    window = Window(1.5, 2.5)
    assert [window.holds(one) for one in (1, 1.5, 2, 2.5, 3)] == [False, True, True, True, False]
    assert Window().holds(0)
    assert Window().open
    assert not window.open


# Others' readers


def test_sigstore_python_reads_the_same_roots(tmp_path: Path) -> None:
    (tmp_path / "root.json").write_bytes(world().trusted_root())
    assert SigstoresRoot.from_file(str(tmp_path / "root.json")).get_fulcio_certs()


def test_a_root_as_cosign_makes_it_is_read() -> None:
    """The form of cosign 3.1 `trusted-root create`: no operator, Ed25519 logs by the hash of their key."""
    key = Secret.of("k", "ed25519")
    made = copy.deepcopy(document())
    entry = log("https://rekor.example", key, b"\0" * 32)
    entry["logId"] = {"keyId": base64.b64encode(bytes.fromhex(sha256(key.spki))).decode()}
    made["tlogs"].append(entry)
    made["certificateAuthorities"][0]["validFor"] = {"start": "2020-01-01T00:00:00Z"}
    found = parsed(made)
    assert len(found.logs[2].ids) == 2  # and by the id that its checkpoints and entries have


def sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def test_a_root_inside_another_document_is_read_as_well() -> None:
    config = json.loads(
        world().client_trust_config(dict.fromkeys(("oidc", "fulcio", "rekor1", "rekor2", "tsa"), "http://x"))
    )
    assert len(TrustedRoot.of(config["trustedRoot"]).logs) == 2
    with pytest.raises(Junk, match="trusted root is a list"):
        TrustedRoot.of([])
