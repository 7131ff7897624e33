"""Real evidence, offline: of the public Sigstore, its staging instance, and peers' test assets."""

from __future__ import annotations

import base64
import functools
import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.errors import PolicyError
from bpfimg.sign._evidence._certificate import Certificate
from bpfimg.sign._evidence._certified import certified
from bpfimg.sign._evidence._identity import Identity
from bpfimg.sign._evidence._root import TrustedRoot
from bpfimg.sign._evidence._timestamp import Stamped
from bpfimg.sign._evidence._witness import witness
from bpfimg.sign._formats._beside import in_bundle
from bpfimg.sign._policy._files import Files
from bpfimg.sign._strict import Junk
from tests.unit.sign.evidence.scene import enveloped, key_of, plain

if TYPE_CHECKING:
    from bpfimg.sign._material import Material

GOLDEN = Path(__file__).parent / "golden"
BLOB = b'DO NOT MODIFY ME!\n\nthis is "staging-rekor-v2.txt", a sample input for sigstore-python\'s unit tests.\n\n'
BLOB += b"DO NOT MODIFY ME!\n"


@functools.cache
def public_good() -> TrustedRoot:
    return TrustedRoot.parse(Files().builtin())


@functools.cache
def staging() -> TrustedRoot:
    found = importlib.util.find_spec("sigstore")
    assert found is not None
    assert found.submodule_search_locations
    path = Path(found.submodule_search_locations[0]) / "_store" / "https%3A%2F%2Ftuf-repo-cdn.sigstage.dev"
    return TrustedRoot.parse((path / "trusted_root.json").read_bytes())


def opened(name: str) -> tuple[dict[str, Any], Material]:
    document = json.loads((GOLDEN / name).read_text())
    return document, in_bundle(document["verificationMaterial"], chains=True)


def envelope(name: str) -> Any:
    document, material = opened(name)
    inner = document["dsseEnvelope"]
    return enveloped(base64.b64decode(inner["payload"]), base64.b64decode(inner["signatures"][0]["sig"]), material)


def test_the_public_root_of_the_sigstore_package_is_read_in_full() -> None:
    root = public_good()
    assert [one.name for one in root.logs] == ["https://rekor.sigstore.dev", "https://log2025-1.rekor.sigstore.dev"]
    assert [one.key.kind for one in root.logs] == ["ecdsa-p256", "ed25519"]
    assert len(root.certificate_logs) == 2
    assert len(root.authorities) == 2
    assert len(root.timestamp_authorities) == 1
    assert root.unused == ()


def test_the_public_root_is_not_on_a_host_without_sigstore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(PolicyError, match="comes with the package sigstore") as caught:
        Files().builtin()
    assert caught.value.hint == "pip install 'bpfimg[keyless]'"


def test_the_staging_root_is_read_but_for_one_key_in_an_old_form() -> None:
    assert len(staging().logs) == 4
    assert len(staging().timestamp_authorities) == 1
    (unused,) = staging().unused
    assert unused.startswith("ctlogs[0]'s publicKey is of the kind 'PKCS1_RSA_PKCS1V5'")


def test_provenance_of_a_public_package_is_believed() -> None:
    candidate = envelope("public-good-provenance.json")
    certificate = Certificate.parse(candidate.material.certificate)
    assert certificate.key.verify(candidate.message, candidate.signature)
    found = witness(candidate, public_good(), certificate)
    assert found.failed == ()
    assert [(one.by, one.index, one.time) for one in found.logs] == [
        ("https://rekor.sigstore.dev", 31821305, 1692374735)
    ]
    assert certified(certificate, candidate.material.chain, public_good(), found.times("tlog")) == 1692374735
    assert certificate.identity == Identity(
        subject="https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main",
        subject_kind="uri",
        issuer="https://token.actions.githubusercontent.com",
        extensions={
            "buildSignerURI": "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main",
            "runnerEnvironment": "github-hosted",
            "sourceRepositoryURI": "https://github.com/sigstore/sigstore-js",
            "sourceRepositoryRef": "refs/heads/main",
            "buildTrigger": "push",
        },
    )


def test_a_signature_of_2022_with_a_promise_alone_is_believed() -> None:
    candidate = envelope("public-good-2022.json")
    certificate = Certificate.parse(candidate.material.certificate)
    assert certificate.key.verify(candidate.message, candidate.signature)
    found = witness(candidate, public_good(), certificate)
    assert found.failed == ()
    assert found.times("any") == (1668034836,)
    certified(certificate, candidate.material.chain, public_good(), found.times("any"))
    assert (certificate.identity.subject_kind, certificate.identity.issuer) == (
        "email",
        "https://github.com/login/oauth",
    )


def test_a_public_signature_is_nothing_to_the_staging_root() -> None:
    candidate = envelope("public-good-provenance.json")
    certificate = Certificate.parse(candidate.material.certificate)
    found = witness(candidate, staging(), certificate)
    assert found.logs == ()
    assert "a log that the trusted root does not name" in found.failed[0]
    with pytest.raises(Junk):
        certified(certificate, candidate.material.chain, staging(), [1692374735])


def test_a_user_name_is_an_identity() -> None:
    document, material = opened("user-name.json")
    certificate = Certificate.parse(material.certificate)
    assert certificate.identity == Identity("foo!oidc.local", "other", "http://oidc.local:8080", {})
    root = TrustedRoot.parse((GOLDEN / "user-name-root.json").read_bytes())
    time = int(document["verificationMaterial"]["tlogEntries"][0]["integratedTime"])
    assert certified(certificate, material.chain, root, [time]) == time


def test_a_timestamp_beside_a_plain_key_is_believed_without_any_log() -> None:
    document, material = opened("key-with-timestamp.json")
    candidate = plain(b"", base64.b64decode(document["messageSignature"]["signature"]), material)
    root = TrustedRoot.parse((GOLDEN / "key-with-timestamp-root.json").read_bytes())
    found = witness(candidate, root, key_of((GOLDEN / "key-with-timestamp.pem").read_bytes()))
    assert found.failed == ()
    assert found.stamps == (Stamped("https://virtual.tsa.sigstore.dev", 1780595009),)


def test_an_entry_of_a_retired_rekor_2_counts_with_a_timestamp_of_its_days() -> None:
    document, material = opened("staging-rekor-v2.json")
    candidate = plain(BLOB, base64.b64decode(document["messageSignature"]["signature"]), material)
    certificate = Certificate.parse(material.certificate)
    assert certificate.key.verify(candidate.message, candidate.signature)
    found = witness(candidate, staging(), certificate)
    assert found.failed == ()
    assert [(one.by, one.index, one.time) for one in found.logs] == [
        ("https://log2025-alpha1.rekor.sigstage.dev", 645, 0)
    ]
    assert certified(certificate, (), staging(), found.times("tsa")) == found.stamps[0].time == 1749470258
    without = witness(candidate, staging(), certificate, timestamp=False)
    assert without.logs == ()
    assert "was not in use" in without.failed[0]
