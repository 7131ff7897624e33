"""Checkpoints: which notes are read, and whose signatures under them count."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from bpfimg.sign._evidence._checkpoint import checkpoint
from bpfimg.sign._evidence._logs import Log, log
from bpfimg.sign._strict import Junk
from tests.support.sigstack import Rekor, Secret
from tests.support.sigstack._documents import log as instance

ROOT = hashlib.sha256(b"root").digest()
SIZE = 7


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def trusted(rekor: Rekor, url: str = "https://rekor.example") -> Log:
    return log(instance(url, rekor.key, rekor.log_id), "tlogs[0]")


def rekor(version: int = 2, kind: str = "ecdsa-p256", name: str = "rekor.example") -> Rekor:
    return Rekor(version, "checkpoints", kind=kind, name=name)


def line(name: str, hint: bytes, signature: bytes) -> str:
    return f"\u2014 {name} {b64(hint + signature)}\n"


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ecdsa-p384", "ed25519"])
@pytest.mark.parametrize("version", [1, 2])
def test_a_logs_own_checkpoint_is_read_and_believed(version: int, kind: str) -> None:
    mine = rekor(version, kind)
    found = checkpoint(mine.checkpoint(SIZE, ROOT))
    assert (found.origin, found.size, found.root) == (mine.origin, SIZE, ROOT)
    assert found.signed_by(trusted(mine))
    assert not found.signed_by(trusted(Rekor(version, "another", kind=kind, name="rekor.example")))


def test_an_ed25519_log_is_known_by_the_id_of_its_key_under_its_name() -> None:
    """cosign's `trusted-root create` writes the hash of the key instead: both ids lead to the log."""
    mine = rekor(2, "ed25519")
    own = log(instance("https://rekor.example", mine.key, hashlib.sha256(mine.key.spki).digest()), "tlogs[0]")
    assert mine.log_id in own.ids
    assert checkpoint(mine.checkpoint(SIZE, ROOT)).signed_by(own)


def test_witnesses_sign_beside_the_log_in_any_order() -> None:
    mine = rekor()
    note = mine.checkpoint(SIZE, ROOT)
    head, own = note.split("\n\n")
    witness = line("witness.example", b"abcd", b"\4" * 72)
    for signatures in (own + witness, witness + own, witness + own + witness):
        assert checkpoint(f"{head}\n\n{signatures}").signed_by(trusted(mine))
    assert not checkpoint(f"{head}\n\n{witness}").signed_by(trusted(mine))


def test_a_bad_signature_of_the_log_does_not_hide_a_good_one() -> None:
    mine = rekor()
    head, own = mine.checkpoint(SIZE, ROOT).split("\n\n")
    forged = line("rekor.example", mine.log_id[:4], b"0\6\2\1\1\2\1\1")
    assert checkpoint(f"{head}\n\n{forged}{own}").signed_by(trusted(mine))
    assert not checkpoint(f"{head}\n\n{forged}").signed_by(trusted(mine))


def test_a_signature_under_another_name_or_hint_does_not_count() -> None:
    mine = rekor()
    text = f"{mine.origin}\n{SIZE}\n{b64(ROOT)}\n"
    signature = mine.key.sign(text.encode())
    assert checkpoint(f"{text}\n{line('rekor.example', mine.log_id[:4], signature)}").signed_by(trusted(mine))
    assert not checkpoint(f"{text}\n{line('other.example', mine.log_id[:4], signature)}").signed_by(trusted(mine))
    assert not checkpoint(f"{text}\n{line('rekor.example', b'none', signature)}").signed_by(trusted(mine))


def test_the_tree_of_another_host_is_refused_although_the_key_is_the_same() -> None:
    mine, staging = rekor(), rekor(name="staging.example")
    assert mine.key.spki == staging.key.spki
    note = checkpoint(staging.checkpoint(SIZE, ROOT))
    assert not note.signed_by(trusted(mine))
    assert note.signed_by(trusted(staging, "https://staging.example:8443/api"))


def test_rekor_1_adds_the_number_of_its_tree_to_its_name() -> None:
    mine = rekor(1)
    for origin, good in (
        ("rekor.example - 1193050959916656506", True),
        ("rekor.example - 0", True),
        ("rekor.example - x", False),
        ("rekor.example -1", False),
        ("rekor.example.evil - 1", False),
        ("evil\u2014rekor.example - 1", False),
    ):
        text = f"{origin}\n{SIZE}\n{b64(ROOT)}\n"
        note = f"{text}\n{line('rekor.example', mine.log_id[:4], mine.key.sign(text.encode()))}"
        assert checkpoint(note).signed_by(trusted(mine)) is good, origin


def test_further_lines_are_signed_as_well() -> None:
    mine = rekor()
    text = f"{mine.origin}\n{SIZE}\n{b64(ROOT)}\nTimestamp: 1679349379012118479\n"
    signature = line("rekor.example", mine.log_id[:4], mine.key.sign(text.encode()))
    assert checkpoint(f"{text}\n{signature}").signed_by(trusted(mine))
    assert not checkpoint(f"{text.replace('1679', '1779')}\n{signature}").signed_by(trusted(mine))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "a\n1\n",
        f"origin\n7\n{b64(ROOT)}\n",
        f"origin\n7\n{b64(ROOT)}\n\n",
        f"origin\n7\n{b64(ROOT)}\n\nno signature\n",
        f"origin\n7\n{b64(ROOT)}\n\n\u2014 name {b64(b'123')}\n",
        f"origin\n7\n{b64(ROOT)}\n\n\u2014 name {b64(b'12345')}",
        f"origin\n7\n{b64(ROOT)}\n\n\u2014 name  {b64(b'12345')}\n",
        f"origin\n7\n{b64(ROOT)}\n\n\u2014 name {b64(b'12345')}\n\n\u2014 name {b64(b'12345')}\n",
        f"origin\n07\n{b64(ROOT)}\n\n\u2014 name {b64(b'12345')}\n",
        f"origin\n-7\n{b64(ROOT)}\n\n\u2014 name {b64(b'12345')}\n",
        f"origin\n+7\n{b64(ROOT)}\n\n\u2014 name {b64(b'12345')}\n",
        f"origin\n1_0\n{b64(ROOT)}\n\n\u2014 name {b64(b'12345')}\n",
        f"origin\n\u0667\n{b64(ROOT)}\n\n\u2014 name {b64(b'12345')}\n",
        f"origin\n7\n{b64(ROOT[:31])}\n\n\u2014 name {b64(b'12345')}\n",
        f"origin\n7\n{b64(ROOT)}=\n\n\u2014 name {b64(b'12345')}\n",
        f"\n7\n{b64(ROOT)}\n\n\u2014 name {b64(b'12345')}\n",
        f"origin\r\n7\r\n{b64(ROOT)}\r\n\r\n\u2014 name {b64(b'12345')}\r\n",
        f"origin\ud800\n7\n{b64(ROOT)}\n\n\u2014 name {b64(b'12345')}\n",
        f"origin\n7\n{b64(ROOT)}\n\n" + f"\u2014 name {b64(b'12345')}\n" * 65,
        f"origin\n7\n{b64(ROOT)}\n{'x' * 65_536}\n\n\u2014 name {b64(b'12345')}\n",
    ],
)
def test_what_is_no_checkpoint_is_junk(text: str) -> None:
    with pytest.raises(Junk, match="checkpoint"):
        checkpoint(text)


def test_any_change_of_a_checkpoint_is_noticed() -> None:
    mine = rekor()
    note, own = mine.checkpoint(SIZE, ROOT), trusted(mine)
    for at in range(len(note)):
        for other in ("A", "\n", "0", ""):
            changed = note[:at] + other + note[at + 1 :]
            if changed == note:
                continue
            try:
                found = checkpoint(changed)
            except Junk:
                continue
            same = (found.origin, found.size, found.root) == (mine.origin, SIZE, ROOT)
            assert not found.signed_by(own) or same, json.dumps(changed)


def test_a_key_is_of_the_kind_that_the_root_says() -> None:
    wrong = instance("https://rekor.example", Secret.of("x", "ed25519"), b"\0" * 32)
    wrong["publicKey"]["keyDetails"] = "PKIX_ECDSA_P256_SHA_256"
    with pytest.raises(Junk, match="said to be PKIX_ECDSA_P256_SHA_256, and is ed25519"):
        log(wrong, "tlogs[0]")
