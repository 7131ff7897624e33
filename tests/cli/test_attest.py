"""`bpfimg attest`, and what `referrers` and `verify` say of what it made."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.cli import Cli
from tests.support.objects import EXAMPLES
from tests.support.sigstack import SUBJECT, sigstack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.registry import Server
    from tests.support.sigstack import Stack

NAME = "x/xdp_pass:v1"
BTF = "/sys/kernel/btf/vmlinux"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with sigstack(tmp_path_factory.mktemp("sigstack") / "stack") as running:
        yield running


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store and an image in it, a key pair and a predicate."""
    folder = tmp_path_factory.mktemp("made")
    found = Cli(folder, {"BPFIMG_STORE": str(folder / "store"), "HOME": str(folder)})
    found("build", "-t", NAME, str(EXAMPLES / "xdp_pass.bpf.c"))
    found("key", "generate", "k")
    (folder / "predicate.json").write_text('{"spdxVersion": "SPDX-2.3"}')
    return folder


@pytest.fixture
def built(cli: Cli, made: Path) -> Cli:
    shutil.copytree(made, cli.folder, dirs_exist_ok=True)
    return cli


def attest(cli: Cli, *words: str) -> str:
    done = cli("attest", "-v", "--key", "k.key", "--predicate", "predicate.json", *words, NAME)
    return done.stderr


def test_an_attestation_is_a_referrer_and_is_verified(built: Cli) -> None:
    said = attest(built, "--type", "spdxjson")
    assert said.count("attestation added") == 2
    assert attest(built, "--type", "spdxjson").count("attestation was there already") == 2
    (referrer,) = built.json("referrers", "referrers", NAME)["referrers"]
    assert referrer["artifact_type"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    assert referrer["annotations"]["dev.sigstore.bundle.predicateType"] == "https://spdx.dev/Document"
    assert "bundle.v0.3+json (https://spdx.dev/Document)" in built("referrers", NAME).stdout
    built("sign", "--key", "k.key", NAME)
    words = ["verify", "--key", "k.pub", "--pull", "never", "-o", "json", NAME]
    (image,) = json.loads(built(*words, "--attestation", "spdxjson").stdout)["images"]
    assert {one["type"] for one in image["attestations"]} == {"https://spdx.dev/Document"}
    built(*words, "--attestation", "cyclonedx", expect=3)


def test_a_compatibility_report(built: Cli) -> None:
    """Our own type: what `check` says, signed by whoever has tried it."""
    if not os.path.exists(BTF):
        pytest.skip("needs a kernel with CONFIG_DEBUG_INFO_BTF")
    report = built("check", "-o", "json", NAME, "--btf", BTF).stdout
    (built.folder / "predicate.json").write_text(report)
    attest(built, "--type", "compatibility")
    built("sign", "--key", "k.key", NAME)
    words = ["verify", "--key", "k.pub", "--pull", "never", "-o", "json", "--attestation", "compatibility", NAME]
    (image,) = json.loads(built(*words).stdout)["images"]
    (first, *_) = image["attestations"]
    assert first["type"] == "urn:bpfimg:compatibility:1"
    assert first["statement"]["predicate"] == json.loads(report)


def test_without_a_key(built: Cli, stack: Stack) -> None:
    words = ["--type", "slsaprovenance1", "--predicate", "predicate.json", "--trust-config", str(stack.trust_config)]
    done = built("attest", *words, "--identity-token", str(stack.token_file()), NAME)
    assert f"signing as {SUBJECT}" in done.stderr
    assert "only a bundle is written" in done.stderr
    assert len(built.json("referrers", "referrers", NAME)["referrers"]) == 1


def test_what_check_found_without_a_key_about_the_platform_that_it_looked_at(cli: Cli, stack: Stack) -> None:
    platforms = ("--platform", "linux/amd64,linux/arm64")
    cli("build", "-t", NAME, *platforms, str(EXAMPLES / "xdp_pass.bpf.c"))
    signer = ("--attest", "--trust-config", str(stack.trust_config), "--identity-token", str(stack.token_file()))
    done = cli("check", NAME, "--btf", BTF, "--platform", "linux/arm64", *signer)
    assert f"signing as {SUBJECT}" in done.stderr
    assert "attested: ok on 1 kernel" in done.stderr
    (report,) = cli.json("referrers", "referrers", NAME)["referrers"]
    assert report["annotations"]["dev.sigstore.bundle.predicateType"] == "urn:bpfimg:compatibility:1"
    assert report["platform"] == "linux/arm64"


def test_what_the_image_was_built_with(cli: Cli) -> None:
    """Of an index the SBOM of each image, and the provenance of the whole."""
    source = str(EXAMPLES / "xdp_pass.bpf.c")
    words = ("--platform", "linux/amd64,linux/arm64", source)
    cli("build", "-t", NAME, "--sbom", "--provenance", "--builder-id", "https://ci.example/1", *words)
    cli("key", "generate", "k")
    cli("sign", "--key", "k.key", NAME)
    done = cli("attest", "-v", "--key", "k.key", "--attached", NAME)
    assert done.stderr.count("attestation added") == 6
    assert cli("attest", "-v", "--key", "k.key", "--attached", NAME).stderr.count("was there already") == 6
    words = ("verify", "--key", "k.pub", "--pull", "never", "-o", "json", NAME)
    (image,) = json.loads(cli(*words, "--attestation", "slsaprovenance1").stdout)["images"]
    (statement, *_) = [one["statement"] for one in image["attestations"]]
    assert statement["predicate"]["runDetails"]["builder"]["id"] == "https://ci.example/1"
    referrers = cli.json("referrers", "referrers", NAME)["referrers"]
    signed = [each for each in referrers if "bundle" in each["artifact_type"]]
    about = {(each["annotations"]["dev.sigstore.bundle.predicateType"], each["platform"]) for each in signed}
    assert about == {
        ("https://sigstore.dev/cosign/sign/v1", None),
        ("https://sigstore.dev/cosign/sign/v1", "linux/amd64"),
        ("https://sigstore.dev/cosign/sign/v1", "linux/arm64"),
        ("https://slsa.dev/provenance/v1", None),
        ("https://spdx.dev/Document", "linux/amd64"),
        ("https://spdx.dev/Document", "linux/arm64"),
    }


def test_what_others_have_attached_is_not_signed(built: Cli, server: Server) -> None:
    name = f"{server.host}/attached/xdp_pass:v1"
    built("build", "-t", name, "--sbom", str(EXAMPLES / "xdp_pass.bpf.c"), "--push")
    words = ("attest", "--key", "k.key", "--attached")
    assert "is not in the local store" in built.error(*words, f"registry:{name}", expect=2)["message"]
    assert built.error(*words, NAME, expect=1)["message"].startswith("nothing is attached to")
    assert "expected it alone" in built.error(*words, "--type", "custom", NAME, expect=2)["message"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--type", "sbom", "--predicate", "predicate.json"], "the predicate type is 'sbom', expected a URI or"),
        (
            ["--type", "https://sigstore.dev/cosign/sign/v1", "--predicate", "predicate.json"],
            "the predicate type ",
        ),
        (["--type", "custom", "--predicate", "nothing"], "--predicate 'nothing' cannot be read: No such file"),
        (["--type", "custom", "--predicate", "list.json"], "the predicate is a list, expected a JSON object"),
        (["--type", "custom"], "--predicate is missing, expected --type TYPE"),
        (["--predicate", "predicate.json"], "--type is missing"),
    ],
)
def test_words_that_are_wrong(built: Cli, words: list[str], reason: str) -> None:
    (built.folder / "list.json").write_text("[]")
    assert built.error("attest", "--key", "k.key", *words, NAME, expect=2)["message"].startswith(reason)


def test_an_endless_predicate(built: Cli) -> None:
    words = ["--key", "k.key", "--type", "custom", "--predicate", "/dev/zero"]
    assert "has more than 16777216 bytes" in built.error("attest", *words, NAME, expect=2)["message"]


def test_a_predicate_from_stdin(built: Cli, stack: Stack) -> None:
    built("attest", "--key", "k.key", "--type", "openvex", "--predicate", "-", NAME, stdin='{"statements": []}')
    built("sign", "--key", "k.key", NAME)
    done = built("verify", "-q", "--key", "k.pub", "--pull", "never", "--attestation", "https://openvex.dev/ns", NAME)
    assert done.stdout.startswith("sha256:")
    words = [
        "--type",
        "openvex",
        "--predicate",
        "-",
        "--identity-token",
        "-",
        "--trust-config",
        str(stack.trust_config),
    ]
    said = built.error("attest", *words, NAME, expect=2)
    assert said["message"] == "--predicate and --identity-token are both -, expected one of them on stdin"
