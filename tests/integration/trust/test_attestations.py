"""The interop matrix for statements: who attests, in which storage form, and who verifies it. The times that stand
beside an `.att` are looked at, too, where a peer can be told to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import Registry, Repository, places
from tests.support.cli import check
from tests.support.sigstack import sigstack
from tests.support.sigstack.clients import (
    FORMS,
    IDENTITY,
    STRANGER,
    Bpfimg,
    Cosign2,
    Cosign3,
    Signed,
    believed,
    together,
)
from tests.support.targets import image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.registry import Server
    from tests.support.sigstack import Stack

SIGNERS = ("bpfimg", "cosign-2.5", "cosign-3.1")
TYPE, URI = "slsaprovenance1", "https://slsa.dev/provenance/v1"
BUILDER = "https://ci.example/builder"
PREDICATE = {
    "buildDefinition": {"buildType": "https://ci.example/type/v1", "externalParameters": {"ref": "v1"}},
    "runDetails": {"builder": {"id": BUILDER}},
}
_BY_NAME = {str(form).replace("-sig", "-att"): form for form in FORMS}
#: cosign 2.5 knows nothing of Rekor v2, neither to write nor to read (test_matrix shows how it says so)
_MADE = [(signer, form) for signer in SIGNERS for form in _BY_NAME if (signer, form[-6:]) != ("cosign-2.5", "rekor2")]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with sigstack(tmp_path_factory.mktemp("sigstack")) as found:
        yield found


@pytest.fixture(scope="module")
def client(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Bpfimg | Cosign2 | Cosign3]:
    """A client by its name, made at first use; the test is skipped where there is none."""
    made: dict[str, Bpfimg | Cosign2 | Cosign3] = {}
    kinds = {"bpfimg": Bpfimg, "cosign-2.5": Cosign2, "cosign-3.1": Cosign3}

    def found(name: str) -> Bpfimg | Cosign2 | Cosign3:
        if name not in made:
            made[name] = kinds[name].of(stack, tmp_path_factory.mktemp(name) / "home")
        return made[name]

    return found


@pytest.fixture(scope="module")
def attested(
    server: Server, client: Callable[[str], Bpfimg], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Signed]:
    """An image that a client signed, and attested in the same form, in a repository of its own."""
    made: dict[tuple[str, str], Signed] = {}
    predicate = tmp_path_factory.mktemp("predicate") / "predicate.json"
    predicate.write_text(json.dumps(PREDICATE))

    def found(signer: str, form: str) -> Signed:
        if (signer, form) not in made:
            by, wanted = client(signer), _BY_NAME[form]
            place = Registry(Repository.parse(f"{server.host}/attested/{signer}/{form}"), places.RegistryOptions())
            name = f"{place.repository}@{image(f'{signer} {form}').push(place, 'v1').digest}"
            public = by.key()[1]
            signed = by.sign(wanted, name)
            assert signed.good, signed.err
            made[signer, form] = Signed(name, wanted, public, by.attest(wanted, name, TYPE, predicate))
        return made[signer, form]

    return found


def stranger(client: Callable[[str], Bpfimg], signer: str) -> Path:
    """Somebody else's key."""
    return client("bpfimg" if signer == "cosign-3.1" else "cosign-3.1").key()[1]


@pytest.mark.parametrize("verifier", SIGNERS)
@pytest.mark.parametrize(("signer", "form"), _MADE)
def test_attests_and_verifies(
    signer: str, form: str, verifier: str, attested: Callable[[str, str], Signed], client: Callable[[str], Bpfimg]
) -> None:
    made, by = attested(signer, form), client(verifier)
    assert made.said.good, made.said.err
    other = stranger(client, signer)
    said, *refused = together(
        lambda: by.verify(made, attestation=TYPE),
        lambda: by.verify(made, identity=STRANGER, public=other, attestation=TYPE),
        lambda: by.verify(made, attestation="cyclonedx"),
    )
    can = (verifier, made.form.rekor) != ("cosign-2.5", 2)
    assert said.good is can, said.err
    assert not any(each.good for each in refused)
    if verifier == "bpfimg":
        document = json.loads(said.out)
        check("images", document)
        (found,) = document["images"][0]["attestations"]
        assert found["type"] == URI
        assert found["statement"]["predicate"]["runDetails"]["builder"]["id"] == BUILDER
        assert found["signer"]["format"] == ("bundle" if made.form.bundle else "legacy")
        assert found["signer"]["identity"] == (IDENTITY if made.form.keyless else None)


@pytest.mark.parametrize(("signer", "form"), _MADE)
def test_bpfimg_demands_attestations_by_policy(
    signer: str, form: str, attested: Callable[[str, str], Signed], client: Callable[[str], Bpfimg]
) -> None:
    made, ours = attested(signer, form), client("bpfimg")

    def verify(wanted: object, uri: str = URI, public: Path | None = None, identity: str = IDENTITY) -> bool:
        if made.form.keyless:
            who = {"type": "keyless", "identities": [{"issuer": ours.stack.issuer, "subject": IDENTITY}]}
            attests = {"type": "keyless", "identities": [{"issuer": ours.stack.issuer, "subject": identity}]}
        else:
            evidence = "require" if made.form.rekor else "ignore"
            who = {"type": "key", "keyPaths": [str(made.public)], "tlog": evidence, "timestamp": evidence}
            attests = {**who, "keyPaths": [str(public or made.public)]}
        root = {"trustedRoot": "corp"} if made.form.rekor else {}
        conditions = [{"pointer": "/runDetails/builder/id", "equals": wanted}]
        demanded = {"predicateType": uri, "requireAny": ["attests"], "conditions": conditions}
        policy = {
            "version": 1,
            "default": "deny",
            "trustedRoots": {"corp": {"path": str(ours.stack.trusted_root)}} if root else {},
            "authorities": {"signs": {**who, **root}, "attests": {**attests, **root}},
            "rules": [
                {"scope": made.image.partition("@")[0], "requireAny": ["signs"], "attestations": [demanded]},
            ],
        }
        return believed(made.image, policy)

    assert verify(BUILDER)
    assert not verify(f"{BUILDER}/other")
    assert not verify(BUILDER, "https://spdx.dev/Document")
    assert not verify(BUILDER, public=stranger(client, signer), identity=STRANGER)


@pytest.mark.parametrize("verifier", ["cosign-2.5", "cosign-3.1"])
@pytest.mark.parametrize("signer", SIGNERS)
def test_cosign_verifies_the_time_of_an_att(
    signer: str, verifier: str, attested: Callable[[str, str], Signed], client: Callable[[str], Bpfimg], stack: Stack
) -> None:
    """A timestamp in an `.att` is over the whole envelope, for every cosign that verifies one; only cosign 3.1, when it
    writes, has it over the signature, and then no cosign takes it."""
    made, peer = attested(signer, "keyless-att"), client(verifier).peer
    words = ["--certificate-identity", IDENTITY, "--certificate-oidc-issuer", stack.issuer, "--type", TYPE]
    if verifier == "cosign-3.1":
        words += ["--new-bundle-format=false", "--trusted-root", str(stack.trusted_root)]
    else:
        words += ["--timestamp-certificate-chain", str(stack.tsa_chain)]
    done = peer.run("verify-attestation", "--use-signed-timestamps", *words, made.image)
    assert (done.returncode == 0) is (signer != "cosign-3.1"), done.stderr
    assert signer != "cosign-3.1" or "RFC3161" in done.stderr
