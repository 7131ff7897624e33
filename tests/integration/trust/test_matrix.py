"""The interop matrix: who signs what, who verifies it, each cell a test. Where a peer cannot, the test says why, by
version, and shows that it does not; what is believed is refused once more for another key or identity."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

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
    Skopeo,
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
VERIFIERS = ("bpfimg", "cosign-2.5", "cosign-3.1", "skopeo-1.22")
_BY_NAME = {str(form): form for form in FORMS}

#: (signer, form) -> why it cannot, and what it says instead
CANNOT_SIGN = {
    ("cosign-2.5", "key-bundle-rekor2"): ("cosign 2.5 has no client for Rekor v2", "createLogEntry"),
    ("cosign-2.5", "keyless-bundle-rekor2"): ("cosign 2.5 has no client for Rekor v2", "createLogEntry"),
}
#: (verifier, form) -> the same
CANNOT_VERIFY = {
    ("cosign-2.5", "key-bundle-rekor2"): ("cosign 2.5 knows no entries of Rekor v2", "no valid bundles"),
    ("cosign-2.5", "keyless-bundle-rekor2"): ("cosign 2.5 knows no entries of Rekor v2", "no valid bundles"),
    **{
        ("skopeo-1.22", str(form)): ("skopeo 1.22 looks at no bundles", "no signature exists")
        for form in FORMS
        if form.bundle
    },
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with sigstack(tmp_path_factory.mktemp("sigstack")) as found:
        yield found


@pytest.fixture(scope="module")
def client(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Bpfimg | Cosign2 | Cosign3 | Skopeo]:
    """A client by its name, made at first use; the test is skipped where there is none."""
    made: dict[str, Bpfimg | Cosign2 | Cosign3 | Skopeo] = {}
    kinds = {"bpfimg": Bpfimg, "cosign-2.5": Cosign2, "cosign-3.1": Cosign3, "skopeo-1.22": Skopeo}

    def found(name: str) -> Bpfimg | Cosign2 | Cosign3 | Skopeo:
        if name not in made:
            made[name] = kinds[name].of(stack, tmp_path_factory.mktemp(name) / "home")
        return made[name]

    return found


@pytest.fixture(scope="module")
def signed(server: Server, client: Callable[[str], Bpfimg | Cosign2 | Cosign3]) -> Callable[[str, str], Signed]:
    """An image that a client signed in a form, in a repository of its own; signed once for all tests."""
    made: dict[tuple[str, str], Signed] = {}

    def found(signer: str, form: str) -> Signed:
        if (signer, form) not in made:
            by = client(signer)
            place = Registry(Repository.parse(f"{server.host}/{signer}/{form}"), places.RegistryOptions())
            name = f"{place.repository}@{image(f'{signer} {form}').push(place, 'v1').digest}"
            public = by.key()[1]
            made[signer, form] = Signed(name, _BY_NAME[form], public, by.sign(_BY_NAME[form], name))
        return made[signer, form]

    return found


@pytest.mark.parametrize("form", _BY_NAME)
@pytest.mark.parametrize("signer", SIGNERS)
def test_signs(signer: str, form: str, signed: Callable[[str, str], Signed]) -> None:
    said = signed(signer, form).said
    why, words = CANNOT_SIGN.get((signer, form), ("", ""))
    assert said.good is not bool(why), said.err
    assert words in said.err


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize(
    ("signer", "form"), [(signer, form) for signer in SIGNERS for form in _BY_NAME if (signer, form) not in CANNOT_SIGN]
)
def test_verifies(
    signer: str, form: str, verifier: str, signed: Callable[[str, str], Signed], client: Callable[[str], Bpfimg]
) -> None:
    made, by = signed(signer, form), client(verifier)
    assert made.said.good, made.said.err
    _, other = client("bpfimg" if signer == "cosign-3.1" else "cosign-3.1").key()
    said, refused = together(lambda: by.verify(made), lambda: by.verify(made, identity=STRANGER, public=other))
    why, words = CANNOT_VERIFY.get((verifier, form), ("", ""))
    assert said.good is not bool(why), said.err
    assert words in said.err
    assert not refused.good
    if verifier == "bpfimg":
        assert refused.code == 3, refused.err
        check("images", json.loads(said.out))
        _answers(json.loads(said.out), made, by.stack)


def _answers(document: dict[str, Any], made: Signed, stack: Stack) -> None:
    """The answer says who signed, when, by which log and timestamp that is known, in which format, by which rule."""
    (signer,) = document["images"][0]["signers"]
    form = made.form
    assert signer["format"] == ("bundle" if form.bundle else "legacy")
    assert (signer["identity"], signer["issuer"]) == ((IDENTITY, stack.issuer) if form.keyless else (None, None))
    assert bool(signer["key"]) is not form.keyless
    assert len(signer["logs"]) == bool(form.rekor)
    for log in signer["logs"]:
        url, _, index = log.partition(" entry ")
        assert url == stack.urls[f"rekor{form.rekor}"]
        assert stack.world.rekors[form.rekor].find(index=int(index)) is not None
    assert len(signer["timestamps"]) == bool(form.rekor)
    assert bool(signer["signed_at"]) is bool(form.rekor)
    assert signer["rule"]


@pytest.mark.parametrize(
    ("signer", "form"), [(signer, form) for signer in SIGNERS for form in _BY_NAME if (signer, form) not in CANNOT_SIGN]
)
def test_bpfimg_believes_by_policy(
    signer: str, form: str, signed: Callable[[str, str], Signed], client: Callable[[str], Bpfimg]
) -> None:
    made, ours = signed(signer, form), client("bpfimg")
    assert made.said.good, made.said.err
    wanted = "bundle" if made.form.bundle else "legacy"
    _, other = client("bpfimg" if signer == "cosign-3.1" else "cosign-3.1").key()

    assert believed(made.image, _policy(ours, made, formats=[wanted]))
    assert not believed(made.image, _policy(ours, made, formats=["legacy" if made.form.bundle else "bundle"]))
    assert not believed(made.image, _policy(ours, made, identity=STRANGER, public=other))
    if not made.form.keyless and not made.form.rekor:
        assert not believed(made.image, _policy(ours, made, tlog="require"))


def _policy(
    ours: Bpfimg,
    made: Signed,
    *,
    formats: list[str] | None = None,
    identity: str = IDENTITY,
    public: Path | None = None,
    tlog: str = "",
) -> dict[str, object]:
    """A policy that demands all the evidence that the form has."""
    root = {"trustedRoot": "corp"}
    if made.form.keyless:
        authority = {"type": "keyless", **root, "identities": [{"issuer": ours.stack.issuer, "subject": identity}]}
    else:
        evidence = tlog or ("require" if made.form.rekor else "ignore")
        authority = {"type": "key", "keyPaths": [str(public or made.public)], "tlog": evidence, "timestamp": evidence}
        authority |= root if evidence == "require" else {}
    rule: dict[str, object] = {"scope": made.image.partition("@")[0], "requireAny": ["they"]}
    if formats:
        rule["formats"] = formats
    return {
        "version": 1,
        "default": "deny",
        "trustedRoots": {"corp": {"path": str(ours.stack.trusted_root)}},
        "authorities": {"they": authority},
        "rules": [rule],
    }
