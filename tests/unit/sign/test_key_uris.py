"""URIs of keys: what is read, what is refused, and that no refusal repeats a secret."""

from __future__ import annotations

import pytest

from bpfimg.errors import UsageError
from bpfimg.sign import signers
from bpfimg.sign._keys._uri import SCHEMES, CloudUri, TokenUri, parse

# RFC 7512, section 3, and what p11tool --list-tokens prints of SoftHSM
TOKENS = {
    "pkcs11:": TokenUri(),
    "pkcs11:token=bpf;object=release": TokenUri(token="bpf", object="release"),
    "PKCS11:token=bpf": TokenUri(token="bpf"),
    "pkcs11:object=my-sign-key;type=private?pin-source=file:/etc/token": TokenUri(
        object="my-sign-key", pin_source="/etc/token"
    ),
    "pkcs11:object=k?pin-source=file:///etc/token": TokenUri(object="k", pin_source="/etc/token"),
    "pkcs11:object=k?pin-source=/etc/token": TokenUri(object="k", pin_source="/etc/token"),
    "pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=69fe2d8ef75d71af;token=bpfimg-test;id=%00%02;"
    "object=k;type=private?module-path=/usr/lib/softhsm/libsofthsm2.so": TokenUri(
        token="bpfimg-test",
        serial="69fe2d8ef75d71af",
        model="SoftHSM v2",
        manufacturer="SoftHSM project",
        object="k",
        id=b"\x00\x02",
        module="/usr/lib/softhsm/libsofthsm2.so",
    ),
    "pkcs11:token=%c3%a4": TokenUri(token="ä"),
    "hsm:": TokenUri(id=b"\x02"),
    "hsm:2?label=bpfimg-test": TokenUri(token="bpfimg-test", id=b"\x02"),
    "hsm:2?label=YubiKey+PIV+%2315835999": TokenUri(token="YubiKey PIV #15835999", id=b"\x02"),
    "hsm:256": TokenUri(id=b"\x01\x00"),
    "hsm:0": TokenUri(id=b"\x00"),
}
GCP = "projects/p/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"
ARN = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CLOUDS = {
    f"gcpkms:{GCP}": CloudUri("gcpkms", GCP, ""),
    f"gcpkms://{GCP.replace('cryptoKeyVersions', 'versions')}": CloudUri("gcpkms", GCP, ""),  # as cosign writes it
    f"awskms:{ARN}": CloudUri("awskms", ARN, ""),
    f"awskms:///{ARN}": CloudUri("awskms", ARN, ""),
    "awskms:///alias/release": CloudUri("awskms", "alias/release", ""),
    "azurekms://acme.vault.azure.net/keys/release/0123abcd": CloudUri(
        "azurekms", "acme.vault.azure.net/keys/release", "0123abcd"
    ),
    "azurekms://acme.vault.azure.net/release": CloudUri("azurekms", "acme.vault.azure.net/keys/release", ""),
    "hv:release": CloudUri("hv", "release", ""),
    "hv:release/3": CloudUri("hv", "release", "3"),
    "hashivault://release": CloudUri("hv", "release", ""),
}


@pytest.mark.parametrize("text", [*TOKENS, *CLOUDS])
def test_what_a_uri_says_is_read(text: str) -> None:
    assert signers.is_key_uri(text)
    assert parse(text) == {**TOKENS, **CLOUDS}[text]


@pytest.mark.parametrize("text", ["cosign.key", "/keys/release.key", "./pkcs11", "C:key", "https://host/key", "pkcs11"])
def test_a_path_is_no_uri(text: str) -> None:
    assert not signers.is_key_uri(text)


REFUSED = {
    "pkcs11:token=a;token=b": "token twice",
    "pkcs11:slot-id=327": "attribute 'slot-id', expected token",
    "pkcs11:library-version=3": "attribute 'library-version'",
    "pkcs11:token": "a part without a name",
    "pkcs11:object=k;type=cert": "not about a key pair",
    "pkcs11:object=k?module-name=softhsm": "attribute 'module-name'",
    "pkcs11:object=k?module-path=libsofthsm2.so": "not absolute",
    "pkcs11:object=k?module-path=../x.so": "not absolute",
    "pkcs11:object=k?pin-source=%7C/usr/bin/pin-program": "pin-source that is no file",
    "pkcs11:object=k?pin-source=https://host/pin": "pin-source that is no file",
    "pkcs11:token=%ff": "token that is not text",
    "pkcs11:token=a%0ab": "token that is not text",
    "pkcs11:token=a\nb": "not understood",
    "pkcs11:token=" + "a" * 3000: "not understood",
    "hsm:x": "expected hsm:NUMBER",
    "hsm:-2": "expected hsm:NUMBER",
    "hsm:2?label=a&label=b": "expected hsm:NUMBER",
    "hsm:2?pin=1234": "expected hsm:NUMBER",
    "gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k": "cryptoKeyVersions/N",
    "awskms://localhost:4566/alias/k": "names an endpoint",
    "awskms:": "expected awskms:",
    "awskms:a b": "expected awskms:",
    "azurekms://acme.example/keys/k": "expected azurekms:",
    "azurekms://acme.vault.azure.net.evil.example/keys/k": "expected azurekms:",
    "hv:": "expected hv:",
    "hv:../../sys/raw": "expected hv:",
    "gnupg:x": "expected one of pkcs11:",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=REFUSED[text].replace("(", r"\(")) as caught:
        parse(text)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("form", ["{}?pin-value=hunter2", "{}?module-path=/x.so&pin-value=hunter2"])
def test_a_pin_in_a_uri_is_refused_and_not_repeated(form: str) -> None:
    with pytest.raises(UsageError, match="holds a PIN") as caught:
        parse(form.format("pkcs11:token=t"))
    assert "BPFIMG_PIN" in caught.value.hint
    assert "hunter2" not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "rest", ["?pin-value=hunter2;x", ";pin=hunter2", "//hunter2 x", "hunter2=x;y", "2?pin=hunter2"]
)
def test_no_refusal_repeats_a_value(scheme: str, rest: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(f"{scheme}:{rest}")
    assert "hunter2" not in str(caught.value) + caught.value.hint
