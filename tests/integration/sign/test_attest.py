"""Attestations with both cosigns, for every word of a type: ours they verify, theirs we believe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg import sign
from bpfimg.errors import VerificationError
from bpfimg.oci import Reference, Registry, Repository, places
from bpfimg.sign import Policy, PrivateKey, PublicKey
from bpfimg.sign._predicates import PREDICATE_TYPES
from tests.support import cosign
from tests.support.targets import image

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cosign import Cosign
    from tests.support.registry import Server

#: types for which cosign's readers want a predicate of that form
PREDICATES: dict[str, dict[str, Any]] = {
    "slsaprovenance": {"builder": {"id": "https://ci.example"}, "buildType": "https://ci.example/type"},
    "slsaprovenance1": {"buildDefinition": {}, "runDetails": {"builder": {"id": "https://ci.example"}}},
    "spdxjson": {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT"},
    "cyclonedx": {"bomFormat": "CycloneDX", "specVersion": "1.5"},
    "vuln": {"invocation": {}, "scanner": {"uri": "x"}, "metadata": {}},
    "custom": {"passed": True},
    "compatibility": {"programs": []},
    "https://team.example/report/v1": {"any": [1, 2.5, None]},
}


@pytest.fixture(scope="module", params=["cosign-2.5", "cosign-3.1"])
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cosign:
    found = cosign.require if request.param == "cosign-2.5" else cosign.require_modern
    return found(tmp_path_factory.mktemp("peer"), "x")


@pytest.fixture(scope="module")
def pair(peer: Cosign) -> tuple[Path, Path]:
    return peer.generate("team")


@pytest.fixture
def place(server: Server, request: pytest.FixtureRequest) -> Registry:
    name = "-".join("".join(each if each.isalnum() else " " for each in request.node.name.lower()).split())
    found = Registry(Repository.parse(f"{server.host}/attest/{name}"), places.RegistryOptions())
    image("one").push(found, "v1")
    return found


def type_of(word: str) -> str:
    """The word that cosign knows, or the URI."""
    return PREDICATE_TYPES[word] if word == "compatibility" else word


@pytest.mark.parametrize("word", PREDICATES)
def test_cosign_verifies_ours(place: Registry, peer: Cosign, pair: tuple[Path, Path], word: str) -> None:
    found = place.resolve("v1")
    key = PrivateKey.load(pair[0].read_bytes(), b"x")
    sign.attest(place, found, key, predicate_type=word, predicate=json.dumps(PREDICATES[word]).encode())
    root = peer.folder / "root.json"
    root.write_text('{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}')
    words = ["verify-attestation", "--key", str(pair[1]), "--insecure-ignore-tlog=true", "--type", type_of(word)]
    for form in (["--new-bundle-format=false"], ["--new-bundle-format", "--trusted-root", str(root)]):
        peer.do(*words, *form, f"{place.repository}@{found.digest}")


@pytest.mark.parametrize(
    ("word", "form"),
    [*((word, "bundle") for word in PREDICATES), ("custom", "legacy"), ("slsaprovenance1", "legacy")],
)
def test_we_believe_cosigns(place: Registry, peer: Cosign, pair: tuple[Path, Path], word: str, form: str) -> None:
    found = place.resolve("v1")
    (peer.folder / "predicate.json").write_text(json.dumps(PREDICATES[word]))
    words = ["attest", "-y", "--key", str(pair[0]), "--tlog-upload=false", "--predicate", "predicate.json"]
    words += ["--type", type_of(word), f"--new-bundle-format={str(form == 'bundle').lower()}"]
    words += ["--use-signing-config=false"] if peer.modern else []
    peer.do(*words, f"{place.repository}@{found.digest}")
    policy = Policy.for_key(PublicKey.load(pair[1].read_bytes()), "--key team.pub")
    reference = Reference.parse(f"{place.repository}:v1")
    (told,) = sign.attestations(place, reference, found, policy, PREDICATE_TYPES.get(word, word))
    assert told.signer.format == form
    assert type(told.predicate) is dict  # cosign writes some predicates anew, by its own idea of them
    with pytest.raises(VerificationError):
        sign.attestations(place, reference, found, policy, "https://team.example/other")
