"""Object files that nobody signed: refused, unless the policy says so in so many words."""

from __future__ import annotations

import hashlib
import json

import pytest

from bpfimg import build, run
from bpfimg.errors import BytecodeError, VerificationError
from bpfimg.image import BytecodeImage
from bpfimg.oci import Digest, Platform
from bpfimg.run._record import image_record
from bpfimg.sign import Policy
from tests.support.objects import example

PATH = "/home/me/xdp_pass.bpf.o"


def policy(*denied: str, **fields: object) -> Policy:
    document = {"version": 1, "default": "deny", "rules": [], **fields}
    return Policy.parse(
        json.dumps({**document, **({"denyDigests": list(denied)} if denied else {})}).encode(), "p.json"
    )


def allowing(*denied: str) -> Policy:
    return policy(*denied, localFiles="insecure-allow-unsigned")


@pytest.mark.parametrize(
    "trust",
    [
        policy(),
        policy(localFiles="deny"),
        policy(default="insecure-allow-unsigned"),
        policy(rules=[{"scope": "localhost", "action": "insecure-allow-unsigned"}]),
    ],
    ids=["silent", "deny", "default", "scope"],
)
def test_without_the_word_for_it_no_local_file_is_believed(trust: Policy) -> None:
    with pytest.raises(VerificationError, match=r"nobody signed it, and p\.json allows no local files") as error:
        run.local_file(PATH, example("xdp_pass"), trust)
    assert '"localFiles": "insecure-allow-unsigned"' in error.value.hint
    assert "bpfimg sign" in error.value.hint


def test_nothing_is_parsed_before_it_is_allowed() -> None:
    with pytest.raises(VerificationError):
        run.local_file(PATH, b"\x7fELF junk", policy())
    with pytest.raises(BytecodeError):
        run.local_file(PATH, b"\x7fELF junk", allowing())


def test_the_proof_says_that_it_is_none() -> None:
    data = example("xdp_pass")
    place, verified = run.local_file(PATH, data, allowing())
    assert verified.unsafe
    assert (verified.rule, verified.policy, verified.signers) == ("localFiles", "p.json", ())
    assert (verified.file, verified.file_digest) == (PATH, f"sha256:{hashlib.sha256(data).hexdigest()}")
    assert (verified.mark, verified.history) == (None, None)
    assert BytecodeImage.fetch(place, verified.descriptor, Platform.host()).bytecode == data
    record = image_record(verified, verified.descriptor.digest, "missing")
    assert record.reference == f"file:{PATH}"
    assert record.digest == verified.file_digest
    assert record.manifest == str(verified.descriptor.digest)
    assert (record.unsafe, record.rule, record.signers, record.pull) == (True, "localFiles", (), "")


def test_denied_digests_count_whatever_the_file_is_called() -> None:
    data = example("xdp_pass")
    packed = build.image(data, file_name="xdp_pass.bpf.o").pack()
    for denied in (
        Digest.of(data),
        packed.manifest.descriptor.digest,
        packed.manifest.layers[0].digest,
        packed.manifest.config.digest,
    ):
        with pytest.raises(VerificationError, match=f"denyDigests of p.json has {denied}"):
            run.local_file("/tmp/xdp_pass.bpf.o", data, allowing(str(denied)))
    with pytest.raises(VerificationError, match="denyDigests"):
        run.local_file("/tmp/another name.o", data, allowing(str(Digest.of(data))))
    run.local_file(PATH, data, allowing("sha256:" + "0" * 64))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/xdp_pass.bpf.o", "xdp_pass"),
        ("./XDP Pass.o", "xdp_pass"),
        ("/a/b..c___d.o", "b_c_d"),
        ("/a/.o", "object"),
        ("/a/é.bpf.o", "object"),
        ("/a/x-y.z", "x-y.z"),
        ("/a/" + "x" * 300 + ".o", "x" * 96),
        ("/a/--.o", "object"),
    ],
)
def test_any_file_name_gives_a_name(path: str, name: str) -> None:
    _, verified = run.local_file(path, example("xdp_pass"), allowing())
    assert verified.reference.repository.path == name
