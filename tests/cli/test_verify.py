"""`bpfimg verify` as typed: who signed, when, by which log or timestamp, in which format, by which rule."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.oci import Layout
from tests.support.sigstack import ISSUER, SUBJECT, World
from tests.support.targets import image, index
from tests.support.trusting import with_policy
from tests.unit.sign.craft import (
    REPOSITORY,
    SIG,
    bundle,
    key,
    payload,
    put_bundle,
    put_legacy,
    reference,
    signed_layer,
    statement,
)

if TYPE_CHECKING:
    from bpfimg.oci import Descriptor
    from tests.support.cli import Cli

AT = 1_750_000_000
WHEN = "2025-06-15T15:06:40Z"
WORLD = World("verify")
NAME = f"{REPOSITORY}:v1"
SPDX = "https://spdx.dev/Document"
WHO = ("--certificate-identity", SUBJECT, "--certificate-oidc-issuer", ISSUER)
ROOT = ("--trusted-root", "root.json")


@pytest.fixture
def store(cli: Cli) -> Layout:
    """The local store, with files to verify by beside it."""
    (cli.folder / "root.json").write_bytes(WORLD.trusted_root())
    (cli.folder / "k.pub").write_text(key().public.pem)
    return Layout(str(cli.folder / "store"), reference().repository)


@pytest.fixture
def one(store: Layout) -> Descriptor:
    return image("one").push(store, "v1")


def keyless(store: Layout, found: Descriptor, **how: Any) -> None:
    put_bundle(store, found, WORLD.bundle(statement(found.digest, REPOSITORY), **{"at": AT, **how}))
    data = payload(found.digest)
    put_legacy(store, found.digest, (data, WORLD.legacy(data, **{"at": AT, **how}), SIG))


def test_a_keyless_signature(cli: Cli, store: Layout, one: Descriptor) -> None:
    keyless(store, one)
    (found,) = cli.json("images", "verify", *WHO, *ROOT, "--pull", "never", NAME)["images"]
    assert found["digest"] == found["verified"] == found["id"] == str(one.digest)
    assert found["policy"] == f"--certificate-identity {SUBJECT}"
    assert [signer["format"] for signer in found["signers"]] == ["legacy", "bundle"]
    for signer in found["signers"]:
        assert (signer["identity"], signer["issuer"], signer["key"]) == (SUBJECT, ISSUER, None)
        assert (signer["signed_at"], signer["timestamps"]) == (WHEN, ["http://127.0.0.1/tsa"])
        assert signer["logs"][0].startswith("http://127.0.0.1/rekor1 entry ")
        assert signer["rule"] == "default"
    text = cli("verify", *WHO, *ROOT, "--pull", "never", NAME).stdout
    for words in (f"{SUBJECT} of {ISSUER}, bundle signature", WHEN, "http://127.0.0.1/tsa", "/rekor1 entry "):
        assert words in text
    assert cli("verify", *WHO, *ROOT, "--pull", "never", "-q", NAME).stdout == f"{one.digest}\n"


@pytest.mark.parametrize(
    "words",
    [
        ("--certificate-identity-regexp", r"https://ci\.example/.*", "--certificate-oidc-issuer", ISSUER),
        ("--certificate-identity", SUBJECT, "--certificate-oidc-issuer-regexp", r"https://idp\.(example|test)"),
    ],
)
def test_patterns(cli: Cli, store: Layout, one: Descriptor, words: tuple[str, ...]) -> None:
    keyless(store, one)
    assert "is believed" in cli("verify", *words, *ROOT, "--pull", "never", NAME).stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--certificate-identity", SUBJECT[:-1], "--certificate-oidc-issuer", ISSUER), "whom the rule does not name"),
        (("--certificate-identity", SUBJECT, "--certificate-oidc-issuer", f"{ISSUER}x"), "whom the rule does not name"),
        (("--certificate-identity-regexp", "ci", "--certificate-oidc-issuer", ISSUER), "whom the rule does not name"),
    ],
)
def test_somebody_else(cli: Cli, store: Layout, one: Descriptor, words: tuple[str, ...], says: str) -> None:
    keyless(store, one)
    error = cli.error("verify", *words, *ROOT, "--pull", "never", NAME, expect=3)
    assert all(says in reason for reason in error["reasons"])
    assert len(error["reasons"]) == 2


def test_another_root(cli: Cli, store: Layout, one: Descriptor) -> None:
    keyless(store, one)
    (cli.folder / "other.json").write_bytes(World("else").trusted_root())
    error = cli.error("verify", *WHO, "--trusted-root", "other.json", "--pull", "never", NAME, expect=3)
    assert "transparency log entry" in error["reasons"][0]
    (cli.folder / "other.json").write_text("{}")
    error = cli.error("verify", *WHO, "--trusted-root", "other.json", "--pull", "never", NAME, expect=3)
    assert (error["kind"], "cannot be used" in error["message"]) == ("PolicyError", True)
    error = cli.error("verify", *WHO, "--trusted-root", "none.json", "--pull", "never", NAME, expect=3)
    assert "none.json does not exist" in error["message"]


def test_the_public_sigstore_is_the_default_root(cli: Cli, store: Layout, one: Descriptor) -> None:
    """And believes nothing of a private one."""
    keyless(store, one)
    cli("verify", *WHO, "--pull", "never", NAME, expect=3)


def test_a_key_with_a_root_says_when(cli: Cli, store: Layout, one: Descriptor) -> None:
    put_bundle(store, one, WORLD.bundle(statement(one.digest), at=AT, key=key()))
    words = ("verify", "--key", "k.pub", "--pull", "never", NAME)
    (signer,) = cli.json("images", *words)["images"][0]["signers"]
    assert (signer["signed_at"], signer["logs"], signer["key"]) == (None, [], key().public.fingerprint)
    (signer,) = cli.json("images", *words, *ROOT)["images"][0]["signers"]
    assert (signer["signed_at"], signer["timestamps"]) == (WHEN, ["http://127.0.0.1/tsa"])
    (cli.folder / "root.json").write_bytes(World("else").trusted_root())
    assert "transparency log entry" in cli.error(*words, *ROOT, expect=3)["reasons"][0]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--trusted-root", "root.json"), "--trusted-root alone says nobody to believe"),
        (("--key", "k.pub", *WHO), "--key and --certificate-identity are given, expected one of them"),
        (("--key", "k.pub", *WHO[2:]), "--key and --certificate-oidc-issuer are given"),
        (WHO[:2], "neither --certificate-oidc-issuer nor"),
        (WHO[2:], "neither --certificate-identity nor"),
        ((*WHO, "--certificate-identity-regexp", "x"), "both --certificate-identity and"),
        (("--certificate-identity-regexp", "(", *WHO[2:]), "cannot be used"),
        (("--certificate-identity", "", *WHO[2:]), "is empty"),
        (("--key", "k.pub", "--attestation", "sbom"), "the predicate type is 'sbom'"),
        (("--key", "k.pub", "--attestation", "https://sigstore.dev/cosign/sign/v1"), "is that of signatures"),
        (("--key", "k.pub", "--allow-downgrade"), "expected the digest"),
    ],
)
@pytest.mark.usefixtures("one")
def test_words_that_say_nothing(cli: Cli, words: tuple[str, ...], says: str) -> None:
    assert says in cli.error("verify", *words, "--pull", "never", NAME, expect=2)["message"]


# -- attestations ------------------------------------------------------------------------------------------------------


def attest(store: Layout, found: Descriptor, by: str = "alice", kind: str = SPDX, **predicate: str) -> None:
    said = statement(found.digest, REPOSITORY, predicateType=kind, predicate=predicate)
    put_bundle(store, found, bundle(said, by))


def test_statements_are_printed_a_line_each(cli: Cli, store: Layout, one: Descriptor) -> None:
    put_legacy(store, one.digest, signed_layer(one.digest))
    words = ("verify", "--key", "k.pub", "--pull", "never", "--attestation", "spdxjson", NAME)
    error = cli.error(*words, expect=3)
    assert f"lacks an attestation that counts, expected one of the type '{SPDX}' by --key k.pub" in error["message"]
    attest(store, one, name="first")
    attest(store, one, name="second")
    attest(store, one, "mallory", name="third")
    done = cli(*words)
    assert sorted(json.loads(line)["predicate"]["name"] for line in done.stdout.splitlines()) == ["first", "second"]
    assert "is believed" in done.stderr
    assert cli(*words, "-q").stdout == f"{one.digest}\n"
    found = cli.json("images", *words)["images"][0]["attestations"]
    assert {one_["type"] for one_ in found} == {SPDX}
    assert {one_["statement"]["predicate"]["name"] for one_ in found} == {"first", "second"}


def test_each_type_that_is_asked_for_must_be_there(cli: Cli, store: Layout, one: Descriptor) -> None:
    put_legacy(store, one.digest, signed_layer(one.digest))
    attest(store, one)
    both = ("--attestation", SPDX, "--attestation", "cyclonedx")
    error = cli.error("verify", "--key", "k.pub", "--pull", "never", *both, NAME, expect=3)
    assert "https://cyclonedx.org/bom" in error["message"]


def test_an_attestation_does_not_make_an_image_signed(cli: Cli, store: Layout, one: Descriptor) -> None:
    attest(store, one)
    error = cli.error("verify", "--key", "k.pub", "--pull", "never", "--attestation", SPDX, NAME, expect=3)
    assert "is not signed" in error["message"]


# -- a policy ----------------------------------------------------------------------------------------------------------


def write(cli: Cli, **rule: Any) -> tuple[str, ...]:
    document = {
        "version": 1,
        "default": "deny",
        "trustedRoots": {"corp": {"path": str(cli.folder / "root.json")}},
        "authorities": {
            "alice": {"type": "key", "keyData": [key().public.pem], "tlog": "ignore", "timestamp": "ignore"},
            "ci": {
                "type": "keyless",
                "trustedRoot": "corp",
                "identities": [{"issuer": ISSUER, "subjectRegex": r"https://ci\.example/.*"}],
            },
        },
        "rules": [{"scope": "registry.example/**", "requireAny": ["alice", "ci"], **rule}],
    }
    (cli.folder / "policy.json").write_text(json.dumps(document))
    return "verify", "--policy", "policy.json", "--pull", "never"


def test_by_which_rule(cli: Cli, store: Layout, one: Descriptor) -> None:
    words = write(cli, threshold=2)
    keyless(store, one)
    assert "2 of alice, ci (rule registry.example/** of policy.json)" in cli.error(*words, NAME, expect=3)["message"]
    put_bundle(store, one, bundle(statement(one.digest)))
    (found,) = cli.json("images", *words, NAME)["images"]
    assert {(one_["authority"], one_["rule"]) for one_ in found["signers"]} == {
        ("alice", "registry.example/**"),
        ("ci", "registry.example/**"),
    }
    assert found["rule"] == "registry.example/**"


def test_what_did_not_count_is_noted(cli: Cli, store: Layout, one: Descriptor) -> None:
    keyless(store, one)
    put_bundle(store, one, bundle(statement(one.digest), "mallory"))
    (found,) = cli.json("images", *write(cli), NAME)["images"]
    assert [note.split(" holds ")[1] for note in found["notes"]] == ["a signature, not by a key that the rule names"]


def test_an_image_of_an_index_that_is_believed_for_itself(cli: Cli, store: Layout) -> None:
    from bpfimg.oci import Platform

    mine = image("mine", Platform.host().architecture)
    mine.push(store)
    top = index(mine, image("other", "riscv64"))
    store.push(top.descriptor, top.raw, tag="v1")
    put_legacy(store, mine.descriptor.digest, signed_layer(mine.descriptor.digest))
    words = ("verify", "--key", "k.pub", "--pull", "never", NAME)
    (found,) = cli.json("images", *words)["images"]
    assert (found["digest"], found["verified"]) == (str(top.descriptor.digest), str(mine.descriptor.digest))
    assert f"{mine.descriptor.digest}, for this machine" in cli(*words).stdout


@pytest.mark.parametrize("words", [(), ("-q",), ("-o", "json")], ids=str)
def test_what_is_let_in_unsigned_is_said_loudly(
    cli: Cli, store: Layout, one: Descriptor, words: tuple[str, ...]
) -> None:
    """Also to who looks at the exit code alone."""
    del one
    allowing = with_policy(cli, {"scope": "registry.example", "action": "insecure-allow-unsigned"}, authorities={})
    done = allowing("verify", *words, "--pull", "never", NAME)
    assert done.stderr.startswith(
        f"bpfimg: warning: UNSIGNED ALLOWED: {NAME}, nobody whom the policy knows signed it: "
    )
    if not words:
        assert done.stdout.startswith(f"{NAME} is let in UNSIGNED\n")
