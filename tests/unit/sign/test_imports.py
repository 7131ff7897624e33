"""What a cached `run` pays for: the modules that reading a policy and verifying a stored image import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.unit.sign.craft import key

ROOT = Path(__file__).parents[3]
HEAVY = {
    "nacl", "urllib3", "elftools", "jsonschema", "typing", "pathlib", "logging", "subprocess", "tempfile", "datetime",
    "urllib", "base64", "random", "ssl", "cryptography.hazmat.primitives.serialization", "cryptography.x509",
    "cryptography.hazmat.primitives.asymmetric.rsa", "cryptography.hazmat.primitives.ciphers",
    "bpfimg.sign._keys._private", "bpfimg.sign._keys._keyfile", "bpfimg.sign._sign", "bpfimg.oci._http._registry",
}  # fmt: skip
PROBE = """
import sys, json
before = set(sys.modules)
from bpfimg.oci import Memory, Reference
from bpfimg.sign import Policy, verify
policy = Policy.load(sys.argv[1], system=False)
verify
loaded = set(sys.modules) - before
json.dump(sorted(loaded), sys.stdout)
"""


def test_reading_a_policy_and_verifying_imports_little(tmp_path: Path) -> None:
    document = {
        "version": 1,
        "default": "deny",
        "authorities": {"a": {"type": "key", "keyData": [key().public.pem]}},
        "rules": [{"scope": "registry.example", "requireAny": ["a"]}],
    }
    (tmp_path / "policy.json").write_text(json.dumps(document))
    path = os.pathsep.join([str(ROOT), *(one for one in sys.path if one)])
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROBE, str(tmp_path / "policy.json")],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        check=True,
        text=True,
    )
    loaded = set(json.loads(done.stdout))
    assert "cryptography.hazmat.primitives.asymmetric.ec" in loaded
    # cryptography's own modules import typing, ours must not (dataclasses bring inspect: paid for by every command)
    assert loaded & HEAVY <= {"typing"}
    assert "bpfimg.sign._verify" in loaded
