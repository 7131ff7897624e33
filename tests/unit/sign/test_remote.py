"""Keys that are kept elsewhere, as far as it does not matter where: what comes back is checked, what fails is said."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import KeyFileError, NotFound, UsageError
from bpfimg.sign import signers
from bpfimg.sign._keys._remote import RemoteKey, Translated
from tests.unit.sign.craft import key

if TYPE_CHECKING:
    from collections.abc import Callable

ALICE, BOB = key("alice"), key("bob")


def remote(sign: Callable[[bytes, str], bytes]) -> RemoteKey:
    return RemoteKey("key 'k' of a service", ALICE.public, sign)


def test_a_signature_is_given_out_when_its_public_key_believes_it() -> None:
    good = remote(lambda data, digest: ALICE.sign(data, digest=digest))
    for digest in ("", "sha256", "sha384"):
        assert ALICE.public.verify(b"data", good.sign(b"data", digest=digest), digest=digest)


@pytest.mark.parametrize(
    "sign",
    [
        lambda data, digest: BOB.sign(data, digest=digest),
        lambda data, _digest: ALICE.sign(data, digest="sha512"),
        lambda _data, digest: ALICE.sign(b"something else", digest=digest),
        lambda _data, _digest: b"",
    ],
    ids=["another key", "another digest", "other data", "nothing"],
)
def test_whatever_its_public_key_does_not_believe_is_not_given_out(sign: Callable[[bytes, str], bytes]) -> None:
    with pytest.raises(KeyFileError, match="key 'k' of a service made a signature that its own public key does not"):
        remote(sign).sign(b"data")


class Strange(Exception):  # noqa: N818
    """Of a library that nobody has heard of."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Strange("one\ntwo"), "says 'one' \\(Strange\\)"),
        (Strange(), "says Strange"),
        (KeyError("Signature"), "KeyError"),
        (OSError(113, "No route to host"), "No route to host"),
        (Strange("\x1b[31m" + "x" * 500), r"says '\\x1b"),
        (RecursionError("deep"), "deep"),
    ],
    ids=repr,
)
def test_every_exception_of_a_library_becomes_one_sentence(error: Exception, said: str) -> None:
    with pytest.raises(KeyFileError, match=said) as caught, Translated("the key"):
        raise error
    assert caught.value.__cause__ is error
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("error", [UsageError("ours"), NotFound("ours"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_ours_and_ctrl_c_pass_through(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, Translated("the key"):
        raise error
    assert caught.value is error


def test_it_does_not_show_what_signs() -> None:
    assert repr(remote(lambda _data, _digest: b"")) == f"RemoteKey(public={ALICE.public.fingerprint})"


def test_naming_a_key_imports_no_library() -> None:
    """Which there are is known from their names; what they bring (google, azure: a second) comes when they are used."""
    program = (
        "import sys; from bpfimg.sign import signers; signers.is_key_uri('hsm:2'); signers.remote_key; "
        "print(sorted({'pkcs11', 'securesystemslib', 'asn1crypto', 'cryptography'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert signers.is_key_uri("hsm:2")
