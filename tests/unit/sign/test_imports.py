"""What a cached `run` pays for: the modules that reading a policy and verifying a stored image import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bpfimg.oci import Layout
from tests.support.sigstack import World
from tests.support.targets import image
from tests.unit.sign.craft import bundle, key, put_bundle, put_legacy, reference, signed_layer, statement

ROOT = Path(__file__).parents[3]
HEAVY = {
    "nacl", "urllib3", "elftools", "jsonschema", "typing", "pathlib", "logging", "subprocess", "tempfile", "datetime",
    "urllib", "base64", "random", "ssl", "cryptography.hazmat.primitives.serialization", "cryptography.x509",
    "cryptography.hazmat.primitives.asymmetric.rsa", "cryptography.hazmat.primitives.ciphers",
    "rfc3161_client", "sigstore", "sigstore_models", "securesystemslib", "requests", "pydantic",
    "bpfimg.sign._evidence._root", "bpfimg.sign._evidence._witness", "bpfimg.sign._attested", "bpfimg.sign._rollback",
    "bpfimg.sign._keys._private", "bpfimg.sign._keys._keyfile", "bpfimg.sign._sign", "bpfimg.oci._http._registry",
}  # fmt: skip
PROBE = """
import sys, json
before = set(sys.modules)
from bpfimg.oci import Layout, Platform, Reference
from bpfimg.sign import History, Policy, verify
folder, text = sys.argv[1:]
policy = Policy.load(folder + "/policy.json", system=False)
reference = Reference.parse(text)
source = Layout(folder + "/store", reference.repository)
proof = verify(source, reference, source.resolve("v1"), policy, thorough=True, platform=Platform.host(),
               history=History(folder + "/history"))
formats = [signer.format for signer in proof.signers]
json.dump({"formats": formats, "loaded": sorted(set(sys.modules) - before)}, sys.stdout)
"""


@pytest.mark.parametrize("wide", [False, True], ids=["a key", "a key beside roots and identities"])
def test_reading_a_policy_and_verifying_imports_little(tmp_path: Path, *, wide: bool) -> None:
    """What a policy says of others costs nothing before one of them has signed."""
    document: dict[str, Any] = {
        "version": 1,
        "default": "deny",
        "authorities": {"a": {"type": "key", "keyData": [key().public.pem]}},
        "rules": [{"scope": "registry.example", "requireAny": ["a"]}],
    }
    if wide:
        (tmp_path / "root.json").write_bytes(World("imports").trusted_root())
        document["trustedRoots"] = {"corp": {"path": str(tmp_path / "root.json")}}
        identity = {"issuer": "https://idp.example", "subjectRegex": "https://ci\\.example/.*"}
        document["authorities"]["ci"] = {"type": "keyless", "trustedRoot": "corp", "identities": [identity]}
        document["authorities"]["a"] |= {"trustedRoot": "corp", "tlog": "if-present"}
        document["rules"][0]["requireAny"] = ["a", "ci"]
    (tmp_path / "policy.json").write_text(json.dumps(document))
    store = Layout(str(tmp_path / "store"), reference().repository)
    found = image("one").push(store, "v1")
    put_legacy(store, found.digest, signed_layer(found.digest))
    put_bundle(store, found, bundle(statement(found.digest)))
    path = os.pathsep.join([str(ROOT), *(one for one in sys.path if one)])
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROBE, str(tmp_path), str(reference())],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        check=True,
        text=True,
    )
    said = json.loads(done.stdout)
    assert said["formats"] == ["legacy", "bundle"]
    loaded = set(said["loaded"])
    assert "cryptography.hazmat.primitives.asymmetric.ec" in loaded
    # cryptography's own modules import typing, ours must not (dataclasses bring inspect: paid for by every command)
    assert loaded & HEAVY <= {"typing"}
    assert "bpfimg.sign._verify" in loaded
