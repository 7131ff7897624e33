"""Keys at cloud services: the real client libraries ask stand-ins on loopback, as far as one gets without a cloud.

AWS KMS through boto3, HashiCorp Vault through hvac. Google's and Azure's libraries are not in Debian: of those it is
held that the extra is named, no more.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from bpfimg.sign import PublicKey
from tests.support import clouds
from tests.support.cli import Cli
from tests.support.clouds import AWS_SECRET, VAULT_TOKEN, Clouds
from tests.support.objects import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AWS, VAULT = "awskms:///alias/{}", "hv:{}"
URIS = {"p256": AWS, "p384": AWS, "rsa": AWS, "ed25519": VAULT}
KINDS = {"p256": "ecdsa-p256", "p384": "ecdsa-p384", "rsa": "rsa-2048", "ed25519": "ed25519"}
NAME = "registry.example/team/app:v1"


@pytest.fixture(scope="module")
def running() -> Iterator[Clouds]:
    with clouds.clouds() as found:
        yield found


@pytest.fixture
def services(running: Clouds) -> Clouds:
    running.broken = running.wrong = False
    running.asked.clear()
    return running


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an image."""
    folder = tmp_path_factory.mktemp("store")
    found = Cli(folder, {"BPFIMG_STORE": str(folder / "store"), "HOME": str(folder)})
    found("build", "-t", NAME, str(EXAMPLES / "xdp_pass.bpf.c"))
    return folder / "store"


@pytest.fixture
def cli(tmp_path: Path, store: Path) -> Cli:
    """Without the libraries."""
    shutil.copytree(store, tmp_path / "store")
    return Cli(tmp_path, {"BPFIMG_STORE": str(tmp_path / "store"), "HOME": str(tmp_path)})


@pytest.fixture
def there(cli: Cli, services: Clouds) -> Cli:
    """With the libraries, and what they look for in the environment."""
    return Cli(cli.folder, {**cli.environ, **services.environ})


@pytest.mark.parametrize("name", URIS)
def test_what_a_service_signs_is_believed(there: Cli, services: Clouds, name: str) -> None:
    uri = URIS[name].format(name)
    pem = there("key", "public", uri).stdout
    assert PublicKey.load(pem.encode()).kind == KINDS[name]
    (there.folder / "k.pub").write_text(pem)
    there("verify", "--key", "k.pub", NAME, expect=3)
    formats = "bundle" if name == "p384" else "both"
    there("sign", "--key", uri, "--format", formats, NAME)
    assert there("sign", "-v", "--key", uri, "--format", formats, NAME).stderr.count("was there already") >= 1
    said = there("verify", "--key", "k.pub", NAME).stdout
    assert "bundle" in said
    assert len(services.asked) >= 4


def test_a_service_that_signs_with_one_digest_only_says_so(there: Cli) -> None:
    """AWS signs SHA-384 with a P-384 key, and a `.sig` has SHA-256."""
    error = there.error("sign", "--key", AWS.format("p384"), NAME, expect=1)
    assert "signs sha384 only, but sha256 was asked for" in error["message"]
    assert "--format bundle" in error["hint"]


@pytest.mark.parametrize("name", ["p256", "ed25519"])
def test_a_signature_that_its_key_does_not_believe_is_not_given_out(there: Cli, services: Clouds, name: str) -> None:
    services.wrong = True
    uri = URIS[name].format(name)
    assert "does not believe" in there.error("sign", "--key", uri, NAME, expect=1)["message"]


@pytest.mark.parametrize("uri", [AWS.format("nothing"), VAULT.format("nothing"), VAULT.format("ed25519/1")])
def test_a_key_that_is_not_there_is_one_sentence(there: Cli, uri: str) -> None:
    error = there.error("key", "public", uri, expect=1)
    assert error["kind"] == "KeyFileError"
    assert "\n" not in error["message"]


@pytest.mark.parametrize("uri", [AWS.format("p256"), VAULT.format("ed25519")])
@pytest.mark.parametrize("how", ["broken", "unreachable", "strangers", "strangely set"])
def test_a_service_that_does_not_answer_is_one_sentence_without_secrets(
    there: Cli, services: Clouds, uri: str, how: str
) -> None:
    services.broken = how == "broken"
    nobody = {"VAULT_ADDR": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_KMS": "http://127.0.0.1:1"}
    stranger = {"VAULT_TOKEN": "hvs.wrong", "AWS_ACCESS_KEY_ID": ""}
    strange = {"VAULT_ADDR": "no address", "AWS_ENDPOINT_URL_KMS": "no address"}
    environ = {"unreachable": nobody, "strangers": stranger, "strangely set": strange}.get(how, {})
    for words in (("key", "public", uri), ("-v", "sign", "--key", uri, NAME)):
        done = there(*words, expect=1, **environ)
        assert done.stderr.startswith("bpfimg: error: key '")
        assert done.stderr.count("\n") == 1
        assert "cannot be used: its library says" in done.stderr
        for secret in (VAULT_TOKEN, AWS_SECRET, "hvs.wrong"):
            assert secret not in done.stdout + done.stderr


EXTRAS = {
    "gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1": "gcpkms",
    AWS.format("p256"): "awskms",
    "azurekms://acme.vault.azure.net/keys/k": "azurekms",
    VAULT.format("k"): "vault",
}


@pytest.mark.parametrize("uri", EXTRAS)
def test_a_library_that_is_not_there_is_named(cli: Cli, uri: str) -> None:
    extra = EXTRAS[uri]
    error = cli.error("sign", "--key", uri, NAME, expect=1)
    assert f"securesystemslib[{extra}], which is not installed" in error["message"]
    assert error["hint"] == f"pip install 'bpfimg[{extra}]'"
